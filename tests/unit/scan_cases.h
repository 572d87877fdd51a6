/* scan_cases.h - cases for CONV1D, SCAN and their gradients, a part of
 * op_cases.h; see linear_cases.h for what is done with one. */
#ifndef SCAN_CASES_H
#define SCAN_CASES_H

#include "cpu_world.h"

void try_op(struct world *w, const char *name);

struct conv_case {
    uint32_t seqs, seq, doc, cols, width;
    uint8_t act, acc, bias, trained;
};

/* Items are of 16 rows, or of 64 columns. */
static const struct conv_case convs[] = {
    { 1, 1, 1, 1, 1, ACT_SILU, 0, 1, 0 },
    { 2, 3, 3, 5, 4, ACT_SILU, 1, 0, 1 },
    { 3, 17, 6, 64, 4, ACT_GELU_TANH, 0, 1, 1 },
    { 1, 33, 2, 65, 3, ACT_SILU, 7, 1, 0 },
    { 2, 40, 40, 131, 16, ACT_RELU, 6, 1, 1 },
};

static void
conv_world(struct world *w, const struct conv_case *c, uint32_t i)
{
    uint32_t n = c->seqs * c->seq;

    world_init(w, i);
    w->reduction = n + c->width;
    if (c->cols % 8 == 0) /* pieces of 16 bytes */
        w->pad = w->off = 8;
    w->op.x[0] = world_act(w, n, c->cols, 2);
    w->op.x[1] = c->trained ? world_real(w, c->cols, c->width, 1)
                            : world_base(w, c->cols, c->width, DTYPE_BF16);
    if (c->bias)
        w->op.x[2] = c->trained ? world_real(w, 1, c->cols, 1)
                                : world_base(w, 1, c->cols, DTYPE_F16);
    w->op.y[0] = world_act(w, n, c->cols, 1);
    w->op.acc = c->acc & 1;
    w->op.u.conv = (struct conv_args){ c->seq, c->act, 0 };
    world_batch(w, n, c->seq, c->doc, 1);
}

TEST(convolutions_match)
{
    for (uint32_t i = 0; i < 2 * sizeof(convs) / sizeof(convs[0]); i++) {
        const struct conv_case *c = &convs[i / 2];
        uint32_t n = c->seqs * c->seq;
        struct world w;

        conv_world(&w, c, i);
        w.op.kind = i & 1 ? OP_CONV1D_BWD : OP_CONV1D;
        if (i & 1)
            w.op.x[3] = world_act(&w, n, c->cols, 1);
        if (i & 1 && c->trained) {
            w.op.y[1] = world_real(&w, c->cols, c->width, 1);
            w.op.y[2] = world_real(&w, 1, c->cols, 1);
        }
        if (i == 3)
            w.op.y[0].buf = 0;
        try_op(&w, "convolution");
        world_release(&w);
    }
}

/* Three sequences of which one begins, one goes on, and one rests. */
TEST(decoding_convolutions_match)
{
    static const struct conv_case cases[] = {
        { 3, 1, 1, 20, 4, ACT_SILU, 0, 1, 0 },
        { 3, 2, 2, 70, 4, ACT_SILU, 0, 1, 1 },
        { 3, 9, 9, 33, 4, ACT_SILU, 0, 0, 0 },
        { 3, 9, 9, 33, 1, ACT_SILU, 1, 0, 0 },
    };

    for (uint32_t i = 0; i < 12; i++) {
        const struct conv_case *c = &cases[i / 3];
        int32_t n[3] = { 1, (int32_t)c->seq, (int32_t)(c->seq + 1) / 2 };
        int32_t at[3] = { 0, 5, 1 };
        struct world w;

        n[i % 3] = i < 11 ? n[i % 3] : 0;
        at[1] = i % 3 == 1 ? 0 : 5;
        n[0] = i % 3 == 2 ? 0 : n[0];
        conv_world(&w, c, i);
        w.op.kind = OP_CONV1D;
        w.op.u.conv.cached = 1;
        if (c->width > 1)
            w.op.y[1] = world_real(&w, 3 * (c->width - 1), c->cols, 1);
        w.batch.cache_at = at;
        w.batch.seq_n = n;
        try_op(&w, "decoding convolution");
        world_release(&w);
    }
}

struct scan_case {
    uint32_t seqs, seq, doc, cols, state;
    uint8_t acc, trained;
};

/* Around a chunk's 64 rows, and blocks of 16 columns and more; states of more
 * than 16 numbers, and of more than 128. */
static const struct scan_case scans[] = {
    { 1, 1, 1, 1, 1, 0, 0 },
    { 2, 63, 63, 17, 3, 1, 1 },
    { 1, 64, 20, 16, 16, 0, 1 },
    { 2, 65, 65, 33, 5, 11, 0 },
    { 1, 130, 64, 300, 16, 8, 1 },
    { 1, 200, 200, 40, 2, 3, 1 },
    { 2, 70, 70, 9, 40, 0, 1 },
    { 1, 140, 75, 5, 200, 8, 0 },
};

enum { N_SCANS = sizeof(scans) / sizeof(scans[0]) };

