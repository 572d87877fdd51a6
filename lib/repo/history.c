/* history.c - from ordered commits to changed files.
 *
 * A commit goes through three steps: its tree is compared with its parents';
 * every changed path becomes pieces (a change of type is a deletion and an
 * addition), whose blobs are read and judged; then edits are made and told.
 */
#include "repo/history.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/glob.h"
#include "repo/rename.h"
#include "repo/tree.h"

#define BINARY_PROBE 8000
#define LFS_MAX 1024
#define HOLD_BYTES (16u << 20)
#define MAX_PATHS 50000000u /* changed paths in one repository */

enum verdict {
    VERDICT_NONE, VERDICT_TEXT, VERDICT_BINARY, VERDICT_LFS
};

struct piece {
    size_t change;  /* in tree_diff */
    char status;
    bool use[2];    /* sides that are there */
    struct object *held[2];
};

struct history {
    struct objects *objects;
    const struct history_options *options;
    const struct history_sink *sink;
    struct walk walk;
    struct tree_diff diff;
    struct piece *piece;
    size_t n_pieces, pieces_cap;
    struct edit_list edits;
    struct buf subject, path, old_path;
    uint64_t *author;    /* by walk author: 1 + K */
    uint64_t n_authors, n_paths;
    uint64_t skips[N_SKIPS];
};

const char *
history_skip_name(enum history_skip skip)
{
    static const char *const name[N_SKIPS] = {
        "binary", "lfs-pointer", "too-large", "too-different", "symlink",
        "submodule", "mode-only", "bad-mode"
    };

    return name[skip];
}

/* ---- blobs ---- */

static bool
is_lfs_pointer(const struct object *x)
{
    static const char *const head[] = {
        "version https://git-lfs.github.com/spec/v1\n",
        "version https://hawser.github.com/spec/v1\n"
    };
    size_t i;

    for (i = 0; i < 2 && x->size < LFS_MAX; i++) {
        if (x->size >= strlen(head[i])
            && memcmp(x->data, head[i], strlen(head[i])) == 0)
            return true;
    }
    return false;
}

static void
judge_blob(struct object *x)
{
    size_t probe = x->size < BINARY_PROBE ? x->size : BINARY_PROBE;

    if (x->verdict != VERDICT_NONE)
        return;
    if (probe > 0 && memchr(x->data, '\0', probe)) {
        x->verdict = VERDICT_BINARY;
    } else if (is_lfs_pointer(x)) {
        x->verdict = VERDICT_LFS;
    } else {
        x->verdict = VERDICT_TEXT;
    }
}

/* Reads a blob. *skip is set, and the result 0 with *out NULL, if it is one
 * that is left out. */
static int
read_blob(struct history *h, const struct oid *id, struct object **out,
          enum history_skip *skip, struct err *e)
{
    struct object *x = NULL;
    int rc;

    *out = NULL;
    rc = objects_read(h->objects, id, OBJECT_BLOB, h->options->max_blob, &x,
                      e);
    if (rc == ERR_LIMIT) {
        *skip = SKIP_LARGE;
        return 0;
    }
    if (rc < 0)
        return rc;
    judge_blob(x);
    if (x->verdict == VERDICT_TEXT) {
        *out = x;
        return 0;
    }
    *skip = x->verdict == VERDICT_BINARY ? SKIP_BINARY : SKIP_LFS;
    object_drop(x);
    return 0;
}

/* ---- changed paths to pieces ---- */

static bool
any_glob(const struct history_options *o, const struct buf *path)
{
    size_t i;

    for (i = 0; i < o->n_globs; i++) {
        if (glob_match(o->glob[i], path->data, path->len))
            return true;
    }
    return false;
}

static bool
wanted(struct history *h, size_t change)
{
    const struct tree_change *c = &h->diff.change[change];

    if (h->options->n_globs == 0)
        return true;
    tree_path(&h->diff, c, &h->path);
    if (any_glob(h->options, &h->path))
        return true;
    if (!c->renamed)
        return false;
    tree_path(&h->diff, &h->diff.change[c->renamed - 1], &h->old_path);
    return any_glob(h->options, &h->old_path);
}

