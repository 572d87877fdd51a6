/* walk.h - the one order of a history.
 *
 * From each tip in turn: a commit follows its parents, the first parent's
 * history first (depth first, post-order). So the first-parent chain comes
 * oldest first, and what a merge brings comes just before the merge. The
 * place of a commit is its ordinal. It depends on nothing later: a commit on
 * top of a history, or a further tip, leaves all earlier ordinals alone.
 *
 * libgit2's own walk stops at the first commit it can't parse; this one
 * keeps the place of an unreadable commit and goes on, though not to its
 * parents if those can't be known.
 *
 * Limits: 2^32 - 2 commits; about 150 bytes of memory each.
 */
#ifndef REPO_WALK_H
#define REPO_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "repo/objects.h"

enum walk_flag {
    WALK_LOADED = 1, /* parents and the rest are known */
    WALK_PLACED = 2, /* it is in order[], or on its way into it */
    WALK_BAD = 4,    /* unreadable: no record comes of it */
    WALK_LEFT = 8,   /* marks for ranges: see rev.c */
    WALK_RIGHT = 16,
    WALK_HIDDEN = 32,
    WALK_TREE = 64   /* tree and parents are known, be it bad or not */
};

struct walk_commit {
    int64_t time;
    struct oid tree;
    uint32_t parents;   /* index into walk.parent */
    uint32_t n_parents;
    uint32_t author;    /* index into walk.authors */
    uint32_t flags;
};

struct walk {
    struct objects *objects;
    bool first_parent, only_tips;
    struct map index;            /* oid -> index into commit */
    struct walk_commit *commit;
    size_t cap;
    uint32_t *parent;            /* indices into commit */
    size_t n_parents, parents_cap;
    struct map authors;          /* "Name <mail>" by discovery */
    uint32_t *order;             /* by ordinal: indices into commit */
    size_t n_order, order_cap;

    /* Told of every unreadable commit, and whether its parents are unknown,
     * too, so that what came before it is not walked; 0 lets it go on. Of a
     * reference that can't be read, id is made from the name. */
    int (*bad)(void *ctx, const struct oid *id, bool cut,
               const struct err *why, struct err *e);
    void *ctx;
};

void walk_init(struct walk *w, struct objects *o);
void walk_release(struct walk *w);

/* Gives ordinals to the history of tip, as far as it has none. */
int walk_add(struct walk *w, const struct oid *tip, struct err *e);

/* Sets flag on the commits reachable from tip, tip included, by all
 * parents. */
int walk_mark(struct walk *w, const struct oid *tip, uint32_t flag,
              struct err *e);

/* The id of commit i. */
struct oid walk_id(const struct walk *w, size_t i);

#endif
