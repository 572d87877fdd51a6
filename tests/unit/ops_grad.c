/* ops_grad.c - the gradients of the reference are derivatives (trial.h). Long:
 * a case for every op that has one. */
#include "moe_grad.h"
#include "trial.h"

static void
embed_case(bool positions)
{
    struct trial t;
    struct view ids, pos, d_ids, d_pos;

    trial_init(&t, "embed", positions);
    lab_batch(&t.lab, 14, 7, 4, 5);
    trial_output(&t, 14, 6);
    ids = lab_real(&t.lab, 5, 6);
    pos = lab_real(&t.lab, 7, 6);
    d_ids = lab_real(&t.lab, 5, 6);
    d_pos = lab_real(&t.lab, 7, 6);
    t.fwd.kind = OP_EMBED;
    t.fwd.x[0] = ids;
    t.fwd.y[0] = t.y;
    t.bwd.kind = OP_EMBED_BWD;
    t.bwd.x[0] = t.dy;
    t.bwd.y[0] = d_ids;
    add_var(&t, ids, d_ids, true);
    if (positions) {
        t.fwd.x[1] = pos;
        t.bwd.y[1] = d_pos;
        add_var(&t, pos, d_pos, true);
    }
    check_trial(&t);
}

TEST(embedding)
{
    embed_case(false);
    embed_case(true);
}

/* Some ids of the batch have rows; what the others had is a constant. */
TEST(embedding_of_tokens)
{
    struct trial t;
    struct view rows, d_rows;

    trial_init(&t, "embed tokens", 3);
    lab_batch(&t.lab, 14, 7, 4, 9);
    trial_output(&t, 14, 6);
    rows = lab_real(&t.lab, 3, 6);
    d_rows = lab_real(&t.lab, 3, 6);
    t.fwd = (struct op){ .kind = OP_EMBED_TOKENS,
                         .x = { rows, lab_real(&t.lab, 7, 6),
                                lab_tokens(&t.lab, 3, 1, 3) },
                         .y = { t.y } };
    t.bwd = (struct op){ .kind = OP_EMBED_TOKENS_BWD,
                         .x = { t.dy, t.fwd.x[2] }, .y = { d_rows } };
    add_var(&t, rows, d_rows, true);
    check_trial(&t);
}

static void
norm_case(bool rms, bool bias, uint8_t acc, uint32_t dim, uint32_t groups)
{
    uint32_t parts = groups == 4 ? 2 : 1, wide = parts * dim;
    struct trial t;
    struct view x, gain, b, stats, dx, dgain, db;

    trial_init(&t, rms ? "rms norm" : "layer norm", dim + acc);
    lab_batch(&t.lab, 6, 6, 6, 4);
    trial_output(&t, 6, groups * dim);
    x = lab_real(&t.lab, 6, groups * dim);
    gain = lab_real(&t.lab, 1, wide);
    b = lab_real(&t.lab, 1, wide);
    stats = lab_real(&t.lab, 6, 2 * groups);
    dx = lab_real(&t.lab, 6, groups * dim);
    dgain = lab_real(&t.lab, 1, wide);
    db = lab_real(&t.lab, 1, wide);
    t.fwd = (struct op){ .kind = OP_NORM, .x = { x, gain },
                         .y = { t.y, stats },
                         .u.norm = { 0.001f, rms, groups == 2, parts } };
    t.bwd = (struct op){ .kind = OP_NORM_BWD, .acc = acc,
                         .x = { x, gain, stats, t.dy },
                         .y = { dx, dgain }, .u = t.fwd.u };
    add_var(&t, x, dx, acc & 1);
    add_var(&t, gain, dgain, true);
    if (bias) {
        t.fwd.x[2] = b;
        t.bwd.y[2] = db;
        add_var(&t, b, db, true);
    }
    check_trial(&t);
}

TEST(norms)
{
    for (uint32_t dim = 4; dim < 40; dim += 11)
        for (uint8_t acc = 0; acc < 2; acc++) {
            norm_case(false, true, acc, dim, 1);
            norm_case(false, false, acc, dim, 3);
            norm_case(true, false, acc, dim, 1);
            norm_case(true, false, acc, dim, 2);
            norm_case(true, true, acc, dim, 4);
        }
}

