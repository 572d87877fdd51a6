/* moves.c - each side's changes since the merge base, paired; then, for a
 * path, the versions that git's merge has there once it has moved what the
 * other side did to where this side has taken the file.
 */
#include "repo/moves.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/automerge.h"
#include "repo/rename.h"

void
moves_init(struct moves *m, struct objects *o, uint64_t max_blob,
           uint64_t max_entries, struct losses *losses)
{
    int s;

    memset(m, 0, sizeof(*m));
    m->objects = o;
    m->max_entries = max_entries;
    m->losses = losses;
    m->edited.objects = o;
    m->edited.losses = losses;
    m->edited.max_blob = max_blob;
    dir_moves_init(&m->dirs);
    buf_init(&m->key);
    for (s = 0; s < 2; s++) {
        tree_diff_init(&m->diff[s]);
        m->diff[s].losses = losses;
        map_init(&m->path[s]);
    }
}

void
moves_release(struct moves *m)
{
    int s;

    for (s = 0; s < 2; s++) {
        tree_diff_release(&m->diff[s]);
        map_release(&m->path[s]);
    }
    rename_edited_release(&m->edited);
    dir_moves_release(&m->dirs);
    buf_release(&m->key);
}

bool
moves_concern(const struct tree_at at[3])
{
    return !at[MERGE_BASE].there
           || at[MERGE_OURS].there != at[MERGE_THEIRS].there;
}

/* ---- what was renamed ---- */

/* What the other side has at a change's path. */
static const struct tree_at *
other_side(const struct tree_diff *d, const struct tree_change *c)
{
    return &d->at[(size_t)(c - d->change) * d->n_at + 1];
}

/* Where the other side has left a file as it was, following it changes
 * nothing, but for what it says of its directory. */
static bool *
find_wanted(struct moves *m, int side)
{
    const struct tree_diff *d = &m->diff[side];
    bool *wanted = mem_array(d->n, sizeof(*wanted));
    const struct tree_change *c;
    const struct tree_at *other;
    size_t i;

    for (i = 0; i < d->n; i++) {
        c = &d->change[i];
        other = other_side(d, c);
        wanted[i] = rename_gone(c)
            && (!other->there || !oid_equal(&other->id, &c->id[0])
                || other->mode != c->mode[0]
                || dir_moves_want(&m->dirs, side, d, c));
    }
    return wanted;
}

static void
index_pairs(struct moves *m, int side)
{
    const struct tree_diff *d = &m->diff[side];
    size_t i;

    map_clear(&m->path[side]);
    for (i = 0; i < d->n; i++) {
        if (!d->change[i].renamed)
            continue;
        tree_path(d, &d->change[i], &m->key);
        map_put(&m->path[side], m->key.data, m->key.len, i, NULL);
    }
}

static int
compare_side(struct moves *m, int side, const struct oid tree[3],
             struct err *e)
{
    const struct oid base_other[2] = {tree[MERGE_BASE],
                                      tree[MERGE_THEIRS - side]};
    int rc = tree_compare(&m->diff[side], m->objects, base_other, 1, 2,
                          &tree[MERGE_OURS + side], m->max_entries, e);

    m->too_hard = m->too_hard || rc == ERR_LIMIT;
    return rc == ERR_LIMIT ? 0 : rc;
}

static int
pair_side(struct moves *m, int side, struct err *e)
{
    struct tree_diff *d = &m->diff[side];
    bool *wanted;
    int rc;

    rename_pair(d);
    wanted = find_wanted(m, side);
    rc = rename_edited_pair(&m->edited, d, wanted, e);
    free(wanted);
    m->too_hard = m->too_hard || m->edited.too_hard;
    index_pairs(m, side);
    return rc;
}

int
moves_find(struct moves *m, const struct oid tree[3], struct err *e)
{
    int s, rc = 0;

    m->too_hard = m->edited.too_hard = false;
    m->edited.n_bytes = m->edited.n_steps = 0;
    for (s = 0; rc == 0 && s < 2 && !m->too_hard; s++)
        rc = compare_side(m, s, tree, e);
    if (rc == 0 && !m->too_hard)
        dir_moves_find_removed(&m->dirs, m->diff);
    for (s = 0; rc == 0 && s < 2 && !m->too_hard; s++)
        rc = pair_side(m, s, e);
    if (rc == 0 && !m->too_hard)
        dir_moves_find_renamed(&m->dirs, m->diff);
    return rc;
}

