/* moe_cases.h - cases for the ops of a mixture of experts, a part of
 * op_cases.h; see linear_cases.h for what is done with one. */
#ifndef MOE_CASES_H
#define MOE_CASES_H

#include "cpu_world.h"
#include "kernels/moe.h"

void try_op(struct world *w, const char *name);
void try_bf16(struct world *w, bool exact, const char *name);

struct moe_case {
    uint32_t seqs, seq, experts, top_k, tile, cols;
    uint8_t norm, acc;
};

/* Around the rows of a product and of an item; some experts have no row. */
static const struct moe_case moes[] = {
    { 1, 1, 1, 1, 1, 5, 1, 0 },
    { 2, 17, 4, 2, 32, 33, 1, 1 },
    { 1, 8, 8, 2, 1, 64, 0, 3 },
    { 3, 50, 8, 2, 32, 130, 0, 2 },
    { 1, 20, 60, 4, 32, 16, 1, 0 },
    { 2, 100, 3, 3, 32, 20, 0, 1 },
};

enum { N_MOES = sizeof(moes) / sizeof(moes[0]) };

static uint32_t
moe_rows(const struct moe_case *c)
{
    return (uint32_t)route_rows((uint64_t)c->seqs * c->seq, c->top_k,
                                c->experts, c->tile);
}

static void
moe_world(struct world *w, const struct moe_case *c, uint32_t i)
{
    uint32_t n = c->seqs * c->seq;

    world_init(w, i);
    if (c->cols % 8 == 0) /* there are ways for rows of whole 16 bytes */
        w->pad = w->off = 8;
    w->reduction = n * c->experts;
    w->op.u.route = (struct route_args){ c->experts, c->top_k, c->tile,
                                         c->seq, c->norm };
    world_batch(w, n, c->seq, c->seq, 1);
    w->weight[n - 1] = 0;
    if (n > 2 * c->seq)
        memset(w->weight + c->seq, 0, c->seq * sizeof(*w->weight));
}

/* The places of random experts, and their counts. */
static struct view
moe_places(struct world *w, const struct moe_case *c, struct view *counts)
{
    uint32_t n = c->seqs * c->seq, at = 0;
    struct view v = world_real(w, n, 2 * c->top_k, 1);
    float *count, *next = mem_array(c->experts, sizeof(*next));

    *counts = world_real(w, 1, c->experts, 1);
    w->whole[v.buf] = w->whole[counts->buf] = true;
    count = w->value[counts->buf] + counts->off;
    memset(count, 0, c->experts * sizeof(*count));
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0, from = (uint32_t)(draw(w) * 1000); k < c->top_k;
             k++) {
            uint32_t e = (from + k) % c->experts;

            w->value[v.buf][v.off + i * v.ld + 2 * k] = (float)e;
            count[e]++;
        }
    for (uint32_t e = 0; e < c->experts; e++) {
        next[e] = (float)at;
        at += (uint32_t)group_rows((double)count[e], c->tile);
    }
    for (uint32_t i = 0; i < n * c->top_k; i++) {
        float *place = w->value[v.buf] + v.off + i / c->top_k * v.ld
                       + i % c->top_k * 2;

        place[1] = next[(uint32_t)place[0]]++;
    }
    free(next);
    return v;
}

/* Also of logits that are equal, or none. */
TEST(routes_match)
{
    for (uint32_t i = 0; i < 2 * N_MOES; i++) {
        const struct moe_case *c = &moes[i / 2];
        uint32_t n = c->seqs * c->seq;
        struct world w;
        struct view x;

        moe_world(&w, c, i);
        w.op.kind = OP_ROUTE;
        x = w.op.x[0] = world_act(&w, n, c->experts, 3);
        for (uint32_t e = 0; e < c->experts && n > 9; e++) {
            w.value[x.buf][x.off + 7 * x.ld + e] = 0.5f;
            w.value[x.buf][x.off + 8 * x.ld + e] = NAN;
        }
        w.op.y[0] = world_real(&w, n, c->top_k, 1);
        w.op.y[1] = world_real(&w, n, 2 * c->top_k, 1);
        w.op.y[2] = world_real(&w, 1, c->experts, 1);
        if (i & 1 && n > 9) {
            w.batch.n = 9;
        } else if (i & 1) {
            w.op.y[3] = world_real(&w, c->seqs, 2 * c->experts, 1);
        } else {
            memset(w.value[x.buf] + x.off + 8 * x.ld * (n > 9), 0,
                   c->experts * sizeof(float));
            w.op.y[3] = world_real(&w, c->seqs, 2 * c->experts, 1);
        }
        try_op(&w, "route");
        world_release(&w);
    }
}