static void
check_linear(const struct linear_case *c, uint64_t seed)
{
    struct trial t;
    struct view x, dx, residual;
    uint32_t col = 0, cols = 0;

    trial_init(&t, c->name, seed);
    lab_batch(&t.lab, c->n, c->n, c->n, 4);
    for (uint32_t i = 0; i < c->parts; i++)
        cols += c->out[i];
    trial_output(&t, c->n, cols);
    x = lab_real(&t.lab, c->n, c->in);
    dx = lab_real(&t.lab, c->n, c->in);
    residual = lab_real(&t.lab, c->n, cols);
    for (uint32_t i = 0; i < c->parts; i++) {
        linear_part(&t, c, i, col);
        col += c->out[i];
    }
    t.fwd = (struct op){ .kind = OP_LINEAR, .x = { x }, .y = { t.y },
                         .u.lin = { t.lab.part, c->parts } };
    t.bwd = (struct op){ .kind = OP_LINEAR_BWD, .acc = c->acc,
                         .x = { x, t.dy }, .y = { dx }, .u = t.fwd.u };
    add_var(&t, x, dx, c->acc & 1);
    if (c->residual) {
        t.fwd.x[1] = residual;
        add_var(&t, residual, t.dy, false); /* its gradient is dy itself */
    }
    check_trial(&t);
}

