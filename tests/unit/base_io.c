/* base_io.c - files: atomic outputs, refused names, inputs in small pieces,
 * locks, and what signals leave behind. Long, for it is one module's contract
 * and one directory of helpers. */
#include "base/hash.h"
#include "base/io.h"
#include "base/log.h"
#include "base/par.h"
#include "base/mem.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static char dir[] = "/tmp/graft-base-io-XXXXXX";

/* A path in the test's directory; valid until the fourth next call. */
static const char *
at(const char *name)
{
    static char path[4][256];
    static int i;

    i = (i + 1) % 4;
    snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
    return path[i];
}

/* The number of entries in the test's directory. */
static size_t
entries(void)
{
    char **names;
    struct err e;
    size_t n = 0;

    if (CHECK(dir_list(&names, &n, dir, &e) == 0))
        dir_list_free(names, n);
    return n;
}

TEST(an_output_appears_only_at_its_commit)
{
    struct buf b;
    struct out o;
    struct err e;
    struct stat st;

    buf_init(&b);
    umask(027);
    CHECK(file_write(at("a"), "old", 3, &e) == 0);
    CHECK(out_open(&o, at("a"), &e) == 0);
    CHECK(out_write(&o, "new!", 4, &e) == 0 && out_flush(&o, &e) == 0);
    CHECK(file_read(&b, at("a"), 100, &e) == 0);
    CHECK_STR(b.data, "old");
    CHECK_EQ_U64(entries(), 2);
    CHECK(out_commit(&o, &e) == 0);
    CHECK(file_read(&b, at("a"), 100, &e) == 0);
    CHECK_STR(b.data, "new!");
    CHECK(stat(at("a"), &st) == 0);
    CHECK_EQ_U64(st.st_mode & 07777, 0640);
    umask(022);
    CHECK(out_open(&o, at("a"), &e) == 0);
    out_release(&o);
    CHECK_EQ_U64(entries(), 1);
    buf_release(&b);
    CHECK(path_remove(at("a"), &e) == 0);
}

TEST(names_that_are_no_place_for_a_file_are_refused)
{
    struct out o;
    struct err e;

    CHECK(mkfifo(at("fifo"), 0600) == 0);
    CHECK(symlink("nowhere", at("link")) == 0);
    CHECK(mkdir(at("dir"), 0700) == 0);
    CHECK(out_open(&o, at("fifo"), &e) == ERR_EXISTS);
    CHECK(out_open(&o, at("link"), &e) == ERR_EXISTS);
    CHECK(out_open(&o, at("dir"), &e) == ERR_EXISTS);
    CHECK(out_open(&o, "/dev/null", &e) == ERR_EXISTS);
    CHECK(out_open(&o, at("none/x"), &e) == ERR_IO);
    CHECK_EQ_U64(entries(), 3);
    CHECK(path_remove(at("fifo"), &e) == 0);
    CHECK(path_remove(at("link"), &e) == 0);
    CHECK(path_remove(at("dir"), &e) == 0);
    CHECK_EQ_U64(entries(), 0);
}

