/* packer.h - the order of training: records to rows of seq_len tokens.
 *
 * Each epoch takes the records in a fresh seeded permutation. Windows of
 * PACK_WINDOW records are packed first-fit, longest first, into rows; the
 * rows of a window come out in a seeded order. A record of k tokens has
 * k - 1 positions (each predicts the next token); one with more than seq_len
 * positions becomes several slices, each of which starts anew, and no target
 * is lost. Everything follows from (lengths, draws, seq_len, seed), so a
 * cursor of three numbers is all that a checkpoint needs.
 *
 * With weights an epoch is as many draws as there are records, n, and a record
 * of weight w, of W in all, is drawn n w / W times, rounded up or down at
 * random so that this is the mean: systematic sampling (Madow 1949). The
 * records lie end to end on a line of length n, each as long as that; in each
 * epoch one shift in [0, 1) is drawn, and draw i takes what lies at i and the
 * shift. So equal weights take each record once. The draws come in the
 * permuted order.
 */
#ifndef DATA_PACKER_H
#define DATA_PACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACK_WINDOW 1024 /* records */
#define PACK_STAGES 64   /* windows of a curriculum, or fewer, */
#define PACK_STAGE 32    /* none of fewer records, but for the last */

/* Positions [at, at + n) of a record: inputs are its tokens at.., targets
 * the ones after. */
struct slice {
    uint64_t record;
    uint32_t at, n;
};

/* The line of the draws. Either may be NULL: each record is as long as the
 * others; the records lie in their own order. */
struct draws {
    const uint64_t *end;    /* where each place ends, in 2^-32; the last at
                               n_records, fewer than 2^32 */
    const uint32_t *record; /* in each place */
    bool staged; /* the first epoch is drawn in the order of the line, in
                    windows of a 64th of it, whose rows are shuffled */
};

struct cursor_row {
    uint64_t epoch;
    uint64_t window; /* number of the window in the epoch */
    uint64_t row;    /* next row of the window */
};

struct packer {
    const uint32_t *len; /* tokens of each record; the caller's */
    uint64_t n_records, seed;
    const struct draws *draws; /* NULL: each record once an epoch */
    uint32_t seq_len;
    struct cursor_row at;

    struct slice *slice;    /* of the window, row by row */
    size_t n_slices, cap_slices;
    size_t *row_start;      /* n_rows + 1 indices into slice */
    size_t n_rows, cap_rows;
};

/* Starts at the first row of epoch 0. len and draws (or NULL) must live as
 * long. */
void packer_init(struct packer *p, const uint32_t *len, uint64_t n_records,
                 const struct draws *draws, uint32_t seq_len, uint64_t seed);
void packer_release(struct packer *p);

/* The next row is the one at c. */
void packer_seek(struct packer *p, struct cursor_row c);

/* The next row's slices, in order; goes on into the next epoch. NULL (n 0)
 * when no record has a position at all. Valid until the next call. */
const struct slice *packer_row(struct packer *p, size_t *n);

/* Rows of one epoch. */
uint64_t packer_count(const uint32_t *len, uint64_t n_records,
                      const struct draws *draws, uint32_t seq_len,
                      uint64_t seed, uint64_t epoch);

#endif
