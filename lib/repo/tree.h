/* tree.h - what differs between a commit's tree and its parents' trees.
 *
 * A Merkle comparison: trees are walked side by side, and where an id is
 * equal nothing below it is read. (libgit2's git_diff_tree_to_tree reads
 * both trees whole.) With several parents only paths that differ from every
 * parent come out, and "before" is the first parent's side. Of further trees
 * only what they have at these paths is told.
 *
 * Trees are hostile: names are bytes that are never used as file names,
 * modes may be anything, entries may be unsorted or double. The result is
 * then still the same every time, and bounded by the limits.
 *
 * Limits: depth 512, path 4096 bytes, entries visited per comparison; the
 * changed names and the directories they are in, 256 MiB together.
 */
#ifndef REPO_TREE_H
#define REPO_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "repo/losses.h"
#include "repo/objects.h"

#define TREE_MAX_DEPTH 512
#define TREE_MAX_PATH 4096
#define TREE_MAX_BYTES (128u << 20)
#define TREE_MAX_PATHS (256u << 20)

#define MODE_TYPE 0170000
#define MODE_TREE 0040000
#define MODE_FILE 0100000
#define MODE_LINK 0120000
#define MODE_SUBMODULE 0160000

static inline bool
mode_is_file(uint32_t mode)
{
    return (mode & MODE_TYPE) == MODE_FILE;
}

struct tree_entry {
    uint32_t mode; /* as stored */
    const char *name;
    size_t name_len;
    struct oid id;
};

/* Reads the entry at *p and steps over it; false if it is malformed. */
bool tree_next(const char **p, const char *end, struct tree_entry *out);

/* One changed path, in two parts, because a long directory may have very many
 * names. A side that is absent has mode 0; so has one that is stored with
 * that mode. */
struct tree_change {
    size_t dir, name;      /* in tree_diff.paths; the directory ends in '/' */
    uint32_t dir_len, name_len;
    uint32_t kept_len;     /* of the directory: what the tree after has */
    bool there[2];
    uint32_t mode[2];      /* before, after */
    struct oid id[2];
    size_t renamed;        /* 1 + index of its other half; see rename.h */
    unsigned skip;         /* 1 + why there is no before; see remerge.h */
};

/* What a tree has at a path. */
struct tree_at {
    bool there;
    uint32_t mode;
    struct oid id;
};

static inline bool
tree_at_is_file(const struct tree_at *x)
{
    return x->there && mode_is_file(x->mode);
}

struct tree_diff {
    struct tree_change *change;
    size_t n, cap;
    struct buf paths;
    struct tree_at *at; /* n_at of each change: parents, further trees */
    size_t n_at, at_cap;
    struct losses *losses; /* of directories below the first; or NULL */
};

void tree_diff_init(struct tree_diff *d);
void tree_diff_release(struct tree_diff *d);

/* Replaces *out by the path of a change. */
void tree_path(const struct tree_diff *d, const struct tree_change *c,
               struct buf *out);

/* Replaces *d by the changes from the n parents' trees tree[0..n) to the tree
 * after, in tree order; n = 0 compares with nothing. What all n_at trees,
 * n_at 0 or at least n, have at these paths is in d->at. ERR_LIMIT when over
 * max_entries entries were visited, or over another limit. */
int tree_compare(struct tree_diff *d, struct objects *o,
                 const struct oid *tree, size_t n, size_t n_at,
                 const struct oid *after, uint64_t max_entries,
                 struct err *e);

#endif
