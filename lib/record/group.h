/* group.h - what belongs together when a part of a set is held out.
 *
 * Equal numbers stay on one side of a split. Commits and files: the file,
 * through its renames (a path that a commit calls the new name of another
 * has that one's group from then on). A chat: the conversation. A document:
 * its text, so exact copies share a group. A group depends on the record and
 * those before it only, so adding to a set changes none.
 */
#ifndef RECORD_GROUP_H
#define RECORD_GROUP_H

#include "base/map.h"
#include "record/text.h"

struct groups {
    struct map of_path; /* repo, NUL, path -> group */
};

void groups_init(struct groups *g);
void groups_release(struct groups *g);

/* The group of the next record, in stream order; p[n] is its encoding. */
uint64_t groups_of(struct groups *g, const struct text_rec *r, const void *p,
                   size_t n);

#endif