TEST(route_gradients_match)
{
    for (uint32_t i = 0; i < 2 * N_MOES; i++) {
        const struct moe_case *c = &moes[i / 2];
        uint32_t n = c->seqs * c->seq;
        struct view counts;
        struct world w;

        moe_world(&w, c, i);
        w.magnitude = 8;
        w.op.kind = OP_ROUTE_BWD;
        w.op.acc = c->acc & 1;
        w.op.x[0] = world_act(&w, n, c->experts, 2);
        w.op.x[1] = moe_places(&w, c, &counts);
        w.op.x[2] = world_real(&w, n, c->top_k, 1);
        if (i & 1)
            w.op.x[3] = world_real(&w, c->seqs, c->experts, 1);
        w.op.y[0] = world_act(&w, n, c->experts, 1);
        try_op(&w, "route backward");
        world_release(&w);
    }
}

/* A sequence without a loss among them. */
TEST(balances_match)
{
    for (uint32_t i = 0; i < N_MOES; i++) {
        const struct moe_case *c = &moes[i];
        struct world w;
        struct view x;

        moe_world(&w, c, i);
        w.op.kind = OP_BALANCE;
        w.op.u.balance = (struct balance_args){ c->seqs, c->seq, c->top_k,
                                                0.125f };
        x = w.op.x[0] = world_real(&w, 3 * c->seqs, 2 * c->experts, 1);
        for (uint32_t r = 0; r < x.rows; r++)
            for (uint32_t e = 0; e < x.cols; e++) {
                float *to = w.value[x.buf] + x.off + r * x.ld + e;

                *to = e < c->experts ? floorf(9 * fabsf(*to)) : fabsf(*to);
                if (c->seqs == 3 && r % 3 == 1)
                    *to = 0;
            }
        w.op.y[0] = world_real(&w, c->seqs, c->experts, 1);
        try_op(&w, "balance");
        world_release(&w);
    }
}

TEST(gathers_match)
{
    for (uint32_t i = 0; i < N_MOES; i++) {
        const struct moe_case *c = &moes[i];
        struct world w;

        moe_world(&w, c, i);
        w.op.kind = OP_GATHER;
        w.op.x[0] = world_act(&w, c->seqs * c->seq, c->cols, 1);
        w.op.x[1] = moe_places(&w, c, &w.op.x[2]);
        w.op.y[0] = world_act(&w, moe_rows(c), c->cols, 1);
        try_op(&w, "gather");
        world_release(&w);
    }
}

TEST(combinations_match)
{
    for (uint32_t i = 0; i < 2 * N_MOES; i++) {
        const struct moe_case *c = &moes[i / 2];
        uint32_t n = c->seqs * c->seq;
        struct view counts;
        struct world w;

        moe_world(&w, c, i);
        w.op.kind = OP_COMBINE;
        w.op.acc = c->acc & 1;
        w.op.x[0] = world_act(&w, moe_rows(c), c->cols, 1);
        w.op.x[1] = moe_places(&w, c, &counts);
        if (i & 1) {
            w.op.x[2] = world_real(&w, n, c->top_k, 1);
            w.op.x[3] = world_act(&w, n, c->cols, 1);
            w.op.x[4] = counts;
        }
        w.op.y[0] = world_act(&w, n, c->cols, 1);
        try_op(&w, "combine");
        world_release(&w);
    }
}

