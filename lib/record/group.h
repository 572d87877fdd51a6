/* group.h - what belongs together when a part of a set is held out.
 *
 * Equal numbers stay on one side of a split. Commits and files: the file,
 * through its renames (a path that a commit calls the new name of another
 * has that one's group from then on). A chat: the conversation. A document:
 * its text, so exact copies share a group. Files that are packed by folder
 * (record/packing.h): the folder. A group depends on the record and
 * those before it only, so adding to a set changes none.
 */
#ifndef RECORD_GROUP_H
#define RECORD_GROUP_H

#include "base/map.h"
#include "record/text.h"

struct groups {
    struct map of_path; /* repo, NUL, path -> group */
};

/* What a record itself says of its group; points into the record. */
struct group_key {
    struct text_field repo, path, old; /* data NULL: absent; a record whose
                                          path is absent is alone */
    uint64_t own; /* its group, unless an earlier record gave the file one */
};

/* The key of a decoded record; p[n] is its encoding, body of text_body. By any
 * thread. */
struct group_key group_key_of(const struct text_rec *r, const void *p,
                              size_t n, const struct id *body);

/* The key of the folder that a file is in; points into the file's. Its path
 * ends with a slash, or is empty. */
struct group_key group_key_of_folder(const struct group_key *file);

void groups_init(struct groups *g);
void groups_release(struct groups *g);

/* The group of the next record in stream order. */
uint64_t groups_next(struct groups *g, const struct group_key *k);

#endif
