/* attention.h - what ATTENTION and its backward share. */
#ifndef KERNELS_CPU_ATTENTION_H
#define KERNELS_CPU_ATTENTION_H

#include "kernels/cpu/cpu.h"

/* A block of scores has Q_BLOCK queries and up to K_BLOCK keys. */
enum { Q_BLOCK = 64, K_BLOCK = 256 };

/* The keys [first, end) that a query row sees, as rows of the k view. */
struct span {
    size_t first, end;
};

struct span attention_span(const struct job *j, size_t row);

/* The union of the spans of rows r0 .. r0+nr. */
struct span attention_reach(const struct job *j, size_t r0, size_t nr);

/* s[nr][nk] = q k^T, unscaled, of a head: rows r0.. of q, k0.. of k. */
void attention_scores(const struct job *j, size_t head, size_t r0,
                      size_t nr, size_t k0, size_t nk, float *s);

#endif
