/* op_cases.h - cases for every op, on shapes around the sizes of tiles. Long,
 * for there are that many ops.
 *
 * Whoever includes it says what is done with a case: see linear_cases.h.
 */
#ifndef OP_CASES_H
#define OP_CASES_H

#include "linear_cases.h"
#include "model/op_info.h"
#include "moe_cases.h"
#include "optim_cases.h"
#include "ssd_cases.h"

/* What the cases so far had, by kind: try_op notes it. */
static bool tried[OP_KINDS];
static unsigned most_x[OP_KINDS], most_y[OP_KINDS]; /* operands, of any case */

static void
note_case(const struct op *op)
{
    tried[op->kind] = true;
    for (unsigned i = 0; i < OP_MAX_X; i++)
        if (op->x[i].buf != 0 && most_x[op->kind] <= i)
            most_x[op->kind] = i + 1;
    for (unsigned i = 0; i < OP_MAX_Y; i++)
        if (op->y[i].buf != 0 && most_y[op->kind] <= i)
            most_y[op->kind] = i + 1;
}

/* The last are more than a block of threads has. */
static const uint32_t widths[] = { 1, 15, 16, 17, 100, 1033, 2056 };

enum { N_WIDTHS = sizeof(widths) / sizeof(widths[0]),
       N_SMALL = N_WIDTHS - 2 };

/* Rows of whole 16 bytes lie aligned: there are ways for these. */
static void
align_rows(struct world *w, uint32_t cols)
{
    if (cols % 8 == 0)
        w->pad = w->off = 8;
}

TEST(activations_match)
{
    for (int kind = 0; kind < 4; kind++)
        for (int i = 0; i < N_WIDTHS * 4; i++) {
            struct world w;
            int bwd = i & 1;

            world_init(&w, (uint64_t)i);
            align_rows(&w, widths[i / 4]);
            w.magnitude = 9; /* of x, which the slope is made from */
            w.op.kind = bwd ? OP_ACT_BWD : OP_ACT;
            w.op.acc = i >> 1 & 1;
            w.op.u.act.kind = (uint8_t)kind;
            w.op.x[0] = world_act(&w, 13, widths[i / 4], 9);
            if (bwd)
                w.op.x[1] = world_act(&w, 13, widths[i / 4], 2);
            w.op.y[0] = world_act(&w, 13, widths[i / 4], 2);
            if (bwd && !w.op.acc)
                w.op.y[0] = w.op.x[1];
            world_batch(&w, 13, 13, 13, 1);
            try_op(&w, "activation");
            world_release(&w);
        }
}

TEST(gated_activations_match)
{
    for (int i = 0; i < N_SMALL * 2; i++) {
        struct world w;
        uint32_t cols = widths[i / 2];

        world_init(&w, (uint64_t)i);
        align_rows(&w, cols);
        w.op.kind = i & 1 ? OP_GLU_BWD : OP_GLU;
        w.op.acc = (uint8_t)(i % 4);
        w.op.u.act.kind = i & 2 ? ACT_SILU : ACT_GELU_TANH;
        w.op.x[0] = world_act(&w, 13, cols, 5);
        w.op.x[1] = world_act(&w, 13, cols, 2);
        if (i & 1)
            w.op.x[2] = world_act(&w, 13, cols, 2);
        w.op.y[0] = world_act(&w, 13, cols, 2);
        if (i & 1)
            w.op.y[1] = world_act(&w, 13, cols, 2);
        world_batch(&w, 13, 13, 13, 1);
        try_op(&w, "glu");
        world_release(&w);
    }
}

TEST(sums_match)
{
    for (uint32_t i = 0; i < 3 * N_WIDTHS; i++) {
        struct world w;
        uint32_t cols = widths[i / 3] + 5;

        world_init(&w, i);
        align_rows(&w, cols);
        w.op.kind = OP_ADD;
        w.op.acc = i % 4 == 3;
        w.op.u.add.scale = i % 2 ? 0.22 : 1;
        w.op.x[0] = world_act(&w, 13, cols, 2);
        if (i % 3)
            w.op.x[1] = world_act(&w, 13, cols, 2);
        w.op.y[0] = world_act(&w, 13, cols, 2);
        world_batch(&w, 13, 13, 13, 1);
        try_op(&w, "add");
        world_release(&w);
    }
}

