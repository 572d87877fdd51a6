/* linear_cases.h - cases for LINEAR and its gradient, a part of op_cases.h.
 *
 * Whoever includes it says what is done with a case, a world with its op:
 * try_op runs it everywhere and compares, try_bf16 does so where products are
 * of bfloat16. exact: all that is multiplied can be held in one.
 */
#ifndef LINEAR_CASES_H
#define LINEAR_CASES_H

#include "cpu_world.h"

void try_op(struct world *w, const char *name);
void try_bf16(struct world *w, bool exact, const char *name);

struct linear_case {
    uint32_t n, in, out, parts, rank;
    uint8_t dtype, in_out, bias, residual, acc;
    float dropout;
    uint8_t full; /* gradients of weight and bias */
};

static const struct linear_case linears[] = {
    { 1, 5, 3, 1, 0, DTYPE_F32, 0, 0, 0, 0, 0, 0 },
    { 127, 128, 129, 1, 4, DTYPE_F32, 1, 1, 0, 0, 0, 0 },
    { 129, 300, 257, 1, 3, DTYPE_F32, 0, 1, 1, 0, 0.25f, 0 },
    { 128, 127, 128, 3, 8, DTYPE_BF16, 0, 1, 0, 0, 0, 0 },
    { 257, 129, 100, 2, 4, DTYPE_F16, 1, 0, 1, 0, 0.5f, 0 },
    { 40, 1030, 255, 1, 0, DTYPE_BF16, 0, 1, 0, 1, 0, 0 },
    { 40, 1030, 130, 1, 2, DTYPE_I8, 0, 1, 0, 0, 0.1f, 0 },
    { 33, 200, 1027, 1, 2, DTYPE_I8, 1, 0, 0, 0, 0, 0 },
    { 70, 65, 63, 2, 0, DTYPE_REAL, 0, 1, 0, 0, 0, 1 },
    { 300, 256, 129, 1, 0, DTYPE_REAL, 1, 1, 1, 1, 0, 1 },
    { 1100, 260, 130, 1, 4, DTYPE_F32, 1, 1, 0, 0, 0, 0 },
    { 3, 500, 130, 1, 2, DTYPE_BF16, 0, 1, 1, 0, 0, 0 },
    { 2, 260, 400, 2, 0, DTYPE_I8, 1, 1, 0, 0, 0, 0 },
    { 3, 272, 130, 1, 2, DTYPE_I8, 0, 0, 0, 0, 0, 0 },
    { 40, 1030, 130, 1, 2, DTYPE_NF4, 0, 1, 0, 0, 0.1f, 0 },
    { 33, 201, 1027, 1, 2, DTYPE_NF4, 1, 0, 0, 0, 0, 0 },
    { 40, 1030, 130, 1, 2, DTYPE_Q4_0, 0, 1, 0, 0, 0.1f, 0 },
    { 33, 200, 1024, 1, 2, DTYPE_Q6_K, 1, 0, 0, 0, 0, 0 },
    { 3, 512, 130, 1, 0, DTYPE_Q4_K, 0, 1, 0, 0, 0, 0 },
    { 2600, 520, 20, 1, 2, DTYPE_F32, 0, 1, 0, 0, 0.5f, 0 },
    { 801, 140, 530, 1, 130, DTYPE_F32, 0, 1, 0, 0, 0.25f, 0 },
    { 801, 530, 140, 1, 131, DTYPE_F32, 0, 1, 0, 0, 0, 0 },
    { 801, 530, 140, 1, 0, DTYPE_REAL, 0, 1, 0, 0, 0, 1 },
    { 769, 140, 530, 1, 0, DTYPE_REAL, 1, 0, 0, 0, 0, 1 },
};

enum { N_LINEARS = sizeof(linears) / sizeof(linears[0]) };

