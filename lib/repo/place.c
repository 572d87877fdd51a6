/* place.c - finding a git directory and judging it before it is read. */
#include "repo/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "repo/config.h"

#define MAX_PACKED_REFS (256u << 20)

/* Opens the directory that dir/name is in. Below dir nothing is a symbolic
 * link unless trusted; this goes part by part, because O_NOFOLLOW looks at
 * the last one only. *last is the rest of name. Negative with errno. */
static int
open_parent(const struct place *p, const char *dir, const char *name,
            const char **last)
{
    int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), next;
    const char *slash;
    struct stat st;
    char *part;

    for (*last = name; fd >= 0 && (slash = strchr(*last, '/')) != NULL;
         *last = slash + 1) {
        part = mem_dup(*last, (size_t)(slash - *last));
        next = openat(fd, part, O_PATH | O_CLOEXEC |
                      (p->trust ? 0 : O_NOFOLLOW));
        free(part);
        close(fd);
        fd = next;
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISLNK(st.st_mode)) {
            close(fd);
            fd = -1;
            errno = ELOOP;
            break;
        }
    }
    return fd;
}

bool
place_link(const struct place *p, const char *dir, const char *name,
           char *out, size_t cap)
{
    const char *last;
    ssize_t n = -1;
    int fd = open_parent(p, dir, name, &last);

    if (fd >= 0) {
        n = readlinkat(fd, last, out, cap);
        close(fd);
    }
    if (n < 0 || (size_t)n == cap)
        return false;
    out[n] = '\0';
    return true;
}

/* errno says why dir/name can't be opened. Not being there is no error. */
static int
not_opened(const char *dir, const char *name, const char *last, bool trust,
           struct err *e)
{
    const size_t n = (size_t)(last - name) + strcspn(last, "/");

    if (errno == ENOENT || errno == ENOTDIR)
        return 0;
    if (errno == ELOOP && !trust)
        return err_set(e, ERR_DATA, "%s/%.*s: a symbolic link; use --trust "
                       "if it may be followed", dir, (int)n, name);
    return err_errno(e, errno == ELOOP ? ERR_DATA : ERR_IO, "%s/%s", dir,
                     name);
}

int
place_read(const struct place *p, const char *dir, const char *name,
           size_t max, struct buf *b, bool *found, struct err *e)
{
    const char *last;
    struct stat st;
    ssize_t n = 1;
    int parent, fd = -1, rc = 0;
    char *path;

    buf_reset(b);
    *found = false;
    parent = open_parent(p, dir, name, &last);
    if (parent >= 0)
        fd = openat(parent, last, O_RDONLY | O_NONBLOCK | O_CLOEXEC |
                    (p->trust ? 0 : O_NOFOLLOW));
    if (fd < 0)
        rc = not_opened(dir, name, last, p->trust, e);
    if (parent >= 0)
        close(parent);
    if (fd < 0)
        return rc;
    path = path_join(dir, name);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        rc = err_set(e, ERR_DATA, "%s: not a regular file", path);
    else if ((uint64_t)st.st_size > max)
        rc = err_set(e, ERR_LIMIT, "%s: too long (found %lld bytes, limit "
                     "%zu)", path, (long long)st.st_size, max);
    while (rc == 0 && n > 0 && b->len <= max) {
        n = read(fd, buf_room(b, 1 << 16), 1 << 16);
        if (n > 0)
            b->len += (size_t)n;
        else if (n < 0 && errno == EINTR)
            n = 1;
        else if (n < 0)
            rc = err_errno(e, ERR_IO, "%s", path);
    }
    b->data[b->len] = '\0';
    close(fd);
    free(path);
    *found = rc == 0;
    return rc;
}

/* ---- finding it ---- */

static bool
is_dir(const char *dir, const char *name)
{
    char *path = path_join(dir, name);
    struct stat st;
    bool yes = stat(path, &st) == 0 && S_ISDIR(st.st_mode);

    free(path);
    return yes;
}

static bool
is_gitdir(const char *dir)
{
    char *head = path_join(dir, "HEAD");
    struct stat st;
    bool yes = lstat(head, &st) == 0 && is_dir(dir, "objects")
               && is_dir(dir, "refs");

    free(head);
    return yes;
}

