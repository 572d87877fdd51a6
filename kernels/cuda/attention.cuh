/* attention.cuh - what ATTENTION and its backward share. */
#ifndef KERNELS_CUDA_ATTENTION_CUH
#define KERNELS_CUDA_ATTENTION_CUH

#include "ops.cuh"
#include "tile.cuh"

#define LOG2_E 1.44269504088896340736f
#define LN_2 0.69314718055994530942f

/* A query row sees the rows first(row) .. row: of its document, which lies in
 * one sequence, and its window. Neither end falls from a row to the next. */
struct sight {
    const int32_t *doc_first;
    uint32_t window;

    __device__ __forceinline__ uint32_t first(uint32_t row) const
    {
        uint32_t doc = (uint32_t)doc_first[row];

        return window != 0 && row + 1 > doc + window ? row + 1 - window
                                                     : doc;
    }
};

static inline struct sight
sight_of(const struct call *c)
{
    return { c->batch.doc_first, c->op->u.attn.window };
}

/* The scores of what does not see each other become -infinity: of own rows
 * row and on with others at and on. KEYS: own rows are keys, not queries. */
template <class E, bool KEYS>
static __device__ __forceinline__ void
hide(typename E::scores &s, const struct sight &sight, uint32_t row,
     uint32_t at, uint32_t rows)
{
    uint32_t first[KEYS ? E::scores::EACH : E::MINE];

    UNROLL
    for (unsigned k = 0; k < (KEYS ? E::scores::EACH : E::MINE); k++)
        first[k] = sight.first(min(KEYS ? at + E::score_col(k)
                                        : row + E::row(k), rows - 1));
    UNROLL
    for (unsigned j = 0; j < E::scores::EACH; j++)
        UNROLL
        for (unsigned i = 0; i < E::MINE; i++) {
            uint32_t own = row + E::row(i), other = at + E::score_col(j);
            uint32_t query = KEYS ? other : own, key = KEYS ? own : other;

            if (key > query || key < first[KEYS ? j : i])
                s.at(i, j) = -INFINITY;
        }
}

/* A view of heads, as wide as they are. */
template <class T>
struct heads_of {
    mat<T> m;
    uint32_t dim;
    bool wide;

    __device__ __forceinline__ head_of<T> head(uint32_t h) const
    {
        return { { m.p + (size_t)h * dim, m.rows, dim, m.ld }, dim, wide };
    }
};

template <class T>
static inline heads_of<T>
heads_of_view(const struct call *c, const struct view *v)
{
    mat<T> m = mat_of<T>(c, v);
    uint32_t dim = c->op->u.attn.head_dim;
    size_t in_16 = 16 / sizeof(T);

    return { m, dim, reinterpret_cast<uintptr_t>(m.p) % 16 == 0
                     && m.ld % in_16 == 0 && dim % in_16 == 0 };
}

#endif