static void
linear_parts(struct world *w, const struct linear_case *c, bool bwd)
{
    for (uint32_t i = 0; i < c->parts; i++) {
        struct part *p = &w->part[i];
        uint32_t out = c->out + i;

        p->in = c->in;
        p->out = out;
        p->col = i * (c->out + c->parts);
        p->in_out = c->in_out;
        p->site = 1234567 + i;
        p->w = c->in_out ? world_weight(w, c->in, out, c->dtype)
                         : world_weight(w, out, c->in, c->dtype);
        if (c->bias)
            p->bias = c->dtype != DTYPE_REAL && !dtype_is_float(c->dtype)
                ? world_base(w, 1, out, DTYPE_BF16)
                : world_real(w, 1, out, 1);
        if (bwd && c->full) {
            p->grad_w = world_real(w, p->w.rows, p->w.cols, 1);
            p->grad_bias = world_real(w, 1, out, 1);
        }
        if (c->rank == 0)
            continue;
        p->rank = c->rank;
        p->lora_scale = 1.5f;
        p->dropout = c->dropout;
        p->a = world_real(w, c->rank, c->in, 1);
        p->b = world_real(w, out, c->rank, 1);
        p->h = world_act(w, c->n, c->rank, 1);
        if (bwd) {
            p->grad_a = world_real(w, c->rank, c->in, 1);
            p->grad_b = world_real(w, out, c->rank, 1);
        }
    }
    w->op.u.lin.part = w->part;
    w->op.u.lin.n = c->parts;
}

/* Rows that are dropped lie aligned where they can: a card takes these 16
 * bytes at once. */
static void
linear_world(struct world *w, const struct linear_case *c, uint32_t i)
{
    world_init(w, i);
    if (c->dropout > 0 && c->in % 8 == 0)
        w->pad = w->off = 8;
}

TEST(linears_match)
{
    for (uint32_t i = 0; i < N_LINEARS; i++) {
        const struct linear_case *c = &linears[i];
        struct world w;
        uint32_t cols = c->parts * (c->out + c->parts);
        char name[32];

        snprintf(name, sizeof(name), "linear %u", i);
        linear_world(&w, c, i);
        w.reduction = c->in + c->rank;
        w.op.kind = OP_LINEAR;
        w.op.acc = c->acc;
        linear_parts(&w, c, false);
        w.op.x[0] = world_act(&w, c->n, c->in, 1);
        if (c->residual)
            w.op.x[1] = world_act(&w, c->n, cols, 1);
        w.op.y[0] = world_act(&w, c->n, cols, 1);
        world_batch(&w, c->n, c->n, c->n, 1);
        try_op(&w, name);
        try_bf16(&w, c->dtype == DTYPE_BF16 && c->rank == 0, name);
        world_release(&w);
    }
}

TEST(dora_norms_match)
{
    static const struct linear_case cases[] = {
        { 1, 5, 3, 1, 2, DTYPE_F32, 0, 0, 0, 0, 0, 0 },
        { 1, 1030, 130, 1, 3, DTYPE_BF16, 0, 0, 0, 0, 0, 0 },
        { 1, 1030, 130, 1, 3, DTYPE_F16, 1, 0, 0, 0, 0, 0 },
        { 1, 515, 1027, 1, 4, DTYPE_I8, 1, 0, 0, 0, 0, 0 },
        { 1, 1030, 64, 1, 4, DTYPE_NF4, 0, 0, 0, 0, 0, 0 },
        { 1, 512, 130, 1, 1, DTYPE_Q4_K, 0, 0, 0, 0, 0, 0 },
        { 1, 129, 70, 1, 37, DTYPE_F32, 0, 0, 0, 0, 0, 0 },
    };

    for (uint32_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct linear_case *c = &cases[i];
        struct world w;

        world_init(&w, i);
        w.reduction = c->in + c->rank;
        w.op.kind = OP_DORA_NORM;
        linear_parts(&w, c, false);
        w.op.y[0] = world_real(&w, 1, c->out, 1);
        world_batch(&w, 1, 1, 1, 1);
        try_op(&w, "dora norm");
        world_release(&w);
    }
}