TEST(norms_match)
{
    static const uint32_t rows[] = { 1, 63, 64, 65, 130 };

    for (uint32_t i = 0; i < 5 * N_WIDTHS; i++) {
        struct world w;
        uint32_t n = rows[i % 5], dim = widths[i / 5] + 7;
        uint32_t cols = (i % 4 == 2 ? 3 : 1) * dim;

        world_init(&w, i);
        align_rows(&w, cols);
        w.reduction = dim;
        w.magnitude = 6; /* x - mean before it is divided */
        w.op.kind = OP_NORM;
        w.op.acc = i % 7 == 3;
        w.op.u.norm.eps = 1e-5f;
        w.op.u.norm.offset = i % 5 == 2;
        w.op.u.norm.rms = i % 3 == 0;
        w.op.x[0] = world_act(&w, n, cols, 3);
        w.op.x[1] = i % 2 ? world_base(&w, 1, dim, DTYPE_BF16)
                          : world_real(&w, 1, dim, 1);
        if (!w.op.u.norm.rms)
            w.op.x[2] = i % 4 ? world_base(&w, 1, dim, DTYPE_F16)
                              : world_real(&w, 1, dim, 1);
        w.op.y[0] = world_act(&w, n, cols, 1);
        w.op.y[1] = world_real(&w, n, 2 * cols / dim, 1);
        world_batch(&w, n, n, n, 1);
        try_op(&w, "norm");
        world_release(&w);
    }
}

TEST(norm_gradients_match)
{
    static const uint32_t rows[] = { 1, 63, 64, 65, 130 };

    for (uint32_t i = 0; i < 5 * N_WIDTHS; i++) {
        struct world w;
        uint32_t n = rows[i % 5], dim = widths[i / 5] + 7;
        uint32_t cols = (i % 4 == 1 ? 3 : 1) * dim;

        world_init(&w, i);
        align_rows(&w, cols);
        w.reduction = cols + n * (cols / dim);
        w.op.kind = OP_NORM_BWD;
        w.op.acc = i & 1;
        w.op.u.norm.rms = i % 3 == 0;
        w.op.u.norm.offset = i % 7 == 2;
        w.op.x[0] = world_act(&w, n, cols, 3);
        w.op.x[1] = i % 2 ? world_base(&w, 1, dim, DTYPE_BF16)
                          : world_real(&w, 1, dim, 1);
        w.op.x[2] = world_real(&w, n, 2 * cols / dim, 0.5);
        w.op.x[3] = world_act(&w, n, cols, 1);
        w.op.y[0] = world_act(&w, n, cols, 1);
        if (i % 4)
            w.op.y[1] = world_real(&w, 1, dim, 1);
        if (i % 4 == 1)
            w.op.y[2] = world_real(&w, 1, dim, 1);
        world_batch(&w, n, n, n, 1);
        try_op(&w, "norm backward");
        world_release(&w);
    }
}

TEST(rotations_match)
{
    for (uint32_t i = 0; i < 12; i++) {
        struct world w;
        uint32_t hd = i & 1 ? 64 : 20, heads = 3;

        world_init(&w, i);
        align_rows(&w, hd);
        w.op.kind = OP_ROPE;
        w.op.u.rope.heads = heads;
        w.op.u.rope.head_dim = hd;
        w.op.u.rope.factor = i % 5 ? 1.25 : 1;
        w.op.u.rope.sign = i & 4 ? -1 : 1;
        w.op.x[0] = world_act(&w, 37, heads * hd, 2);
        w.op.x[1] = world_base(&w, 1, i & 2 ? hd / 2 : hd / 4, DTYPE_F32);
        w.op.y[0] = i % 3 ? world_act(&w, 37, heads * hd, 1) : w.op.x[0];
        world_batch(&w, 37, 37, 37, 1);
        if (i > 8)
            w.ids[2 * 37 + 5] = 100000;
        try_op(&w, "rope");
        world_release(&w);
    }
}