TEST(combination_gradients_match)
{
    for (uint32_t i = 0; i < 3 * N_MOES; i++) {
        const struct moe_case *c = &moes[i / 3];
        uint32_t n = c->seqs * c->seq;
        struct world w;

        moe_world(&w, c, i);
        w.reduction = c->cols;
        w.magnitude = c->cols;
        w.op.kind = OP_COMBINE_BWD;
        w.op.acc = c->acc & 2;
        w.op.x[0] = world_act(&w, moe_rows(c), c->cols, 1);
        w.op.x[1] = moe_places(&w, c, &w.op.x[4]);
        w.op.x[2] = world_real(&w, n, c->top_k, 1);
        w.op.x[3] = world_act(&w, n, c->cols, 1);
        if (i % 3 != 1)
            w.op.y[0] = world_act(&w, moe_rows(c), c->cols, 1);
        if (i % 3 != 2)
            w.op.y[1] = world_real(&w, n, c->top_k, 1);
        try_op(&w, "combine backward");
        world_release(&w);
    }
}

/* Rows times a number of their own; rows without a token among them. */
TEST(gated_rows_match)
{
    for (uint32_t i = 0; i < 8; i++) {
        bool bwd = i & 1;
        uint32_t operands = bwd || i < 4 ? 3 : 2, cols = i < 4 ? 65 : 72;
        struct world w;

        world_init(&w, i);
        if (cols % 8 == 0)
            w.pad = w.off = 8;
        w.reduction = cols;
        w.magnitude = cols;
        w.op.kind = bwd ? OP_GATE_BWD : OP_GATE;
        w.op.acc = (uint8_t)(i >> 1 & (bwd ? 3 : 1));
        w.op.x[0] = world_act(&w, 40, 1, 2);
        for (uint32_t k = 1; k < operands; k++)
            w.op.x[k] = world_act(&w, 40, cols, 1);
        w.op.y[0] = world_act(&w, 40, bwd ? 1 : cols, 1);
        if (bwd)
            w.op.y[1] = world_act(&w, 40, cols, 1);
        if (i == 5)
            w.op.y[0].buf = 0;
        if (i == 7)
            w.op.y[1].buf = 0;
        world_batch(&w, 33, 33, 10, 1);
        try_op(&w, "gate");
        world_release(&w);
    }
}

/* Rows of all experts, as GLU sees them. */
TEST(gates_of_experts_match)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct world w;

        world_init(&w, i);
        w.magnitude = 9;
        w.op.kind = i ? OP_GLU_BWD : OP_GLU;
        w.op.u.act.kind = ACT_SILU;
        w.op.u.act.all = 1;
        for (uint32_t k = 0; k < 2 + i; k++)
            w.op.x[k] = world_act(&w, 40, 33, 2);
        for (uint32_t k = 0; k < 1 + i; k++)
            w.op.y[k] = world_act(&w, 40, 33, 2);
        world_batch(&w, 10, 10, 10, 1);
        try_op(&w, "gates of experts");
        world_release(&w);
    }
}

struct grouped_case {
    uint32_t groups, each, tile, in, out, rank;
    uint16_t count[4];
    uint8_t dtype, full, acc;
};

static const struct grouped_case groupeds[] = {
    { 4, 1, 32, 130, 129, 3, { 33, 0, 1, 64 }, DTYPE_BF16, 0, 0 },
    { 2, 2, 32, 400, 200, 4, { 31, 600 }, DTYPE_F32, 0, 1 },
    { 2, 2, 32, 400, 70, 0, { 32, 40 }, DTYPE_REAL, 1, 0 },
    { 3, 1, 32, 256, 130, 2, { 0, 5, 0 }, DTYPE_I8, 0, 0 },
    { 2, 2, 32, 256, 64, 2, { 9, 12 }, DTYPE_NF4, 0, 0 },
    { 4, 1, 1, 70, 90, 0, { 1, 0, 2, 3 }, DTYPE_REAL, 1, 1 },
    { 2, 1, 32, 24, 136, 2, { 700, 600 }, DTYPE_BF16, 0, 0 },
    { 1, 1, 1, 136, 1100, 2, { 5 }, DTYPE_REAL, 1, 0 },
};

