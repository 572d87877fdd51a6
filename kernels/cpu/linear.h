/* linear.h - what LINEAR, GROUPED and their backward share. */
#ifndef KERNELS_CPU_LINEAR_H
#define KERNELS_CPU_LINEAR_H

#include "kernels/cpu/narrow.h"
#include "kernels/cpu/weight.h"

enum { TILE_ROWS = 512, TILE_COLS = WEIGHT_COLS }; /* at most */
enum { DROP_ROWS = 128, DROP_COLS = 512 };

/* How a matrix is cut: tiles of rows x cols, down x across of them. */
struct tiles {
    size_t rows, cols, down, across;
};

struct tiles tiles_cut(size_t rows, size_t cols);

/* The same of a product with a weight, which each tile packs for itself where
 * products are of bfloat16: taller ones. */
struct tiles weight_tiles(const struct job *j, size_t rows, size_t cols);

/* The rows that a part works on: n from first on. */
struct span {
    size_t first, n;
};

/* Of part i, the one before having had these (nothing for part 0): those that
 * hold tokens, or those of its group. */
struct span span_next(const struct job *j, size_t i, struct span before);

/* Rows of one product; 0: any number. */
size_t span_block(const struct op *op);

/* Parts of a group. */
static inline size_t
group_parts(const struct op *op)
{
    return op->u.lin.groups > 0 ? op->u.lin.n / op->u.lin.groups
                                : op->u.lin.n;
}

/* The greatest rank of an adapter of the k'th parts of all groups, which share
 * what is made of it; 0: none has one. */
size_t group_rank(const struct op *op, size_t k);

static inline const struct view *
dy_view(const struct op *op)
{
    return op->u.lin.groups > 0 ? &op->x[2] : &op->x[1];
}

/* out = drop(x), or out += it, for rows r0 .. r0+nr and columns c0 .. c0+nc
 * (c0 a multiple of 4) of the part's mask; x and out point at (r0, c0). */
void part_drop(const struct job *j, const struct part *p, const float *x,
               size_t ld, size_t r0, size_t nr, size_t c0, size_t nc,
               float *out, size_t ld_out, bool acc);

/* Operands in bfloat16 of a LINEAR, of a GROUPED or of its backward, in its
 * scratch. Rows are counted from the op's first. */
struct narrow_ops {
    const struct job *job;
    struct narrow x; /* [n][in]; backward: where a gradient is its product */
    float *parts;    /* those of each part, in turn, which groups share */
    float *worker;   /* and of each worker */
    size_t per_worker;
};

struct narrow_part {
    struct narrow h;         /* [n][rank], times the scale; backward: turned */
    struct narrow dy;        /* [n][out] */
    struct narrow dh, dh_by; /* [n][rank], times the scale, and turned */
};

/* Floats of scratch of all. */
size_t narrow_ops_floats(const struct op *op, int workers);

/* Places the operands from base on and rounds x and dy; nothing, and false,
 * where the op's products are of floats. */
bool narrow_ops_init(struct narrow_ops *o, const struct job *j, float *base);
struct narrow_part narrow_part(const struct narrow_ops *o,
                               const struct part *p);

/* Rows of a block of h or dh. */
size_t narrow_block(const struct op *op);

/* h of a part's rows r0 .. r0+nr, of a block, as floats and rounded. tmp:
 * weight_panel() floats, and DROP_ROWS * DROP_COLS where x is dropped. */
void narrow_h(const struct narrow_ops *o, const struct part *p, size_t r0,
              size_t nr, int worker, float *tmp);

/* dh of a part's rows r0 .. r0+nr, which begin at dh[nr][rank], rounded and
 * turned; h, turned. tmp here and from here on: weight_panel() floats. */
void narrow_dh(const struct narrow_ops *o, const struct part *p, size_t r0,
               size_t nr, float *dh, float *tmp);

/* dx[nr][nc] += drop(dh A), a tile at row r0 and column c0. */
void narrow_dx(const struct narrow_ops *o, const struct part *p, size_t r0,
               size_t nr, size_t c0, size_t nc, float *dx, size_t ld,
               int worker, float *tmp);

/* Of the rows s: columns c0 .. c0+nc of grad_a; rows c0 .. c0+nc of grad_b;
 * tile i of grad_w. */
void narrow_grad_a(const struct narrow_ops *o, const struct part *p,
                   struct span s, size_t c0, size_t nc, int worker,
                   float *tmp);
void narrow_grad_b(const struct narrow_ops *o, const struct part *p,
                   struct span s, size_t c0, size_t nc, int worker,
                   float *tmp);
void narrow_grad_w(const struct narrow_ops *o, const struct part *p,
                   struct span s, const struct tiles *t, size_t i,
                   int worker, float *tmp);

#endif