static void
add_piece(struct history *h, size_t change, char status)
{
    struct piece *p;

    if (h->n_pieces == h->pieces_cap) {
        h->pieces_cap = h->pieces_cap ? 2 * h->pieces_cap : 64;
        h->piece = mem_grow(h->piece, h->pieces_cap * sizeof(*h->piece));
    }
    p = &h->piece[h->n_pieces++];
    memset(p, 0, sizeof(*p));
    p->change = change;
    p->status = status;
    p->use[0] = status != 'A';
    p->use[1] = status != 'D';
}

static enum history_skip
skip_of_mode(uint32_t mode)
{
    switch (mode & MODE_TYPE) {
    case MODE_LINK:
        return SKIP_SYMLINK;
    case MODE_SUBMODULE:
        return SKIP_SUBMODULE;
    default:
        return SKIP_BAD_MODE;
    }
}

static void
split_change(struct history *h, size_t i)
{
    const struct tree_change *c = &h->diff.change[i];
    bool file[2];
    int s;

    if (c->renamed) {
        if (c->there[1])
            add_piece(h, i, 'R');
        return;
    }
    for (s = 0; s < 2; s++)
        file[s] = (c->mode[s] & MODE_TYPE) == MODE_FILE;
    if (file[0] && file[1] && oid_equal(&c->id[0], &c->id[1])) {
        h->skips[SKIP_MODE]++;
    } else if (file[0] && file[1]) {
        add_piece(h, i, 'M');
    } else {
        if (file[0])
            add_piece(h, i, 'D');
        else if (c->there[0])
            h->skips[skip_of_mode(c->mode[0])]++;
        if (file[1])
            add_piece(h, i, 'A');
        else if (c->there[1] && (file[0] || !c->there[0]))
            h->skips[skip_of_mode(c->mode[1])]++;
    }
}

static const struct oid *
piece_id(const struct history *h, const struct piece *p, int side)
{
    const struct tree_change *c = &h->diff.change[p->change];

    return p->status == 'R' ? &c->id[1] : &c->id[side];
}

/* Reads and judges the blobs of a piece. One that is left out loses its
 * sides. Blobs stay held while *held_bytes is small. */
static int
check_piece(struct history *h, struct piece *p, uint64_t *held_bytes,
            struct err *e)
{
    enum history_skip skip = N_SKIPS;
    struct object *x;
    int s, rc;

    for (s = 0; s < 2 && skip == N_SKIPS; s++) {
        if (!p->use[s])
            continue;
        rc = read_blob(h, piece_id(h, p, s), &x, &skip, e);
        if (rc < 0)
            return rc;
        if (x && *held_bytes + x->size <= HOLD_BYTES) {
            *held_bytes += x->size;
            p->held[s] = x;
        } else {
            object_drop(x);
        }
    }
    if (skip != N_SKIPS) {
        h->skips[skip]++;
        p->use[0] = p->use[1] = false;
    }
    return 0;
}

static void
drop_pieces(struct history *h)
{
    size_t i;

    for (i = 0; i < h->n_pieces; i++) {
        object_drop(h->piece[i].held[0]);
        object_drop(h->piece[i].held[1]);
    }
    h->n_pieces = 0;
}

/* ---- one commit ---- */

/* The lines of a blob, counted once. */
static size_t
lines_of(struct object *x)
{
    if (x->n_lines == 0)
        x->n_lines = 1 + count_lines(x->data, x->size);
    return x->n_lines - 1;
}

static int
make_edits(struct history *h, struct object *const side[2],
           size_t n_lines[2], bool *too_hard, struct err *e)
{
    int rc;

    *too_hard = false;
    h->edits.n = 0;
    n_lines[0] = side[0] ? lines_of(side[0]) : 0;
    if (!side[0] || !side[1] || side[0] == side[1]) {
        n_lines[1] = side[1] ? lines_of(side[1]) : 0;
        return 0;
    }
    rc = edit_list_make(&h->edits, side[0]->data, side[0]->size, n_lines[0],
                        side[1]->data, side[1]->size, too_hard, e);
    if (rc == 0) {
        n_lines[1] = h->edits.n_lines[1];
        side[1]->n_lines = 1 + n_lines[1];
    }
    return rc;
}

static int
tell_piece(struct history *h, struct history_file *f, const struct piece *p,
           struct err *e)
{
    const struct tree_change *c = &h->diff.change[p->change];
    struct object *side[2] = {NULL, NULL};
    enum history_skip skip;
    bool too_hard;
    int s, rc = 0;

