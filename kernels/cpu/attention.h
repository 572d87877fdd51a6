/* attention.h - what ATTENTION and its backward share. */
#ifndef KERNELS_CPU_ATTENTION_H
#define KERNELS_CPU_ATTENTION_H

#include "kernels/cpu/cpu.h"

/* Rows of queries in a block of scores. */
enum { Q_BLOCK = 32 };

/* Keys in a block of scores: so few that the products with it are among
 * those that need no packing (see gemm.c). */
size_t attention_keys(const struct op *op);

/* Rows [first, end): keys that a query row sees, say. */
struct span {
    size_t first, end;
};

static inline size_t
clamp_size(size_t x, size_t least, size_t most)
{
    return x < least ? least : x > most ? most : x;
}

/* The part of s within b; empty ones lie within b, too. */
static inline struct span
span_meet(struct span s, struct span b)
{
    return (struct span){ clamp_size(s.first, b.first, b.end),
                          clamp_size(s.end, b.first, b.end) };
}

struct span attention_span(const struct job *j, size_t row);

/* From the first key that a row of rows sees to the last. */
struct span attention_reach(const struct job *j, struct span rows);

/* The address of a head's columns in a row of v; key_head for k and v. */
float *attention_at(const struct job *j, const struct view *v, size_t row,
                    size_t head);
size_t attention_key_head(const struct op *op, size_t head);

/* out[head_dim][ld] = the rows `keys` of a head of v, turned. */
void attention_turn(const struct job *j, const struct view *v, size_t head,
                    struct span keys, float *out, size_t ld);

#endif
