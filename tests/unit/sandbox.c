/* sandbox.c - what programs can't do in a sandbox, and how each ends. They
 * are scripts of the shell, which every machine has. */
#include "eval/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/landlock.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static const struct sandbox_limits limits = {
    .seconds = 1, .memory = 1u << 30, .disk = 1u << 20
};

/* Why there can be none here, or NULL. */
static const char *
why_not(void)
{
    static struct err e;
    const char *const argv[] = { "/bin/sh", "-c", ":", NULL };
    struct sandbox_job job = { .argv = argv };
    struct sandbox_result r;

    if (sandbox_run(&r, &limits, &job, &e) < 0)
        return e.text;
    sandbox_result_release(&r);
    return NULL;
}

#define NEED_SANDBOX \
    do { \
        const char *why = why_not(); \
        if (why != NULL) \
            SKIP(why); \
    } while (0)

#define NEED_PERL \
    do { \
        if (access("/usr/bin/perl", X_OK) != 0) \
            SKIP("no perl"); \
    } while (0)

/* Runs a script, which has to end so. */
static struct sandbox_result
run(const char *script, enum sandbox_end end, int status)
{
    const char *const argv[] = { "/bin/sh", "-c", script, NULL };
    struct sandbox_job job = { .argv = argv };
    struct sandbox_result r = { .end = SANDBOX_EXIT };
    struct err e;

    if (!CHECK(sandbox_run(&r, &limits, &job, &e) == 0)) {
        printf("  %s\n", e.text);
        return r;
    }
    if (!CHECK(r.end == end && r.status == status))
        printf("  %s: end %d, status %d: %s\n", script, r.end, r.status,
               r.said.data);
    return r;
}

static void
check_end(const char *script, enum sandbox_end end, int status)
{
    struct sandbox_result r = run(script, end, status);

    sandbox_result_release(&r);
}

static void
check_says(const char *script, const char *want)
{
    struct sandbox_result r = run(script, SANDBOX_EXIT, 0);

    CHECK_STR(r.said.data, want);
    sandbox_result_release(&r);
}

TEST(a_program_ends_by_itself_by_a_signal_or_by_its_time)
{
    NEED_SANDBOX;
    check_end("exit 0", SANDBOX_EXIT, 0);
    check_end("exit 7", SANDBOX_EXIT, 7);
    check_end("kill -SEGV $$", SANDBOX_SIGNAL, SIGSEGV);
}

TEST(what_it_tells_and_the_end_of_what_it_says_are_kept)
{
    struct sandbox_result r;

    NEED_SANDBOX;
    r = run("echo out; echo told >&3; echo said >&2", SANDBOX_EXIT, 0);
    CHECK_STR(r.told.data, "told\n");
    CHECK_STR(r.said.data, "said\n");
    sandbox_result_release(&r);
    r = run("i=0; while [ $i -lt 9000 ]; do echo line $i; i=$((i + 1)); done"
            " >&2; echo last >&2", SANDBOX_EXIT, 0);
    CHECK_EQ_U64(r.said.len, SANDBOX_SAID_MAX);
    CHECK_STR(r.said.data + r.said.len - 15, "line 8999\nlast\n");
    sandbox_result_release(&r);
    r = run("i=0; while [ $i -lt 99 ]; do echo told $i; i=$((i + 1)); done"
            " >&3", SANDBOX_EXIT, 0);
    CHECK_EQ_U64(r.told.len, SANDBOX_TOLD_MAX);
    CHECK(strncmp(r.told.data, "told 0\ntold 1\n", 14) == 0);
    sandbox_result_release(&r);
}

TEST(it_sees_no_files_but_those_of_the_system)
{
    NEED_SANDBOX;
    check_says("cat /etc/passwd /root/* /home/* /proc/self/status 2>/dev/null"
               " >&3; cd /; for d in *; do case $d in lib*) ;; *) echo $d;"
               " esac; done >&2; echo dev/* >&2; ls -A /tmp /etc >&2;"
               " id -u >&2; echo \"$HOME $(env | wc -l)\" >&2",
               "bin\ndev\netc\nsbin\ntmp\nusr\n"
               "dev/full dev/null dev/random dev/urandom dev/zero\n"
               "/etc:\nalternatives\nld.so.cache\n\n/tmp:\n"
               "65534\n/tmp 10\n");
}

