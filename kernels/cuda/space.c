/* space.c - places of scratch, cut one after the other: see space.h. */
#include "kernels/cuda/space.h"

#include <stddef.h>

enum { PLACE = 256, KNOWN_ROWS = 64 };

/* The next place of n bytes; *end is what is taken so far. */
static char *
take(char *at, uint64_t *end, uint64_t n)
{
    char *p = at ? at + *end : NULL;

    *end += (n + PLACE - 1) / PLACE * PLACE;
    return p;
}

static uint64_t
matrix_bytes(const struct sizing *s, uint64_t rows, uint32_t cols)
{
    return rows * cols * operand_bytes(s);
}

/* Of a stored matrix as an operand: nothing, where it is one. */
static uint64_t
widened_bytes(const struct sizing *s, const struct view *v)
{
    return v->buf == 0 || is_operand(s, v->dtype)
           ? 0 : matrix_bytes(s, v->rows, v->cols);
}

/* Of a bias as a row of elements of so many bytes. */
static uint64_t
row_bytes(const struct view *bias, unsigned bytes)
{
    return bias->buf == 0 || is_row_of(bias->dtype, bytes)
           ? 0 : (uint64_t)bias->cols * bytes;
}

static uint64_t
dropped_bytes(const struct sizing *s, const struct part *p, uint32_t rows)
{
    return p->dropout > 0 ? matrix_bytes(s, rows, p->in) : 0;
}

uint64_t
column_sums_bytes(uint32_t rows, uint32_t cols)
{
    uint64_t groups = ((uint64_t)rows + SUM_GROUP - 1) / SUM_GROUP;

    return groups * cols * sizeof(float);
}

struct linear_space
linear_space_at(char *at, const struct sizing *s, const struct part *p,
                uint32_t rows)
{
    struct linear_space l = { 0 };

    l.w = take(at, &l.bytes, widened_bytes(s, &p->w));
    l.a = take(at, &l.bytes, widened_bytes(s, &p->a));
    l.b = take(at, &l.bytes, widened_bytes(s, &p->b));
    l.bias = take(at, &l.bytes, row_bytes(&p->bias, operand_bytes(s)));
    l.dropped = take(at, &l.bytes, dropped_bytes(s, p, rows));
    l.workspace = take(at, &l.bytes, s->workspace);
    return l;
}

struct linear_bwd_space
linear_bwd_space_at(char *at, const struct sizing *s, const struct part *p,
                    uint32_t rows)
{
    struct linear_bwd_space l = { 0 };

    l.w = take(at, &l.bytes, widened_bytes(s, &p->w));
    l.a = take(at, &l.bytes, widened_bytes(s, &p->a));
    l.b = take(at, &l.bytes, widened_bytes(s, &p->b));
    l.dh = take(at, &l.bytes, p->a.buf ? matrix_bytes(s, rows, p->rank) : 0);
    l.dropped = take(at, &l.bytes, dropped_bytes(s, p, rows));
    l.sums = take(at, &l.bytes,
                  p->grad_bias.buf ? column_sums_bytes(rows, p->out) : 0);
    l.workspace = take(at, &l.bytes, s->workspace);
    return l;
}

uint32_t
head_chunk_of(const struct op *op)
{
    return op->kind == OP_HEAD_CE ? op->u.head.chunk : op->y[0].rows;
}

struct head_space
head_space_at(char *at, const struct sizing *s, const struct op *op)
{
    const struct part *p = op->u.head.part;
    bool loss = op->kind == OP_HEAD_CE;
    uint64_t chunk = head_chunk_of(op), x = matrix_bytes(s, chunk,
                                                         op->x[0].cols);
    struct head_space h = { 0 };

    h.w = take(at, &h.bytes, widened_bytes(s, &p->w));
    h.bias = take(at, &h.bytes, row_bytes(&p->bias, sizeof(float)));
    h.x = take(at, &h.bytes, x);
    h.logits = take(at, &h.bytes,
                    loss ? chunk * p->w.rows * sizeof(float) : 0);
    h.loss = take(at, &h.bytes, loss ? chunk * sizeof(double) : 0);
    h.dx = take(at, &h.bytes, loss && op->y[1].buf ? x : 0);
    h.sums = take(at, &h.bytes,
                  p->grad_bias.buf
                  ? column_sums_bytes((uint32_t)chunk, p->w.rows) : 0);
    h.workspace = take(at, &h.bytes, s->workspace);
    return h;
}

struct norm_bwd_space
norm_bwd_space_at(char *at, const struct op *op)
{
    bool sums = op->y[1].buf != 0 || op->y[2].buf != 0;
    uint64_t n = sums ? column_sums_bytes(op->x[0].rows, op->x[0].cols) : 0;
    struct norm_bwd_space b = { 0 };

    b.gain = take(at, &b.bytes, n);
    b.bias = take(at, &b.bytes, n);
    return b;
}

uint32_t
attention_known_rows(uint32_t rows)
{
    return (rows + KNOWN_ROWS - 1) / KNOWN_ROWS * KNOWN_ROWS;
}

struct attention_bwd_space
attention_bwd_space_at(char *at, const struct op *op)
{
    uint64_t heads = op->u.attn.heads, rows = op->x[0].rows;
    uint64_t part = heads * op->u.attn.head_dim * rows * sizeof(float);
    struct attention_bwd_space b = { 0 };

    if (op->u.attn.heads == op->u.attn.kv_heads)
        part = 0;
    b.known = take(at, &b.bytes, heads * attention_known_rows((uint32_t)rows)
                                 * 2 * sizeof(float));
    b.dk = take(at, &b.bytes, part);
    b.dv = take(at, &b.bytes, part);
    return b;
}

/* Of the part of a linear that wants most. */
static uint64_t
linear_bytes(const struct sizing *s, const struct op *op)
{
    uint64_t most = 0;

    for (uint32_t i = 0; i < op->u.lin.n; i++) {
        const struct part *p = &op->u.lin.part[i];
        uint32_t rows = op->x[0].rows;
        uint64_t n = op->kind == OP_LINEAR
                     ? linear_space_at(NULL, s, p, rows).bytes
                     : linear_bwd_space_at(NULL, s, p, rows).bytes;

        most = n > most ? n : most;
    }
    return most;
}

uint64_t
space_bytes(const struct sizing *s, const struct op *op)
{
    switch (op->kind) {
    case OP_LINEAR:
    case OP_LINEAR_BWD:
        return linear_bytes(s, op);
    case OP_HEAD_CE:
    case OP_LOGITS:
        return head_space_at(NULL, s, op).bytes;
    case OP_NORM_BWD:
        return norm_bwd_space_at(NULL, op).bytes;
    case OP_ATTENTION_BWD:
        return attention_bwd_space_at(NULL, op).bytes;
    case OP_SQNORM:
        return SQNORM_PARTS * sizeof(double);
    default:
        return 0;
    }
}
