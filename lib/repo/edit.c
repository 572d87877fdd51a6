/* edit.c - line edits between two texts. */
#include "repo/edit.h"

#include <git2.h>
#include <git2/sys/odb_backend.h>
#include <git2/sys/repository.h>
#include <stdlib.h>
#include <string.h>

#include "base/lines.h"
#include "base/mem.h"
#include "repo/effort.h"
#include "repo/salt.h"

#define SLIDE_LINES 32
#define CHUNK 1024

/* ---- two texts as blobs ----
 *
 * git_diff_buffers hashes both buffers with libgit2's slow SHA-1, which is a
 * fifth of all the time; git_diff_blobs takes the ids of the blobs as they
 * are. So the two texts are put behind an object store of two objects,
 * called 1 and 2.
 */

struct edit_engine {
    git_odb_backend backend; /* must be first: libgit2 hands it back */
    git_odb *odb;
    git_repository *repo;
    const char *text[2];
    size_t len[2];
};

static int
engine_read(void **data, size_t *n, git_object_t *type, git_odb_backend *b,
            const git_oid *id)
{
    const struct edit_engine *engine = (const struct edit_engine *)b;
    int i = id->id[0] - 1;

    if (i != 0 && i != 1)
        return GIT_ENOTFOUND;
    *n = engine->len[i];
    *type = GIT_OBJECT_BLOB;
    *data = git_odb_backend_data_alloc(b, *n + 1);
    if (!*data)
        return GIT_ERROR;
    memcpy(*data, engine->text[i], *n);
    ((char *)*data)[*n] = '\0';
    return 0;
}

static int
engine_exists(git_odb_backend *b, const git_oid *id)
{
    (void)b;
    return id->id[0] == 1 || id->id[0] == 2;
}

static void
engine_free(git_odb_backend *b)
{
    (void)b; /* belongs to edit_list */
}

static struct edit_engine *
engine_new(void)
{
    struct edit_engine *engine = mem_alloc(sizeof(*engine));

    git_libgit2_init();
    git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 0);
    git_odb_init_backend(&engine->backend, GIT_ODB_BACKEND_VERSION);
    engine->backend.read = engine_read;
    engine->backend.exists = engine_exists;
    engine->backend.free = engine_free;
    if (git_odb_new(&engine->odb) == 0
        && git_odb_add_backend(engine->odb, &engine->backend, 1) == 0)
        git_repository_wrap_odb(&engine->repo, engine->odb);
    return engine;
}

/* As git_diff_buffers; 0 or negative, as in libgit2. */
static int
engine_diff(struct edit_engine *engine, const git_diff_options *options,
            git_diff_hunk_cb hunk, void *ctx)
{
    git_blob *blob[2] = {NULL, NULL};
    git_oid id;
    int rc = 0, i;

    if (!engine->repo)
        return GIT_ERROR;
    memset(&id, 0, sizeof(id));
    for (i = 0; rc == 0 && i < 2; i++) {
        id.id[0] = (unsigned char)(i + 1);
        rc = git_blob_lookup(&blob[i], engine->repo, &id);
    }
    if (rc == 0)
        rc = git_diff_blobs(blob[0], NULL, blob[1], NULL, options, NULL,
                            NULL, hunk, NULL, ctx);
    git_blob_free(blob[0]);
    git_blob_free(blob[1]);
    return rc;
}

void
edit_list_init(struct edit_list *l)
{
    memset(l, 0, sizeof(*l));
    buf_init(&l->salted[0]);
    buf_init(&l->salted[1]);
}

void
edit_list_release(struct edit_list *l)
{
    if (l->engine) {
        git_repository_free(l->engine->repo);
        git_odb_free(l->engine->odb);
        free(l->engine);
        git_libgit2_shutdown();
    }
    buf_release(&l->salted[0]);
    buf_release(&l->salted[1]);
    free(l->edit);
    edit_list_init(l);
}

/* ---- lines ---- */

static size_t
common_prefix(const char *a, const char *b, size_t n)
{
    size_t i = 0;

    while (i + CHUNK <= n && memcmp(a + i, b + i, CHUNK) == 0)
        i += CHUNK;
    while (i < n && a[i] == b[i])
        i++;
    return i;
}

static size_t
common_suffix(const char *a_end, const char *b_end, size_t n)
{
    size_t i = 0;

    while (i + CHUNK <= n
           && memcmp(a_end - i - CHUNK, b_end - i - CHUNK, CHUNK) == 0)
        i += CHUNK;
    while (i < n && a_end[-1 - (ptrdiff_t)i] == b_end[-1 - (ptrdiff_t)i])
        i++;
    return i;
}

struct middle {
    struct edit_list *list;
    const char *text[2];
    size_t len[2];        /* where the middle ends */
    size_t first;         /* line number at which both middles begin */
    size_t line[2], at[2]; /* up to where lines have been counted */
};