TEST(linear)
{
    static const struct linear_case cases[] = {
        { "one trained", 5, 7, 1, { 6 }, DTYPE_REAL, .bias = true },
        { "in_out", 5, 7, 1, { 6 }, DTYPE_REAL, .in_out = true,
          .bias = true, .residual = true },
        { "three trained", 4, 9, 3, { 8, 4, 4 }, DTYPE_REAL, .acc = 1 },
        { "adapter", 5, 7, 1, { 6 }, DTYPE_F32, .bias = true, .lora = true,
          .residual = true },
        { "adapter, in_out, bf16", 5, 6, 1, { 9 }, DTYPE_BF16,
          .in_out = true, .lora = true },
        { "adapters, dropout", 6, 11, 3, { 8, 4, 4 }, DTYPE_F16,
          .bias = true, .lora = true, .dropout = 0.3f },
        { "adapters, dropout, add", 6, 11, 2, { 5, 5 }, DTYPE_BF16,
          .lora = true, .dropout = 0.5f, .acc = 1 },
        { "int8", 3, 130, 2, { 3, 5 }, DTYPE_I8, .lora = true },
        { "int8, in_out", 3, 5, 1, { 140 }, DTYPE_I8, .in_out = true,
          .lora = true, .dropout = 0.1f },
        { "trained with adapter", 4, 5, 1, { 6 }, DTYPE_REAL, .bias = true,
          .lora = true, .dropout = 0.2f },
        { "one row", 1, 3, 1, { 2 }, DTYPE_REAL, .lora = true },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check_linear(&cases[i], i);
}

/* The gradient of the first operand; the second's is the sum's own. */
TEST(sums)
{
    for (uint8_t acc = 0; acc < 2; acc++) {
        struct trial t;
        struct view x, z, dx;

        trial_init(&t, "add", acc);
        lab_batch(&t.lab, 10, 10, 6, 4);
        trial_output(&t, 10, 12);
        x = lab_real(&t.lab, 10, 12);
        z = lab_real(&t.lab, 10, 12);
        dx = lab_real(&t.lab, 10, 12);
        t.fwd = (struct op){ .kind = OP_ADD, .x = { x, z }, .y = { t.y },
                             .u.add = { 0.22 } };
        t.bwd = (struct op){ .kind = OP_ADD, .acc = acc, .x = { t.dy },
                             .y = { dx }, .u = t.fwd.u };
        add_var(&t, x, dx, acc & 1);
        check_trial(&t);
    }
}

/* The norm counts as a constant; one is 0. */
TEST(dora)
{
    struct trial t;
    struct view x, dx, magnitude, grad, norm;

    trial_init(&t, "dora", 5);
    lab_batch(&t.lab, 9, 9, 9, 4);
    trial_output(&t, 9, 12);
    x = lab_real(&t.lab, 9, 12);
    dx = lab_real(&t.lab, 9, 12);
    magnitude = lab_real(&t.lab, 1, 12);
    grad = lab_real(&t.lab, 1, 12);
    norm = lab_real(&t.lab, 1, 12);
    for (size_t c = 0; c < 12; c++) {
        double *v = &lab_row(&t.lab, &norm, 0)[c];

        *v = c == 5 ? 0 : 0.5 + fabs(*v);
    }
    t.fwd = (struct op){ .kind = OP_DORA, .y = { t.y },
                         .x = { x, magnitude, norm } };
    t.bwd = (struct op){ .kind = OP_DORA_BWD,
                         .x = { x, magnitude, norm, t.dy },
                         .y = { dx, grad } };
    add_var(&t, x, dx, false);
    add_var(&t, magnitude, grad, true);
    check_trial(&t);
}

static void
rope_case(uint32_t heads, uint32_t head_dim, uint32_t pairs, bool place)
{
    struct trial t;
    struct view x, dx;

    trial_init(&t, "rope", head_dim + pairs);
    lab_batch(&t.lab, 10, 10, 6, 4);
    trial_output(&t, 10, heads * head_dim);
    x = lab_real(&t.lab, 10, heads * head_dim);
    dx = place ? t.dy : lab_real(&t.lab, 10, heads * head_dim);
    t.fwd = (struct op){ .kind = OP_ROPE, .y = { t.y },
                         .x = { x, lab_real(&t.lab, 1, pairs) },
                         .u.rope = { heads, head_dim, 1.5, 1 } };
    t.bwd = t.fwd;
    t.bwd.x[0] = t.dy;
    t.bwd.y[0] = dx;
    t.bwd.u.rope.sign = -1;
    add_var(&t, x, dx, false);
    check_trial(&t);
}

TEST(rope)
{
    rope_case(1, 4, 2, false);
    rope_case(3, 8, 4, true);
    rope_case(2, 10, 2, false);
    rope_case(2, 10, 2, true);
}

static void
attention_case(uint32_t heads, uint32_t kv_heads, uint32_t hd,
               uint32_t window, uint8_t acc)
{
    struct trial t;
    uint32_t q = heads * hd, kv = kv_heads * hd, n = 18;
    struct view qkv, grads, lse;

    trial_init(&t, "attention", heads + window + acc);
    lab_batch(&t.lab, n, 9, 5, 4);
    trial_output(&t, n, q);
    qkv = lab_real(&t.lab, n, q + 2 * kv);
    grads = lab_real(&t.lab, n, q + 2 * kv);
    lse = lab_real(&t.lab, n, heads);
    t.fwd = (struct op){
        .kind = OP_ATTENTION, .y = { t.y, lse },
        .x = { lab_cols(qkv, 0, q), lab_cols(qkv, q, kv),
               lab_cols(qkv, q + kv, kv) },
        .u.attn = { .heads = heads, .kv_heads = kv_heads, .head_dim = hd,
                    .window = window, .seq_len = 9, .scale = 0.8f }
    };
    t.bwd = (struct op){
        .kind = OP_ATTENTION_BWD, .acc = acc, .u = t.fwd.u,
        .x = { t.fwd.x[0], t.fwd.x[1], t.fwd.x[2], t.y, lse, t.dy },
        .y = { lab_cols(grads, 0, q), lab_cols(grads, q, kv),
               lab_cols(grads, q + kv, kv) }
    };
    for (int i = 0; i < 3; i++)
        add_var(&t, t.fwd.x[i], t.bwd.y[i], acc & 1 << i);
    check_trial(&t);
}

TEST(attention)
{
    attention_case(1, 1, 4, 0, 0);
    attention_case(4, 4, 4, 0, 0);
    attention_case(4, 2, 6, 0, 7);
    attention_case(6, 1, 3, 0, 2);
    attention_case(4, 2, 4, 3, 0);
    attention_case(4, 2, 4, 1, 5);
    attention_case(2, 1, 8, 40, 0);
}

/* Columns [3, 3 + cols) of wider buffers. place: dx takes dy's. */
static void
act_case(uint8_t kind, bool place, uint8_t acc)
{
    struct trial t;
    struct view x, dx;

    trial_init(&t, "act", kind);
    lab_batch(&t.lab, 5, 5, 5, 4);
    trial_output(&t, 5, 20);
    x = lab_cols(lab_real(&t.lab, 5, 26), 3, 20);
    for (size_t i = 0; i < 5; i++)
        for (size_t c = 0; c < 20; c++)
            lab_row(&t.lab, &x, i)[c] *= 4;
    dx = place ? t.dy : lab_real(&t.lab, 5, 20);
    t.fwd = (struct op){ .kind = OP_ACT, .x = { x }, .y = { t.y },
                         .u.act = { kind } };
    t.bwd = (struct op){ .kind = OP_ACT_BWD, .acc = acc, .x = { x, t.dy },
                         .y = { dx }, .u = t.fwd.u };
    add_var(&t, x, dx, acc & 1);
    check_trial(&t);
}

static void
glu_case(uint8_t kind, uint8_t acc)
{
    struct trial t;
    struct view both, grads;

    trial_init(&t, "glu", kind + acc);
    lab_batch(&t.lab, 5, 5, 5, 4);
    trial_output(&t, 5, 12);
    both = lab_real(&t.lab, 5, 24);
    grads = lab_real(&t.lab, 5, 24);
    t.fwd = (struct op){ .kind = OP_GLU, .y = { t.y }, .u.act = { kind },
                         .x = { lab_cols(both, 0, 12),
                                lab_cols(both, 12, 12) } };
    t.bwd = (struct op){ .kind = OP_GLU_BWD, .acc = acc, .u = t.fwd.u,
                         .x = { t.fwd.x[0], t.fwd.x[1], t.dy },
                         .y = { lab_cols(grads, 0, 12),
                                lab_cols(grads, 12, 12) } };
    add_var(&t, t.fwd.x[0], t.bwd.y[0], acc & 1);
    add_var(&t, t.fwd.x[1], t.bwd.y[1], acc & 2);
    check_trial(&t);
}

TEST(activations)
{
    static const uint8_t kinds[] = { ACT_GELU_TANH, ACT_GELU_ERF, ACT_SILU };

    for (size_t i = 0; i < 3; i++) {
        act_case(kinds[i], false, 0);
        act_case(kinds[i], false, 1);
        act_case(kinds[i], true, 0);
        for (uint8_t acc = 0; acc < 4; acc++)
            glu_case(kinds[i], acc);
    }
}

static void
conv_case(uint32_t width, uint8_t act, bool bias, uint8_t acc)
{
    struct trial t;
    struct view x, w, b, dx, dw, db;

    trial_init(&t, "conv1d", width + act + acc);
    lab_batch(&t.lab, 18, 9, 5, 4);
    trial_output(&t, 18, 6);
    x = lab_real(&t.lab, 18, 6);
    w = lab_real(&t.lab, 6, width);
    b = lab_real(&t.lab, 1, 6);
    dx = lab_real(&t.lab, 18, 6);
    dw = lab_real(&t.lab, 6, width);
    db = lab_real(&t.lab, 1, 6);
    t.fwd = (struct op){ .kind = OP_CONV1D, .x = { x, w }, .y = { t.y },
                         .u.conv = { 9, act, 0 } };
    t.bwd = (struct op){ .kind = OP_CONV1D_BWD, .acc = acc,
                         .x = { x, w, { 0 }, t.dy }, .y = { dx, dw },
                         .u = t.fwd.u };
    add_var(&t, x, dx, acc & 1);
    add_var(&t, w, dw, true);
    if (bias) {
        t.fwd.x[2] = t.bwd.x[2] = b;
        t.bwd.y[2] = db;
        add_var(&t, b, db, true);
    }
    check_trial(&t);
}

TEST(convolutions)
{
    conv_case(1, ACT_SILU, true, 0);
    conv_case(4, ACT_SILU, true, 1);
    conv_case(4, ACT_GELU_TANH, false, 0);
    conv_case(12, ACT_SILU, true, 0);
}

/* Of more than a chunk, and of documents in it. */
static void
scan_case(uint32_t seq, uint32_t doc, uint32_t cols, uint32_t state,
          uint8_t acc)
{
    struct trial t;
    uint32_t n = 2 * seq, chunks = (seq + SCAN_CHUNK - 1) / SCAN_CHUNK;
    struct view x[5], g[5], kept;

    trial_init(&t, "scan", seq + doc + acc);
    lab_batch(&t.lab, n, seq, doc, 4);
    trial_output(&t, n, cols);
    for (int i = 0; i < 5; i++) {
        uint32_t rows = i == 2 ? cols : i == 4 ? 1 : n;
        uint32_t wide = i == 2 ? state : i == 3 ? 2 * state : cols;

        x[i] = lab_real(&t.lab, rows, wide);
        g[i] = lab_real(&t.lab, rows, wide);
        add_var(&t, x[i], g[i], i == 2 || i == 4 || acc >> i & 1);
    }
    kept = lab_real(&t.lab, 2 * chunks, cols * state);
    t.fwd = (struct op){ .kind = OP_SCAN, .y = { t.y, kept },
                         .u.scan = { state, seq, 0 } };
    t.bwd = (struct op){ .kind = OP_SCAN_BWD, .acc = acc, .u = t.fwd.u };
    memcpy(t.fwd.x, x, sizeof(x));
    memcpy(t.bwd.x, x, sizeof(x));
    memcpy(t.bwd.y, g, sizeof(g));
    t.bwd.x[5] = kept;
    t.bwd.x[6] = t.dy;
    check_trial(&t);
}

TEST(scans)
{
    scan_case(9, 9, 3, 2, 0);
    scan_case(9, 4, 2, 5, 11);
    scan_case(70, 67, 2, 1, 0);
    scan_case(130, 130, 1, 2, 2);
}

/* Heads of 2 columns, of which two are a group's. No step is so near to least
 * or most that a difference passes it. */
static void
ssd_case(uint32_t seq, uint32_t doc, uint32_t heads, uint32_t state,
         uint8_t acc, float least, float most)
{
    struct trial t;
    uint32_t n = 2 * seq, chunks = (seq + SSD_CHUNK - 1) / SSD_CHUNK;
    uint32_t wide[6] = { 2 * heads, heads, heads, heads * state, heads,
                         heads };
    struct view x[6], g[6], kept;

    trial_init(&t, "ssd", seq + doc + acc);
    lab_batch(&t.lab, n, seq, doc, 4);
    trial_output(&t, n, wide[0]);
    for (int i = 0; i < 6; i++) {
        bool shared = i == 2 || i > 3;

        x[i] = lab_real(&t.lab, shared ? 1 : n, wide[i]);
        g[i] = lab_real(&t.lab, shared ? 1 : n, wide[i]);
        add_var(&t, x[i], g[i], shared || acc >> i & 1);
    }
    kept = lab_real(&t.lab, 2 * chunks, wide[0] * state);
    t.fwd = (struct op){ .kind = OP_SSD, .y = { t.y, kept },
                         .u.ssd = { heads, heads / 2, state, seq,
                                    .least = least, .most = most } };
    t.bwd = (struct op){ .kind = OP_SSD_BWD, .acc = acc, .u = t.fwd.u };
    memcpy(t.fwd.x, x, sizeof(x));
    memcpy(t.bwd.x, x, sizeof(x));
    memcpy(t.bwd.y, g, sizeof(g));
    t.bwd.x[6] = kept;
    t.bwd.x[7] = t.dy;
    check_trial(&t);
}

TEST(ssds)
{
    ssd_case(9, 9, 4, 2, 0, 0, INFINITY);
    ssd_case(9, 4, 2, 5, 11, 0.3f, 1.5f);
    ssd_case(70, 67, 2, 1, 0, 0, INFINITY);
    ssd_case(130, 130, 2, 2, 2, 0, INFINITY);
}

/* All chunks. */
static void
run_head(struct lab *l, struct op *op)
{
    for (l->run.head_at = 0; l->run.head_at < l->in.n_head;
         l->run.head_at += op->u.head.chunk)
        lab_run(l, op);
}

/* The loss, and the z-loss; HEAD_CE leaves the gradients as it goes, so a
 * difference runs it without places for them. */
static double
head_value(struct trial *t)
{
    struct part *p = t->fwd.u.head.part, keep = *p;

    p->grad_w.buf = p->grad_bias.buf = p->grad_rows.buf = 0;
    t->lab.out.loss_sum = t->lab.out.z_sum = 0;
    run_head(&t->lab, &t->fwd);
    *p = keep;
    return (t->lab.out.loss_sum + t->lab.out.z_sum) * t->lab.in.inv_tokens;
}

static void
head_back(struct trial *t)
{
    struct op zero = { .kind = OP_ZERO, .y = { t->bwd.y[1] } };

    lab_run(&t->lab, &zero);
    run_head(&t->lab, &t->bwd);
}

static void
head_case(uint32_t n_head, uint32_t chunk, uint8_t dtype, bool bias,
          uint32_t n_tokens, float z)
{
    struct trial t;
    struct part *p = &t.lab.part[0];
    struct view x, dx;

    trial_init(&t, "head", n_head + chunk + dtype);
    lab_batch(&t.lab, 11, 11, 11, 13);
    t.lab.in.n_head = n_head;
    x = lab_real(&t.lab, 11, 6);
    dx = lab_real(&t.lab, 11, 6);
    p->w = lab_weight(&t.lab, 13, 6, dtype);
    p->out = 13;
    p->in = 6;
    add_var(&t, x, dx, false);
    if (dtype == DTYPE_REAL) {
        p->grad_w = lab_real(&t.lab, 13, 6);
        add_var(&t, p->w, p->grad_w, true);
    }
    if (bias) {
        p->bias = lab_real(&t.lab, 1, 13);
        p->grad_bias = lab_real(&t.lab, 1, 13);
        add_var(&t, p->bias, p->grad_bias, true);
    }
    if (n_tokens > 0) {
        p->tokens = lab_tokens(&t.lab, n_tokens, 0, 4);
        p->rows = lab_real(&t.lab, n_tokens, 6);
        p->grad_rows = lab_real(&t.lab, n_tokens, 6);
        add_var(&t, p->rows, p->grad_rows, true);
    }
    t.fwd = (struct op){ .kind = OP_HEAD_CE, .x = { x },
                         .u.head = { p, chunk, z } };
    t.bwd = t.fwd;
    t.bwd.y[1] = dx;
    t.value = head_value;
    t.back = head_back;
    check_trial(&t);
}

TEST(head)
{
    head_case(11, 11, DTYPE_REAL, true, 0, 0);
    head_case(11, 4, DTYPE_REAL, false, 0, 0.25f);
    head_case(7, 64, DTYPE_REAL, true, 0, 0);
    head_case(9, 2, DTYPE_BF16, false, 4, 0);
    head_case(10, 3, DTYPE_I8, true, 3, 0.5f);
    head_case(1, 1, DTYPE_REAL, false, 0, 0);
    head_case(11, 4, DTYPE_F16, true, 1, 1e-4f);
}

/* Runs last. */
TEST(every_gradient_was_tried)
{
    CHECK(tried[OP_HEAD_CE]); /* has its gradient within */
    for (unsigned k = 0; k < OP_KINDS; k++)
        if (op_info(k)->grad != NULL && !CHECK(tried[k]))
            printf("  no case for %s\n", op_info(k)->name);
}

static const struct test tests[] = {
    RUN(embedding), RUN(embedding_of_tokens), RUN(norms), RUN(linear),
    RUN(dora), RUN(sums), RUN(rope),
    RUN(attention), RUN(activations), RUN(convolutions), RUN(scans),
    RUN(ssds),
    RUN_MOE_GRADS,
    RUN(head), RUN(every_gradient_was_tried)
};

TEST_MAIN("ops_grad", tests)
