/* flops.c - the work in a program's products. */
#include "model/flops.h"

#include "kernels/muon.h"
#include "model/op_info.h"
#include "model/prog.h"

double
flops_linear(const struct op *op, double n, double n_head)
{
    double f = 0;

    (void)n_head;
    for (uint32_t i = 0; i < op->u.lin.n; i++) {
        const struct part *t = &op->u.lin.part[i];
        double w = (double)t->in * t->out, r = t->rank;

        f += 2 * n * w + 2 * n * r * ((double)t->in + t->out);
    }
    return f;
}

/* dx (when there is one); with an adapter dh, dx through it, dA and dB; a
 * trained weight's own gradient. */
double
flops_linear_bwd(const struct op *op, double n, double n_head)
{
    bool dx = op->y[0].buf != 0;
    double f = 0;

    (void)n_head;
    for (uint32_t i = 0; i < op->u.lin.n; i++) {
        const struct part *t = &op->u.lin.part[i];
        double w = (double)t->in * t->out, r = t->rank;

        f += 2 * n * w * (dx + (t->grad_w.buf != 0));
        if (t->grad_a.buf != 0)
            f += 2 * n * r * (2.0 * t->out + (1.0 + dx) * t->in);
    }
    return f;
}

/* Rows that a group has, where all have as many. */
static double
group_share(const struct op *op)
{
    return (double)op->x[0].rows / op->u.lin.groups;
}

double
flops_grouped(const struct op *op, double n, double n_head)
{
    (void)n;
    return flops_linear(op, group_share(op), n_head);
}

double
flops_grouped_bwd(const struct op *op, double n, double n_head)
{
    (void)n;
    return flops_linear_bwd(op, group_share(op), n_head);
}

/* So many products over the causal half of a sequence. */
static double
attention(const struct op *op, double n, int products)
{
    double span = op->u.attn.seq_len;

    if (op->u.attn.window > 0 && op->u.attn.window < span)
        span = 2.0 * op->u.attn.window;
    return products * 2 * n * (span / 2)
           * ((double)op->u.attn.heads * op->u.attn.head_dim);
}

double
flops_attention(const struct op *op, double n, double n_head)
{
    (void)n_head;
    return attention(op, n, 2);
}

double
flops_attention_bwd(const struct op *op, double n, double n_head)
{
    (void)n_head;
    return attention(op, n, 5);
}

double
flops_head(const struct op *op, double n, double n_head)
{
    const struct part *t = op->u.head.part;
    int products = 1 + (op->y[1].buf != 0) + (t->grad_w.buf != 0);

    (void)n;
    return 2 * n_head * (double)t->in * t->out * products;
}

/* Of the two symmetric products a half. */
double
flops_muon(const struct op *op, double n, double n_head)
{
    double rows = op->y[0].rows, cols = op->y[0].cols;
    double small = rows < cols ? rows : cols;

    (void)n;
    (void)n_head;
    return MUON_STEPS * small * (3 * rows * cols + small * small);
}

double
prog_flops(const struct prog *p, enum range r, uint32_t n_head)
{
    double f = 0;

    for (size_t i = p->range[r]; i < p->range[r + 1]; i++) {
        const struct op_info *info = op_info(p->op[i].kind);

        if (info->flops != NULL)
            f += info->flops(&p->op[i], p->rows, n_head);
    }
    return f;
}
