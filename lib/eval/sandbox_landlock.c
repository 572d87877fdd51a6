/* sandbox_landlock.c - a sandbox without namespaces: the files that a program
 * may open are named to the kernel (landlock(7)), and a folder on disk is made
 * for it and removed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "eval/sandbox_parts.h"

#define READ (LANDLOCK_ACCESS_FS_READ_FILE)
#define RUN (READ | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE)
#define ALL_OF_1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
#define REFER ((uint64_t)1 << 13)    /* from version 2 on */
#define TRUNCATE ((uint64_t)1 << 14) /* from version 3 on */
#define LEAST 3 /* before, files could be cut short that can't be opened */

/* A rule for path, where there is such. */
static void
allow(int rules, const char *path, uint64_t access, int report)
{
    struct landlock_path_beneath_attr rule = {
        .allowed_access = access,
        .parent_fd = open(path, O_PATH | O_CLOEXEC)
    };

    if (rule.parent_fd < 0)
        return;
    if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH,
                &rule, 0) != 0)
        sandbox_fail(report, "a rule for its files (landlock)");
    close(rule.parent_fd);
}

void
sandbox_landlock(const char *folder, int report)
{
    static const char *const shown[] = { "/usr", "/bin", "/sbin", "/lib",
                                         "/lib32", "/lib64", "/libx32",
                                         "/etc/alternatives" };
    static const char *const files[] = { "/etc/ld.so.cache", "/dev/zero",
                                         "/dev/full", "/dev/random",
                                         "/dev/urandom" };
    struct landlock_ruleset_attr all = {
        .handled_access_fs = ALL_OF_1 | REFER | TRUNCATE
    };
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
                           LANDLOCK_CREATE_RULESET_VERSION);
    int rules;

    if (version >= 0 && version < LEAST)
        errno = ENOSYS;
    if (version < LEAST)
        sandbox_fail(report, "rules for its files (landlock)");
    /* no more than the handled files: what the kernel knows of later is 0 */
    rules = (int)syscall(SYS_landlock_create_ruleset, &all,
                         sizeof(all.handled_access_fs), 0);
    if (rules < 0)
        sandbox_fail(report, "rules for its files (landlock)");
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
        allow(rules, shown[i], RUN, report);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        allow(rules, files[i], READ, report);
    allow(rules, "/dev/null", READ | LANDLOCK_ACCESS_FS_WRITE_FILE
          | TRUNCATE, report);
    allow(rules, folder, all.handled_access_fs
          & ~(uint64_t)(LANDLOCK_ACCESS_FS_MAKE_CHAR
                        | LANDLOCK_ACCESS_FS_MAKE_BLOCK
                        | LANDLOCK_ACCESS_FS_MAKE_SOCK), report);
    if (syscall(SYS_landlock_restrict_self, rules, 0) != 0)
        sandbox_fail(report, "keeping to these rules (landlock)");
    close(rules);
}

/* ---- the folder ---- */

#define DIRECTORY (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* Removes what is in a directory up to the first that isn't empty, which is
 * opened: its descriptor, -1 where there is none, or -2 where something can't
 * be removed. */
static int
remove_inside(int at)
{
    int fd = openat(at, ".", DIRECTORY), found = -1;
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *f;

    if (d == NULL)
        return -2;
    while (found == -1 && (f = readdir(d)) != NULL) {
        if (strcmp(f->d_name, ".") == 0 || strcmp(f->d_name, "..") == 0
            || unlinkat(at, f->d_name, 0) == 0
            || unlinkat(at, f->d_name, AT_REMOVEDIR) == 0)
            continue;
        found = -2;
        if (errno == ENOTEMPTY && fchmodat(at, f->d_name, 0700, 0) == 0)
            found = openat(at, f->d_name, DIRECTORY);
        found = found < 0 ? -2 : found;
    }
    closedir(d);
    return found;
}

/* However deep it is, with a descriptor or two: nothing else is there by now
 * that could move what is above. */
void
sandbox_remove(const char *folder)
{
    int at = open(folder, DIRECTORY), next;
    size_t depth = 0;

    while (at >= 0) {
        next = remove_inside(at);
        if (next >= 0) {
            depth++;
        } else if (next == -1 && depth > 0) {
            next = openat(at, "..", DIRECTORY);
            depth--;
        }
        close(at);
        at = next;
    }
    rmdir(folder);
}

/* ---- processes ---- */

/* The names in a directory that begin with a digit; 0 where it can't be read.
 */
static uint64_t
count_numbers(const char *path)
{
    DIR *d = opendir(path);
    uint64_t n = 0;

    if (d == NULL)
        return 0;
    for (struct dirent *f; (f = readdir(d)) != NULL;)
        n += f->d_name[0] >= '0' && f->d_name[0] <= '9';
    closedir(d);
    return n;
}

uint64_t
sandbox_tasks(void)
{
    DIR *d = opendir("/proc");
    uint64_t n = 0;

    if (d == NULL)
        return 0;
    for (struct dirent *f; (f = readdir(d)) != NULL;) {
        char path[sizeof(f->d_name) + 16];
        struct stat st;

        snprintf(path, sizeof(path), "/proc/%s/task", f->d_name);
        if (f->d_name[0] >= '0' && f->d_name[0] <= '9'
            && stat(path, &st) == 0 && st.st_uid == getuid())
            n += count_numbers(path);
    }
    closedir(d);
    return n;
}