/* In every stored format, and trained. */
TEST(embeddings_match)
{
    bool trained = false;

    for (uint32_t i = 0; !trained || i & 1; i++) {
        const struct stored *s = stored_at(i / 2);
        struct world w;
        uint32_t dim = i & 1 ? 300 : 16, n = 21;
        uint8_t type = s != NULL ? s->dtype : DTYPE_REAL;

        trained = s == NULL;
        world_init(&w, i);
        w.op.kind = OP_EMBED;
        w.op.x[0] = world_weight(&w, 50, dim, type);
        if (i % 3)
            w.op.x[1] = world_weight(&w, n, dim, type);
        w.op.y[0] = world_act(&w, n, dim, 1);
        world_batch(&w, n, n, 7, 50);
        try_op(&w, "embed");
        world_release(&w);
    }
}

TEST(embedding_gradients_match)
{
    for (uint32_t i = 0; i < 4; i++) {
        struct world w;
        uint32_t dim = i & 1 ? 300 : 16, n = 200;

        world_init(&w, i);
        w.reduction = n;
        w.op.kind = OP_EMBED_BWD;
        w.op.x[0] = world_act(&w, n, dim, 1);
        w.op.y[0] = world_real(&w, 10, dim, 1);
        w.op.u.embed.skip = i; /* none, and three ids */
        if (i & 2)
            w.op.y[1] = world_real(&w, 50, dim, 1);
        world_batch(&w, n, n, 50, 10);
        try_op(&w, "embed backward");
        world_release(&w);
    }
}

TEST(embeddings_of_tokens_match)
{
    for (uint32_t i = 0; i < 8; i++) {
        struct world w;
        uint32_t dim = i & 1 ? 300 : 16, n = 200;
        struct view rows, tokens;

        world_init(&w, i);
        w.reduction = n;
        rows = world_real(&w, 7, dim, 1);
        tokens = world_tokens(&w, 7, 2, 5);
        if (i & 2) {
            w.op = (struct op){ .kind = OP_EMBED_TOKENS_BWD,
                                .x = { world_act(&w, n, dim, 1), tokens },
                                .y = { rows } };
            w.op.u.embed.skip = i & 4 ? 1 + 7 : 0;
        } else {
            w.op = (struct op){ .kind = OP_EMBED_TOKENS,
                                .x = { rows, { 0 }, tokens },
                                .y = { world_act(&w, n, dim, 1) } };
            if (i & 4)
                w.op.x[1] = world_weight(&w, 50, dim, DTYPE_BF16);
        }
        world_batch(&w, n, n, 50, 40);
        try_op(&w, "embedding of tokens");
        world_release(&w);
    }
}

struct attention_case {
    uint32_t seqs, seq, doc, heads, kv_heads, head_dim, window;
    uint8_t acc;
    uint32_t pad, off; /* see world_real; of 8 each views are aligned */
};

/* Tiles are of 16 to 128 rows, and of heads of 32 to 256 columns. */
static const struct attention_case attentions[] = {
    { 1, 1, 1, 1, 1, 8, 0, 0, 3, 1 },
    { 2, 63, 63, 2, 2, 16, 0, 0, 8, 8 },
    { 1, 64, 20, 4, 2, 12, 0, 7, 8, 8 },
    { 2, 65, 30, 3, 1, 8, 5, 0, 8, 8 },
    { 1, 300, 300, 2, 1, 16, 0, 0, 8, 8 },
    { 1, 330, 270, 2, 2, 8, 100, 2, 3, 1 },
    { 1, 63, 63, 2, 1, 64, 0, 0, 8, 8 },
    { 1, 64, 64, 2, 2, 80, 0, 7, 8, 8 },
    { 1, 65, 40, 4, 1, 64, 0, 0, 8, 8 },
    { 2, 65, 65, 1, 1, 96, 30, 0, 8, 8 },
    { 1, 127, 50, 2, 1, 128, 0, 4, 8, 8 },
    { 1, 128, 128, 1, 1, 80, 70, 0, 8, 1 },
    { 1, 129, 129, 8, 1, 32, 64, 1, 8, 8 },
    { 1, 200, 90, 1, 1, 256, 0, 0, 8, 8 },
    { 1, 200, 200, 2, 1, 64, 100, 2, 8, 8 },
    { 1, 65, 33, 1, 1, 192, 0, 0, 8, 8 },
    { 1, 66, 66, 1, 1, 200, 20, 5, 3, 8 },
    { 1, 257, 190, 2, 1, 128, 0, 0, 8, 8 },
    /* documents, a window and shared heads at one time, of odd sizes */
    { 1, 40, 17, 2, 1, 33, 11, 0, 3, 1 },
    { 1, 70, 33, 4, 2, 20, 9, 3, 8, 8 },
    { 1, 131, 45, 2, 1, 80, 50, 0, 3, 1 },
    { 1, 70, 29, 4, 2, 96, 12, 5, 8, 8 },
    { 1, 97, 41, 2, 1, 100, 33, 0, 8, 8 },
    { 1, 67, 31, 3, 1, 256, 17, 2, 8, 8 },
};