static int
take_hunk(const git_diff_delta *delta, const git_diff_hunk *hunk, void *ctx)
{
    struct middle *m = ctx;
    struct edit_list *l = m->list;
    size_t start[2], n[2];
    struct edit_run *run;
    int i;

    (void)delta;
    start[0] = (size_t)hunk->old_start;
    start[1] = (size_t)hunk->new_start;
    n[0] = (size_t)hunk->old_lines;
    n[1] = (size_t)hunk->new_lines;
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 16;
        l->edit = mem_grow(l->edit, l->cap * sizeof(*l->edit));
    }
    for (i = 0; i < 2; i++) {
        if (n[i] > 0)
            start[i]--; /* an empty run is named by the line before it */
        start[i] += m->first;
        m->at[i] = lines_on(m->text[i], m->at[i], m->len[i],
                            start[i] - m->line[i]);
        run = &l->edit[l->n].side[i];
        run->line = start[i];
        run->n_lines = n[i];
        run->at = m->at[i];
        m->at[i] = lines_on(m->text[i], m->at[i], m->len[i], n[i]);
        run->len = m->at[i] - run->at;
        m->line[i] = start[i] + n[i];
    }
    l->n++;
    return 0;
}

/* Finds where the middles begin (*from, in both texts) and end (m->len). */
static void
cut(struct middle *m, size_t *from, size_t n_before, size_t n_after)
{
    const char *a = m->text[0], *b = m->text[1];
    size_t shorter = n_before < n_after ? n_before : n_after;
    size_t prefix, suffix;
    const char *newline;

    prefix = common_prefix(a, b, shorter);
    newline = prefix > 0 ? memrchr(a, '\n', prefix) : NULL;
    prefix = newline ? (size_t)(newline - a) + 1 : 0;
    suffix = common_suffix(a + n_before, b + n_after, shorter - prefix);
    newline = suffix > 0 ? memchr(a + n_before - suffix, '\n', suffix)
                         : NULL;
    suffix = newline ? (size_t)(a + n_before - newline) - 1 : 0;
    suffix = n_before - lines_on(a, n_before - suffix, n_before,
                                 SLIDE_LINES);
    *from = lines_back(a, prefix, SLIDE_LINES);
    m->len[0] = n_before - suffix;
    m->len[1] = n_after - suffix;
}

/* What lies between the edits is equal on both sides: xdiff leaves out
 * hunks, and does not say so, when memory is short. */
static bool
holds(const struct middle *m, size_t from)
{
    const struct edit_list *l = m->list;
    const struct edit_run *run;
    size_t at[2] = {from, from}, end[2], i;
    int s;

    for (i = 0; i <= l->n; i++) {
        for (s = 0; s < 2; s++) {
            run = i < l->n ? &l->edit[i].side[s] : NULL;
            end[s] = run ? run->at : m->len[s];
        }
        if (end[0] - at[0] != end[1] - at[1]
            || memcmp(m->text[0] + at[0], m->text[1] + at[1],
                   end[0] - at[0]) != 0)
            return false;
        for (s = 0; s < 2 && i < l->n; s++)
            at[s] = l->edit[i].side[s].at + l->edit[i].side[s].len;
    }
    return true;
}

/* Gives the engine what it is to compare. */
static void
give_texts(struct edit_list *l, const struct effort_text side[2])
{
    bool salt = side[0].n_lines + side[1].n_lines > SALT_LINES;
    int i;

    if (!l->engine)
        l->engine = engine_new();
    for (i = 0; i < 2; i++) {
        if (salt)
            salt_lines(&l->salted[i], side[i].p, side[i].n);
        l->engine->text[i] = salt ? l->salted[i].data : side[i].p;
        l->engine->len[i] = salt ? l->salted[i].len : side[i].n;
    }
}

int
edit_list_make(struct edit_list *l, const char *before, size_t n_before,
               size_t before_lines, const char *after, size_t n_after,
               bool *too_hard, struct err *e)
{
    git_diff_options options;
    struct middle m = {.list = l, .text = {before, after}};
    struct effort_text side[2];
    const git_error *error;
    size_t from;
    int i;

    l->n = 0;
    cut(&m, &from, n_before, n_after);
    for (i = 0; i < 2; i++) {
        side[i].p = m.text[i] + from;
        side[i].n = m.len[i] - from;
        side[i].n_lines = lines_count(side[i].p, side[i].n);
    }
    l->n_lines[0] = before_lines;
    l->n_lines[1] = before_lines - side[0].n_lines + side[1].n_lines;
    *too_hard = !effort_bearable(side);
    if (*too_hard)
        return 0;
    m.first = newlines_count(before, from);
    m.line[0] = m.line[1] = m.first;
    m.at[0] = m.at[1] = from;
    git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
    options.context_lines = 0;
    options.interhunk_lines = 0;
    options.flags = GIT_DIFF_FORCE_TEXT | GIT_DIFF_INDENT_HEURISTIC;
    options.max_size = -1;
    give_texts(l, side);
    if (engine_diff(l->engine, &options, take_hunk, &m) < 0) {
        error = git_error_last();
        return err_set(e, error && error->klass == GIT_ERROR_NOMEMORY
                       ? ERR_LIMIT : ERR_DATA, "diff: %s",
                       error ? error->message : "failed");
    }
    if (!holds(&m, from))
        return err_set(e, ERR_LIMIT, "diff: out of memory");
    return 0;
}
