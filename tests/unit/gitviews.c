/* gitviews.c - every change of a repository, seen from all sides.
 *
 * The repository is the one that tests/history.sh makes; GRAFT_TEST_REPO
 * names another one to check besides, and the checkout itself is checked
 * if it is a repository.
 */
#include <git2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "record/change.h"
#include "record/render_parts.h"
#include "repo/history.h"
#include "repo/place.h"
#include "test.h"

struct check {
    size_t n_files, n_commits, n_skipped, n_apply, n_bad;
    bool apply;     /* also through git apply */
    const char *dir; /* scratch */
    struct buf list; /* "COMMIT STATUS PATH\0" of each file */
};

/* Runs a shell command; true if it ended with 0. */
static bool
shell(const char *command)
{
    pid_t pid = fork();
    int status = -1;

    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void
fail(struct check *c, const struct history_file *f, const char *what)
{
    char hex[OID_HEX + 1];

    if (c->n_bad++ < 10)
        printf("%s %.*s: %s\n", oid_hex(&f->commit, hex), (int)f->path.n,
               f->path.p, what);
}

static void
build(struct buf *b, const struct history_file *f, size_t context)
{
    struct change_text t[2] = {{NULL, 0, 0}, {NULL, 0, 0}};
    int s;

    for (s = 0; s < 2; s++) {
        if (f->side[s]) {
            t[s].p = f->side[s]->data;
            t[s].n = f->side[s]->size;
            t[s].n_lines = f->n_lines[s];
        }
    }
    buf_reset(b);
    change_build(b, &t[0], &t[1], f->edits->edit, f->edits->n, context);
}

static void
check_whole(struct check *c, const struct history_file *f,
            const struct change *change)
{
    struct buf view;
    git_oid id;
    int s;

    buf_init(&view);
    for (s = 0; s < 2; s++) {
        if (change->present[s] != (f->side[s] != NULL)) {
            fail(c, f, "a side is there that should not be");
            continue;
        }
        buf_reset(&view);
        change_side(&view, change, s);
        git_odb_hash(&id, view.data, view.len, GIT_OBJECT_BLOB);
        if (f->side[s] && memcmp(id.id, f->side[s]->id.b, OID_BYTES) != 0)
            fail(c, f, s ? "after differs" : "before differs");
    }
    if (!change_whole(change))
        fail(c, f, "not whole");
    buf_release(&view);
}

/* Appends the unified diff that a record with so much context shows. */
static void
unified(struct buf *b, const struct change *c, uint32_t context,
        const char *old_path)
{
    static struct render_worker w; /* without what encoding needs */
    struct render_part part = { .context = context };

    text_begin(&w.rec, TEXT_COMMIT);
    text_add_str(&w.rec, "path", "a name");
    if (old_path)
        text_add_str(&w.rec, "old_path", old_path);
    render_lines_of_change(&w.lines, c);
    part.to = w.lines.n;
    w.pieces[0].n = 0;
    if (!w.made.data)
        buf_init(&w.made);
    render_diff(&w, &part, false, false);
    for (size_t i = 0; i < w.pieces[0].n; i++)
        buf_add(b, w.pieces[0].piece[i].p, w.pieces[0].piece[i].n);
}

/* The text with fewer lines of context is what showing fewer gives. */
static void
check_context(struct check *c, const struct history_file *f,
              const struct change *whole, uint32_t context)
{
    struct change built;
    struct buf text, again;
    struct err e;

    change_init(&built);
    buf_init(&text);
    buf_init(&again);
    build(&text, f, context);
    if (change_decode(&built, text.data, text.len, &e) < 0) {
        fail(c, f, e.text);
    } else {
        change_encode(&again, &built);
        if (again.len != text.len || memcmp(again.data, text.data, text.len))
            fail(c, f, "encoding again gives other bytes");
        buf_reset(&again);
        unified(&again, &built, RENDER_ALL, NULL);
        buf_reset(&text);
        unified(&text, whole, context, NULL);
        if (built.n_hunks > 0
            && (again.len != text.len
                || memcmp(again.data, text.data, text.len)))
            fail(c, f, "less context gives another diff");
    }
    change_release(&built);
    buf_release(&text);
    buf_release(&again);
}

/* Writes the side before, applies the diff, and reads the side after. */
static void
check_apply(struct check *c, const struct history_file *f,
            const struct change *change)
{
    struct buf diff, got;
    char *patch = path_join(c->dir, "patch"), *work, *file;
    char command[512];
    bool there;
    struct err e;

    buf_init(&diff);
    buf_init(&got);
    work = path_join(c->dir, "work");
    path_remove(work, &e);
    mkdir(work, 0777);
    file = path_join(work, f->old_path.p ? "old" : "a name");
    if (f->side[0])
        file_write(file, f->side[0]->data, f->side[0]->size, &e);
    free(file);
    file = path_join(work, "a name");
    unified(&diff, change, RENDER_ALL, f->old_path.p ? "old" : NULL);
    file_write(patch, diff.data, diff.len, &e);
    snprintf(command, sizeof(command), "cd '%s' && GIT_DIR=/nonexistent "
             "git apply --whitespace=nowarn ../patch 2>../log", work);
    if (!shell(command))
        fail(c, f, "git apply refuses the diff");
    there = file_read(&got, file, 1 << 24, &e) == 0;
    if (there != (f->side[1] != NULL)
        || (there && (got.len != f->side[1]->size
                   || memcmp(got.data, f->side[1]->data, got.len) != 0)))
        fail(c, f, "git apply gives something else");
    c->n_apply++;
    buf_release(&diff);
    buf_release(&got);
    free(patch);
    free(work);
    free(file);
}

static int
on_file(void *ctx, const struct history_file *f, struct err *e)
{
    struct check *c = ctx;
    struct change whole, some;
    struct buf text;
    char hex[OID_HEX + 1];

    change_init(&whole);
    change_init(&some);
    buf_init(&text);
    build(&text, f, CHANGE_ALL);
    if (change_decode(&whole, text.data, text.len, e) < 0)
        fail(c, f, e->text);
    check_whole(c, f, &whole);
    check_context(c, f, &whole, 16);
    check_context(c, f, &whole, 3);
    check_context(c, f, &whole, 0);
    if (c->apply) {
        build(&text, f, 16);
        change_decode(&some, text.data, text.len, e);
        check_apply(c, f, &some);
    }
    buf_addf(&c->list, "%.7s %c %.*s", oid_hex(&f->commit, hex), f->status,
             (int)f->path.n, f->path.p);
    buf_addc(&c->list, '\0');
    c->n_files++;
    change_release(&whole);
    change_release(&some);
    buf_release(&text);
    return 0;
}

static int
on_start(void *ctx, const struct tips *tips, const struct walk *w,
         uint64_t others, struct err *e)
{
    (void)ctx, (void)tips, (void)w, (void)others, (void)e;
    return 0;
}

static int
on_author(void *ctx, uint64_t k, struct span who, struct err *e)
{
    (void)ctx, (void)k, (void)who, (void)e;
    return 0;
}

static int
on_lost(void *ctx, const struct oid *commit, uint64_t n,
        const struct err *why, struct err *e)
{
    (void)ctx;
    (void)commit;
    (void)n;
    *e = *why; /* nothing is, unless it is borne */
    return why->code;
}

static int
on_commit(void *ctx, uint64_t ordinal, const uint64_t skips[N_SKIPS],
          struct err *e)
{
    struct check *c = ctx;
    int i;

    (void)ordinal, (void)e;
    c->n_commits++;
    for (i = 0; i < N_SKIPS; i++)
        c->n_skipped += skips[i];
    return 0;
}

static int
on_bad(void *ctx, const struct oid *id, bool cut, const struct err *why,
       struct err *e)
{
    (void)ctx, (void)id, (void)cut;
    *e = *why;
    return why->code;
}

static int
check_repository(struct check *c, const char *path, bool all)
{
    const struct history_options options = {
        .all = all, .max_blob = 8 << 20, .max_entries = 1 << 21
    };
    const struct history_sink sink = {
        c, on_start, on_author, on_file, on_lost, on_commit, on_bad
    };
    struct objects objects;
    struct place place;
    struct err e;
    int rc;

    buf_init(&c->list);
    rc = place_open(&place, path, true, true, &e);
    if (rc == 0)
        rc = objects_open(&objects, place.objects, 1 << 20, true, &e);
    if (rc == 0) {
        rc = history_run(&place, &objects, &options, &sink, &e);
        objects_release(&objects);
        place_release(&place);
    }
    if (rc < 0)
        printf("%s: %s\n", path, e.text);
    return rc;
}

/* How many entries of the list are that one. */
static size_t
count(const struct check *c, const char *status_and_path)
{
    const char *p = c->list.data, *end = p + c->list.len;
    size_t n = 0;

    for (; p < end; p += strlen(p) + 1)
        n += strcmp(p + 8, status_and_path) == 0;
    return n;
}

TEST(every_kind_of_change)
{
    struct check c = {.apply = true};
    const char *tmp = getenv("TMPDIR");
    char dir[256], command[512];
    struct err e;

    snprintf(dir, sizeof(dir), "%s/graft-views-XXXXXX", tmp ? tmp : "/tmp");
    if (!CHECK(mkdtemp(dir) != NULL))
        return;
    c.dir = dir;
    snprintf(command, sizeof(command), "tests/history.sh '%s/repo'",
             dir);
    if (CHECK(shell(command))) {
        snprintf(command, sizeof(command), "%s/repo", dir);
        CHECK(check_repository(&c, command, true) == 0);
        CHECK_EQ_U64(c.n_bad, 0);
        CHECK(c.n_files > 40);
        CHECK_EQ_U64(c.n_apply, c.n_files);
        CHECK_EQ_U64(c.n_commits, 26);
        CHECK_EQ_U64(count(&c, "R dir/small.c"), 1);
        CHECK_EQ_U64(count(&c, "D dir/b.py"), 1);
        CHECK_EQ_U64(count(&c, "A moved.py"), 1);
        CHECK_EQ_U64(count(&c, "R sub/copy1.c"), 1);
        CHECK_EQ_U64(count(&c, "R sub/copy2.c"), 1);
        CHECK_EQ_U64(count(&c, "A evil.c"), 1);
        CHECK_EQ_U64(count(&c, "A link"), 1);
        CHECK_EQ_U64(count(&c, "D dir/small.c"), 1);
        CHECK_EQ_U64(count(&c, "A moved.py/inside"), 1);
        CHECK_EQ_U64(count(&c, "A dir/deep"), 1);
        CHECK_EQ_U64(count(&c, "D dir/deep/x"), 1);
        CHECK_EQ_U64(count(&c, "A late-nul"), 1);
        CHECK_EQ_U64(count(&c, "A binary"), 0);
        CHECK_EQ_U64(count(&c, "A pointer"), 0);
        CHECK_EQ_U64(count(&c, "A right.c"), 1);
        CHECK_EQ_U64(count(&c, "A topic.c"), 1);
        /* left.c: left, clash one, clash two, the evil merge */
        CHECK_EQ_U64(count(&c, "M left.c"), 3);
        /* module and link and binary, twice each; pointer; run.sh; and the
         * links that link and dir/small.c were */
        CHECK_EQ_U64(c.n_skipped, 11);
    }
    buf_release(&c.list);
    path_remove(dir, &e);
}

TEST(a_real_repository)
{
    const char *path = getenv("GRAFT_TEST_REPO");
    struct check c = {.apply = false};

    if (path_exists(".git") && !path_exists(".git/shallow")) {
        CHECK(check_repository(&c, ".", false) == 0);
        CHECK_EQ_U64(c.n_bad, 0);
        CHECK(c.n_commits > 0);
        buf_release(&c.list);
    } else if (!path || !*path) {
        SKIP("the checkout is no git repository with its history");
    }
    if (path && *path) {
        CHECK(check_repository(&c, path, false) == 0);
        CHECK_EQ_U64(c.n_bad, 0);
        printf("%s: %zu commits, %zu files\n", path, c.n_commits,
               c.n_files);
        buf_release(&c.list);
    }
}

static const struct test tests[] = {
    RUN(every_kind_of_change), RUN(a_real_repository)
};

TEST_MAIN("gitviews", tests)