enum { N_GROUPEDS = sizeof(groupeds) / sizeof(groupeds[0]) };

/* Rows, and room for a row more than they take. */
static uint32_t
grouped_rows(const struct grouped_case *c)
{
    uint32_t n = 1;

    for (uint32_t g = 0; g < c->groups; g++)
        n += (uint32_t)group_rows(c->count[g], c->tile);
    return n;
}

static void
grouped_part(struct world *w, const struct grouped_case *c, uint32_t i,
             bool bwd)
{
    struct part *p = &w->part[i];

    p->in = c->in;
    p->out = c->out;
    p->col = i % c->each * c->out;
    p->w = world_weight(w, c->out, c->in, c->dtype);
    if (bwd && c->full)
        p->grad_w = world_real(w, c->out, c->in, 1);
    if (c->rank == 0 || i == 3)
        return;
    p->rank = c->rank + i / c->each;
    p->lora_scale = 1.5f;
    p->a = world_real(w, p->rank, c->in, 1);
    p->b = world_real(w, c->out, p->rank, 1);
    p->h = world_act(w, grouped_rows(c), p->rank, 1);
    if (bwd) {
        p->grad_a = world_real(w, p->rank, c->in, 1);
        p->grad_b = world_real(w, c->out, p->rank, 1);
    }
}

static void
grouped_world(struct world *w, const struct grouped_case *c, uint32_t i,
              bool bwd)
{
    uint32_t n = grouped_rows(c), cols = c->each * c->out;

    world_init(w, i);
    if (c->in % 8 == 0 && c->out % 8 == 0)
        w->pad = w->off = 8;
    w->reduction = c->in + c->rank + (bwd ? cols + n : 0);
    w->op.kind = bwd ? OP_GROUPED_BWD : OP_GROUPED;
    w->op.acc = c->acc;
    w->op.u.lin.part = w->part;
    w->op.u.lin.n = c->groups * c->each;
    w->op.u.lin.groups = c->groups;
    w->op.u.lin.tile = c->tile;
    for (uint32_t k = 0; k < w->op.u.lin.n; k++)
        grouped_part(w, c, k, bwd);
    w->op.x[0] = world_act(w, n, c->in, 1);
    w->op.x[1] = world_real(w, 1, c->groups, 1);
    for (uint32_t g = 0; g < c->groups; g++)
        w->value[w->op.x[1].buf][w->op.x[1].off + g] = c->count[g];
    w->whole[w->op.x[1].buf] = true;
    if (bwd)
        w->op.x[2] = world_act(w, n, cols, 1);
    w->op.y[0] = world_act(w, n, bwd ? c->in : cols, 1);
    world_batch(w, n, n, n, 1);
}

TEST(grouped_linears_match)
{
    for (uint32_t i = 0; i < 2 * N_GROUPEDS; i++) {
        const struct grouped_case *c = &groupeds[i / 2];
        struct world w;
        char name[40];

        snprintf(name, sizeof(name), "grouped linear%s %u",
                 i & 1 ? " backward" : "", i / 2);
        grouped_world(&w, c, i, i & 1);
        if (i == 3)
            w.op.y[0].buf = 0;
        try_op(&w, name);
        try_bf16(&w, c->dtype == DTYPE_BF16 && c->rank == 0, name);
        world_release(&w);
    }
}

#define RUN_MOE_CASES                                                       \
    RUN(routes_match), RUN(route_gradients_match), RUN(balances_match),     \
    RUN(gathers_match), RUN(combinations_match),                            \
    RUN(combination_gradients_match), RUN(gates_of_experts_match),          \
    RUN(gated_rows_match), RUN(grouped_linears_match)

#endif
