/* flops.c - the work in a program's products. */
#include "model/prog.h"

static double
linear_flops(const struct op *op, double n)
{
    double f = 0;

    for (uint32_t i = 0; i < op->u.lin.n; i++) {
        const struct part *t = &op->u.lin.part[i];
        double w = (double)t->in * t->out, r = t->rank;

        f += 2 * n * w + 2 * n * r * ((double)t->in + t->out);
    }
    return f;
}

/* dx (when there is one); with an adapter dh, dx through it, dA and dB; a
 * trained weight's own gradient. */
static double
linear_bwd_flops(const struct op *op, double n)
{
    bool dx = op->y[0].buf != 0;
    double f = 0;

    for (uint32_t i = 0; i < op->u.lin.n; i++) {
        const struct part *t = &op->u.lin.part[i];
        double w = (double)t->in * t->out, r = t->rank;

        f += 2 * n * w * (dx + (t->grad_w.buf != 0));
        if (t->grad_a.buf != 0)
            f += 2 * n * r * (2.0 * t->out + (1.0 + dx) * t->in);
    }
    return f;
}

/* Two products over the causal half of a sequence; five going back. */
static double
attention_flops(const struct op *op, double n, int products)
{
    double span = op->u.attn.seq_len;

    if (op->u.attn.window > 0 && op->u.attn.window < span)
        span = 2.0 * op->u.attn.window;
    return products * 2 * n * (span / 2)
           * ((double)op->u.attn.heads * op->u.attn.head_dim);
}

static double
head_flops(const struct op *op, double n)
{
    const struct part *t = op->u.head.part;
    int products = 1 + (op->y[1].buf != 0) + (t->grad_w.buf != 0);

    return 2 * n * (double)t->in * t->out * products;
}

double
prog_flops(const struct prog *p, enum range r, uint32_t n_head)
{
    double f = 0, n = p->rows;

    for (size_t i = p->range[r]; i < p->range[r + 1]; i++) {
        const struct op *op = &p->op[i];

        switch (op->kind) {
        case OP_LINEAR:        f += linear_flops(op, n); break;
        case OP_LINEAR_BWD:    f += linear_bwd_flops(op, n); break;
        case OP_ATTENTION:     f += attention_flops(op, n, 2); break;
        case OP_ATTENTION_BWD: f += attention_flops(op, n, 5); break;
        case OP_HEAD_CE:
        case OP_LOGITS:        f += head_flops(op, n_head); break;
        default:               break;
        }
    }
    return f;
}
