/* attention.h - what ATTENTION and its backward share. */
#ifndef KERNELS_CPU_ATTENTION_H
#define KERNELS_CPU_ATTENTION_H

#include "kernels/cpu/narrow.h"

/* Rows of queries in a block of scores, and in an item of the forward. */
enum { Q_BLOCK = 32, Q_GROUP = 256 };

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

/* Operands in bfloat16 of a worker's item. */
struct narrow_attn {
    struct narrow q, d;    /* a head's rows of q and of dO, from row0 on */
    struct narrow k, p, s; /* keys or values; blocks of P and of dS */
    uint32_t *kt, *vt;     /* keys, values as columns: [head_dim / 2][ldk] */
    uint32_t *kp, *vp;     /* and as pairs of rows: [keys / 2][ldh] */
    uint32_t *qp;          /* pairs of rows of a block of q or of dO */
    uint16_t *turned;      /* a block of P or of dS, turned */
    float *tmp;
    size_t row0, ldk, ldh;
};

/* A block of the products: its queries and its keys, both of the packed block
 * of keys that begins at first; see begins at an even one of them. */
struct narrow_block {
    struct span q, see;
    size_t first;
};

/* The floats of scratch of a worker; places them where base is not NULL. */
size_t narrow_attn_lay(const struct op *op, struct narrow_attn *a,
                       float *base);

/* Whether the op's products are of bfloat16: those of decoding are not. */
bool attention_narrow(const struct job *j);

/* Rounds the rows of x from a head's column on into to. */
void narrow_attn_rows(const struct job *j, struct narrow_attn *a,
                      struct narrow *to, const struct view *x, size_t head,
                      struct span rows);

/* Packs a block of keys and of values as the op's products take them. */
void narrow_attn_keys(const struct job *j, struct narrow_attn *a,
                      size_t head, struct span keys);

/* out[nr][nk] = x columns, x being q or d and columns kt or vt. */
void narrow_dots(const struct job *j, const struct narrow_attn *a,
                 const struct narrow *x, const uint32_t *columns,
                 const struct narrow_block *b, float *out);

/* out[nr][head_dim] += w rows: w p or s, rows kp or vp. */
void narrow_sums(const struct job *j, const struct narrow_attn *a,
                 const struct narrow *w, const uint32_t *rows,
                 const struct narrow_block *b, float *out, size_t ld);

/* out[nk][head_dim] += w^T x: w p or s, x q or d. */
void narrow_turned_sums(const struct job *j, const struct narrow_attn *a,
                        const struct narrow *w, const struct narrow *x,
                        const struct narrow_block *b, float *out, size_t ld);

#endif
