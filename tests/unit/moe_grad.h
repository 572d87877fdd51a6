/* moe_grad.h - the gradients of a mixture of experts, a part of ops_grad.c. */
#ifndef MOE_GRAD_H
#define MOE_GRAD_H

#include "trial.h"

/* Logits so far apart that no difference makes another choice. */
static struct view
route_logits(struct trial *t, uint32_t n, uint32_t experts)
{
    struct view x = lab_real(&t->lab, n, experts);

    for (uint32_t i = 0; i < n; i++)
        for (uint32_t e = 0; e < experts; e++) {
            uint32_t k = (e + i * 3) % experts;

            lab_row(&t->lab, &x, i)[e] = 0.1 * lab_row(&t->lab, &x, i)[e]
                                         + 0.4 * k;
        }
    return x;
}

/* The weights, and the balance of two layers of which this is one. */
static double
route_value(struct trial *t)
{
    struct op balance = {
        .kind = OP_BALANCE, .y = { t->bwd.x[3] },
        .u.balance = { 2, t->fwd.u.route.seq_len, t->fwd.u.route.top_k,
                       0.5f }
    };
    double value = dot_output(t);

    balance.x[0] = t->fwd.y[3];
    balance.x[0].rows = 4;
    t->lab.out.balance_sum = 0;
    lab_run(&t->lab, &balance);
    return value + t->lab.out.balance_sum * t->lab.in.inv_tokens;
}

static void
route_case(uint32_t experts, uint32_t top_k, uint8_t norm, uint8_t acc)
{
    struct trial t;
    struct view x, dx, places, counts, tally;
    uint32_t n = 14;

    trial_init(&t, "route", experts + norm);
    lab_batch(&t.lab, n, 7, 7, 4);
    t.lab.weight[6] = 0;
    trial_output(&t, n, top_k);
    x = route_logits(&t, n, experts);
    dx = lab_real(&t.lab, n, experts);
    places = lab_real(&t.lab, n, 2 * top_k);
    counts = lab_real(&t.lab, 1, experts);
    tally = lab_real(&t.lab, 4, 2 * experts);
    for (uint32_t i = 0; i < 2 * experts; i++)
        for (uint32_t s = 0; s < 4; s++)
            lab_row(&t.lab, &tally, s)[i] = 1 + s + i % 3;
    tally.rows = 2;
    t.value = route_value;
    t.fwd = (struct op){ .kind = OP_ROUTE, .x = { x },
                         .y = { t.y, places, counts, tally },
                         .u.route = { experts, top_k, 32, 7, norm } };
    t.bwd = (struct op){ .kind = OP_ROUTE_BWD, .acc = acc,
                         .x = { x, places, t.dy,
                                lab_real(&t.lab, 2, experts) },
                         .y = { dx }, .u = t.fwd.u };
    add_var(&t, x, dx, acc);
    check_trial(&t);
}

TEST(routes)
{
    route_case(5, 2, 1, 0);
    route_case(5, 2, 0, 1);
    route_case(3, 1, 1, 0);
    route_case(4, 4, 0, 0);
}

/* Places of 9 rows in 3 experts, 2 each, and their counts: to counts. */
static struct view
some_places(struct trial *t, uint32_t tile, struct view *counts)
{
    struct view x = route_logits(t, 9, 3), w = lab_real(&t->lab, 9, 2);
    struct view places = lab_real(&t->lab, 9, 4);
    struct op op = { .kind = OP_ROUTE, .x = { x }, .y = { w, places },
                     .u.route = { 3, 2, tile, 9, 1 } };

    *counts = op.y[2] = lab_real(&t->lab, 1, 3);
    lab_run(&t->lab, &op);
    return places;
}

static void
gather_case(uint8_t acc)
{
    struct trial t;
    struct view x, dx, places, counts;

    trial_init(&t, "gather", acc);
    lab_batch(&t.lab, 9, 9, 9, 4);
    trial_output(&t, 24, 5);
    places = some_places(&t, 3, &counts);
    x = lab_real(&t.lab, 9, 5);
    dx = lab_real(&t.lab, 9, 5);
    t.fwd = (struct op){ .kind = OP_GATHER, .x = { x, places, counts },
                         .y = { t.y }, .u.route = { 3, 2, 3, 9, 1 } };
    t.bwd = (struct op){ .kind = OP_COMBINE, .acc = acc,
                         .x = { t.dy, places }, .y = { dx },
                         .u = t.fwd.u };
    add_var(&t, x, dx, acc);
    check_trial(&t);
}

