/* remerge.c - a plan of what is merged with what, the same for all paths of a
 * commit; then, for each path, its versions: those that trees have, and those
 * that are merged of them, in the plan's order.
 */
#include "repo/remerge.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/automerge.h"
#include "repo/blob.h"
#include "repo/skip.h"

#define MAX_DEPTH 8
#define MAX_BASES 64
#define MAX_MADE (256u << 20)
#define NO_NODE SIZE_MAX

/* A tree, or a merge of two nodes before it, whose common origin is base. */
struct remerge_node {
    bool merged;
    size_t tree;               /* in remerge.tree */
    size_t base, ours, theirs; /* nodes; base may be NO_NODE */
    unsigned depth;            /* 0: the merge itself; of bases: 1 and more */
};

struct remerge_version {
    struct tree_at at;
    unsigned skip; /* 1 + why it can't be told */
};

void
remerge_init(struct remerge *r, struct objects *o, const struct walk *w,
             uint64_t max_blob, struct losses *losses)
{
    memset(r, 0, sizeof(*r));
    r->objects = o;
    r->walk = w;
    r->max_blob = max_blob;
    r->losses = losses;
    bases_init(&r->bases, w);
}

void
remerge_release(struct remerge *r)
{
    remerge_drop(r);
    bases_release(&r->bases);
    free(r->tree);
    free(r->node);
    free(r->version);
    free(r->made);
}

void
remerge_drop(struct remerge *r)
{
    while (r->n_made > 0)
        object_drop(r->made[--r->n_made]);
    r->made_bytes = 0;
}

/* ---- the plan ---- */

static size_t
add_node(struct remerge *r, struct remerge_node node)
{
    if (r->n_nodes == r->node_cap) {
        r->node_cap = r->node_cap ? 2 * r->node_cap : 8;
        r->node = mem_grow(r->node, r->node_cap * sizeof(*r->node));
    }
    r->node[r->n_nodes] = node;
    return r->n_nodes++;
}

static int
add_tree(struct remerge *r, uint32_t commit, size_t *node, struct err *e)
{
    const struct walk_commit *c = &r->walk->commit[commit];
    struct oid id = walk_id(r->walk, commit);
    char hex[OID_HEX + 1];

    if (!(c->flags & WALK_TREE))
        return err_set(e, ERR_DATA, "merge base %s is unreadable",
                       oid_hex(&id, hex));
    if (r->n_trees == r->tree_cap) {
        r->tree_cap = r->tree_cap ? 2 * r->tree_cap : 8;
        r->tree = mem_grow(r->tree, r->tree_cap * sizeof(*r->tree));
    }
    *node = add_node(r, (struct remerge_node){ .tree = r->n_trees });
    r->tree[r->n_trees++] = c->tree;
    return 0;
}

static size_t
add_merge(struct remerge *r, size_t base, size_t ours, size_t theirs,
          unsigned depth)
{
    return add_node(r, (struct remerge_node){
        .merged = true, .base = base, .ours = ours, .theirs = theirs,
        .depth = depth
    });
}

/* The node of what the n commits of one and other come from; recursion ends
 * at MAX_DEPTH. Of several bases the oldest is first. */
static int
plan_base(struct remerge *r, const uint32_t *one, size_t n, uint32_t other,
          unsigned depth, size_t *node, struct err *e)
{
    size_t i, n_found, base, theirs;
    uint32_t *found;
    int rc = bases_find(&r->bases, one, n, other, e);

    *node = NO_NODE;
    n_found = r->bases.n;
    if (rc < 0 || n_found == 0)
        return rc;
    found = mem_array(n_found, sizeof(*found));
    for (i = 0; i < n_found; i++)
        found[i] = r->bases.found[n_found - 1 - i];
    rc = add_tree(r, found[0], node, e);
    if (n_found > 1 && (depth == MAX_DEPTH
                        || r->n_trees + n_found > MAX_BASES + n))
        r->crossed = true;
    for (i = 1; rc == 0 && i < n_found && !r->crossed; i++) {
        rc = add_tree(r, found[i], &theirs, e);
        if (rc == 0)
            rc = plan_base(r, found, i, found[i], depth + 1, &base, e);
        if (rc == 0)
            *node = add_merge(r, base, *node, theirs, depth + 1);
    }
    free(found);
    return rc;
}

int
remerge_plan(struct remerge *r, struct err *e)
{
    const struct walk_commit *c = &r->walk->commit[r->merge];
    const uint32_t *parent = r->walk->parent + c->parents;
    size_t i, base, ours = 0;
    int rc = 0;

    r->n_trees = r->n_nodes = 0;
    r->crossed = false;
    for (i = 0; rc == 0 && i < c->n_parents; i++)
        rc = add_tree(r, parent[i], &base, e); /* node i */
    for (i = 1; rc == 0 && i < c->n_parents; i++) {
        rc = plan_base(r, parent, i, parent[i], 0, &base, e);
        if (rc == 0)
            ours = add_merge(r, base, ours, i, 0);
    }
    return rc;
}

/* ---- one path ---- */

static bool
is_file(const struct tree_at *x)
{
    return x->there && (x->mode & MODE_TYPE) == MODE_FILE;
}

/* Equal but for permissions. */
static bool
same(const struct remerge_version *a, const struct remerge_version *b)
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
read_text(struct remerge *r, const struct tree_at *side,
          struct merge_text *text, struct object **x, unsigned *skip,
          struct err *e)
{
    enum skip why = N_SKIPS;
    int rc = 0;

