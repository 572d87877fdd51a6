/* changed.c - tree differences to files: globs, types and renames, then every
 * blob once. */
#include "repo/changed.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/blob.h"
#include "repo/glob.h"
#include "repo/history.h"
#include "repo/rename.h"

#define HOLD_BYTES (16u << 20)

void
changed_init(struct changed *c, bool bear_losses)
{
    memset(c, 0, sizeof(*c));
    tree_diff_init(&c->diff);
    c->losses.borne = bear_losses;
    c->diff.losses = &c->losses;
    buf_init(&c->path);
    buf_init(&c->old_path);
}

void
changed_release(struct changed *c)
{
    changed_drop(c);
    free(c->file);
    tree_diff_release(&c->diff);
    buf_release(&c->path);
    buf_release(&c->old_path);
}

void
changed_drop(struct changed *c)
{
    size_t i;

    for (i = 0; i < c->n; i++) {
        object_drop(c->file[i].held[0]);
        object_drop(c->file[i].held[1]);
    }
    c->n = 0;
}

static void
path_of(const struct tree_diff *d, size_t change, struct buf *b,
        struct span *out)
{
    tree_path(d, &d->change[change], b);
    out->p = b->data;
    out->n = b->len;
}

/* ---- changed paths to files ---- */

static bool
any_glob(const struct history_options *o, struct span path)
{
    size_t i;

    for (i = 0; i < o->n_globs; i++) {
        if (glob_match(o->glob[i], path.p, path.n))
            return true;
    }
    return false;
}

static bool
wanted(struct changed *c, const struct history_options *o, size_t change)
{
    size_t renamed = c->diff.change[change].renamed;
    struct span path;

    if (o->n_globs == 0)
        return true;
    path_of(&c->diff, change, &c->path, &path);
    if (any_glob(o, path))
        return true;
    if (!renamed)
        return false;
    path_of(&c->diff, renamed - 1, &c->path, &path);
    return any_glob(o, path);
}

static void
add_file(struct changed *c, size_t change, char status)
{
    struct changed_file *f;

    if (c->n == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 64;
        c->file = mem_grow(c->file, c->cap * sizeof(*c->file));
    }
    f = &c->file[c->n++];
    memset(f, 0, sizeof(*f));
    f->change = change;
    f->status = status;
    f->use[0] = status != 'A';
    f->use[1] = status != 'D';
}

static enum skip
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
add_files(struct changed *c, size_t change)
{
    const struct tree_change *t = &c->diff.change[change];
    bool file[2];
    int s;

    if (t->skip) {
        c->skips[t->skip - 1] += t->skip - 1 != SKIP_UNREADABLE;
        return;
    }
    if (t->renamed) {
        if (t->there[1])
            add_file(c, change, 'R');
        return;
    }
    for (s = 0; s < 2; s++)
        file[s] = mode_is_file(t->mode[s]);
    if (file[0] && file[1] && oid_equal(&t->id[0], &t->id[1])) {
        c->skips[SKIP_MODE]++;
    } else if (file[0] && file[1]) {
        add_file(c, change, 'M');
    } else {
        if (file[0])
            add_file(c, change, 'D');
        else if (t->there[0])
            c->skips[skip_of_mode(t->mode[0])]++;
        if (file[1])
            add_file(c, change, 'A');
        else if (t->there[1] && (file[0] || !t->there[0]))
            c->skips[skip_of_mode(t->mode[1])]++;
    }
}

/* ---- blobs ---- */

/* Reads and judges the blobs of a file. One that is left out loses its
 * sides. Blobs stay held while *held_bytes is small. */
static int
check_file(struct changed *c, struct changed_file *f, struct objects *o,
           uint64_t max_blob, uint64_t *held_bytes, struct err *e)
{
    enum skip skip = N_SKIPS;
    struct object *x;
    int s, rc;

    for (s = 0; s < 2 && skip == N_SKIPS; s++) {
        if (!f->use[s])
            continue;
        rc = blob_read(o, changed_id(c, f, s), max_blob, &x, &skip, e);
        if (rc < 0 && !losses_bear(&c->losses, rc, e))
            return rc;
        if (rc < 0)
            skip = SKIP_UNREADABLE;
        if (x && *held_bytes + x->size <= HOLD_BYTES) {
            *held_bytes += x->size;
            f->held[s] = x;
        } else {
            object_drop(x);
        }
    }
    if (skip != N_SKIPS) {
        c->skips[skip] += skip != SKIP_UNREADABLE;
        f->use[0] = f->use[1] = false;
    }
    return 0;
}

/* The trees are walked again for a merge that has paths unlike all of its
 * parents', now with those of its bases: most have none. */
static int
compare(struct changed *c, struct objects *o,
        const struct history_options *options, const struct oid *parents,
        size_t n, const struct oid *after, struct remerge *merge,
        struct err *e)
{
    int rc = tree_compare(&c->diff, o, parents, n, 0, after,
                          options->max_entries, e);

    if (rc < 0 || !merge || c->diff.n == 0)
        return rc;
    c->losses.n = 0; /* they come once more */
    rc = remerge_plan(merge, e);
    if (rc == 0)
        rc = tree_compare(&c->diff, o, merge->tree, n, merge->n_trees, after,
                          options->max_entries, e);
    return rc == 0 ? remerge_apply(merge, &c->diff, e) : rc;
}

int
changed_find(struct changed *c, struct objects *o,
             const struct history_options *options,
             const struct oid *parents, size_t n, const struct oid *after,
             struct remerge *merge, struct err *e)
{
    uint64_t held = 0;
    size_t i;
    int rc;

    changed_drop(c);
    memset(c->skips, 0, sizeof(c->skips));
    c->losses.n = 0;
    rc = compare(c, o, options, parents, n, after, merge, e);
    if (rc < 0)
        return rc;
    if (!options->files)
        rename_pair(&c->diff);
    for (i = 0; i < c->diff.n; i++) {
        if (wanted(c, options, i))
            add_files(c, i);
    }
    for (i = 0; rc == 0 && i < c->n; i++)
        rc = check_file(c, &c->file[i], o, options->max_blob, &held, e);
    c->skips[SKIP_UNREADABLE] = c->losses.n;
    return rc;
}

/* ---- what is told of a file ---- */

const struct oid *
changed_id(const struct changed *c, const struct changed_file *f, int side)
{
    const struct tree_change *t = &c->diff.change[f->change];

    return f->status == 'R' ? &t->id[1] : &t->id[side];
}

void
changed_paths(struct changed *c, const struct changed_file *f,
              struct span *path, struct span *old_path)
{
    path_of(&c->diff, f->change, &c->path, path);
    old_path->p = NULL;
    old_path->n = 0;
    if (f->status == 'R')
        path_of(&c->diff, c->diff.change[f->change].renamed - 1,
                &c->old_path, old_path);
}
