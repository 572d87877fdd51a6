/* optim_cases.h - cases for the optimisers and what goes before them. */
#ifndef OPTIM_CASES_H
#define OPTIM_CASES_H

#include "kernels/muon.h"
#include "linear_cases.h"

TEST(clipping_matches)
{
    static const double norms[] = { 0, 0.5, 4, 1e30, INFINITY, NAN, 4e-12 };

    for (uint32_t i = 0; i < 14; i++) {
        struct world w;

        world_init(&w, i);
        w.op.kind = OP_CLIP;
        /* at last so small that what is added to the norm counts */
        w.op.u.clip.max_norm = i == 13 ? 1e-6f : i & 1;
        w.out.gnorm2 = norms[i / 2];
        world_batch(&w, 1, 1, 1, 1);
        try_op(&w, "clip");
        world_release(&w);
    }
}

TEST(optimisers_match)
{
    for (uint32_t i = 0; i < 8; i++) {
        struct world w;
        uint32_t cols = i & 2 ? 40000 : 7;

        world_init(&w, i);
        w.op.kind = i & 1 ? OP_ADAMW : OP_SGD;
        w.op.u.opt.beta1 = 0.9f;
        w.op.u.opt.beta2 = 0.99f;
        w.op.u.opt.eps = 1e-3f;
        w.op.u.opt.decay = 0.1f;
        w.op.u.opt.lr_ratio = 1.5f;
        w.in.lr = 0.01;
        w.in.updates = 2 * i;
        w.out.scale = 0.7;
        w.out.skipped = i > 5;
        w.op.x[0] = world_real(&w, 1, cols, 1);
        w.op.y[0] = world_real(&w, 1, cols, 1);
        if (i & 1) {
            w.op.y[1] = world_real(&w, 1, cols, 1);
            w.op.y[2] = world_real(&w, 1, cols, 1);
            for (size_t k = 0; k < w.len[w.op.y[2].buf]; k++)
                w.value[w.op.y[2].buf][k]
                    = fabsf(w.value[w.op.y[2].buf][k]);
        }
        world_batch(&w, 1, 1, 1, 1);
        try_op(&w, "optimiser");
        world_release(&w);
    }
}

/* Of codes 255, as which memory begins: 1 times their blocks' scales. Those
 * that come of it are compared in adamw8.c. */
TEST(optimisers_in_eight_bits_match)
{
    for (uint32_t i = 0; i < 4; i++) {
        struct world w;
        uint32_t cols = i & 1 ? 40000 : 7, blocks = i & 1 ? 157 : 1;

        world_init(&w, i);
        w.op.kind = OP_ADAMW8;
        w.op.u.opt.beta1 = 0.9f;
        w.op.u.opt.beta2 = 0.99f;
        w.op.u.opt.eps = 1e-3f;
        w.op.u.opt.decay = 0.1f;
        w.op.u.opt.lr_ratio = 1.5f;
        w.in.lr = 0.01;
        w.in.updates = 2 * i;
        w.out.scale = 0.7;
        w.out.skipped = i == 3;
        w.pad = w.off = 0;
        w.op.x[0] = world_real(&w, 1, cols, 1);
        w.op.y[0] = world_real(&w, 1, cols, 1);
        for (int k = 1; k < 3; k++) {
            w.op.y[k] = world_host(&w, 1, cols);
            w.op.y[k].dtype = DTYPE_U8;
            w.op.y[k + 2] = world_real(&w, 1, blocks, 1);
        }
        for (uint32_t k = 0; k < blocks; k++)
            w.value[w.op.y[4].buf][k] = fabsf(w.value[w.op.y[4].buf][k]);
        world_batch(&w, 1, 1, 1, 1);
        try_op(&w, "optimiser in eight bits");
        world_release(&w);
    }
}

/* Around the tiles, wide and tall. What is made orthogonal is as exact as its
 * smallest singular values, which each iteration multiplies, and what they were
 * rounded by, by MUON_A at most; the parameter is small beside it. */
TEST(muon_matches)
{
    static const struct { uint32_t rows, cols; } shape[] = {
        { 1, 7 }, { 7, 1 }, { 20, 520 }, { 150, 20 }, { 128, 129 },
        { 129, 128 }
    };

    for (uint32_t i = 0; i < 7; i++) {
        uint32_t rows = shape[i % 6].rows, cols = shape[i % 6].cols;
        struct world w;

        world_init(&w, i);
        w.op.kind = OP_MUON;
        w.op.u.muon.momentum = 0.75f;
        w.op.u.muon.decay = 0.1f;
        w.op.u.muon.lr_ratio = 1.5f;
        w.op.u.muon.adjust = 2;
        w.in.lr = 0.1;
        w.out.scale = 0.7;
        w.out.skipped = i == 6;
        w.extra = pow(MUON_A, MUON_STEPS) * 0x1p-24;
        w.op.x[0] = world_real(&w, rows, cols, 1);
        w.op.y[0] = world_real(&w, rows, cols, 0.01);
        w.op.y[1] = world_real(&w, rows, cols, 1);
        world_batch(&w, 1, 1, 1, 1);
        try_op(&w, "muon");
        world_release(&w);
    }
}

#endif