TEST(it_writes_to_its_folder_alone_and_not_much)
{
    NEED_SANDBOX;
    check_says("for d in / /usr /usr/bin /etc /dev /bin /etc/alternatives; do"
               " ( : >$d/x ) 2>/dev/null && echo wrote to $d >&2; done;"
               " echo y >/tmp/x && cat /tmp/x >&2", "y\n");
    check_says("cat /dev/zero >/tmp/x 2>/dev/null; n=$?; wc -c </tmp/x >&2;"
               " [ $n -ne 0 ]", "1048576\n");
    check_says("i=0; while head -c 99999 /dev/zero >/tmp/$i && [ $i -lt 99 ];"
               " do i=$((i + 1)); done 2>/dev/null; echo $i >&2", "10\n");
}

/* How long scripts sleep: of this test alone, whoever else runs it. */
static const char *
own_seconds(void)
{
    static char seconds[16];

    snprintf(seconds, sizeof(seconds), "47%u", (unsigned)getpid());
    return seconds;
}

/* Whether a process is there that was started as "sleep SECONDS". */
static bool
sleeps(void)
{
    char want[64], got[64];
    glob_t found;
    bool there = false;
    size_t n = (size_t)snprintf(want, sizeof(want), "sleep%c%s", 0,
                                own_seconds());

    if (glob("/proc/[0-9]*/cmdline", 0, NULL, &found) != 0)
        return true;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        FILE *f = fopen(found.gl_pathv[i], "r");

        if (f == NULL)
            continue;
        there |= fread(got, 1, sizeof(got), f) == n + 1
                 && memcmp(got, want, n + 1) == 0;
        fclose(f);
    }
    globfree(&found);
    return there;
}

/* The script in which each % is how long to sleep. */
static const char *
sleeping(const char *script)
{
    static char text[1024];
    size_t n = 0;

    for (; *script != '\0'; script++) {
        if (*script == '%')
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s",
                                  own_seconds());
        else
            text[n++] = *script;
    }
    text[n] = '\0';
    return text;
}

TEST(what_it_leaves_running_is_killed)
{
    NEED_SANDBOX;
    CHECK(!sleeps());
    check_says(sleeping("(setsid sh -c 'exec sleep %' >/dev/null 2>&1 3>&1 &)"
                        "; echo over >&2"), "over\n");
    CHECK(!sleeps());
}

TEST(it_has_so_many_processes_and_no_more)
{
    struct sandbox_result r;

    NEED_SANDBOX;
    r = run(sleeping("i=0; while :; do sleep % & i=$((i + 1)); echo $i; done"
                     " >&3"), SANDBOX_EXIT, 2); /* the shell can't fork */
    /* its keeper, the first process and the shell are three */
    CHECK_STR(r.told.data + r.told.len - 4, "\n29\n");
    CHECK(!sleeps());
    sandbox_result_release(&r);
    check_end("b() { b | b & b; }; b", SANDBOX_EXIT, 2);
}

TEST(it_has_its_memory_and_no_more)
{
    const char *const argv[] = {
        "/bin/sh", "-c", "head -c 60000000 /dev/zero | tail -c 50000000", NULL
    };
    struct sandbox_job job = { .argv = argv };
    struct sandbox_limits narrow = limits;
    struct sandbox_result r;
    struct err e;

    NEED_SANDBOX;
    narrow.memory = 32u << 20;
    CHECK(sandbox_run(&r, &narrow, &job, &e) == 0);
    CHECK(r.end == SANDBOX_EXIT && r.status == 1);
    CHECK_STR(r.said.data, "tail: memory exhausted\n");
    sandbox_result_release(&r);
}

/* Nobody comes to a socket that listens outside. */
TEST(it_has_no_network)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    socklen_t n = sizeof(at);
    char script[128];

    NEED_SANDBOX;
    if (access("/bin/bash", X_OK) != 0)
        SKIP("no bash");
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&at, n) == 0
          && listen(fd, 1) == 0
          && getsockname(fd, (struct sockaddr *)&at, &n) == 0);
    snprintf(script, sizeof(script), "bash -c 'echo hello "
             ">/dev/tcp/127.0.0.1/%u'", ntohs(at.sin_port));
    check_end(script, SANDBOX_EXIT, 1);
    CHECK(accept(fd, NULL, NULL) < 0 && errno == EAGAIN);
    close(fd);
}

/* A virtual machine's host, and the kernel's own: no namespace closes these.
 */