TEST(gathers)
{
    gather_case(0);
    gather_case(1);
}

TEST(combinations)
{
    struct trial t;
    struct view x, dx, w, dw, places, counts;

    trial_init(&t, "combine", 1);
    lab_batch(&t.lab, 9, 9, 9, 4);
    trial_output(&t, 9, 5);
    places = some_places(&t, 1, &counts);
    x = lab_real(&t.lab, 18, 5);
    dx = lab_real(&t.lab, 18, 5);
    w = lab_real(&t.lab, 9, 2);
    dw = lab_real(&t.lab, 9, 2);
    t.fwd = (struct op){ .kind = OP_COMBINE,
                         .x = { x, places, w, lab_real(&t.lab, 9, 5),
                                counts },
                         .y = { t.y }, .u.route = { 3, 2, 1, 9, 1 } };
    t.bwd = (struct op){ .kind = OP_COMBINE_BWD, .acc = 2,
                         .x = { x, places, w, t.dy, counts },
                         .y = { dx, dw }, .u = t.fwd.u };
    add_var(&t, x, dx, false);
    add_var(&t, w, dw, true);
    check_trial(&t);
}

static void
gate_case(bool residual, uint8_t acc)
{
    struct trial t;
    struct view gate, x, dgate, dx;

    trial_init(&t, "gate", acc);
    lab_batch(&t.lab, 9, 9, 9, 4);
    trial_output(&t, 9, 5);
    gate = lab_real(&t.lab, 9, 1);
    dgate = lab_real(&t.lab, 9, 1);
    x = lab_real(&t.lab, 9, 5);
    dx = lab_real(&t.lab, 9, 5);
    t.fwd = (struct op){ .kind = OP_GATE, .x = { gate, x },
                         .y = { t.y } };
    if (residual)
        t.fwd.x[2] = lab_real(&t.lab, 9, 5);
    t.bwd = (struct op){ .kind = OP_GATE_BWD, .acc = acc,
                         .x = { gate, x, t.dy }, .y = { dgate, dx } };
    add_var(&t, gate, dgate, acc & 1);
    add_var(&t, x, dx, acc & 2);
    check_trial(&t);
}

TEST(gated_rows)
{
    for (uint8_t acc = 0; acc < 4; acc++)
        gate_case(acc & 1, acc);
}

/* Groups of 4, 0 and 3 rows; rows of the last are as many as it has. */
static void
grouped_case(uint32_t each, uint8_t dtype, bool lora, uint8_t acc)
{
    static const double count[] = { 4, 0, 3 };
    const struct linear_case c = { "grouped", 7, 6, each * 2,
                                   { 5, 5, 5, 5 }, dtype, .lora = lora };
    uint32_t groups = each == 2 ? 2 : 3;
    struct trial t;
    struct view x, dx, counts;

    trial_init(&t, "grouped", each + acc);
    lab_batch(&t.lab, 7, 7, 7, 4);
    trial_output(&t, 7, each * 5);
    x = lab_real(&t.lab, 7, 6);
    dx = lab_real(&t.lab, 7, 6);
    counts = lab_real(&t.lab, 1, groups);
    for (uint32_t g = 0; g < groups; g++)
        lab_row(&t.lab, &counts, 0)[g] = count[groups == 2 ? 2 * g : g];
    for (uint32_t i = 0; i < groups * each; i++)
        linear_part(&t, &c, i, i % each * 5);
    t.fwd = (struct op){ .kind = OP_GROUPED, .x = { x, counts },
                         .y = { t.y },
                         .u.lin = { t.lab.part, groups * each, groups, 1 } };
    t.bwd = (struct op){ .kind = OP_GROUPED_BWD, .acc = acc,
                         .x = { x, counts, t.dy }, .y = { dx },
                         .u = t.fwd.u };
    add_var(&t, x, dx, acc & 1);
    check_trial(&t);
}

TEST(grouped_linears)
{
    grouped_case(1, DTYPE_REAL, false, 0);
    grouped_case(1, DTYPE_BF16, true, 1);
    grouped_case(2, DTYPE_REAL, true, 0);
}

#define RUN_MOE_GRADS                                                       \
    RUN(routes), RUN(gathers), RUN(combinations), RUN(gated_rows),          \
    RUN(grouped_linears)

#endif
