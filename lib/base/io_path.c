/* io_path.c - directories, trees, locks. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/io_tree.h"
#include "base/mem.h"

char *
path_join(const char *dir, const char *name)
{
    size_t n = strlen(dir), k = strlen(name);
    bool slash = n > 0 && dir[n - 1] != '/';
    char *path = mem_alloc(n + k + 2);

    memcpy(path, dir, n);
    if (slash)
        path[n++] = '/';
    memcpy(path + n, name, k);
    return path;
}

char *
path_parent(const char *path)
{
    size_t n = strlen(path);

    while (n > 1 && path[n - 1] == '/')
        n--;
    while (n > 0 && path[n - 1] != '/')
        n--;
    if (n == 0)
        return mem_strdup(".");
    return mem_dup(path, n == 1 ? 1 : n - 1);
}

int
path_program(char **out, struct err *e)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n < 0 || n == (ssize_t)sizeof(self) - 1)
        return err_errno(e, ERR_IO, "/proc/self/exe");
    self[n] = '\0';
    *out = path_parent(self);
    return 0;
}

bool
path_exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

bool
dir_has(const char *dir, const char *name)
{
    char *path = path_join(dir, name);
    bool has = path_exists(path);

    free(path);
    return has;
}

static int
make_one(const char *path, struct err *e)
{
    struct stat st;
    char *parent;
    int rc;

    if (mkdir(path, 0777) == 0) {
        parent = path_parent(path);
        rc = dir_sync(parent, e);
        free(parent);
        return rc;
    }
    if (errno != EEXIST)
        return err_errno(e, ERR_IO, "%s", path);
    if (stat(path, &st) < 0)
        return err_errno(e, ERR_IO, "%s", path);
    if (!S_ISDIR(st.st_mode))
        return err_set(e, ERR_EXISTS, "%s: exists and is no directory",
                       path);
    return 0;
}

int
dir_check_name(const char *path, struct err *e)
{
    if (strcmp(path, "-") != 0)
        return 0;
    return err_set(e, ERR_USAGE, "-: is standard output (expected a "
                   "directory; ./- is one)");
}

int
dir_make(const char *path, struct err *e)
{
    char *copy, *p;
    struct stat st;
    int rc = dir_check_name(path, e);

    if (rc < 0)
        return rc;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return 0;
    copy = mem_strdup(path);
    for (p = copy + 1; *copy && rc == 0 && *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        rc = make_one(copy, e);
        *p = '/';
    }
    if (rc == 0)
        rc = make_one(copy, e);
    free(copy);
    return rc;
}

int
dir_sync(const char *path, struct err *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

    if (fd < 0)
        return err_errno(e, ERR_IO, "%s", path);
    /* EINVAL: a file system that cannot sync a directory */
    if (fsync(fd) < 0 && errno != EINVAL)
        rc = err_errno(e, ERR_IO, "%s: sync", path);
    close(fd);
    return rc;
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool
is_dot(const char *name)
{
    return name[0] == '.'
           && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

int
dir_list(char ***names, size_t *n, const char *path, struct err *e)
{
    char **list = NULL;
    size_t count = 0, cap = 0;
    struct dirent *d;
    DIR *dir;
    int rc = 0;

    dir = opendir(path);
    if (!dir)
        return err_errno(e, errno == ENOTDIR ? ERR_USAGE : ERR_IO, "%s",
                         path);
    while ((errno = 0, d = readdir(dir))) {
        if (is_dot(d->d_name))
            continue;
        if (count == cap) {
            cap = cap ? cap * 2 : 16;
            list = mem_grow(list, cap * sizeof(*list));
        }
        list[count++] = mem_strdup(d->d_name);
    }
    if (errno != 0)
        rc = err_errno(e, ERR_IO, "%s", path);
    closedir(dir);
    if (rc < 0) {
        dir_list_free(list, count);
        return rc;
    }
    if (count > 0)
        qsort(list, count, sizeof(*list), by_name);
    *names = list;
    *n = count;
    return 0;
}

void
dir_list_free(char **names, size_t n)
{
    while (n > 0)
        free(names[--n]);
    free(names);
}

int
path_remove(const char *path, struct err *e)
{
    if (tree_remove(AT_FDCWD, path) < 0)
        return err_errno(e, ERR_IO, "%s: remove", path);
    return 0;
}

int
dir_lock(const char *dir, struct err *e)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char *path = path_join(dir, ".lock");
    int fd, rc = 0;

    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
              0666);
    if (fd < 0) {
        rc = err_errno(e, ERR_IO, "%s", path);
        goto out;
    }
    if (fcntl(fd, F_SETLK, &lock) == 0)
        goto out; /* fd stays open: it is the lock */
    if (errno != EAGAIN && errno != EACCES)
        rc = err_errno(e, ERR_IO, "%s: lock", path);
    else if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK
             && lock.l_pid > 0)
        rc = err_set(e, ERR_EXISTS, "%s: locked by process %ld", dir,
                     (long)lock.l_pid);
    else
        rc = err_set(e, ERR_EXISTS, "%s: locked by another process", dir);
    close(fd);
out:
    free(path);
    return rc;
}

long
dir_holder(const char *dir)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char *path = path_join(dir, ".lock");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    long holder = 0;

    if (fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
        holder = lock.l_pid > 0 ? (long)lock.l_pid : -1;
    if (fd >= 0)
        close(fd);
    free(path);
    return holder;
}