TEST(inputs_that_are_no_files_are_told_apart)
{
    struct file_map m;
    struct in in;
    struct buf b;
    struct err e;
    struct id id;

    buf_init(&b);
    CHECK(in_open(&in, at("none"), &e) == ERR_IO);
    CHECK(strstr(e.text, "No such file") != NULL);
    CHECK(in_open(&in, dir, &e) == ERR_USAGE);
    CHECK(file_map_open(&m, dir, &e) == ERR_USAGE);
    CHECK(file_map_open(&m, "/dev/zero", &e) == ERR_DATA);
    CHECK(file_read_regular(&b, "/dev/zero", 9, &e) == ERR_DATA);
    CHECK(in_open_regular(&in, dir, &e) == ERR_USAGE);
    CHECK(mkfifo(at("fifo"), 0600) == 0);
    CHECK(in_open_regular(&in, at("fifo"), &e) == ERR_DATA);
    CHECK(strstr(e.text, "fifo: not a regular file") != NULL);
    CHECK(file_map_open(&m, at("fifo"), &e) == ERR_DATA);
    CHECK(id_of_file(&id, at("fifo"), &e) == ERR_DATA);
    CHECK(path_remove(at("fifo"), &e) == 0);
    CHECK(file_write(at("x"), "12345", 5, &e) == 0);
    CHECK(file_read(&b, at("x"), 4, &e) == ERR_LIMIT);
    CHECK(file_read(&b, at("x"), 5, &e) == 0 && b.len == 5);
    CHECK(file_map_open(&m, at("x"), &e) == 0 && m.n == 5);
    file_map_release(&m);
    CHECK(file_write(at("x"), "", 0, &e) == 0);
    CHECK(file_map_open(&m, at("x"), &e) == 0 && m.n == 0 && !m.p);
    file_map_release(&m);
    CHECK(path_remove(at("x"), &e) == 0);
    buf_release(&b);
}

TEST(update_leaves_an_equal_file_alone)
{
    struct stat before, after;
    bool changed;
    struct err e;

    CHECK(file_update(at("u"), "abc", 3, &changed, &e) == 0 && changed);
    CHECK(stat(at("u"), &before) == 0);
    CHECK(file_update(at("u"), "abc", 3, &changed, &e) == 0 && !changed);
    CHECK(stat(at("u"), &after) == 0);
    CHECK_EQ_U64(after.st_ino, before.st_ino);
    CHECK(file_update(at("u"), "abd", 3, &changed, &e) == 0 && changed);
    CHECK(path_remove(at("u"), &e) == 0);
}

/* Writes to the descriptor in pieces of one to seven bytes, slowly. */
static void *
dribble(void *arg)
{
    int fd = *(int *)arg, i, n;
    char line[16];

    for (i = 0; i < 3000; i++) {
        n = snprintf(line, sizeof(line), "%d\n", i);
        if (write(fd, line, (size_t)n) != n)
            break;
    }
    close(fd);
    return NULL;
}

TEST(short_reads_and_a_slow_pipe_make_whole_lines)
{
    int fd[2], i, saved = dup(STDIN_FILENO);
    bool got, ended;
    struct buf b;
    struct in in;
    struct err e;
    pthread_t t;

    buf_init(&b);
    CHECK(pipe(fd) == 0);
    CHECK(fcntl(fd[0], F_SETFL, O_NONBLOCK) == 0);
    CHECK(dup2(fd[0], STDIN_FILENO) == STDIN_FILENO);
    close(fd[0]);
    CHECK(in_open(&in, "-", &e) == 0);
    CHECK_STR(in.name, "stdin");
    pthread_create(&t, NULL, dribble, &fd[1]);
    for (i = 0; i < 3000; i++) {
        CHECK(in_line(&in, &b, 10, &got, &ended, &e) == 0 && got && ended);
        CHECK_EQ_U64(strtoul(b.data, NULL, 10), i);
    }
    CHECK(in_line(&in, &b, 10, &got, &ended, &e) == 0 && !got);
    pthread_join(t, NULL);
    in_release(&in);
    dup2(saved, STDIN_FILENO);
    close(saved);
    buf_release(&b);
}

TEST(reads_and_peeks_agree_across_the_window)
{
    const size_t n = 1000003;
    char *data = mem_alloc(n), *copy = mem_alloc(n);
    const char *p;
    size_t i, got, off = 0;
    struct in in;
    struct err e;

    for (i = 0; i < n; i++)
        data[i] = (char)(i * 2654435761u >> 13);
    CHECK(file_write(at("big"), data, n, &e) == 0);
    CHECK(in_open(&in, at("big"), &e) == 0);
    for (i = 1; off < n; i = i * 3 % 400009) {
        CHECK(in_peek(&in, i, &p, &got, &e) == 0);
        CHECK(got >= i || off + got == n);
        CHECK(memcmp(p, data + off, got) == 0);
        CHECK(in_read(&in, copy + off, i / 2 + 1, &got, &e) == 0);
        off += got;
        CHECK_EQ_U64(in.at, off);
    }
    CHECK(memcmp(copy, data, n) == 0);
    CHECK(in_read(&in, copy, 1, &got, &e) == 0 && got == 0);
    in_release(&in);
    CHECK(path_remove(at("big"), &e) == 0);
    free(data);
    free(copy);
}