enum { N_ATTENTIONS = sizeof(attentions) / sizeof(attentions[0]) };

/* Where products are of bf16 an element is off by 2^-9 of its value, for its
 * own rounding, and for those of p, which add up to 1, by 2^-9 of the largest
 * v. A gradient is a sum of terms off by 2^-9 / sqrt(3) of themselves, root
 * mean square; six of that, of the root of their squares' sum, which is about
 * what they add up to, cover every element of these shapes. */
#define ATTENTION_ROUNDING 0x1p-8
#define ATTENTION_BWD_ROUNDING (0x1p-9 * (1 + 6 / 1.73))

static void
attention_world(struct world *w, const struct attention_case *c, uint32_t i)
{
    uint32_t n = c->seqs * c->seq, kv = c->kv_heads * c->head_dim;

    world_init(w, i);
    w->pad = c->pad;
    w->off = c->off;
    w->reduction = c->seq + c->head_dim;
    w->rounding = ATTENTION_ROUNDING;
    w->op.x[0] = world_act(w, n, c->heads * c->head_dim, 2);
    w->op.x[1] = world_act(w, n, kv, 2);
    w->op.x[2] = world_act(w, n, kv, 2);
    w->op.u.attn.heads = c->heads;
    w->op.u.attn.kv_heads = c->kv_heads;
    w->op.u.attn.head_dim = c->head_dim;
    w->op.u.attn.window = c->window;
    w->op.u.attn.seq_len = c->seq;
    w->op.u.attn.scale = 1 / sqrtf((float)c->head_dim);
    world_batch(w, n, c->seq, c->doc, 1);
}

TEST(attention_matches)
{
    for (uint32_t i = 0; i < N_ATTENTIONS; i++) {
        const struct attention_case *c = &attentions[i];
        struct world w;
        char name[32];

        snprintf(name, sizeof(name), "attention %u", i);
        attention_world(&w, c, i);
        w.op.kind = OP_ATTENTION;
        w.op.acc = c->acc & 1;
        w.op.y[0] = world_act(&w, c->seqs * c->seq, c->heads * c->head_dim,
                               1);
        if (i % 8 != 3)
            w.op.y[1] = world_real(&w, c->seqs * c->seq, c->heads, 1);
        try_op(&w, name);
        world_release(&w);
    }
}

/* Of about -130, which e to the power of is no float; and rows whose document
 * is not in the first tile of keys. */
TEST(attention_of_low_scores_matches)
{
    const struct attention_case c = { 1, 100, 70, 2, 1, 64, 0, 0, 8, 8 };
    struct world w;
    float *q, *k;

    attention_world(&w, &c, 1);
    w.magnitude = 130;
    w.op.kind = OP_ATTENTION;
    w.op.y[0] = world_act(&w, c.seq, c.heads * c.head_dim, 1);
    w.op.y[1] = world_real(&w, c.seq, c.heads, 1);
    q = w.value[w.op.x[0].buf];
    k = w.value[w.op.x[1].buf];
    for (size_t i = 0; i < w.len[w.op.x[0].buf]; i++)
        q[i] = 3 + fabsf(q[i]);
    for (size_t i = 0; i < w.len[w.op.x[1].buf]; i++)
        k[i] = -3 - fabsf(k[i]);
    try_op(&w, "attention of low scores");
    world_release(&w);
}

/* Three caches that are filled to different rows get different numbers of
 * rows: all, some, none. */
