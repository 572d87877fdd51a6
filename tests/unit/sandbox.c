/* sandbox.c - what programs can't do in a sandbox, and how each ends. They
 * are scripts of the shell, which every machine has. */
#include "eval/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glob.h>
#include <linux/landlock.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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

/* Whether a process is there that was started as "sleep SECONDS". */
static bool
sleeps(const char *seconds)
{
    char want[64], got[64];
    glob_t found;
    bool there = false;
    size_t n = (size_t)snprintf(want, sizeof(want), "sleep%c%s", 0, seconds);

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

TEST(what_it_leaves_running_is_killed)
{
    NEED_SANDBOX;
    CHECK(!sleeps("4711"));
    check_says("(setsid sh -c 'exec sleep 4711' >/dev/null 2>&1 3>&1 &) ;"
               " echo over >&2", "over\n");
    CHECK(!sleeps("4711"));
}

TEST(it_has_so_many_processes_and_no_more)
{
    struct sandbox_result r;

    NEED_SANDBOX;
    r = run("i=0; while :; do sleep 4712 & i=$((i + 1)); echo $i; done >&3",
            SANDBOX_EXIT, 2); /* the shell can't fork */
    /* its keeper, the first process and the shell are three */
    CHECK_STR(r.told.data + r.told.len - 4, "\n29\n");
    CHECK(!sleeps("4712"));
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

static void
check_landlock(const char *script, enum sandbox_end end, int status,
               const char *says)
{
    const char *const argv[] = { "/bin/sh", "-c", script, NULL };
    struct sandbox_job job = { .argv = argv };
    struct sandbox_result r;
    struct err e;

    if (!CHECK(sandbox_run(&r, &landlock, &job, &e) == 0)) {
        printf("  %s\n", e.text);
        return;
    }
    if (!CHECK(r.end == end && r.status == status))
        printf("  %s: end %d, status %d\n", script, r.end, r.status);
    CHECK_STR(r.said.data, says);
    sandbox_result_release(&r);
}

/* The folders of sandboxes that are there. */
static size_t
folders(void)
{
    glob_t found;
    size_t n = 0;

    if (glob("/tmp/sandbox.??????", 0, NULL, &found) == 0) {
        n = found.gl_pathc;
        globfree(&found);
    }
    return n;
}

TEST(landlock_keeps_files_and_others_away)
{
    size_t before = folders();

    if (syscall(SYS_landlock_create_ruleset, NULL, 0,
                LANDLOCK_CREATE_RULESET_VERSION) < 3)
        SKIP("no landlock");
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
    check_landlock("(setsid sleep 4713 2>/dev/null &); sleep 4713 &"
                   " sh -c 'sleep 4713 &' 2>/dev/null; mkdir -m 0 d;"
                   " mkdir -p a/b; echo x >a/b/c",
                   SANDBOX_EXIT, 0, "");
    check_landlock("sleep 4713 & sleep 4713", SANDBOX_CLOCK, 0, "");
    CHECK(!sleeps("4713"));
    CHECK_EQ_U64(folders(), before);
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
    RUN(it_can_make_no_namespaces_of_its_own),
    RUN(landlock_keeps_files_and_others_away),
    RUN(files_are_there_when_it_starts),
    RUN(what_is_not_there_is_no_program),
};

TEST_MAIN("sandbox", tests)