/* Norms and magnitudes away from 0; but for one norm that is. */
static struct view
dora_column(struct world *w, uint32_t cols, uint32_t zero)
{
    struct view v = world_real(w, 1, cols, 1);

    for (size_t k = 0; k < w->len[v.buf]; k++)
        w->value[v.buf][k] = 0.5f + fabsf(w->value[v.buf][k]);
    if (zero < cols)
        w->value[v.buf][v.off + zero] = 0;
    return v;
}

TEST(dora_matches)
{
    static const uint32_t widths[] = { 1, 15, 100, 256, 1033 };

    for (uint32_t i = 0; i < 5 * 4; i++) {
        uint32_t cols = widths[i / 4], n = i % 4 == 3 ? 300 : 13;
        bool bwd = i & 1, plain = i % 4 == 2;
        struct world w;

        world_init(&w, i);
        w.reduction = n;
        w.magnitude = 6; /* of c, and of 1 over a norm */
        w.op.kind = bwd ? OP_DORA_BWD : OP_DORA;
        w.op.x[0] = world_act(&w, n, cols, 2);
        if (!plain) {
            w.op.x[1] = dora_column(&w, cols, cols);
            w.op.x[2] = dora_column(&w, cols, 7);
        }
        w.op.x[3] = bwd ? world_act(&w, n, cols, 2)
                        : world_base(&w, 1, cols, DTYPE_BF16);
        if (!bwd)
            w.op.x[4] = world_act(&w, n, cols, 2);
        w.op.y[0] = world_act(&w, n, cols, 2);
        if (bwd)
            w.op.y[1] = world_real(&w, 1, cols, 1);
        world_batch(&w, n, n, n, 1);
        try_op(&w, "dora");
        world_release(&w);
    }
}

TEST(linear_gradients_match)
{
    for (uint32_t i = 0; i < N_LINEARS; i++) {
        const struct linear_case *c = &linears[i];
        struct world w;
        uint32_t cols = c->parts * (c->out + c->parts);
        char name[32];

        snprintf(name, sizeof(name), "linear backward %u", i);
        linear_world(&w, c, i);
        w.reduction = c->parts * c->out + c->n + c->rank;
        w.op.kind = OP_LINEAR_BWD;
        w.op.acc = c->acc;
        linear_parts(&w, c, true);
        w.op.x[0] = world_act(&w, c->n, c->in, 1);
        w.op.x[1] = world_act(&w, c->n, cols, 1);
        if (i != 2)
            w.op.y[0] = world_act(&w, c->n, c->in, 1);
        world_batch(&w, c->n, c->n, c->n, 1);
        try_op(&w, name);
        try_bf16(&w, c->dtype == DTYPE_BF16 && c->rank == 0, name);
        world_release(&w);
    }
}

/* Three of the 256 elements whose scales are made at a time, and some. */
enum { LONG_ROW = 3 * 256 + 67 };

/* Decoding few rows. */
static void
try_decoding(const struct linear_case *c, uint32_t seed, const char *name)
{
    const int32_t cached[3] = { 0 }, tokens[3] = { (int32_t)c->n };
    uint32_t cols = c->parts * (c->out + c->parts);
    struct world w;

    linear_world(&w, c, seed);
    w.reduction = c->in + c->rank;
    w.op.kind = OP_LINEAR;
    w.op.acc = c->acc;
    linear_parts(&w, c, false);
    w.op.x[0] = world_act(&w, c->n, c->in, 1);
    if (c->residual)
        w.op.x[1] = world_act(&w, c->n, cols, 1);
    w.op.y[0] = world_act(&w, c->n, cols, 1);
    world_batch(&w, c->n, c->n, c->n, 1);
    w.batch.cache_at = cached;
    w.batch.seq_n = tokens;
    try_op(&w, name);
    try_bf16(&w, c->dtype == DTYPE_BF16 && c->rank == 0, name);
    world_release(&w);
}

/* Weights in every stored format, their rows along x or along y, around the 64
 * elements that are widened at a time. */