    for (s = 0; rc == 0 && s < 2; s++) {
        if (p->use[s])
            rc = read_blob(h, piece_id(h, p, s), &side[s], &skip, e);
    }
    f->status = p->status;
    tree_path(&h->diff, c, &h->path);
    f->path.p = h->path.data;
    f->path.n = h->path.len;
    f->old_path.p = NULL;
    f->old_path.n = 0;
    if (p->status == 'R') {
        tree_path(&h->diff, &h->diff.change[c->renamed - 1], &h->old_path);
        f->old_path.p = h->old_path.data;
        f->old_path.n = h->old_path.len;
    }
    f->side[0] = side[0];
    f->side[1] = side[1];
    if (rc == 0)
        rc = make_edits(h, side, f->n_lines, &too_hard, e);
    if (rc == 0 && too_hard)
        h->skips[SKIP_HARD]++;
    else if (rc == 0)
        rc = h->sink->file(h->sink->ctx, f, e);
    object_drop(side[0]);
    object_drop(side[1]);
    return rc;
}

/* Compares and reads everything that the commit's files need. */
static int
prepare(struct history *h, const struct walk_commit *c, struct err *e)
{
    char hex[OID_HEX + 1];
    struct oid *tree, id;
    const struct walk_commit *parent;
    uint64_t held = 0;
    size_t i, n;
    int rc = 0;

    n = h->options->files ? 0 : c->n_parents;
    if (h->options->first_parent && n > 1)
        n = 1; /* a merge stands for all that it brought */
    tree = mem_array(n ? n : 1, sizeof(*tree));
    for (i = 0; rc == 0 && i < n; i++) {
        parent = &h->walk.commit[h->walk.parent[c->parents + i]];
        tree[i] = parent->tree;
        id = walk_id(&h->walk, h->walk.parent[c->parents + i]);
        if (!(parent->flags & WALK_TREE))
            rc = err_set(e, ERR_DATA, "parent %s is unreadable",
                         oid_hex(&id, hex));
    }
    if (rc == 0)
        rc = tree_compare(&h->diff, h->objects, tree, n, &c->tree,
                          h->options->max_entries, e);
    free(tree);
    if (rc < 0)
        return rc;
    if (!h->options->files)
        rename_pair(&h->diff);
    for (i = 0; i < h->diff.n; i++) {
        if (wanted(h, i))
            split_change(h, i);
    }
    for (i = 0; rc == 0 && i < h->n_pieces; i++)
        rc = check_piece(h, &h->piece[i], &held, e);
    return rc;
}

static int
tell_pieces(struct history *h, struct history_file *f, struct err *e)
{
    struct object *object;
    struct commit c;
    size_t i;
    int rc;

    rc = objects_read(h->objects, &f->commit, OBJECT_COMMIT,
                      COMMIT_MAX_BYTES, &object, e);
    if (rc < 0)
        return rc;
    rc = commit_parse(&c, object->data, object->size, e);
    if (rc == 0) {
        buf_reset(&h->subject);
        commit_subject(&h->subject, c.message);
        f->subject.p = h->subject.data;
        f->subject.n = h->subject.len;
        f->body = commit_body(c.message);
    }
    f->edits = &h->edits;
    for (i = 0; rc == 0 && i < h->n_pieces; i++) {
        if (h->piece[i].use[0] || h->piece[i].use[1])
            rc = tell_piece(h, f, &h->piece[i], e);
    }
    object_drop(object);
    return rc;
}

static int
bad_commit(struct history *h, const struct oid *id, struct err *why,
           struct err *e)
{
    char hex[OID_HEX + 1];

    memset(h->skips, 0, sizeof(h->skips));
    err_prefix(why, "commit %s", oid_hex(id, hex));
    return h->sink->bad(h->sink->ctx, id, false, why, e);
}

