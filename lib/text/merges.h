/* merges.h - byte-pair merges: the table of pairs, and merging a piece.
 *
 * Merging takes the pair of the lowest rank, of equal ones the leftmost,
 * until none of the neighbours is a pair. Of short pieces all ranks are
 * looked at each time, of long ones the least of blocks of them, so that
 * time is n log n.
 */
#ifndef TEXT_MERGES_H
#define TEXT_MERGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MERGE_NONE UINT32_MAX
#define MERGE_MOST_IDS ((uint32_t)1 << 21) /* ids are below */
#define MERGE_MOST (((uint32_t)1 << 22) - 1) /* ranks are below */

struct merges {
    uint64_t *slot;  /* left, right, rank + 1; 0: empty */
    uint64_t *maybe; /* a bit by hash: clear where no pair has it */
    uint32_t *low;   /* rank + 1 of pairs of ids below 256 */
    uint32_t *id;    /* what a rank gives; NULL: first + rank */
    uint32_t first;
    uint64_t key;    /* of the hash */
    size_t n, most, mask;
};

/* Room for n merges, of ranks below n; n <= MERGE_MOST. */
void merges_init(struct merges *m, size_t n);
void merges_release(struct merges *m);

/* Adds a merge or, for a pair that is there, replaces it; at most n of
 * merges_init. left, right < MERGE_MOST_IDS. */
void merges_put(struct merges *m, uint32_t left, uint32_t right,
                uint32_t rank, uint32_t id);

/* Fetches the memory that merges_put of that pair will want, and goes on. */
void merges_expect(const struct merges *m, uint32_t left, uint32_t right);

/* The pair in slot i <= m->mask and its rank; false if there is none. */
bool merges_at(const struct merges *m, size_t i, uint32_t *left,
               uint32_t *right, uint32_t *rank);

bool merges_has(const struct merges *m, uint32_t left, uint32_t right);

/* Memory of merge_piece, for one thread. All zero at first. */
struct merge_scratch {
    struct merge_links *link;
    uint32_t *rank;
    size_t cap;
};
void merge_scratch_release(struct merge_scratch *s);

/* Merges id[n] in place; returns how many are left. n < 2^31. */
size_t merge_piece(const struct merges *m, struct merge_scratch *s,
                   uint32_t *id, size_t n);

#endif
