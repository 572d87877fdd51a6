/* sandbox_first.c - the first process of a sandbox: the file system that the
 * program sees, the files that it finds, its limits, and its end. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "eval/sandbox_parts.h"

#define BASE "/tmp" /* where the new root is put together */

/* ---- the file system ---- */


/* Makes the mount at path, with those below it, what attributes say. */
static int
set_attributes(const char *path, uint64_t attributes)
{
    struct mount_attr a = { .attr_set = attributes };

    return (int)syscall(SYS_mount_setattr, AT_FDCWD, path, AT_RECURSIVE, &a,
                        sizeof(a));
}

/* The same directory or file in the new root, to be read only. What isn't
 * there is left out; a symbolic link stays one. */
static void
show(const char *path, bool device, int report)
{
    uint64_t what = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID
                    | (device ? MOUNT_ATTR_NOEXEC : MOUNT_ATTR_NODEV);
    char to[PATH_MAX], link[PATH_MAX];
    struct stat st;
    ssize_t n;
    int fd;

    snprintf(to, sizeof(to), BASE "%s", path);
    if (lstat(path, &st) != 0)
        return;
    if (S_ISLNK(st.st_mode)) {
        n = readlink(path, link, sizeof(link) - 1);
        if (n > 0) {
            link[n] = '\0';
            if (symlink(link, to) != 0)
                sandbox_fail(report, "a link in its file system");
        }
        return;
    }
    if (S_ISDIR(st.st_mode)) {
        if (mkdir(to, 0755) != 0)
            sandbox_fail(report, "a folder of its file system");
    } else {
        fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0)
            sandbox_fail(report, "a file of its file system");
        close(fd);
    }
    if (mount(path, to, NULL, MS_BIND | MS_REC, NULL) != 0)
        sandbox_fail(report, "its file system (mount)");
    if (set_attributes(to, what) != 0)
        sandbox_fail(report, "a file system to be read only (mount_setattr)");
}

/* The root is a file system of its own in memory, in which all but /tmp is to
 * be read only. */
static void
make_root(uint64_t disk, int report)
{
    static const char *const shown[] = { "/usr", "/bin", "/sbin", "/lib",
                                         "/lib32", "/lib64", "/libx32",
                                         "/etc/alternatives",
                                         "/etc/ld.so.cache" };
    static const char *const devices[] = { "/dev/null", "/dev/zero",
                                           "/dev/full", "/dev/random",
                                           "/dev/urandom" };
    char options[96];

    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0
        || mount("none", BASE, "tmpfs", MS_NOSUID | MS_NODEV,
                 "size=64k,nr_inodes=64,mode=755") != 0)
        sandbox_fail(report, "a file system of its own (mount)");
    if (mkdir(BASE "/etc", 0755) != 0 || mkdir(BASE "/dev", 0755) != 0
        || mkdir(BASE "/tmp", 0755) != 0)
        sandbox_fail(report, "a folder of its file system");
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
        show(shown[i], false, report);
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
        show(devices[i], true, report);
    snprintf(options, sizeof(options), "size=%llu,nr_inodes=4096,mode=700",
             (unsigned long long)disk);
    if (mount("none", BASE "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, options)
        != 0)
        sandbox_fail(report, "a folder to write to (mount)");
    if (chdir(BASE) != 0 || syscall(SYS_pivot_root, ".", ".") != 0
        || umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
        sandbox_fail(report, "a root of its own (pivot_root)");
    if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID
              | MS_NODEV, NULL) != 0)
        sandbox_fail(report, "a root to be read only (mount)");
    if (chdir("/tmp") != 0)
        sandbox_fail(report, "a folder to write to (chdir)");
}

static void
write_files(const struct sandbox_job *job, int report)
{
    for (size_t i = 0; i < job->n_files; i++) {
        const struct sandbox_file *f = &job->file[i];
        int fd = open(f->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
        size_t at = 0;

        while (fd >= 0 && at < f->n) {
            ssize_t n = write(fd, f->p + at, f->n - at);

            if (n < 0 && errno != EINTR)
                break;
            at += n > 0 ? (size_t)n : 0;
        }
        if (fd < 0 || at < f->n)
            sandbox_fail(report, "the program's file in the sandbox");
        close(fd);
    }
}

/* ---- the program ---- */

/* Descriptors 0 and 1 are nothing, 2 is said, 3 told, and report is 4. */
static int
place_descriptors(const struct sandbox_pipes *pipes)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int from[] = { null, null, pipes->said, pipes->told, pipes->report };
    int fd;

    if (null < 0)
        sandbox_fail(pipes->report, "/dev/null");
    for (int i = 0; i < 5; i++) {
        from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 10);
        if (from[i] < 0)
            sandbox_fail(pipes->report, "a descriptor");
    }
    for (int i = 0; i < 5; i++) {
        fd = i == 4 ? dup3(from[i], i, O_CLOEXEC) : dup2(from[i], i);
        if (fd < 0)
            sandbox_fail(from[4], "a descriptor");
    }
    if (syscall(SYS_close_range, 5, ~0u, 0) != 0)
        sandbox_fail(4, "closing what it must not have (close_range)");
    return 4;
}