TEST(lines_know_their_limit_and_their_end)
{
    bool got, ended;
    struct buf b;
    struct in in;
    struct err e;

    buf_init(&b);
    CHECK(file_write(at("l"), "12345\n\n1234", 11, &e) == 0);
    CHECK(in_open(&in, at("l"), &e) == 0);
    CHECK(in_line(&in, &b, 5, &got, &ended, &e) == 0 && got && ended);
    CHECK_STR(b.data, "12345");
    CHECK(in_line(&in, &b, 5, &got, &ended, &e) == 0 && got && ended);
    CHECK_STR(b.data, "");
    CHECK(in_line(&in, &b, 5, &got, &ended, &e) == 0 && got && !ended);
    CHECK_STR(b.data, "1234");
    in_release(&in);
    CHECK(in_open(&in, at("l"), &e) == 0);
    CHECK(in_line(&in, &b, 4, &got, &ended, &e) == ERR_LIMIT);
    in_release(&in);
    CHECK(path_remove(at("l"), &e) == 0);
    buf_release(&b);
}

TEST(a_tree_is_made_listed_and_removed)
{
    char **names;
    struct err e;
    char name[32];
    size_t n;
    int i;

    CHECK(dir_make(at("t/a/b"), &e) == 0);
    CHECK(dir_make(at("t/a/b/"), &e) == 0);
    for (i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "t/a/f%03d", i);
        CHECK(file_write(at(name), "x", 1, &e) == 0);
    }
    CHECK(file_write(at("keep"), "x", 1, &e) == 0);
    CHECK(symlink(at("keep"), at("t/a/b/link")) == 0);
    CHECK(dir_list(&names, &n, at("t/a"), &e) == 0);
    CHECK_EQ_U64(n, 301);
    CHECK_STR(names[0], "b");
    CHECK_STR(names[300], "f299");
    dir_list_free(names, n);
    CHECK(dir_make(at("keep/x"), &e) == ERR_EXISTS);
    CHECK(path_remove(at("t"), &e) == 0);
    CHECK(!path_exists(at("t")) && path_exists(at("keep")));
    CHECK(path_remove(at("t"), &e) == 0);
    CHECK(path_remove(at("keep"), &e) == 0);
}

TEST(paths_have_parents)
{
    static const char *const rows[][2] = {
        {"a", "."}, {"a/b", "a"}, {"/a", "/"}, {"a/b/", "a"}, {"/", "/"},
        {"/a/b", "/a"},
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *p = path_parent(rows[i][0]);
        CHECK_STR(p, rows[i][1]);
        free(p);
    }
}

/* What a child made of fn returned: its status. */
static int
in_child(int (*fn)(void))
{
    int status = 0;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0)
        _exit(fn());
    waitpid(pid, &status, 0);
    return status;
}

static int
lock_it(void)
{
    char want[300];
    struct err e;

    if (dir_lock(dir, &e) != ERR_EXISTS)
        return 1;
    snprintf(want, sizeof(want), "%s: locked by process %ld", dir,
             (long)getppid());
    return strcmp(e.text, want) == 0 ? 0 : 2;
}

TEST(a_second_process_is_told_who_has_the_lock)
{
    struct err e;

    CHECK(dir_lock(dir, &e) == 0);
    CHECK_EQ_U64(in_child(lock_it), 0);
    CHECK(path_remove(at(".lock"), &e) == 0);
}