    *text = (struct merge_text){ "", 0 };
    if (is_file(side))
        rc = blob_read(r->objects, &side->id, r->max_blob, x, &why, e);
    if (*x)
        *text = (struct merge_text){ (*x)->size ? (*x)->data : "",
                                     (*x)->size };
    if (why != N_SKIPS)
        *skip = 1 + why;
    return rc;
}

/* Takes over a merged text. */
static int
keep_text(struct remerge *r, char *p, size_t n, struct oid *id,
          struct err *e)
{
    int rc;

    if (r->n_made == r->made_cap) {
        r->made_cap = r->made_cap ? 2 * r->made_cap : 16;
        r->made = mem_grow(r->made, r->made_cap * sizeof(*r->made));
    }
    rc = objects_make(r->objects, p, n, &r->made[r->n_made], e);
    if (rc == 0) {
        *id = r->made[r->n_made++]->id;
        r->made_bytes += n;
    }
    return rc;
}

/* The merge by lines of three versions that are files; the first may be
 * missing. */
static int
merge_texts(struct remerge *r, const struct tree_at *const side[3],
            unsigned depth, struct remerge_version *out, struct err *e)
{
    struct object *x[3] = {NULL, NULL, NULL};
    struct merge_text text[3];
    char *p = NULL;
    size_t n = 0;
    int i, rc = 0;

    for (i = 0; rc == 0 && !out->skip && i < 3; i++)
        rc = read_text(r, side[i], &text[i], &x[i], &out->skip, e);
    if (rc < 0 && losses_bear(r->losses, rc, e)) {
        out->skip = 1 + SKIP_UNREADABLE;
        rc = 0;
    }
    if (rc == 0 && !out->skip)
        rc = automerge(text, depth, &p, &n, e);
    for (i = 0; i < 3; i++)
        object_drop(x[i]);
    if (rc < 0 || out->skip)
        return rc;
    out->at.there = true;
    out->at.mode = merged_mode(side[0], side[1], side[2]);
    if (p && n <= r->max_blob && r->made_bytes + n <= MAX_MADE)
        return keep_text(r, p, n, &out->at.id, e);
    out->skip = 1 + (p ? SKIP_LARGE : SKIP_HARD);
    free(p);
    return 0;
}

static int
merge_versions(struct remerge *r, const struct remerge_version *base,
               const struct remerge_version *ours,
               const struct remerge_version *theirs, unsigned depth,
               struct remerge_version *out, struct err *e)
{
    const struct tree_at *side[3] = {&base->at, &ours->at, &theirs->at};

    if (same(ours, theirs) || same(base, theirs)) {
        *out = *ours;
    } else if (same(base, ours)) {
        *out = *theirs;
    } else if (base->skip || ours->skip || theirs->skip) {
        out->skip = ours->skip ? ours->skip
                  : theirs->skip ? theirs->skip : base->skip;
        return 0;
    } else if (is_file(side[1]) && is_file(side[2])) {
        return merge_texts(r, side, depth, out, e);
    } else if (depth > 0 && base->at.there) {
        *out = *base;
    } else {
        *out = ours->at.there ? *ours : *theirs;
    }
    if (is_file(side[0]) && is_file(side[1]) && is_file(side[2]))
        out->at.mode = merged_mode(side[0], side[1], side[2]);
    return 0;
}

/* What git would have made of a path; at: what r->tree have there. */
static int
merge_path(struct remerge *r, const struct tree_at *at,
           struct remerge_version *out, struct err *e)
{
    static const struct remerge_version nothing;
    const struct remerge_node *node;
    struct remerge_version *v = r->version;
    size_t i;
    int rc = 0;

    memset(v, 0, r->n_nodes * sizeof(*v));
    for (i = 0; rc == 0 && i < r->n_nodes; i++) {
        node = &r->node[i];
        if (!node->merged)
            v[i].at = at[node->tree];
        else
            rc = merge_versions(r, node->base == NO_NODE ? &nothing
                                                         : &v[node->base],
                                &v[node->ours], &v[node->theirs], node->depth,
                                &v[i], e);
    }
    *out = v[r->n_nodes - 1];
    if (r->crossed)
        out->skip = 1 + SKIP_HARD;
    return rc;
}

/* The change is from what git would have made; false: there is none. */
static bool
put_before(struct tree_change *c, const struct remerge_version *v)
{
    const uint32_t mask = MODE_TYPE | 0100;

    c->skip = v->skip;
    c->there[0] = v->at.there;
    c->mode[0] = v->at.there ? v->at.mode : 0;
    c->id[0] = v->at.id;
    if (v->skip || c->there[0] != c->there[1])
        return true;
    return c->there[0] && (!oid_equal(&c->id[0], &c->id[1])
                           || ((c->mode[0] ^ c->mode[1]) & mask) != 0);
}

int
remerge_apply(struct remerge *r, struct tree_diff *d, struct err *e)
{
    struct remerge_version v;
    size_t i, n = 0;
    int rc;

    if (r->n_nodes > r->version_cap) {
        r->version_cap = r->n_nodes;
        r->version = mem_grow(r->version,
                              r->version_cap * sizeof(*r->version));
    }
    for (i = 0; i < d->n; i++) {
        rc = merge_path(r, d->at + i * d->n_at, &v, e);
        if (rc < 0)
            return rc;
        d->change[n] = d->change[i];
        n += put_before(&d->change[n], &v);
    }
    d->n = n;
    return 0;
}
