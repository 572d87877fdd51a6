/* split.h - which records are trained on, and which are held out.
 *
 * By time: of each history, the last part in stream order is "test", the
 * part before it "val", the rest "train". A history is a segment (a
 * repository, a data set); within one, another begins where the repository
 * is another one or the ordinal falls, and where a segment of text goes on
 * with later commits of the repository before it, it is the same one. The
 * cuts are between units, a unit being the records of one commit, or a
 * single record; each cut is the one nearest to the share of records asked
 * for, and no part asked for is empty where there are units enough.
 *
 * By group: whole groups (record/group.h) are held out, of which hold_out.h
 * says which. Records of a commit that would stand on both sides are in no
 * split, on one of them: at most one record in twenty of all.
 *
 * Kept: each record is in the split in which the set has it that it is read
 * from, or in none.
 *
 * Memory: 16 bytes a unit; by group 40 bytes a record more.
 */
#ifndef RECORD_SPLIT_H
#define RECORD_SPLIT_H

#include "base/map.h"
#include "record/group.h"
#include "record/tokens.h"
#include "stream/manifest.h"

enum split_by { SPLIT_BY_TIME, SPLIT_BY_GROUP, SPLIT_KEPT };

struct split_unit {
    uint64_t first;  /* record */
    uint64_t tokens; /* before it, in all */
};

struct split_member {
    uint32_t group; /* an index into split.seen */
    uint32_t tokens;
};

/* What splitting wants to know of a record; 0 what tokens don't tell. */
struct split_facts {
    bool alone; /* belongs to no commit */
    uint64_t ordinal, group;
    uint64_t repo, commit; /* numbers for them */
    uint32_t tokens;
};

struct split {
    enum split_by by;
    double val, test; /* shares: 0 <= each, sum below 1 */
    uint64_t seed;
    uint64_t n_dropped; /* records in no split (by group, kept) */
    const struct manifest *from; /* kept: of the set that is read */
    uint64_t at; /* kept: the next record's number in it, set before it */
    struct tokens last_tokens; /* the record given last, where it is one of
                                  tokens */
    struct text_rec text;      /* where it is one of text */

    /* private */
    bool tokens_type;
    uint64_t vocab;
    struct manifest *manifest;
    uint64_t records, tokens; /* so far */
    struct split_facts last; /* of the record before */
    bool ended;          /* its segment did */
    bool in_unit;
    struct split_unit *unit; /* by time: of the history; by group: all */
    size_t n, cap;
    size_t *range; /* kept: of each of from's splits, the first that does not
                      end before the record */
    struct split_member *member; /* of every record (by group) */
    size_t cap_member;
    struct map seen;     /* group -> its index (by group) */
    struct groups groups;
};

/* type is "text" or "tokens"; ranges go to m. vocab: bound of token ids, 0
 * for none. by, val, test and seed are set before. */
void split_begin(struct split *s, const char *type, uint64_t vocab,
                 struct manifest *m);
void split_release(struct split *s);

/* Kept: the records that come are those of that set. */
void split_from(struct split *s, const struct manifest *from);

/* The next record; ERR_DATA when it is none. */
int split_record(struct split *s, const void *p, size_t n, struct err *e);

void split_end_segment(struct split *s);

/* All records have come: what is not yet in the manifest goes there. */
void split_end(struct split *s);

#endif