static int
die_with_temps(void)
{
    struct out o;
    struct err e;

    io_start();
    if (out_open(&o, at("killed"), &e) < 0 || dir_make(at("tree/x"), &e) < 0)
        return 1;
    io_temp_add(at("tree"));
    if (file_write(at("tree/x/done"), "1", 1, &e) < 0)
        return 2;
    raise(SIGTERM);
    return 3;
}

TEST(a_signal_removes_what_was_not_committed_and_kills)
{
    int status = in_child(die_with_temps);

    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    CHECK_EQ_U64(entries(), 0);
}

static void *
signal_here(void *arg)
{
    (void)arg;
    raise(SIGINT);
    pause();
    return NULL;
}

static int
die_in_a_thread(void)
{
    struct out o;
    struct err e;
    pthread_t t;

    io_start();
    if (out_open(&o, at("killed"), &e) < 0)
        return 1;
    pthread_create(&t, NULL, signal_here, NULL);
    pthread_join(t, NULL);
    return 2;
}

TEST(a_signal_to_another_thread_does_the_same)
{
    int status = in_child(die_in_a_thread);

    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    CHECK_EQ_U64(entries(), 0);
}

static int
ignore_and_live(void)
{
    struct err e;

    signal(SIGHUP, SIG_IGN);
    io_start();
    raise(SIGHUP);
    return file_write(at("lived"), "1", 1, &e) < 0;
}

TEST(an_ignored_signal_stays_ignored)
{
    struct err e;

    CHECK_EQ_U64(in_child(ignore_and_live), 0);
    CHECK(path_exists(at("lived")));
    CHECK(path_remove(at("lived"), &e) == 0);
}

static int
fork_and_exit(void)
{
    struct out o;
    struct err e;
    pid_t pid;

    io_start();
    if (out_open(&o, at("mine"), &e) < 0)
        return 1;
    pid = fork();
    if (pid == 0)
        exit(0);
    waitpid(pid, NULL, 0);
    return out_commit(&o, &e) < 0;
}

TEST(a_forked_child_leaves_its_parents_files)
{
    struct err e;

    CHECK_EQ_U64(in_child(fork_and_exit), 0);
    CHECK(path_remove(at("mine"), &e) == 0);
}

static int
write_to_full(void)
{
    struct out o;
    struct err e;
    int fd = open("/dev/full", O_WRONLY);

    dup2(fd, STDOUT_FILENO);
    if (out_open(&o, "-", &e) < 0 || out_write(&o, "x", 1, &e) < 0)
        return 1;
    if (out_commit(&o, &e) != ERR_IO)
        return 2;
    return strcmp(e.text, "stdout: write: No space left on device") != 0;
}

TEST(a_full_device_is_an_error_at_commit)
{
    CHECK_EQ_U64(in_child(write_to_full), 0);
}

static int
closed_descriptors(void)
{
    struct out o;
    struct in in;
    struct err e;

    close(0);
    close(1);
    io_start();
    if (in_open(&in, "-", &e) != ERR_USAGE)
        return 1;
    if (out_open(&o, "-", &e) != ERR_USAGE)
        return 2;
    if (out_open(&o, at("f"), &e) < 0)
        return 3;
    if (o.fd <= 2)
        return 4;
    out_release(&o);
    return 0;
}

TEST(closed_standard_descriptors_are_refused)
{
    CHECK_EQ_U64(in_child(closed_descriptors), 0);
}

static int
file_too_big(void)
{
    char block[4096] = {0};
    struct rlimit limit = {65536, 65536};
    struct out o;
    struct err e;
    int i, rc;

    io_start();
    setrlimit(RLIMIT_FSIZE, &limit);
    if (out_open(&o, at("big"), &e) < 0)
        return 1;
    for (i = 0, rc = 0; i < 1000 && rc == 0; i++)
        rc = out_write(&o, block, sizeof(block), &e);
    out_release(&o);
    return rc == ERR_IO && strstr(e.text, "File too large") ? 0 : 2;
}

