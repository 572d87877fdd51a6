/* hold_out.h - which groups of records are held out, so that nothing of them
 * is trained on, in a file or in a commit, and little is lost by it.
 *
 * A group is held out whole. A commit that has records on both sides would
 * show in training what is tested, its message for one; so it loses the fewer
 * of them, those held out if they are as many. Groups are drawn in an order
 * that the seed decides, again and again: first those that lose at most an
 * eighth of a record for each that they hold out, then a quarter, a half, one,
 * any number, one group or all of a commit's at once; always such that the
 * share held out comes nearer to the one asked for, and at most one record in
 * twenty is lost. One with more records than the larger part should have would
 * leave nothing to the other, and is taken only where all others are not
 * enough. Where that is not enough, less is held out. Of what is held out, the
 * larger groups first, each goes to the part that has the least of its share.
 *
 * All of it is a function of the records and the seed.
 */
#ifndef RECORD_HOLD_OUT_H
#define RECORD_HOLD_OUT_H

#include <stddef.h>
#include <stdint.h>

enum split_side { SIDE_TRAIN, SIDE_VAL, SIDE_TEST, SIDE_NONE };

#define HOLD_OUT_LOSS 20 /* one record in so many may be lost */

/* What is to be divided; the caller's. */
struct hold_out {
    double val, test;      /* shares of the records */
    uint64_t seed;
    const uint64_t *unit;  /* the first record of each commit; and n_records */
    size_t n_units;
    const uint32_t *group; /* of each record, an index into name */
    uint64_t n_records;
    const uint64_t *name;  /* of each group: what it is drawn by */
    size_t n_groups;
};

/* Sets the side, an enum split_side, of every record. */
void hold_out(const struct hold_out *h, uint8_t *side);

#endif