/* The path that a one-line file "PREFIX PATH" gives, relative to dir. */
static int
pointed_at(const struct place *p, const char *dir, const char *name,
           const char *prefix, char **out, bool *found, struct err *e)
{
    struct buf text;
    char *target;
    int rc;

    buf_init(&text);
    rc = place_read(p, dir, name, PATH_MAX + 16, &text, found, e);
    if (rc == 0 && *found) {
        while (text.len > 0 && strchr("\r\n", text.data[text.len - 1]))
            text.data[--text.len] = '\0';
        if (strncmp(text.data, prefix, strlen(prefix)) != 0) {
            rc = err_set(e, ERR_DATA, "%s/%s: malformed", dir, name);
        } else {
            target = text.data + strlen(prefix);
            *out = *target == '/' ? mem_strdup(target)
                                  : path_join(dir, target);
        }
    }
    buf_release(&text);
    return rc;
}

static int
not_gitdir(const char *path, struct err *e)
{
    return err_set(e, ERR_DATA, "%s: not a git repository", path);
}

/* No repository is at path: one that it is inside of is its root. */
static int
not_root(const char *path, struct err *e)
{
    char *at = realpath(path, NULL), *slash, *dot;
    struct stat st;
    bool root = false;
    int rc;

    while (at && !root && (slash = strrchr(at, '/')) != NULL && slash[1]) {
        slash[slash == at] = '\0';
        dot = path_join(at, ".git");
        root = lstat(dot, &st) == 0 || is_gitdir(at);
        free(dot);
    }
    if (root)
        rc = err_set(e, ERR_USAGE, "%s: is inside the repository at %s: "
                     "name that", path, at);
    else
        rc = not_gitdir(path, e);
    free(at);
    return rc;
}

/* Sets gitdir from path/.git, or path itself. */
static int
find_gitdir(struct place *p, const char *path, struct err *e)
{
    char *dot = path_join(path, ".git");
    struct stat st;
    bool found;
    int rc = 0;

    if (lstat(dot, &st) != 0) {
        if (is_gitdir(path))
            p->gitdir = mem_strdup(path);
    } else if (S_ISDIR(st.st_mode)) {
        p->gitdir = mem_strdup(dot);
    } else if (!p->trust) {
        rc = err_set(e, ERR_DATA, "%s: not a directory but a pointer to "
                     "one; use --trust if it may be followed", dot);
    } else if (S_ISREG(st.st_mode)) {
        rc = pointed_at(p, path, ".git", "gitdir: ", &p->gitdir, &found, e);
    } else if (S_ISLNK(st.st_mode)) {
        p->gitdir = mem_strdup(dot);
    }
    free(dot);
    return rc == 0 && !p->gitdir ? not_root(path, e) : rc;
}

static int
find_common(struct place *p, const char *path, struct err *e)
{
    bool found = false;
    int rc;

    rc = pointed_at(p, p->gitdir, "commondir", "", &p->common, &found, e);
    if (rc < 0)
        return rc;
    if (found && !p->trust)
        return err_set(e, ERR_DATA, "%s: shares another repository; use "
                       "--trust if it may be followed", path);
    if (!found)
        p->common = mem_strdup(p->gitdir);
    if (!is_gitdir(p->common) && !(found && is_dir(p->common, "objects")))
        return not_gitdir(path, e);
    p->objects = path_join(p->common, "objects");
    return 0;
}

static void
set_name(struct place *p, const char *path)
{
    char *real = realpath(path, NULL);
    char *s = mem_strdup(real ? real : path);
    char *base;
    size_t n;

    free(real);
    base = strrchr(s, '/');
    if (base && strcmp(base, "/.git") == 0) {
        *base = '\0';
        base = strrchr(s, '/');
    }
    base = base ? base + 1 : s;
    n = strlen(base);
    if (n > 4 && strcmp(base + n - 4, ".git") == 0)
        base[n - 4] = '\0';
    p->name = mem_strdup(base);
    free(s);
}

/* ---- judging it ---- */

static int
check_entry(const struct place *p, const char *dir, const char *name,
            struct err *e)
{
    char *path = path_join(dir, name);
    struct stat st;
    int rc = 0;

