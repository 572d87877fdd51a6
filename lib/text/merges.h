/* merges.h - byte-pair merges: the table of pairs, and merging a piece.
 *
 * Merging takes the pair of the lowest rank, of equal ones the leftmost,
 * until none of the neighbours is a pair. Short pieces are searched, long
 * ones go through a heap, so that time is n log n.
 */
#ifndef TEXT_MERGES_H
#define TEXT_MERGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MERGE_NONE UINT32_MAX

struct merge {
    uint32_t left, right;
    uint32_t rank, id; /* of an empty slot rank is MERGE_NONE */
};

struct merges {
    struct merge *slot;
    uint64_t *maybe; /* a bit by hash: clear where no pair has it */
    uint64_t key;    /* of the hash */
    size_t n, mask;
};

/* Room for n merges. */
void merges_init(struct merges *m, size_t n);
void merges_release(struct merges *m);

/* Adds a merge or, for a pair that is there, replaces it; at most n of
 * merges_init. */
void merges_put(struct merges *m, uint32_t left, uint32_t right,
                uint32_t rank, uint32_t id);

/* Fetches the memory that merges_put of that pair will want, and goes on. */
void merges_expect(const struct merges *m, uint32_t left, uint32_t right);

bool merges_has(const struct merges *m, uint32_t left, uint32_t right);

/* Memory of merge_piece, for one thread. All zero at first. */
struct merge_scratch {
    struct merge_symbol *symbol;
    size_t cap_symbols;
    struct merge_item *heap;
    size_t cap_heap;
};
void merge_scratch_release(struct merge_scratch *s);

/* Merges id[n] in place; returns how many are left. n < 2^31. */
size_t merge_piece(const struct merges *m, struct merge_scratch *s,
                   uint32_t *id, size_t n);

#endif
