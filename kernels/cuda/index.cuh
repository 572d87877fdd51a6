/* index.cuh - which rows are of a token, and which token a row is of. */
#ifndef KERNELS_CUDA_INDEX_CUH
#define KERNELS_CUDA_INDEX_CUH

#include "reduce.cuh"
#include "view.cuh"

/* Which of the 32 rows from k on, up to end, have the index `at`: a bit each.
 * Asked by whole warps. */
static __device__ __forceinline__ uint32_t
rows_with(const int32_t *index, uint32_t at, uint32_t k, uint32_t end)
{
    uint32_t row = k + threadIdx.x % 32;

    return __ballot_sync(ALL_LANES, row < end && (uint32_t)index[row] == at);
}

/* Tokens that have rows of their own; their ids rise. n is 0 for none. */
struct tokens {
    const int32_t *id;
    uint32_t n;

    /* The place of an id among them; n: it is none of them. */
    __device__ __forceinline__ uint32_t find(int32_t which) const
    {
        uint32_t low = 0, high = n;

        while (low < high) {
            uint32_t middle = (low + high) / 2;

            if (id[middle] < which)
                low = middle + 1;
            else
                high = middle;
        }
        return low < n && id[low] == which ? low : n;
    }
};

static inline struct tokens
tokens_of(const struct call *c, const struct view *v)
{
    return { reinterpret_cast<const int32_t *>(view_at(c, v)),
             v->buf ? v->cols : 0 };
}

#endif
