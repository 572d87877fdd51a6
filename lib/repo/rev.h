/* rev.h - which commits are meant: revisions, ranges, all references. */
#ifndef REPO_REV_H
#define REPO_REV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "repo/objects.h"
#include "repo/place.h"
#include "repo/walk.h"

struct tip {
    struct oid id;  /* of a commit */
    uint32_t flags; /* WALK_HIDDEN: leave out its history; or LEFT, RIGHT */
};

struct tips {
    struct tip *tip;
    size_t n, cap;
};

void tips_release(struct tips *t);

/* Appends the tips of "A", "^A", "A..B", "A...B" or several of them with
 * blanks between, as git rev-list takes them. A revision is HEAD or @, a full
 * or (unambiguous) shortened id, a reference by git's rules of abbreviation,
 * followed by any of ^ ^N ^{} ^{commit} ~ ~N; ERR_DATA if there is none
 * such. */
int tips_parse(struct tips *t, const struct place *p, struct objects *o,
               const char *text, struct err *e);

/* Appends HEAD, then, if all, every reference by name that leads to a
 * commit; *others counts those that don't. An unborn HEAD is ERR_DATA unless
 * all, or unless the repository has no references: then no tip is added. One
 * of all that can't be followed is told to w->bad. */
int tips_head(struct tips *t, const struct place *p, const struct walk *w,
              bool all, size_t *others, struct err *e);

/* Gives ordinals to the histories of the tips and marks as WALK_HIDDEN what
 * the range leaves out. */
int tips_walk(const struct tips *t, struct walk *w, struct err *e);

#endif