TEST(it_has_no_other_network_either)
{
    NEED_SANDBOX;
    NEED_PERL;
    check_says("perl -e 'socket(S, $_, 3, 0) || socket(S, $_, 1, 0) or print"
               " STDERR \"$_ \" for 1, 2, 10, 16, 40'", "16 40 ");
}

TEST(it_can_make_no_namespaces_of_its_own)
{
    NEED_SANDBOX;
    check_end("unshare -Ur true || unshare -m true || unshare -p true",
              SANDBOX_EXIT, 1);
}

/* ---- without namespaces ---- */

static const struct sandbox_limits landlock = {
    .kind = SANDBOX_LANDLOCK, .seconds = 1, .memory = 1u << 30,
    .disk = 1u << 20
};

/* Runs a script, which has to end so and leave no folder. */
static void
check_landlock(const char *script, enum sandbox_end end, int status,
               const char *says)
{
    char text[1024];
    const char *const argv[] = { "/bin/sh", "-c", text, NULL };
    struct sandbox_job job = { .argv = argv };
    struct sandbox_result r;
    struct err e;

    snprintf(text, sizeof(text), "printf %%s $TMPDIR >&3; %s", script);
    if (!CHECK(sandbox_run(&r, &landlock, &job, &e) == 0)) {
        printf("  %s\n", e.text);
        return;
    }
    if (!CHECK(r.end == end && r.status == status))
        printf("  %s: end %d, status %d\n", script, r.end, r.status);
    CHECK_STR(r.said.data, says);
    CHECK(strncmp(r.told.data, "/tmp/sandbox.", 13) == 0);
    CHECK(access(r.told.data, F_OK) != 0 && errno == ENOENT);
    sandbox_result_release(&r);
}

#define NEED_LANDLOCK \
    do { \
        if (syscall(SYS_landlock_create_ruleset, NULL, 0, \
                    LANDLOCK_CREATE_RULESET_VERSION) < 3) \
            SKIP("no landlock"); \
    } while (0)

TEST(landlock_keeps_files_and_others_away)
{
    NEED_LANDLOCK;
    check_landlock("for f in /etc/passwd /proc/self/status /proc/1/environ"
                   " /tmp/* /dev/tty; do ( : <$f ) 2>/dev/null && echo $f "
                   ">&2; done; for d in / /usr /etc /tmp /dev; do"
                   " ( : >$d/graft-x ) 2>/dev/null && echo wrote to $d >&2;"
                   " done; echo y >x && cat x $TMPDIR/x >&2; umask >&2",
                   SANDBOX_EXIT, 0, "y\ny\n0077\n");
    check_landlock("kill -9 $$ 2>/dev/null || chmod 777 x 2>/dev/null"
                   " || chmod 777 . 2>/dev/null || setsid true 2>/dev/null"
                   " || touch -d 2001-01-01 . 2>/dev/null"
                   " || unshare -Ur true 2>/dev/null || echo no >&2",
                   SANDBOX_EXIT, 0, "no\n");
    check_landlock(sleeping("(setsid sleep % 2>/dev/null &); sleep % &"
                            " sh -c 'sleep % &' 2>/dev/null; mkdir -m 0 d;"
                            " mkdir -p a/b; echo x >a/b/c"),
                   SANDBOX_EXIT, 0, "");
    check_landlock(sleeping("sleep % & sleep %"), SANDBOX_CLOCK, 0, "");
    CHECK(!sleeps());
}

/* Deeper than a path can be long. */
TEST(a_folder_goes_however_deep_it_is)
{
    NEED_LANDLOCK;
    NEED_PERL;
    check_landlock("perl -e '$d = \"d\" x 250; for (1..40) { mkdir $_ for"
                   " $d, \"e\"; open(F, \">\", \"e/f\"); chdir $d or die }"
                   " print STDERR \"there\"'", SANDBOX_EXIT, 0, "there");
}

/* A process that nobody, or this user, has, as programs do. */
static pid_t
other_process(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
            _exit(1);
        for (;;)
            pause();
    }
    return pid;
}