static void
try_few(const struct stored *s, uint32_t i)
{
    static const uint32_t rows[] = { 1, 2, 3, 5, 8, 9 };
    static const uint32_t sizes[] = { 1, 31, 64, 65, 127, 200, 321 };
    const struct linear_case c = {
        .n = rows[i % 6], .in = i % 7 < 6 ? sizes[i % 7] : LONG_ROW,
        .out = sizes[i / 2 % 7],
        .parts = 1 + i % 2, .rank = i % 3, .dtype = s->dtype,
        .in_out = i / 3 % 2, .bias = i % 4 == 1, .residual = i % 5 == 1,
        .acc = i % 7 == 3
    };
    char name[48];

    snprintf(name, sizeof(name), "few rows of %s, %u", s->name, i);
    try_decoding(&c, i, name);
}

/* Of the cases every FEW_STEP-th: 5 has each number of rows and each size,
 * for what takes no other way for few rows. */
#ifndef FEW_STEP
#define FEW_STEP 1
#endif

TEST(few_rows_match)
{
    for (size_t f = 0; stored_at(f) != NULL; f++) {
        for (uint32_t i = 0; i < 42; i += FEW_STEP)
            try_few(stored_at(f), i);
    }
}

/* The same where rows of x are whole blocks of every format, around the 8 and
 * 16 rows that are multiplied side by side. */
TEST(few_rows_of_whole_blocks_match)
{
    static const uint32_t outs[] = { 7, 8, 16, 17, 64, 79, 130, 200 };

    for (size_t f = 0; stored_at(f) != NULL; f++)
        for (uint32_t i = 0; i < 8; i += FEW_STEP) {
            const struct linear_case c = {
                .n = 1 + i, .in = 256 + i % 3 * 256, .out = outs[i],
                .parts = 1 + i % 2, .rank = i % 3,
                .dtype = stored_at(f)->dtype, .bias = i % 4 == 1,
                .residual = i % 5 == 1, .acc = i % 7 == 3
            };
            char name[48];

            snprintf(name, sizeof(name), "few rows of blocks of %s, %u",
                     stored_at(f)->name, i);
            try_decoding(&c, i, name);
        }
}

TEST(few_logits_of_whole_blocks_match)
{
    const int32_t cached[3] = { 0 }, tokens[3] = { 3 };

    for (size_t f = 0; stored_at(f) != NULL; f++) {
        struct world w;
        char name[48];

        snprintf(name, sizeof(name), "logits of %s", stored_at(f)->name);
        world_init(&w, f);
        w.reduction = 256;
        w.op.kind = OP_LOGITS;
        w.op.u.head.part = w.part;
        w.part->w = world_weight(&w, 200, 256, stored_at(f)->dtype);
        w.op.x[0] = world_act(&w, 3, 256, 1);
        w.op.y[0] = world_real(&w, 3, 200, 1);
        world_batch(&w, 3, 3, 3, 1);
        w.batch.cache_at = cached;
        w.batch.seq_n = tokens;
        w.in.n_head = 3;
        try_op(&w, name);
        world_release(&w);
    }
}

#define RUN_FEW_CASES \
    RUN(few_rows_match), RUN(few_rows_of_whole_blocks_match), \
    RUN(few_logits_of_whole_blocks_match)

/* Parts without gaps, their weights one after the other or apart, h in one
 * buffer; of 8 each views are aligned. A part of rank 0 has no adapter. */
struct joined_case {
    uint32_t n, in, parts, out[3], rank[3];
    uint8_t dtype, apart, bias; /* bias: bit i: part i has one */
    uint8_t residual, acc;
    float dropout;
    uint8_t products[2]; /* that a card makes of it, and of its gradient, in
                            its weights' own type where that is one */
};

