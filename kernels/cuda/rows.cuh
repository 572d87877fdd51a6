/* rows.cuh - where rows stand: in sequences, documents, and caches. */
#ifndef KERNELS_CUDA_ROWS_CUH
#define KERNELS_CUDA_ROWS_CUH

#include "view.cuh"

/* What says where a row stands; cached: decoding, where documents don't
 * count. */
struct order {
    struct arrays batch;
    uint32_t rows, seq; /* rows of all, and of a sequence */
    bool cached;

    /* The first row of row i's document that is in its sequence. */
    __device__ __forceinline__ uint32_t first(uint32_t i) const
    {
        return max((uint32_t)batch.doc_first[i], i - i % seq);
    }

    /* Whether a document begins with row i. */
    __device__ __forceinline__ bool begins(uint32_t i) const
    {
        return !cached && first(i) == i;
    }

    /* Whether the rows of sequence q have others before them. */
    __device__ __forceinline__ bool has_past(uint32_t q) const
    {
        return cached && batch.cache_at[q] > 0;
    }

    /* Rows of sequence q that count, from its first on. */
    __device__ __forceinline__ uint32_t length(uint32_t q) const
    {
        return cached ? (uint32_t)batch.seq_n[q] : min(seq, rows - q * seq);
    }
};

static inline struct order
order_of(const struct call *c, uint32_t seq, bool cached)
{
    return { c->batch, c->op->x[0].rows, seq, cached };
}

#endif