TEST(cached_attention_matches)
{
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t hd = i < 12 ? 16 : 136, kv = 2 * hd;
        struct attention_case c = { i < 6 ? 1 : 3,
                                    i & 1 ? 1 : i < 12 ? 70 : 5, 70, 4, 2,
                                    hd, i & 2 ? 33 : 0, 0, i & 4 ? 8 : 3,
                                    i & 4 ? 8 : 1 };
        int32_t at[3] = { (int32_t)(i % 6 * 60), 17, 0 };
        int32_t n[3] = { (int32_t)c.seq, (int32_t)c.seq / 2, 0 };
        struct world w;

        attention_world(&w, &c, i);
        w.op.kind = OP_ATTENTION;
        w.op.x[1] = world_act(&w, c.seqs * 400, kv, 2);
        w.op.x[2] = world_act(&w, c.seqs * 400, kv, 2);
        w.op.y[0] = world_act(&w, c.seqs * c.seq, 4 * hd, 1);
        w.op.u.attn.cache_len = 400;
        w.batch.cache_at = at;
        w.batch.seq_n = n;
        w.reduction = 400 + hd;
        try_op(&w, "cached attention");
        world_release(&w);
    }
}

/* The backward wants the forward's own o and log-sum-exp. */
static void
fill_forward(struct world *w)
{
    struct op bwd = w->op;
    struct backend ref;
    struct outcome out;
    uint32_t o = bwd.x[3].buf, lse = bwd.x[4].buf;

    w->op.kind = OP_ATTENTION;
    w->op.acc = 0;
    w->op.y[0] = bwd.x[3];
    w->op.y[1] = bwd.x[4];
    ref64_open(&ref);
    out = world_run(w, &ref, 1);
    for (size_t k = 0; k < w->len[o]; k++)
        w->value[o][k] = (float)out.value[o][k];
    for (size_t k = 0; k < w->len[lse]; k++)
        w->value[lse][k] = (float)out.value[lse][k];
    outcome_release(w, &out);
    w->op = bwd;
}

TEST(attention_gradients_match)
{
    for (uint32_t i = 0; i < N_ATTENTIONS; i++) {
        const struct attention_case *c = &attentions[i];
        uint32_t n = c->seqs * c->seq, cols = c->heads * c->head_dim;
        struct world w;
        char name[32];

        snprintf(name, sizeof(name), "attention backward %u", i);
        attention_world(&w, c, i);
        w.op.x[3] = world_act(&w, n, cols, 1);
        w.op.x[4] = world_real(&w, n, c->heads, 1);
        w.op.x[5] = world_act(&w, n, cols, 1);
        w.op.y[0] = world_act(&w, n, cols, 1);
        w.op.y[1] = world_act(&w, n, w.op.x[1].cols, 1);
        w.op.y[2] = world_act(&w, n, w.op.x[1].cols, 1);
        w.op.kind = OP_ATTENTION_BWD;
        w.op.acc = c->acc;
        w.reduction *= c->heads / c->kv_heads;
        w.magnitude = 8;
        w.rounding = ATTENTION_BWD_ROUNDING;
        fill_forward(&w);
        try_op(&w, name);
        world_release(&w);
    }
}

struct head_case {
    uint32_t n, dim, vocab, n_head, head_at, chunk;
    uint8_t dtype, full, eval, acc;
};

static const struct head_case heads[] = {
    { 9, 16, 255, 9, 0, 16, DTYPE_F32, 0, 0, 0 },
    { 40, 30, 256, 40, 32, 16, DTYPE_BF16, 0, 0, 2 },
    { 300, 17, 257, 270, 0, 270, DTYPE_I8, 0, 1, 0 },
    { 30, 64, 5000, 20, 4, 8, DTYPE_REAL, 1, 0, 0 },
    { 30, 300, 1000, 20, 4, 8, DTYPE_F16, 0, 0, 3 },
    { 8, 16, 255, 4, 8, 8, DTYPE_F32, 0, 0, 0 },
};