    if ((p->trust ? stat(path, &st) : lstat(path, &st)) != 0) {
        if (errno != ENOENT)
            rc = err_errno(e, ERR_IO, "%s", path);
    } else if (S_ISLNK(st.st_mode)) {
        rc = err_set(e, ERR_DATA, "%s: a symbolic link; use --trust if it "
                     "may be followed", path);
    } else if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        rc = err_set(e, ERR_DATA, "%s: neither file nor directory", path);
    }
    free(path);
    return rc;
}

static int
check_entries(const struct place *p, struct err *e)
{
    static const char *const name[] = {
        "config", "config.worktree", "packed-refs", "shallow",
        "commondir", "refs", "objects", "info"
    };
    size_t i;
    int rc = 0;

    for (i = 0; rc == 0 && i < sizeof(name) / sizeof(*name); i++) {
        rc = check_entry(p, p->gitdir, name[i], e);
        if (rc == 0)
            rc = check_entry(p, p->common, name[i], e);
    }
    return rc;
}

static int
check_owner(const struct place *p, bool trust_owner, struct err *e)
{
    struct stat st;

    if (stat(p->common, &st) != 0)
        return err_errno(e, ERR_IO, "%s", p->common);
    if (st.st_uid != geteuid() && !trust_owner)
        return err_set(e, ERR_DATA, "%s: owned by uid %lu (you are %lu); "
                       "use --trust-owner", p->common,
                       (unsigned long)st.st_uid,
                       (unsigned long)geteuid());
    return 0;
}

/* ---- the whole ---- */

static int
check_shallow(const struct place *p, struct err *e)
{
    struct buf text;
    bool found;
    int rc;

    buf_init(&text);
    rc = place_read(p, p->common, "shallow", MAX_PACKED_REFS, &text, &found,
                    e);
    if (rc == 0 && text.len > 0)
        rc = err_set(e, ERR_DATA, "%s: a shallow clone, its history is cut "
                     "off: git -C %s fetch --unshallow first", p->common,
                     p->common);
    buf_release(&text);
    return rc;
}

static bool
has_entries(const char *common, const char *name)
{
    char *path = path_join(common, name), **entry = NULL;
    struct stat st;
    struct err e;
    size_t n = 0;
    bool yes = false;

    if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
        yes = st.st_size > 0;
    else if (dir_list(&entry, &n, path, &e) == 0)
        yes = n > 0;
    dir_list_free(entry, n);
    free(path);
    return yes;
}

bool
place_remote(const char *text)
{
    const char *colon = strchr(text, ':'), *slash = strchr(text, '/');
    struct stat st;

    return colon && colon > text && (!slash || colon < slash)
           && lstat(text, &st) != 0;
}

int
place_open(struct place *p, const char *path, bool trust, bool trust_owner,
           struct err *e)
{
    struct stat st;
    bool found;
    int rc;

    memset(p, 0, sizeof(*p));
    buf_init(&p->packed);
    p->trust = trust;
    if (stat(path, &st) != 0)
        return err_errno(e, ERR_IO, "%s", path);
    if (!S_ISDIR(st.st_mode))
        return not_gitdir(path, e);
    set_name(p, path);
    rc = find_gitdir(p, path, e);
    if (rc == 0)
        rc = find_common(p, path, e);
    if (rc == 0)
        rc = check_owner(p, trust || trust_owner, e);
    if (rc == 0)
        rc = check_entries(p, e);
    if (rc == 0)
        rc = config_judge(p, e);
    if (rc == 0)
        rc = check_shallow(p, e);
    if (rc == 0)
        rc = place_read(p, p->common, "packed-refs", MAX_PACKED_REFS,
                        &p->packed, &found, e);
    if (rc == 0)
        p->replaced = has_entries(p->common, "info/grafts")
                      || has_entries(p->common, "refs/replace")
                      || memmem(p->packed.data, p->packed.len,
                             " refs/replace/", 14) != NULL;
    if (rc < 0)
        place_release(p);
    return rc;
}

void
place_release(struct place *p)
{
    free(p->name);
    free(p->gitdir);
    free(p->common);
    free(p->objects);
    buf_release(&p->packed);
    memset(p, 0, sizeof(*p));
    buf_init(&p->packed);
}
