/* versions.c - a side that is as its origin gives way to the other one; where
 * both changed a text, it is merged by lines (automerge.h); a file that one
 * side removed and the other one changed is the changed one.
 */
#include "repo/versions.h"

#include <stdlib.h>

#include "base/mem.h"
#include "repo/automerge.h"
#include "repo/blob.h"
#include "repo/skip.h"

#define MAX_MADE (256u << 20)

void
versions_release(struct versions *v)
{
    versions_drop(v);
    free(v->made);
}

void
versions_drop(struct versions *v)
{
    while (v->n_made > 0)
        object_drop(v->made[--v->n_made]);
    v->made_bytes = 0;
}

/* Equal but for permissions. */
static bool
same(const struct version *a, const struct version *b)
{
    if (a->skip || b->skip || a->at.there != b->at.there)
        return false;
    return !a->at.there || (oid_equal(&a->at.id, &b->at.id)
                            && ((a->at.mode ^ b->at.mode) & MODE_TYPE) == 0);
}

static uint32_t
merged_mode(const struct tree_at *base, const struct tree_at *ours,
            const struct tree_at *theirs)
{
    return base->there && ours->mode == base->mode ? theirs->mode
                                                   : ours->mode;
}

/* Reads a side, which is an empty text where there is none; *x is held. */
static int
read_text(struct versions *v, const struct tree_at *side,
          struct span *text, struct object **x, unsigned *skip,
          struct err *e)
{
    enum skip why = N_SKIPS;
    int rc = 0;

    *text = (struct span){ "", 0 };
    if (tree_at_is_file(side))
        rc = blob_read(v->objects, &side->id, v->max_blob, x, &why, e);
    if (*x)
        *text = (struct span){ (*x)->size ? (*x)->data : "",
                                     (*x)->size };
    if (why != N_SKIPS)
        *skip = 1 + why;
    return rc;
}

/* Takes over a merged text. */
static int
keep_text(struct versions *v, char *p, size_t n, struct oid *id,
          struct err *e)
{
    int rc;

    if (v->n_made == v->made_cap) {
        v->made_cap = v->made_cap ? 2 * v->made_cap : 16;
        v->made = mem_grow(v->made, v->made_cap * sizeof(*v->made));
    }
    rc = objects_make(v->objects, p, n, &v->made[v->n_made], e);
    if (rc == 0) {
        *id = v->made[v->n_made++]->id;
        v->made_bytes += n;
    }
    return rc;
}

/* The merge by lines of three versions that are files; the first may be
 * missing. */
static int
merge_texts(struct versions *v, const struct tree_at *const side[3],
            unsigned longer, struct version *out, struct err *e)
{
    struct object *x[3] = {NULL, NULL, NULL};
    struct span text[3];
    char *p = NULL;
    size_t n = 0;
    int i, rc = 0;

    for (i = 0; rc == 0 && !out->skip && i < 3; i++)
        rc = read_text(v, side[i], &text[i], &x[i], &out->skip, e);
    if (rc < 0 && losses_bear(v->losses, rc, e)) {
        out->skip = 1 + SKIP_UNREADABLE;
        rc = 0;
    }
    if (rc == 0 && !out->skip)
        rc = automerge(text, longer, &p, &n, e);
    for (i = 0; i < 3; i++)
        object_drop(x[i]);
    if (rc < 0 || out->skip)
        return rc;
    out->at.there = true;
    out->at.mode = merged_mode(side[0], side[1], side[2]);
    if (p && n <= v->max_blob && v->made_bytes + n <= MAX_MADE)
        return keep_text(v, p, n, &out->at.id, e);
    out->skip = 1 + (p ? SKIP_LARGE : SKIP_HARD);
    free(p);
    return 0;
}

int
versions_merge(struct versions *v, const struct version *const from[3],
               unsigned depth, bool again, struct version *out,
               struct err *e)
{
    const struct version *base = from[MERGE_BASE];
    const struct version *ours = from[MERGE_OURS];
    const struct version *theirs = from[MERGE_THEIRS];
    const struct tree_at *side[3] = {&base->at, &ours->at, &theirs->at};

    *out = (struct version){ .skip = 0 };
    if (same(ours, theirs) || same(base, theirs)) {
        *out = *ours;
    } else if (same(base, ours)) {
        *out = *theirs;
    } else if (base->skip || ours->skip || theirs->skip) {
        out->skip = ours->skip ? ours->skip
                  : theirs->skip ? theirs->skip : base->skip;
        return 0;
    } else if (tree_at_is_file(side[1]) && tree_at_is_file(side[2])) {
        return merge_texts(v, side, 2 * depth + again, out, e);
    } else if (depth > 0 && base->at.there) {
        *out = *base;
    } else {
        *out = ours->at.there ? *ours : *theirs;
    }
    if (tree_at_is_file(side[0]) && tree_at_is_file(side[1])
        && tree_at_is_file(side[2]))
        out->at.mode = merged_mode(side[0], side[1], side[2]);
    return 0;
}