/* A_log about that of decays 0.4 to 7; d such that delta is 0.01 to 2. */
static void
scan_world(struct world *w, const struct scan_case *c, uint32_t i)
{
    uint32_t n = c->seqs * c->seq;
    float *d;

    world_init(w, i);
    w->reduction = 4 * c->seq;
    w->magnitude = 4;
    w->op.x[0] = world_act(w, n, c->cols, 2);
    w->op.x[1] = world_act(w, n, c->cols, 3);
    d = w->value[w->op.x[1].buf];
    for (size_t k = 0; k < w->len[w->op.x[1].buf]; k++)
        d[k] -= 1.5f;
    w->op.x[2] = c->trained ? world_real(w, c->cols, c->state, 2)
                            : world_base(w, c->cols, c->state, DTYPE_F32);
    w->op.x[3] = world_act(w, n, 2 * c->state, 1);
    w->op.x[4] = c->trained ? world_real(w, 1, c->cols, 1)
                            : world_base(w, 1, c->cols, DTYPE_BF16);
    w->op.y[0] = world_act(w, n, c->cols, 1);
    w->op.acc = c->acc & 1;
    w->op.u.scan = (struct scan_args){ c->state, c->seq, 0 };
    world_batch(w, n, c->seq, c->doc, 1);
}

static struct view
scan_states(struct world *w, const struct scan_case *c)
{
    uint32_t chunks = (c->seq + SCAN_CHUNK - 1) / SCAN_CHUNK;

    return world_real(w, c->seqs * chunks, c->cols * c->state, 1);
}

TEST(scans_match)
{
    for (uint32_t i = 0; i < N_SCANS; i++) {
        struct world w;

        scan_world(&w, &scans[i], i);
        w.op.kind = OP_SCAN;
        if (i != 2)
            w.op.y[1] = scan_states(&w, &scans[i]);
        try_op(&w, "scan");
        world_release(&w);
    }
}

/* A delta of 88 and more, and of nearly 0: no h overflows. */
TEST(scans_of_any_step_match)
{
    const struct scan_case c = { 1, 100, 100, 20, 4, 0, 1 };
    struct world w;
    float *d;

    scan_world(&w, &c, 1);
    w.op.kind = OP_SCAN;
    w.op.y[1] = scan_states(&w, &c);
    w.magnitude = 400;
    d = w.value[w.op.x[1].buf];
    for (size_t k = 0; k < w.len[w.op.x[1].buf]; k++)
        d[k] = k % 3 ? d[k] * 40 : -100;
    try_op(&w, "scan of any step");
    world_release(&w);
}

TEST(decoding_scans_match)
{
    static const struct scan_case cases[] = {
        { 3, 1, 1, 20, 4, 0, 0 }, { 3, 70, 70, 33, 3, 1, 1 }
    };

    for (uint32_t i = 0; i < 6; i++) {
        const struct scan_case *c = &cases[i / 3];
        int32_t n[3] = { (int32_t)c->seq, (int32_t)c->seq, 0 };
        int32_t at[3] = { 0, 7, 3 };
        struct world w;

        n[i % 3] = (int32_t)c->seq / 2;
        scan_world(&w, c, i);
        w.op.kind = OP_SCAN;
        w.op.u.scan.cached = 1;
        w.op.y[2] = world_real(&w, 3, c->cols * c->state, 1);
        w.batch.cache_at = at;
        w.batch.seq_n = n;
        try_op(&w, "decoding scan");
        world_release(&w);
    }
}

/* The backward, behind whose n operands they are, wants the forward's own
 * states. */
static void
fill_states(struct world *w, enum op_kind forward, int n)
{
    struct op bwd = w->op;
    uint32_t kept = bwd.x[n].buf;
    struct backend ref;
    struct outcome out;

    w->op.kind = (uint16_t)forward;
    w->op.acc = 0;
    w->op.y[1] = bwd.x[n];
    for (int i = 2; i < n; i++)
        w->op.y[i].buf = 0;
    ref64_open(&ref);
    out = world_run(w, &ref, 1);
    for (size_t k = 0; k < w->len[kept]; k++)
        w->value[kept][k] = (float)out.value[kept][k];
    outcome_release(w, &out);
    w->op = bwd;
}

TEST(scan_gradients_match)
{
    for (uint32_t i = 0; i < N_SCANS; i++) {
        const struct scan_case *c = &scans[i];
        uint32_t n = c->seqs * c->seq;
        struct world w;

        scan_world(&w, c, i);
        w.op.kind = OP_SCAN_BWD;
        w.op.acc = c->acc;
        w.op.x[5] = scan_states(&w, c);
        w.op.x[6] = world_act(&w, n, c->cols, 1);
        w.op.y[1] = world_act(&w, n, c->cols, 1);
        w.op.y[3] = world_act(&w, n, 2 * c->state, 1);
        if (c->trained) {
            w.op.y[2] = world_real(&w, c->cols, c->state, 1);
            w.op.y[4] = world_real(&w, 1, c->cols, 1);
        }
        w.reduction += c->cols + n;
        w.magnitude = 16;
        fill_states(&w, OP_SCAN, 5);
        if (i == 5)
            w.op.y[0].buf = w.op.y[1].buf = 0;
        try_op(&w, "scan backward");
        world_release(&w);
    }
}

#define RUN_SCAN_CASES                                                      \
    RUN(convolutions_match), RUN(decoding_convolutions_match),              \
    RUN(scans_match), RUN(scans_of_any_step_match),                         \
    RUN(decoding_scans_match), RUN(scan_gradients_match)

#endif
