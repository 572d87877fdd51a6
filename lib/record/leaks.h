/* leaks.h - what of the records held out is in train, too: the same edits,
 * the same contents of files, the same commits (record/same.h).
 *
 * Nothing is taken out for it: dedup, before, does that.
 *
 * Memory: 24 bytes a record, and at the end 8 for each in train.
 */
#ifndef RECORD_LEAKS_H
#define RECORD_LEAKS_H

#include "record/same.h"
#include "stream/manifest.h"

/* All zeros at first. */
struct leaks {
    struct same *record; /* of all records of a set, in their order */
    size_t n, cap;
    bool known;          /* of any of them there is something */
};

void leaks_add(struct leaks *l, const struct same *same);
void leaks_release(struct leaks *l);

/* All records were added and m has its splits: tells m of the leaks of each
 * split but train. Nothing where nothing is known of any record. */
void leaks_count(const struct leaks *l, struct manifest *m);

/* ERR_DATA unless the leaks that m has are those of its records. A set from
 * before they were counted has none. path: of the set. */
int leaks_check(const struct leaks *l, const struct manifest *m,
                const char *path, struct err *e);

/* Appends what is known of them, of a split of `records` records:
 * "31 of 100 records (31.0%) have an edit of train, ..." */
void leaks_say(struct buf *b, const struct set_leak *l, uint64_t records);

#endif