static int
one_commit(struct history *h, uint64_t ordinal, struct err *e)
{
    uint32_t at = h->walk.order[ordinal];
    const struct walk_commit *c = &h->walk.commit[at];
    struct history_file f = {.ordinal = ordinal};
    struct err why;
    int rc;

    memset(h->skips, 0, sizeof(h->skips));
    f.commit = walk_id(&h->walk, at);
    f.time = c->time;
    f.author = h->author[c->author] - 1;
    if (c->n_parents > 0)
        f.parent = walk_id(&h->walk, h->walk.parent[c->parents]);
    if (h->objects->watch) {
        h->objects->watch->commit = f.commit;
        h->objects->watch->ordinal = ordinal;
        h->objects->watch->has_commit = 1;
    }
    rc = prepare(h, c, &why);
    h->n_paths += h->diff.n;
    if (rc == 0 && h->n_paths > MAX_PATHS)
        return err_set(e, ERR_LIMIT, "too many changed paths (limit %u)",
                       MAX_PATHS);
    if (rc < 0)
        rc = bad_commit(h, &f.commit, &why, e);
    else
        rc = tell_pieces(h, &f, e);
    drop_pieces(h);
    if (rc == 0)
        rc = h->sink->commit(h->sink->ctx, ordinal, h->skips, e);
    return rc;
}

/* ---- all of them ---- */

static bool
selected(const struct history *h, const struct walk_commit *c)
{
    const struct history_options *o = h->options;

    return !(c->flags & (WALK_HIDDEN | WALK_BAD))
           && !(o->has_since && c->time < o->since)
           && !(o->has_until && c->time > o->until);
}

/* Numbers the author of a commit if that is new. */
static int
number_author(struct history *h, const struct walk_commit *c, struct err *e)
{
    const struct map_entry *entry;
    struct span who;

    if ((c->flags & WALK_BAD) || h->author[c->author])
        return 0;
    h->author[c->author] = ++h->n_authors;
    entry = &h->walk.authors.entry[c->author];
    who.p = map_key(&h->walk.authors, c->author);
    who.n = entry->len;
    return h->sink->author(h->sink->ctx, h->n_authors - 1, who, e);
}

static int
walk_bad(void *ctx, const struct oid *id, bool cut, const struct err *why,
         struct err *e)
{
    struct history *h = ctx;

    return h->sink->bad(h->sink->ctx, id, cut, why, e);
}

static int
tell_commits(struct history *h, struct err *e)
{
    const struct walk_commit *c;
    size_t i, first = 0;
    int rc = 0;

    h->author = mem_array(h->walk.authors.n + 1, sizeof(*h->author));
    if (h->options->files && h->walk.n_order > 0)
        first = h->walk.n_order - 1;
    for (i = 0; rc == 0 && i < h->walk.n_order; i++) {
        c = &h->walk.commit[h->walk.order[i]];
        rc = number_author(h, c, e);
        if (rc == 0 && i >= first && i >= h->options->first_ordinal) {
            if (selected(h, c))
                rc = one_commit(h, i, e);
        }
    }
    return rc;
}

static int
find_tips(struct history *h, const struct place *p, struct tips *tips,
          size_t *others, struct err *e)
{
    const struct history_options *o = h->options;
    size_t i, n = 0;
    int rc;

    *others = 0;
    if (o->rev)
        rc = tips_parse(tips, p, h->objects, o->rev, e);
    else
        rc = tips_head(tips, p, &h->walk, o->all, others, e);
    for (i = 0; i < tips->n; i++)
        n += !(tips->tip[i].flags & WALK_HIDDEN);
    if (rc == 0 && o->files && n > 1)
        rc = err_set(e, ERR_DATA, "the files of one revision at a time "
                     "(found %zu)", n);
    return rc;
}

int
history_run(const struct place *p, struct objects *o,
            const struct history_options *options,
            const struct history_sink *sink, struct err *e)
{
    struct history h = {.objects = o, .options = options, .sink = sink};
    struct tips tips = {0};
    size_t others;
    int rc;

    walk_init(&h.walk, o);
    h.walk.first_parent = options->first_parent;
    h.walk.bad = walk_bad;
    h.walk.ctx = &h;
    tree_diff_init(&h.diff);
    edit_list_init(&h.edits);
    buf_init(&h.subject);
    buf_init(&h.path);
    buf_init(&h.old_path);
    h.walk.only_tips = options->files;
    rc = find_tips(&h, p, &tips, &others, e);
    if (rc == 0)
        rc = tips_walk(&tips, &h.walk, e);
    if (rc == 0)
        rc = sink->start(sink->ctx, &tips, &h.walk, others, e);
    if (rc == 0)
        rc = tell_commits(&h, e);
    free(h.author);
    free(h.piece);
    walk_release(&h.walk);
    tree_diff_release(&h.diff);
    edit_list_release(&h.edits);
    buf_release(&h.subject);
    buf_release(&h.path);
    buf_release(&h.old_path);
    tips_release(&tips);
    return rc;
}
