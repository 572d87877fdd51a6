/* remerge.c - a plan of what is merged with what, the same for all paths of a
 * commit; then, for each path, its versions: those that trees have, and those
 * that are merged of them, in the plan's order.
 */
#include "repo/remerge.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/automerge.h"
#include "repo/skip.h"

#define MAX_DEPTH 8
#define MAX_BASES 64
#define NO_NODE SIZE_MAX

/* A tree, or a merge of two nodes before it, whose common origin is base. */
struct remerge_node {
    bool merged;
    size_t tree;               /* in remerge.tree */
    size_t base, ours, theirs; /* nodes; base may be NO_NODE */
    unsigned depth;            /* 0: the merge itself; of bases: 1 and more */
};

void
remerge_init(struct remerge *r, struct objects *o, const struct walk *w,
             const struct remerge_limits *limits, struct losses *losses)
{
    memset(r, 0, sizeof(*r));
    r->walk = w;
    bases_init(&r->bases, w);
    r->versions.objects = o;
    r->versions.max_blob = limits->max_blob;
    r->versions.losses = losses;
    moves_init(&r->moves, o, limits->max_blob, limits->max_entries, losses);
    buf_init(&r->path);
}

void
remerge_release(struct remerge *r)
{
    versions_release(&r->versions);
    moves_release(&r->moves);
    bases_release(&r->bases);
    buf_release(&r->path);
    free(r->tree);
    free(r->node);
    free(r->version);
}

void
remerge_drop(struct remerge *r)
{
    versions_drop(&r->versions);
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

/* What git would have made of a path; at: what r->tree have there. */
static int
merge_path(struct remerge *r, const struct tree_at *at, struct version *out,
           struct err *e)
{
    static const struct version nothing;
    const struct remerge_node *node;
    const struct version *from[3];
    struct version *v = r->version;
    size_t i;
    int rc = 0;

    memset(v, 0, r->n_nodes * sizeof(*v));
    for (i = 0; rc == 0 && i < r->n_nodes; i++) {
        node = &r->node[i];
        from[MERGE_BASE] = node->base == NO_NODE ? &nothing : &v[node->base];
        from[MERGE_OURS] = &v[node->ours];
        from[MERGE_THEIRS] = &v[node->theirs];
        if (!node->merged)
            v[i].at = at[node->tree];
        else
            rc = versions_merge(&r->versions, from, node->depth, false, &v[i],
                                e);
    }
    *out = v[r->n_nodes - 1];
    if (r->crossed)
        out->skip = 1 + SKIP_HARD;
    return rc;
}

/* Whether two parents are merged on one base: r->tree[] are ours, theirs,
 * base. */
static bool
is_simple(const struct remerge *r)
{
    return r->n_trees == 3 && r->n_nodes == 4
           && r->node[3].base != NO_NODE;
}

/* As merge_path, where a rename may have a say. */
static int
merge_moved(struct remerge *r, const struct tree_diff *d, size_t i,
            struct version *out, struct err *e)
{
    const struct tree_at *at = d->at + i * d->n_at;
    struct version v[3] = {{.at = at[2]}, {.at = at[0]}, {.at = at[1]}};
    const struct version *from[3] = {&v[0], &v[1], &v[2]};
    int rc;

    if (r->moves.too_hard) {
        *out = (struct version){ .skip = 1 + SKIP_HARD };
        return 0;
    }
    tree_path(d, &d->change[i], &r->path);
    rc = moves_apply(&r->moves, &r->versions, r->path.data, r->path.len, v, e);
    return rc == 0 ? versions_merge(&r->versions, from, 0, false, out, e)
                   : rc;
}

static bool
concerned(const struct tree_diff *d, size_t i)
{
    const struct tree_at *at = d->at + i * d->n_at;
    const struct tree_at three[3] = {at[2], at[0], at[1]};

    return moves_concern(three);
}

/* Finds the renames of a merge that has paths which these concern. */
static int
find_moves(struct remerge *r, const struct tree_diff *d, bool *found,
           struct err *e)
{
    const struct oid tree[3] = {r->tree[2], r->tree[0], r->tree[1]};
    size_t i;

    *found = false;
    for (i = 0; i < d->n && !*found; i++)
        *found = concerned(d, i);
    return *found ? moves_find(&r->moves, tree, e) : 0;
}

/* The change is from what git would have made; false: there is none. */
static bool
put_before(struct tree_change *c, const struct version *v)
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
    struct losses *losses = r->versions.losses;
    struct version v;
    uint64_t lost;
    size_t i, n = 0;
    bool moves = false;
    int rc = 0;

    if (r->n_nodes > r->version_cap) {
        r->version_cap = r->n_nodes;
        r->version = mem_grow(r->version,
                              r->version_cap * sizeof(*r->version));
    }
    if (is_simple(r))
        rc = find_moves(r, d, &moves, e);
    for (i = 0; rc == 0 && i < d->n; i++) {
        lost = losses->n;
        if (moves && concerned(d, i))
            rc = merge_moved(r, d, i, &v, e);
        else
            rc = merge_path(r, d->at + i * d->n_at, &v, e);
        if (rc < 0)
            return rc;
        losses_are_one(losses, lost); /* bases are merged more than once */
        d->change[n] = d->change[i];
        n += put_before(&d->change[n], &v);
    }
    d->n = n;
    return rc;
}
