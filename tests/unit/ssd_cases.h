/* ssd_cases.h - cases for SSD and its gradient, a part of op_cases.h; see
 * linear_cases.h for what is done with one. */
#ifndef SSD_CASES_H
#define SSD_CASES_H

#include "scan_cases.h"

struct ssd_case {
    uint32_t seqs, seq, doc, heads, groups, width, state;
    uint8_t acc, trained;
    float least, most;
};

/* Around a chunk's 64 rows, blocks of 4 heads and more, and squares of 64
 * columns or numbers; in some all steps are within their bounds, in others
 * few. */
static const struct ssd_case ssds[] = {
    { 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, INFINITY },
    { 2, 63, 63, 6, 2, 17, 3, 1, 1, 0, INFINITY },
    { 1, 64, 20, 5, 1, 16, 16, 0, 1, 0.1f, 0.5f },
    { 2, 65, 65, 4, 4, 33, 5, 11, 0, 0, INFINITY },
    { 1, 130, 64, 80, 2, 8, 20, 8, 1, 0, 0.25f },
    { 1, 200, 200, 9, 3, 64, 128, 3, 1, 0, INFINITY },
    { 2, 260, 70, 6, 1, 24, 33, 0, 0, 0.2f, INFINITY },
    { 1, 100, 90, 18, 2, 70, 66, 8, 1, 0, INFINITY },
};

enum { N_SSDS = sizeof(ssds) / sizeof(ssds[0]) };

/* Decays of 0.1 to 7; d such that delta is 0.01 to 2. */
static void
ssd_world(struct world *w, const struct ssd_case *c, uint32_t i)
{
    uint32_t n = c->seqs * c->seq, cols = c->heads * c->width;
    float *d;

    world_init(w, i);
    w->reduction = 4 * c->seq + 4 * c->state;
    w->magnitude = 4;
    w->op.x[0] = world_act(w, n, cols, 2);
    w->op.x[1] = world_act(w, n, c->heads, 2);
    d = w->value[w->op.x[1].buf];
    for (size_t k = 0; k < w->len[w->op.x[1].buf]; k++)
        d[k] -= 1.0f;
    w->op.x[3] = world_act(w, n, 2 * c->groups * c->state, 1);
    for (int k = 2; k < 6; k++)
        if (k != 3)
            w->op.x[k] = c->trained ? world_real(w, 1, c->heads, 1)
                                    : world_base(w, 1, c->heads, DTYPE_BF16);
    w->op.y[0] = world_act(w, n, cols, 1);
    w->op.acc = c->acc & 1;
    w->op.u.ssd = (struct ssd_args){ c->heads, c->groups, c->state,
                                     .seq_len = c->seq, .least = c->least,
                                     .most = c->most };
    world_batch(w, n, c->seq, c->doc, 1);
}

static struct view
ssd_states(struct world *w, const struct ssd_case *c)
{
    uint32_t chunks = (c->seq + SSD_CHUNK - 1) / SSD_CHUNK;

    return world_real(w, c->seqs * chunks, c->heads * c->width * c->state, 1);
}

TEST(ssds_match)
{
    for (uint32_t i = 0; i < N_SSDS; i++) {
        struct world w;

        ssd_world(&w, &ssds[i], i);
        w.op.kind = OP_SSD;
        if (i != 2)
            w.op.y[1] = ssd_states(&w, &ssds[i]);
        try_op(&w, "ssd");
        world_release(&w);
    }
}

/* A delta of 88 and more, of which a chunk has thousands, and of nearly 0, at
 * any decay: nothing overflows. */
TEST(ssds_of_any_step_match)
{
    const struct ssd_case c = { 1, 200, 200, 7, 1, 6, 4, 0, 1, 0, INFINITY };
    struct world w;
    float *d, *a;

    ssd_world(&w, &c, 1);
    w.op.kind = OP_SSD;
    w.op.y[1] = ssd_states(&w, &c);
    w.magnitude = 800;
    a = w.value[w.op.x[2].buf];
    for (size_t k = 0; k < w.len[w.op.x[2].buf]; k++)
        a[k] = k % 3 ? 8 * a[k] : -30;
    d = w.value[w.op.x[1].buf];
    for (size_t k = 0; k < w.len[w.op.x[1].buf]; k++)
        d[k] = k % 3 ? d[k] * 40 : -100;
    try_op(&w, "ssd of any step");
    world_release(&w);
}