static void
try_heads(float z)
{
    for (uint32_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        const struct head_case *c = &heads[i];
        struct world w;
        struct part *p = w.part;
        char name[32];

        snprintf(name, sizeof(name), "head %u", i);
        world_init(&w, i);
        w.reduction = c->dim + c->vocab;
        w.op.kind = OP_HEAD_CE;
        w.op.acc = c->acc;
        w.op.u.head.part = p;
        w.op.u.head.chunk = c->chunk;
        w.op.u.head.z = z;
        p->w = world_weight(&w, c->vocab, c->dim, c->dtype);
        if (i % 2)
            p->bias = world_real(&w, 1, c->vocab, 1);
        w.op.x[0] = world_act(&w, c->n, c->dim, 1);
        w.op.y[0] = world_real(&w, c->n, 1, 1);
        if (!c->eval)
            w.op.y[1] = world_act(&w, c->n, c->dim, 1);
        if (c->full) {
            p->grad_w = world_real(&w, c->vocab, c->dim, 1);
            p->grad_bias = world_real(&w, 1, c->vocab, 1);
        }
        world_batch(&w, c->n, c->n, c->n, c->vocab);
        for (uint32_t k = 0; k < c->n; k++)
            w.ids[4 * c->n + k] = (int32_t)(k * 7 % c->n);
        if (c->n % 7 == 0)
            CHECK(!"head_row needs distinct rows");
        w.in.n_head = c->n_head;
        w.head_at = c->head_at;
        try_op(&w, name);
        try_bf16(&w, false, name);
        world_release(&w);
    }
}

TEST(heads_match)
{
    try_heads(0);
}

TEST(heads_with_a_z_loss_match)
{
    try_heads(0.03125f);
}

/* Words of rows of their own at either end, in every part of the vocabulary,
 * and of more than a panel. */
TEST(heads_with_rows_of_tokens_match)
{
    static const struct { uint32_t n, first, step; } own[] = {
        { 1, 0, 1 }, { 3, 99, 100 }, { 300, 3, 1 }, { 2, 0, 999 }
    };

    for (uint32_t i = 0; i < 8; i++) {
        uint32_t k = i % 4;
        struct world w;
        struct part *p = w.part;

        world_init(&w, i);
        w.reduction = 1040;
        w.op.u.head.part = p;
        p->w = world_weight(&w, 1000, 40, i & 2 ? DTYPE_I8 : DTYPE_F32);
        if (i & 1)
            p->bias = world_real(&w, 1, 1000, 1);
        p->tokens = world_tokens(&w, own[k].n, (int32_t)own[k].first,
                                 (int32_t)own[k].step);
        p->rows = world_real(&w, own[k].n, 40, 1);
        w.op.x[0] = world_act(&w, 11, 40, 1);
        world_batch(&w, 11, 11, 11, 1000);
        if (i & 4) {
            w.op.kind = OP_HEAD_CE;
            w.op.u.head.chunk = 8;
            w.op.y[0] = world_real(&w, 11, 1, 1);
            w.op.y[1] = world_act(&w, 11, 40, 1);
            p->grad_rows = world_real(&w, own[k].n, 40, 1);
            for (uint32_t r = 0; r < 11; r += 2) /* targets of theirs */
                w.ids[11 + r] = (int32_t)(own[k].first + r % own[k].n
                                                         * own[k].step);
        } else {
            w.op.kind = OP_LOGITS;
            w.op.y[0] = world_real(&w, 9, 1000, 1);
        }
        w.in.n_head = 9;
        try_op(&w, "head with rows of tokens");
        world_release(&w);
    }
}

TEST(logits_match)
{
    const int32_t cached[3] = { 0 }, tokens[3] = { 9 };

    for (uint32_t i = 0; i < 4; i++) {
        struct world w;
        struct part *p = w.part;

        world_init(&w, i);
        w.reduction = 40;
        w.op.kind = OP_LOGITS;
        w.op.u.head.part = p;
        p->w = world_weight(&w, 513, 40, i & 1 ? DTYPE_I8 : DTYPE_F32);
        if (i & 2)
            p->bias = world_base(&w, 1, 513, DTYPE_BF16);
        w.op.x[0] = world_act(&w, 9, 40, 1);
        w.op.y[0] = world_real(&w, 9, 513, 1);
        world_batch(&w, 9, 9, 9, 1);
        w.ids[4 * 9] = 8;
        w.batch.cache_at = cached;
        w.batch.seq_n = tokens;
        w.in.n_head = i == 3 ? 9 : 1;
        try_op(&w, "logits");
        world_release(&w);
    }
}