static void
set_limit(int what, uint64_t soft, uint64_t hard, int report)
{
    struct rlimit r = { .rlim_cur = soft, .rlim_max = hard }, now;

    if (getrlimit(what, &now) == 0 && now.rlim_max < r.rlim_max) {
        r.rlim_max = now.rlim_max;
        if (r.rlim_cur > r.rlim_max)
            r.rlim_cur = r.rlim_max;
    }
    if (setrlimit(what, &r) != 0)
        sandbox_fail(report, "its limits (setrlimit)");
}

static void
set_limits(const struct sandbox_limits *l, uint64_t others, int report)
{
    uint64_t processes = others + SANDBOX_PROCESSES;

    set_limit(RLIMIT_CORE, 0, 0, report);
    set_limit(RLIMIT_CPU, l->seconds, (uint64_t)l->seconds + 1, report);
    set_limit(RLIMIT_FSIZE, l->disk, l->disk, report);
    set_limit(RLIMIT_NOFILE, 128, 128, report);
    set_limit(RLIMIT_MEMLOCK, 0, 0, report);
    set_limit(RLIMIT_NPROC, processes, processes, report);
    set_limit(RLIMIT_AS, l->memory, l->memory, report);
}

/* The root of a container's namespace has all that can be done there, and its
 * programs would, too. */
static void
drop_capabilities(int report)
{
    struct __user_cap_header_struct own = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct none[2] = { { .permitted = 0 } };

    if (syscall(SYS_capset, &own, none) != 0)
        sandbox_fail(report, "no capabilities (capset)");
}

_Noreturn static void
become_program(const struct sandbox_limits *l, const struct sandbox_job *job,
               const char *folder, int report)
{
    char home[PATH_MAX] = "HOME=/tmp", temp[PATH_MAX] = "TMPDIR=/tmp";
    const char *environment[] = {
        home, temp, "PATH=/usr/local/bin:/usr/bin:/bin",
        "LC_ALL=C.UTF-8", "PYTHONHASHSEED=0", "PYTHONDONTWRITEBYTECODE=1",
        "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", NULL
    };
    uint64_t others = folder != NULL ? sandbox_tasks() : 0;
    sigset_t none;

    if (folder == NULL) {
        setsid();
    } else { /* it is in the first process's session */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        snprintf(home, sizeof(home), "HOME=%s", folder);
        snprintf(temp, sizeof(temp), "TMPDIR=%s", folder);
    }
    set_limits(l, others, report);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    umask(077);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        sandbox_fail(report, "no new privileges (prctl)");
    drop_capabilities(report);
    if (folder != NULL)
        sandbox_landlock(folder, report);
    if (sandbox_filter(folder != NULL) != 0)
        sandbox_fail(report, "a filter of system calls (seccomp)");
    execve(job->argv[0], (char *const *)job->argv,
           (char *const *)environment);
    sandbox_fail(report, job->argv[0]);
}

void
sandbox_first(const struct sandbox_limits *limits,
              const struct sandbox_job *job,
              const struct sandbox_pipes *pipes, const char *folder)
{
    struct sandbox_report r = { .what = SANDBOX_EXIT };
    int report, status = 0;
    pid_t pid, ended;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    report = place_descriptors(pipes);
    if (folder == NULL)
        make_root(limits->disk, report);
    else if (setsid() < 0 || chdir(folder) != 0)
        sandbox_fail(report, "a folder to write to (chdir)");
    write_files(job, report);
    pid = fork();
    if (pid < 0)
        sandbox_fail(report, "fork");
    if (pid == 0)
        become_program(limits, job, folder, report);
    do
        ended = wait(&status);
    while (ended != pid && (ended > 0 || errno == EINTR));
    if (ended != pid)
        sandbox_fail(report, "wait");
    r.status = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) {
        r.what = SANDBOX_SIGNAL;
        r.status = WTERMSIG(status);
    }
    if (write(report, &r, sizeof(r)) < 0)
        _exit(2);
    _exit(0); /* and the kernel kills the rest */
}