static const struct joined_case joined[] = {
    { 65, 64, 3, { 96, 32, 32 }, { 4, 4, 4 }, DTYPE_BF16, .bias = 7,
      .products = { 5, 9 } },
    { 65, 64, 3, { 96, 32, 32 }, { 4, 8, 2 }, DTYPE_BF16, .apart = 1,
      .bias = 7, .residual = 1, .products = { 7, 11 } },
    { 40, 64, 2, { 64, 64 }, { 3, 3 }, DTYPE_F32, .acc = 1,
      .products = { 4, 7 } },
    { 40, 64, 3, { 64, 64, 64 }, { 4, 0, 4 }, DTYPE_F32, .bias = 5,
      .residual = 1, .products = { 4, 7 } },
    { 40, 64, 3, { 64, 64, 64 }, { 4, 0, 4 }, DTYPE_F32, .apart = 1,
      .products = { 6, 9 } },
    { 40, 64, 3, { 64, 64, 64 }, { 0, 0, 4 }, DTYPE_BF16,
      .products = { 3, 5 } },
    { 33, 64, 3, { 64, 32, 32 }, { 0, 0, 0 }, DTYPE_BF16, .bias = 7,
      .products = { 1, 1 } },
    { 33, 64, 3, { 64, 32, 32 }, { 0, 0, 0 }, DTYPE_F32, .bias = 2,
      .residual = 1, .acc = 1, .products = { 3, 1 } },
    { 70, 130, 2, { 64, 64 }, { 4, 4 }, DTYPE_I8, .bias = 3,
      .dropout = 0.25f, .products = { 5, 9 } },
    { 30, 65, 2, { 33, 31 }, { 2, 2 }, DTYPE_F16, .bias = 3,
      .products = { 4, 7 } },
};

enum { N_JOINED = sizeof(joined) / sizeof(joined[0]) };

static void
joined_world(struct world *w, const struct joined_case *c, bool bwd)
{
    uint32_t col = 0, r = 0, ranks = c->rank[0] + c->rank[1] + c->rank[2];
    uint32_t cols = c->out[0] + c->out[1] + c->out[2];
    struct view h = { 0 };

    world_init(w, c->n + c->out[1]);
    w->pad = w->off = 8;
    w->op.kind = bwd ? OP_LINEAR_BWD : OP_LINEAR;
    w->op.acc = c->acc;
    w->op.u.lin.part = w->part;
    w->op.u.lin.n = c->parts;
    w->reduction = c->in + ranks + (bwd ? cols + c->n : 0);
    for (uint32_t i = 0; i < c->parts; i++) {
        w->part[i].w = world_base(w, c->out[i], c->in, c->dtype);
        if (c->apart)
            world_bytes(w, 256);
    }
    if (ranks > 0)
        h = world_act(w, c->n, ranks, 1);
    for (uint32_t i = 0; i < c->parts; i++) {
        struct part *p = &w->part[i];
        uint32_t rank = p->rank = c->rank[i];

        p->in = c->in;
        p->out = c->out[i];
        p->col = col;
        p->site = 7654321 + i;
        col += p->out;
        if (c->bias >> i & 1)
            p->bias = world_real(w, 1, p->out, 1);
        if (rank == 0)
            continue;
        p->lora_scale = 1.5f;
        p->dropout = c->dropout;
        p->a = world_real(w, rank, c->in, 1);
        p->b = world_real(w, p->out, rank, 1);
        p->h = h;
        p->h.off += r;
        p->h.cols = rank;
        r += rank;
        if (bwd) {
            p->grad_a = world_real(w, rank, c->in, 1);
            p->grad_b = world_real(w, p->out, rank, 1);
        }
    }
    w->op.x[0] = world_act(w, c->n, c->in, 1);
    if (bwd || c->residual)
        w->op.x[1] = world_act(w, c->n, cols, 1);
    w->op.y[0] = world_act(w, c->n, bwd ? c->in : cols, 1);
    world_batch(w, c->n, c->n, c->n, 1);
}

TEST(joined_linears_match)
{
    for (uint32_t i = 0; i < 2 * N_JOINED; i++) {
        const struct joined_case *c = &joined[i / 2];
        struct world w;
        char name[32];

        snprintf(name, sizeof(name), "joined linear%s %u",
                 i & 1 ? " backward" : "", i / 2);
        joined_world(&w, c, i & 1);
        try_op(&w, name);
        try_bf16(&w, c->dtype == DTYPE_BF16 && !w.part[0].rank
                 && !w.part[1].rank && !w.part[2].rank, name);
        world_release(&w);
    }
}

#endif