TEST(decoding_ssds_match)
{
    static const struct ssd_case cases[] = {
        { 3, 1, 1, 6, 2, 20, 4, 0, 0, 0, INFINITY },
        { 3, 70, 70, 3, 1, 33, 3, 1, 1, 0, 0.5f },
        { 3, 5, 5, 4, 2, 40, 70, 0, 1, 0, INFINITY },
    };

    for (uint32_t i = 0; i < 9; i++) {
        const struct ssd_case *c = &cases[i / 3];
        int32_t n[3] = { (int32_t)c->seq, (int32_t)c->seq, 0 };
        int32_t at[3] = { 0, 7, 3 };
        struct world w;

        n[i % 3] = (int32_t)c->seq / 2;
        ssd_world(&w, c, i);
        w.op.kind = OP_SSD;
        w.op.u.ssd.cached = 1;
        w.op.y[2] = world_real(&w, 3, c->heads * c->width * c->state, 1);
        w.batch.cache_at = at;
        w.batch.seq_n = n;
        try_op(&w, "decoding ssd");
        world_release(&w);
    }
}

TEST(ssd_gradients_match)
{
    for (uint32_t i = 0; i < N_SSDS; i++) {
        const struct ssd_case *c = &ssds[i];
        uint32_t n = c->seqs * c->seq;
        struct world w;

        ssd_world(&w, c, i);
        w.op.kind = OP_SSD_BWD;
        w.op.acc = c->acc;
        w.op.x[6] = ssd_states(&w, c);
        w.op.x[7] = world_act(&w, n, c->heads * c->width, 1);
        w.op.y[1] = world_act(&w, n, c->heads, 1);
        w.op.y[3] = world_act(&w, n, 2 * c->groups * c->state, 1);
        for (int k = 2; k < 6 && c->trained; k++)
            if (k != 3)
                w.op.y[k] = world_real(&w, 1, c->heads, 1);
        w.reduction += c->heads * c->width + n;
        w.magnitude = 16;
        fill_states(&w, OP_SSD, 6);
        if (i == 5)
            w.op.y[0].buf = w.op.y[1].buf = 0;
        try_op(&w, "ssd backward");
        world_release(&w);
    }
}

/* Of a gain that is cut into parts, which stand once or twice in a row. */
static void
norm_parts_world(struct world *w, uint32_t i, uint32_t n, bool bias)
{
    static const uint32_t widths[] = { 1, 15, 16, 40, 300 };
    uint32_t dim = widths[i % 5], gain = 3 * dim, cols = (1 + i % 2) * gain;

    world_init(w, i);
    w->reduction = cols + n;
    w->magnitude = 6;
    if (dim % 8 == 0)
        w->pad = w->off = 8;
    w->op.u.norm.eps = 1e-5f;
    w->op.u.norm.rms = !bias;
    w->op.u.norm.offset = i % 4 == 2;
    w->op.u.norm.parts = 3;
    w->op.acc = i % 3 == 1;
    w->op.x[0] = world_act(w, n, cols, 3);
    w->op.x[1] = i % 2 ? world_base(w, 1, gain, DTYPE_BF16)
                       : world_real(w, 1, gain, 1);
    w->op.y[0] = world_act(w, n, cols, 1);
    world_batch(w, n, n, n, 1);
}

TEST(norms_of_parts_match)
{
    for (uint32_t i = 0; i < 20; i++) {
        uint32_t n = i % 3 * 64 + 1, cols;
        bool bwd = i >= 10, bias = i % 2;
        struct world w;

        norm_parts_world(&w, i, n, bias);
        cols = w.op.x[0].cols;
        w.op.kind = bwd ? OP_NORM_BWD : OP_NORM;
        if (bwd) {
            uint32_t gain = w.op.x[1].cols;

            w.op.x[2] = world_real(&w, n, 6 * (cols / gain), 0.5);
            w.op.x[3] = world_act(&w, n, cols, 1);
            w.op.y[1] = world_real(&w, 1, gain, 1);
            if (bias)
                w.op.y[2] = world_real(&w, 1, gain, 1);
        } else {
            if (bias)
                w.op.x[2] = world_real(&w, 1, w.op.x[1].cols, 1);
            w.op.y[1] = world_real(&w, n, 6 * (cols / w.op.x[1].cols), 1);
        }
        try_op(&w, "norm of parts");
        world_release(&w);
    }
}

#define RUN_SSD_CASES                                                       \
    RUN(norms_of_parts_match), RUN(ssds_match),                             \
    RUN(ssds_of_any_step_match), RUN(decoding_ssds_match),                  \
    RUN(ssd_gradients_match)

#endif