TEST(moves_match)
{
    static const uint8_t kinds[] = { OP_CACHE, OP_COPY, OP_ZERO, OP_SQNORM };

    for (uint32_t i = 0; i < 8; i++) {
        struct world w;
        uint32_t cols = i & 1 ? 40000 : 7;
        int32_t at[3] = { 5, 0, 3 }, n[3] = { 2, 1, 0 };

        world_init(&w, i);
        align_rows(&w, cols);
        w.reduction = cols;
        w.op.kind = kinds[i / 2];
        if (w.op.kind != OP_ZERO)
            w.op.x[0] = world_real(&w, 6, cols, 1);
        if (w.op.kind != OP_SQNORM)
            w.op.y[0] = world_real(&w, w.op.kind == OP_CACHE ? 27 : 6, cols,
                                   1);
        if (w.op.kind == OP_CACHE)
            w.op.u.cache = (struct cache_args){ 2, 9 };
        w.act[w.op.x[0].buf] = w.act[w.op.y[0].buf] = w.op.kind == OP_CACHE;
        world_batch(&w, 6, 2, 2, 1);
        w.batch.cache_at = at;
        w.batch.seq_n = n;
        try_op(&w, "copy and zero");
        world_release(&w);
    }
}

/* To the host's memory and back to another place. */
TEST(copies_beside_the_ops_match)
{
    for (uint32_t i = 0; i < 4; i++) {
        struct world w;
        uint32_t cols = i & 1 ? 40000 : 7;
        struct view x, host, y;

        world_init(&w, i);
        w.pad = 0;
        w.off = i;
        x = world_act(&w, 6, cols, 1);
        host = world_host(&w, 6, cols);
        y = world_act(&w, 6, cols, 1);
        w.op = (struct op){ .kind = OP_STASH, .x = { x }, .y = { host } };
        w.more[0] = (struct op){ .kind = OP_WAIT, .x = { x },
                                 .y = { host } };
        w.more[1] = (struct op){ .kind = OP_FETCH, .x = { host },
                                 .y = { y }, .u.aside.number = 1 };
        w.more[2] = (struct op){ .kind = OP_WAIT, .x = { host },
                                 .y = { y }, .u.aside.number = 1 };
        w.n_more = 3;
        for (size_t k = 0; k < w.n_more; k++)
            note_case(&w.more[k]);
        world_batch(&w, 6, 2, 2, 1);
        try_op(&w, "stash and fetch");
        world_release(&w);
    }
}

/* Runs last. With every operand that its row counts, and no other: of those
 * the planner knows nothing. */
TEST(every_kind_was_compared)
{
    for (unsigned k = OP_NONE + 1; k < OP_KINDS; k++) {
        const struct op_info *info = op_info(k);

        if (!CHECK(tried[k]))
            printf("  no case for %s\n", info->name);
        else if (!CHECK(most_x[k] == info->n_x && most_y[k] == info->n_y))
            printf("  the cases of %s have %u x and %u y\n", info->name,
                   most_x[k], most_y[k]);
    }
}

#define RUN_OP_CASES                                                        \
    RUN(activations_match), RUN(gated_activations_match), RUN(sums_match),  \
    RUN(norms_match), RUN(norm_gradients_match), RUN(rotations_match),      \
    RUN(embeddings_match), RUN(embedding_gradients_match),                  \
    RUN(linears_match), RUN(linear_gradients_match),                        \
    RUN(dora_norms_match), RUN(dora_matches),                               \
    RUN_FEW_CASES, RUN(joined_linears_match),                               \
    RUN(embeddings_of_tokens_match), RUN(heads_with_rows_of_tokens_match),  \
    RUN(attention_matches), RUN(attention_of_low_scores_matches),           \
    RUN(cached_attention_matches), RUN(attention_gradients_match),          \
    RUN(heads_match), RUN(heads_with_a_z_loss_match), RUN(logits_match),  \
    RUN_SCAN_CASES, RUN_SSD_CASES, RUN_MOE_CASES, RUN(moves_match),         \
    RUN(muon_matches),                                                      \
    RUN(copies_beside_the_ops_match), RUN(clipping_matches),                \
    RUN(optimisers_match), RUN(optimisers_in_eight_bits_match)

#endif