TEST(landlock_signals_nobody_by_a_descriptor_either)
{
    char script[512];
    pid_t pid;

    NEED_LANDLOCK;
    NEED_PERL;
    pid = other_process();
    /* F_SETOWN or FIOSETOWN, F_SETSIG to SIGKILL or SIGIO, and O_ASYNC */
    snprintf(script, sizeof(script), "perl -e 'pipe(R, W); fcntl(R, 8, %d);"
             " fcntl(R, 10, 9); fcntl(R, 4, 020000); syswrite(W, \"x\");"
             " socketpair(S, T, 1, 1, 0); $p = pack(\"i\", %d);"
             " ioctl(S, 0x8901, $p); fcntl(S, 4, 020000); syswrite(T, \"x\");"
             " select(undef, undef, undef, 0.1)'", (int)pid, (int)pid);
    check_landlock(script, SANDBOX_EXIT, 0, "");
    CHECK(waitpid(pid, NULL, WNOHANG) == 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static bool
put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    bool done = fd >= 0
                && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    close(fd);
    return done;
}

/* Makes the process the root of a namespace of users, as containers' is. */
static bool
become_root(void)
{
    char users[32], groups[32];

    if (geteuid() == 0 && (setresgid(65534, 65534, 65534) != 0
                           || setresuid(65534, 65534, 65534) != 0))
        return false;
    prctl(PR_SET_DUMPABLE, 1);
    snprintf(users, sizeof(users), "0 %u 1", (unsigned)geteuid());
    snprintf(groups, sizeof(groups), "0 %u 1", (unsigned)getegid());
    return unshare(CLONE_NEWUSER) == 0 && put("/proc/self/uid_map", users)
           && put("/proc/self/setgroups", "deny")
           && put("/proc/self/gid_map", groups) && geteuid() == 0;
}

/* What a container's root can do its programs can't: root looks into a folder
 * that nobody may look into. */
TEST(landlock_has_no_root_of_a_container)
{
    int status = 0;
    pid_t pid;

    NEED_LANDLOCK;
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        if (!become_root())
            _exit(2);
        check_landlock("mkdir -m 0 d; ls d 2>/dev/null && echo in >&2; id -u"
                       " >&2", SANDBOX_EXIT, 0, "0\n");
        fflush(stdout);
        _exit(test_failed_checks > 0);
    }
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
        SKIP("no namespace of users");
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(files_are_there_when_it_starts)
{
    const char *const argv[] = { "/bin/sh", "two", NULL };
    struct sandbox_job job = {
        .argv = argv, .n_files = 2, .file = (struct sandbox_file[]){
            { "one", "1\0\n", 3 }, { "two", "wc -c <one >&2\n", 15 } }
    };
    struct sandbox_limits narrow = limits;
    struct sandbox_result r;
    struct err e;

    NEED_SANDBOX;
    CHECK(sandbox_run(&r, &limits, &job, &e) == 0);
    CHECK_STR(r.said.data, "3\n");
    sandbox_result_release(&r);
    narrow.disk = 4096; /* a page: the second file has no room */
    CHECK(sandbox_run(&r, &narrow, &job, &e) == ERR_IO);
    CHECK_STR(e.text, "the program's file in the sandbox: No space left on "
                      "device");
}

TEST(what_is_not_there_is_no_program)
{
    const char *const argv[] = { "/no/such", NULL };
    struct sandbox_job job = { .argv = argv };
    struct sandbox_result r;
    struct err e;

    NEED_SANDBOX;
    CHECK(sandbox_run(&r, &limits, &job, &e) == ERR_IO);
    CHECK_STR(e.text, "/no/such: No such file or directory");
}

static const struct test tests[] = {
    RUN(a_program_ends_by_itself_by_a_signal_or_by_its_time),
    RUN(what_it_tells_and_the_end_of_what_it_says_are_kept),
    RUN(it_sees_no_files_but_those_of_the_system),
    RUN(it_writes_to_its_folder_alone_and_not_much),
    RUN(what_it_leaves_running_is_killed),
    RUN(it_has_so_many_processes_and_no_more),
    RUN(it_has_its_memory_and_no_more),
    RUN(it_has_no_network),
    RUN(it_has_no_other_network_either),
    RUN(it_can_make_no_namespaces_of_its_own),
    RUN(landlock_keeps_files_and_others_away),
    RUN(a_folder_goes_however_deep_it_is),
    RUN(landlock_signals_nobody_by_a_descriptor_either),
    RUN(landlock_has_no_root_of_a_container),
    RUN(files_are_there_when_it_starts),
    RUN(what_is_not_there_is_no_program),
};

TEST_MAIN("sandbox", tests)