/* ---- what is where ---- */

/* The half of a pair that a side has at a path, or NULL. */
static const struct tree_change *
half_at(const struct moves *m, int side, const char *path, size_t n)
{
    const struct map_entry *entry = map_get(&m->path[side], path, n);

    return entry ? &m->diff[side].change[entry->value] : NULL;
}

static const struct tree_change *
other_half(const struct tree_diff *d, const struct tree_change *c)
{
    return &d->change[c->renamed - 1];
}

/* Where the other side has made something else of a path, it stays there. */
static bool
takes_along(const struct tree_diff *d, const struct tree_change *gone)
{
    const struct tree_at *other = other_side(d, gone);

    return !other->there || tree_at_is_file(other);
}

static struct version
version_of(const struct tree_change *c, int side)
{
    return (struct version){
        .at = { c->there[side], c->mode[side], c->id[side] }
    };
}

static bool
same_path(const struct tree_diff *d, const struct tree_change *c,
          const char *path, size_t n)
{
    return c->dir_len + c->name_len == n
           && memcmp(d->paths.data + c->dir, path, c->dir_len) == 0
           && memcmp(d->paths.data + c->name, path + c->dir_len,
                     c->name_len) == 0;
}

/* What the side's rename, whose new half comes to a path, does to what is
 * merged there; now is what the three have at the path itself. */
static int
bring(struct moves *m, struct versions *v, int side,
      const struct tree_change *come, struct span path,
      const struct version now[3], struct version from[3], struct err *e)
{
    const struct tree_diff *d = &m->diff[side], *their_d = &m->diff[1 - side];
    const struct tree_change *gone = other_half(d, come), *also;
    const struct version base = version_of(gone, 0);
    const int here = MERGE_OURS + side, there = MERGE_THEIRS - side;
    struct version other = {.at = *other_side(d, gone)};
    const struct version *three[3];

    tree_path(d, gone, &m->key);
    also = half_at(m, 1 - side, m->key.data, m->key.len);
    if (also) { /* renamed by both */
        also = other_half(their_d, also);
        other = version_of(also, 1);
        if (same_path(their_d, also, path.p, path.n)
            || dir_moves_to(&m->dirs, 1 - side, their_d, path.p, path.n)
                   == also) {
            from[MERGE_BASE] = base;
            return 0;
        }
    } else if (!tree_at_is_file(&other.at)) {
        return 0; /* removed by the other side, or replaced */
    } else if (!now[there].at.there) {
        from[MERGE_BASE] = base;
        from[there] = other;
        return 0;
    }
    /* What comes of it stands at two paths, or meets another file. */
    three[MERGE_BASE] = &base;
    three[here] = &now[here];
    three[there] = &other;
    return versions_merge(v, three, 0, true, &from[here], e);
}

/* Puts what goes along with a renamed directory where it goes; *half: of the
 * pair that is there then, or NULL. */
static void
go_along(struct moves *m, int side, const char *path, size_t n,
         struct version now[3], const struct tree_change **half)
{
    const struct tree_diff *d = &m->diff[side];
    const struct tree_change *come = dir_moves_to(&m->dirs, side, d, path, n);
    struct version *here = &now[MERGE_OURS + side];

    if (come && !here->at.there && !now[MERGE_BASE].at.there) {
        *here = version_of(come, 1);
        *half = come->renamed ? come : NULL;
    } else if (here->at.there && !now[MERGE_BASE].at.there
               && dir_moves_away(&m->dirs, side, path, n)) {
        *here = (struct version){ .skip = 0 };
        *half = NULL;
    }
}

int
moves_apply(struct moves *m, struct versions *v, const char *path, size_t n,
            struct version from[3], struct err *e)
{
    const struct tree_change *half[2];
    struct version now[3];
    int s, rc = 0;

    for (s = 0; s < 2; s++) {
        half[s] = half_at(m, s, path, n);
        go_along(m, s, path, n, from, &half[s]);
    }
    memcpy(now, from, sizeof(now));
    for (s = 0; rc == 0 && s < 2; s++) {
        if (half[s] && half[s]->there[1])
            rc = bring(m, v, s, half[s], (struct span){ path, n }, now, from,
                       e);
        else if (half[s] && takes_along(&m->diff[s], half[s]))
            memset(from, 0, 3 * sizeof(*from));
    }
    return rc;
}
