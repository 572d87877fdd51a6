/* packer.h - the order of training: records to rows of seq_len tokens.
 *
 * Each epoch takes the records in a fresh seeded permutation. Windows of
 * PACK_WINDOW records are packed first-fit, longest first, into rows; the
 * rows of a window come out in a seeded order. A record of k tokens has
 * k - 1 positions (each predicts the next token); one with more than seq_len
 * positions becomes several slices, each of which starts anew, and no target
 * is lost. Everything follows from (lengths, seq_len, seed), so a cursor of
 * three numbers is all that a checkpoint needs.
 */
#ifndef DATA_PACKER_H
#define DATA_PACKER_H

#include <stddef.h>
#include <stdint.h>

#define PACK_WINDOW 1024 /* records */

/* Positions [at, at + n) of a record: inputs are its tokens at.., targets
 * the ones after. */
struct slice {
    uint64_t record;
    uint32_t at, n;
};

struct cursor_row {
    uint64_t epoch;
    uint64_t window; /* number of the window in the epoch */
    uint64_t row;    /* next row of the window */
};

struct packer {
    const uint32_t *len; /* tokens of each record; the caller's */
    uint64_t n_records, seed;
    uint32_t seq_len;
    struct cursor_row at;

    struct slice *slice;    /* of the window, row by row */
    size_t n_slices, cap_slices;
    size_t *row_start;      /* n_rows + 1 indices into slice */
    size_t n_rows, cap_rows;
};

/* Starts at the first row of epoch 0. */
void packer_init(struct packer *p, const uint32_t *len, uint64_t n_records,
                 uint32_t seq_len, uint64_t seed);
void packer_release(struct packer *p);

/* The next row is the one at c. */
void packer_seek(struct packer *p, struct cursor_row c);

/* The next row's slices, in order; goes on into the next epoch. NULL (n 0)
 * when no record has a position at all. Valid until the next call. */
const struct slice *packer_row(struct packer *p, size_t *n);

/* Rows of one epoch. */
uint64_t packer_count(const uint32_t *len, uint64_t n_records,
                      uint32_t seq_len, uint64_t seed, uint64_t epoch);

#endif