TEST(a_file_over_the_limit_is_an_error)
{
    CHECK_EQ_U64(in_child(file_too_big), 0);
    CHECK_EQ_U64(entries(), 0);
}

/* A mapped file whose second page is gone, with an output begun. */
static void *
cut_short(void)
{
    static char pages[8192];
    static struct out o;
    struct file_map m;
    struct err e;

    io_start();
    log_setup("prog", 0);
    if (file_write(at("mapped"), pages, sizeof(pages), &e) < 0
        || out_open(&o, at("begun"), &e) < 0
        || file_map_open(&m, at("mapped"), &e) < 0
        || truncate(at("mapped"), 4096) < 0
        || !freopen(at("said"), "w", stderr))
        return NULL;
    return (void *)m.p;
}

static int
map_cut_short(void)
{
    const volatile uint8_t *p = cut_short();

    return p ? p[5000] + 8 : 7;
}

/* Item 0 waits for the others to be taken by another thread of the pool. */
static void
read_in_the_pool(void *ctx, size_t i, int worker)
{
    (void)i;
    if (worker == 0)
        sleep(9);
    else if (((const volatile uint8_t *)ctx)[5000] != 0)
        _exit(8);
}

static int
map_cut_short_in_a_thread(void)
{
    void *p = cut_short();

    par_set_threads(2);
    if (p)
        par_for(2, read_in_the_pool, p);
    return 9;
}

static void
check_cut_short(int (*fn)(void))
{
    struct buf said;
    struct err e;

    buf_init(&said);
    CHECK_EQ_U64(in_child(fn), 1 << 8); /* exit 1 */
    CHECK(file_read(&said, at("said"), 1000, &e) == 0);
    CHECK(strncmp(said.data, "prog: ", 6) == 0);
    CHECK(strstr(said.data, "/mapped: was cut short while it was being "
                 "read\n") != NULL);
    CHECK(path_remove(at("mapped"), &e) == 0);
    CHECK(path_remove(at("said"), &e) == 0);
    CHECK_EQ_U64(entries(), 0);
    buf_release(&said);
}

TEST(a_mapped_file_that_is_cut_short_is_an_error)
{
    check_cut_short(map_cut_short);
}

TEST(and_so_it_is_in_a_thread_of_the_pool)
{
    check_cut_short(map_cut_short_in_a_thread);
}

static const struct test tests[] = {
    RUN(an_output_appears_only_at_its_commit),
    RUN(names_that_are_no_place_for_a_file_are_refused),
    RUN(inputs_that_are_no_files_are_told_apart),
    RUN(update_leaves_an_equal_file_alone),
    RUN(short_reads_and_a_slow_pipe_make_whole_lines),
    RUN(reads_and_peeks_agree_across_the_window),
    RUN(lines_know_their_limit_and_their_end),
    RUN(a_tree_is_made_listed_and_removed),
    RUN(paths_have_parents),
    RUN(a_second_process_is_told_who_has_the_lock),
    RUN(a_signal_removes_what_was_not_committed_and_kills),
    RUN(a_signal_to_another_thread_does_the_same),
    RUN(an_ignored_signal_stays_ignored),
    RUN(a_forked_child_leaves_its_parents_files),
    RUN(a_full_device_is_an_error_at_commit),
    RUN(closed_standard_descriptors_are_refused),
    RUN(a_file_over_the_limit_is_an_error),
    RUN(a_mapped_file_that_is_cut_short_is_an_error),
    RUN(and_so_it_is_in_a_thread_of_the_pool),
};

int
main(void)
{
    struct err e;
    int rc;

    if (!mkdtemp(dir))
        return 1;
    rc = test_run("base_io", tests, sizeof(tests) / sizeof(tests[0]));
    if (path_remove(dir, &e) < 0)
        rc = 1;
    return rc;
}
