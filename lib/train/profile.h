/* profile.h - where the time of a run's steps goes, by kind of op.
 *
 * Ops are timed one by one where they run, and added up by range and kind; what
 * a step takes beside them is the reading of its data, and a rest. A card is
 * waited for at the end of each step. A trainer without a profile costs
 * nothing: the functions that its steps call return at once.
 */
#ifndef TRAIN_PROFILE_H
#define TRAIN_PROFILE_H

#include "base/buf.h"
#include "model/peak.h"
#include "train/trainer.h"

struct profile {
    struct peak peak;     /* measured before the run's memory was taken */
    struct op_time *op;   /* by op of the trainer's program */
    struct op_cost *head; /* by op of its HEAD: what all its runs cost */
    uint64_t began;       /* the step that is under way, clock_ns */
    uint64_t data, all;   /* ns of reading, and of steps */
    uint64_t first, last; /* steps, counted from 1; 0: none yet */
    uint64_t tokens_from; /* of the run, before the first */
    int threads;          /* of ops; a card's have none of them */
};

/* Measures the machine, in no more memory than the run will take. */
int profile_open(struct trainer *t, struct err *e);

/* With t's memory taken: from now on its ops are timed. */
void profile_watch(struct trainer *t);
void profile_release(struct profile *p); /* NULL: nothing */

/* Around a step, after its data were read, and before each micro-batch, of so
 * many supervised rows. */
void profile_begin(struct trainer *t);
void profile_data(struct trainer *t);
void profile_batch(struct trainer *t, uint32_t n_head);

/* After a step, which returned rc: that, or why its ops can't be waited
 * for. */
int profile_end(struct trainer *t, int rc, struct err *e);

/* A line of the table: the ops of a kind in a range ("linear" in "backward" is
 * recomputed); "widen", what its products spent on making floats of a base
 * stored otherwise, which is no part of theirs; "data" and "other". */
struct profile_row {
    const char *phase, *op;
    uint64_t runs;
    double seconds, flops, bytes;
    double share; /* of what the machine could do in that time; NAN: of no
                     product and no memory */
};

/* The rows, the longest first, but for data and other, which are last; their
 * seconds add up to those of the steps. The caller frees *rows. */
size_t profile_rows(struct profile_row **rows, const struct trainer *t);

/* The table, logged; and as JSON (schemas/profile.schema.json). */
void profile_tell(const struct trainer *t);
void profile_json(const struct trainer *t, struct buf *b);

#endif
