/* ops_values.c - single ops of the reference against PyTorch in float64, and
 * dropout's mask against its definition. Long: a case for each op.
 *
 * golden/ops.py made tests/golden/ops.safetensors and describes its cases;
 * their constants are repeated here. A tensor agrees when |a - b| <=
 * 1e-12 |b|. Run from the top of the source tree.
 */
#include "ref_lab.h"

#include "tensor/safetensors.h"

#define GOLDEN "tests/golden/ops.safetensors"
#define BOUND 1e-12

/* A case being tested. */
struct values {
    struct lab lab;
    struct safetensors file;
    const char *name;
    char full[64];
};

static const struct safetensor *
tensor_of(struct values *v, const char *name)
{
    const struct safetensor *t;

    snprintf(v->full, sizeof(v->full), "%s.%s", v->name, name);
    t = safetensors_find(&v->file, v->full);
    if (t == NULL) {
        printf("%s: no %s\n", GOLDEN, v->full);
        exit(1);
    }
    return t;
}

/* Rows and batch of n rows, one document, positions counted. */
static void
values_open(struct values *v, const char *name, uint32_t n)
{
    struct err e;

    memset(v, 0, sizeof(*v));
    v->name = name;
    lab_init(&v->lab, 1);
    lab_batch(&v->lab, n, n, n, 1);
    if (safetensors_open(&v->file, GOLDEN, SAFETENSORS_MAX_HEADER, &e) < 0) {
        printf("%s\n", e.text);
        exit(1);
    }
}

static void
values_close(struct values *v)
{
    lab_check_pads(&v->lab, v->name);
    safetensors_release(&v->file);
    lab_release(&v->lab);
}

/* A matrix of the file as a real view. */
static struct view
input(struct values *v, const char *name)
{
    const struct safetensor *t = tensor_of(v, name);
    const char *from = safetensors_data(&v->file, t);
    uint32_t rows = (uint32_t)t->shape[0], cols = (uint32_t)t->shape[1];
    struct view x = lab_real(&v->lab, rows, cols);

    for (uint32_t i = 0; i < rows; i++)
        memcpy(lab_row(&v->lab, &x, i), from + i * cols * sizeof(double),
               cols * sizeof(double));
    return x;
}

/* A copy of a vector of indices. */
static void
indices(struct values *v, const char *name, const int32_t *to)
{
    const struct safetensor *t = tensor_of(v, name);

    memcpy((int32_t *)to, safetensors_data(&v->file, t), (size_t)t->bytes);
}

/* A view of the shape of another. */
static struct view
like(struct values *v, struct view x)
{
    return lab_real(&v->lab, x.rows, x.cols);
}

/* As like, zeroed: for what an op adds to. */
static struct view
zeros(struct values *v, struct view x)
{
    struct view z = like(v, x);

    for (uint32_t i = 0; i < z.rows; i++)
        memset(lab_row(&v->lab, &z, i), 0, z.cols * sizeof(double));
    return z;
}

/* Rows of x from row `first` of a tensor of the file. */
static void
expect_rows(struct values *v, struct view x, const char *name,
            uint32_t first)
{
    const struct safetensor *t = tensor_of(v, name);
    const char *from = safetensors_data(&v->file, t);
    double diff = 0, norm = 0;

    CHECK(t->shape[1] == x.cols && first + x.rows <= t->shape[0]);
    for (size_t i = 0; i < (size_t)x.rows * x.cols; i++) {
        double want, d;

        memcpy(&want, from + (first * x.cols + i) * sizeof(want),
               sizeof(want));
        d = lab_row(&v->lab, &x, i / x.cols)[i % x.cols] - want;
        diff += d * d;
        norm += want * want;
    }
    if (!CHECK(sqrt(diff) <= BOUND * sqrt(norm)))
        printf("    %s is off by %.2e of its norm\n", v->full,
               sqrt(diff / norm));
}

static void
expect(struct values *v, struct view x, const char *name)
{
    CHECK_EQ_U64(x.rows, tensor_of(v, name)->shape[0]);
    expect_rows(v, x, name, 0);
}

static void
check_norm(const char *name, bool rms)
{
    const struct view none = { 0 };
    struct values v;
    struct view x, gain, bias = none, stats, dgain, dbias = none;
    struct op op;

    values_open(&v, name, 5);
    x = input(&v, "x");
    gain = input(&v, "gain");
    dgain = zeros(&v, gain);
    stats = lab_real(&v.lab, 5, 2);
    if (!rms) {
        bias = input(&v, "bias");
        dbias = zeros(&v, bias);
    }
    op = (struct op){ .kind = OP_NORM, .x = { x, gain, bias },
                      .y = { like(&v, x), stats },
                      .u.norm = { 0x1p-10f, rms } };
    lab_run(&v.lab, &op);
    expect(&v, op.y[0], "y");
    op = (struct op){ .kind = OP_NORM_BWD, .u = op.u,
                      .x = { x, gain, stats, input(&v, "u") },
                      .y = { like(&v, x), dgain, dbias } };
    lab_run(&v.lab, &op);
    expect(&v, op.y[0], "dx");
    expect(&v, dgain, "dgain");
    if (!rms)
        expect(&v, dbias, "dbias");
    values_close(&v);
}

TEST(norms)
{
    check_norm("layer_norm", false);
    check_norm("rms_norm", true);
}

static void
check_act(const char *name, uint8_t kind)
{
    struct values v;
    struct view x, up, u;
    struct op op;

    values_open(&v, name, 4);
    x = input(&v, "x");
    up = input(&v, "up");
    u = input(&v, "u");
    op = (struct op){ .kind = OP_ACT, .x = { x }, .y = { like(&v, x) },
                      .u.act = { kind } };
    lab_run(&v.lab, &op);
    expect(&v, op.y[0], "y");
    op = (struct op){ .kind = OP_ACT_BWD, .x = { x, u }, .u = op.u,
                      .y = { like(&v, x) } };
    lab_run(&v.lab, &op);
    expect(&v, op.y[0], "dx");
    op = (struct op){ .kind = OP_GLU, .x = { x, up }, .u = op.u,
                      .y = { like(&v, x) } };
    lab_run(&v.lab, &op);
    expect(&v, op.y[0], "gated");
    op = (struct op){ .kind = OP_GLU_BWD, .x = { x, up, u }, .u = op.u,
                      .y = { like(&v, x), like(&v, x) } };
    lab_run(&v.lab, &op);
    expect(&v, op.y[0], "dgate");
    expect(&v, op.y[1], "dup");
    values_close(&v);
}

TEST(activations)
{
    check_act("gelu_tanh", ACT_GELU_TANH);
    check_act("gelu_erf", ACT_GELU_ERF);
    check_act("silu", ACT_SILU);
    check_act("relu", ACT_RELU);
}

TEST(rope)
{
    struct values v;
    struct view x, freq;
    struct op op;

    values_open(&v, "rope", 8);
    x = input(&v, "x");
    indices(&v, "pos", v.lab.batch.pos);
    freq = input(&v, "freq");
    op = (struct op){ .kind = OP_ROPE, .x = { x, freq }, .y = { x },
                      .u.rope = { 2, 12, 1, 1 } };
    lab_run(&v.lab, &op);
    expect(&v, x, "y");
    op.u.rope.sign = -1;
    lab_run(&v.lab, &op);
    expect(&v, x, "x");
    values_close(&v);
}

static void
check_attention(const char *name, uint32_t window)
{
    struct values v;
    struct view q, k, val, lse;
    struct op op;

    values_open(&v, name, 16);
    q = input(&v, "q");
    k = input(&v, "k");
    val = input(&v, "v");
    lse = lab_real(&v.lab, 16, 4);
    indices(&v, "first", v.lab.batch.doc_first);
    op = (struct op){ .kind = OP_ATTENTION, .x = { q, k, val },
                      .y = { like(&v, q), lse },
                      .u.attn = { .heads = 4, .kv_heads = 2, .head_dim = 8,
                                  .window = window, .seq_len = 16,
                                  .scale = 0.25f } };
    lab_run(&v.lab, &op);
    expect(&v, op.y[0], "o");
    op = (struct op){ .kind = OP_ATTENTION_BWD, .u = op.u,
                      .x = { q, k, val, op.y[0], lse, input(&v, "u") },
                      .y = { like(&v, q), like(&v, k), like(&v, val) } };
    lab_run(&v.lab, &op);
    expect(&v, op.y[0], "dq");
    expect(&v, op.y[1], "dk");
    expect(&v, op.y[2], "dv");
    values_close(&v);
}

TEST(attention)
{
    check_attention("attention", 0);
    check_attention("window", 3);
}

/* Rows 3 .. of the second document with the first three in the cache, two
 * at a time, as the rows of a whole document. */
TEST(attention_with_a_cache)
{
    struct values v;
    struct view q, cache, row;
    int32_t before, rows = 2;
    struct op op;

    values_open(&v, "window", 16);
    q = input(&v, "q");
    cache = input(&v, "k");
    cache.off += 5 * cache.ld; /* the document's first row */
    op = (struct op){ .kind = OP_ATTENTION, .x = { q, cache },
                      .y = { lab_real(&v.lab, 2, 32) },
                      .u.attn = { .heads = 4, .kv_heads = 2, .head_dim = 8,
                                  .window = 3, .seq_len = 2, .scale = 0.25f,
                                  .cache_len = 11 } };
    op.x[2] = input(&v, "v");
    op.x[2].off += 5 * op.x[2].ld;
    v.lab.batch.n = 2;
    v.lab.batch.cache_at = &before;
    v.lab.batch.seq_n = &rows;
    for (uint32_t at = 3; at < 7; at += 2) {
        before = (int32_t)at;
        row = q;
        row.off += (5 + at) * (uint64_t)q.ld;
        row.rows = 2;
        op.x[0] = row;
        lab_run(&v.lab, &op);
        expect_rows(&v, op.y[0], "o", 5 + at);
    }
    values_close(&v);
}

/* In chunks of four; rows 9 and 10 are not asked for. */
TEST(cross_entropy)
{
    struct values v;
    struct part *p = &v.lab.part[0];
    struct inputs *in = &v.lab.in;
    uint32_t *at = &v.lab.run.head_at;
    struct view loss, x;
    struct op op;
    double want;

    values_open(&v, "head", 11);
    x = input(&v, "x");
    loss = lab_real(&v.lab, 9, 1);
    p->w = input(&v, "w");
    p->bias = input(&v, "b");
    p->grad_w = zeros(&v, p->w);
    p->grad_bias = zeros(&v, p->bias);
    indices(&v, "target", v.lab.batch.target);
    for (uint32_t i = 0; i < 11; i++) {
        memcpy(&want, (const char *)safetensors_data(
                   &v.file, tensor_of(&v, "weight")) + i * sizeof(want),
               sizeof(want));
        v.lab.weight[i] = (float)want;
    }
    op = (struct op){ .kind = OP_HEAD_CE, .x = { x },
                      .y = { loss, zeros(&v, x) }, .u.head = { p, 4 } };
    in->n_head = 9;
    for (*at = 0; *at < 9; *at += 4)
        lab_run(&v.lab, &op);
    expect(&v, loss, "row_loss");
    expect(&v, op.y[1], "dx");
    expect(&v, p->grad_w, "dw");
    expect(&v, p->grad_bias, "db");
    memcpy(&want, safetensors_data(&v.file, tensor_of(&v, "loss")),
           sizeof(want));
    CHECK(fabs(v.lab.out.loss_sum * in->inv_tokens - want) <= BOUND * want);
    values_close(&v);
}

/* The gradient is that of both losses; their sums are apart. */
TEST(z_loss)
{
    struct values v;
    struct part *p = &v.lab.part[0];
    struct inputs *in = &v.lab.in;
    uint32_t *at = &v.lab.run.head_at;
    struct view x;
    struct op op;
    double want;

    values_open(&v, "z_loss", 9);
    x = input(&v, "x");
    p->w = input(&v, "w");
    p->bias = input(&v, "b");
    p->grad_w = zeros(&v, p->w);
    p->grad_bias = zeros(&v, p->bias);
    indices(&v, "target", v.lab.batch.target);
    for (uint32_t i = 0; i < 9; i++)
        v.lab.weight[i] = 1;
    op = (struct op){ .kind = OP_HEAD_CE, .x = { x },
                      .y = { [1] = zeros(&v, x) },
                      .u.head = { p, 4, 0.0625f } };
    in->n_head = 9;
    for (*at = 0; *at < 9; *at += 4)
        lab_run(&v.lab, &op);
    expect(&v, op.y[1], "dx");
    expect(&v, p->grad_w, "dw");
    expect(&v, p->grad_bias, "db");
    memcpy(&want, safetensors_data(&v.file, tensor_of(&v, "z")),
           sizeof(want));
    CHECK(fabs(v.lab.out.z_sum - want) <= BOUND * want);
    values_close(&v);
}

/* The balance counts once, and the gradient is that of both. */
static void
route_case(const char *name, uint8_t norm)
{
    struct values v;
    struct view x, tally;
    struct op op, balance;
    double want;

    values_open(&v, name, 9);
    x = input(&v, "x");
    tally = lab_real(&v.lab, 1, 10);
    for (uint32_t i = 0; i < 9; i++)
        v.lab.weight[i] = i < 7;
    v.lab.in.inv_tokens = 1.0 / 7;
    op = (struct op){ .kind = OP_ROUTE, .x = { x },
                      .y = { lab_real(&v.lab, 9, 2), lab_real(&v.lab, 9, 4),
                             lab_real(&v.lab, 1, 5), tally },
                      .u.route = { 5, 2, 4, 9, norm } };
    lab_run(&v.lab, &op);
    expect(&v, op.y[0], "weights");
    for (uint32_t i = 0; i < 18; i++) {
        int32_t e = ((const int32_t *)(const void *)safetensors_data(
                         &v.file, tensor_of(&v, "experts")))[i];

        CHECK(lab_row(&v.lab, &op.y[1], i / 2)[i % 2 * 2] == e);
    }
    balance = (struct op){ .kind = OP_BALANCE, .x = { tally },
                           .y = { lab_real(&v.lab, 1, 5) },
                           .u.balance = { 1, 9, 2, 0.5f } };
    lab_run(&v.lab, &balance);
    memcpy(&want, safetensors_data(&v.file, tensor_of(&v, "more")),
           sizeof(want));
    CHECK(fabs(v.lab.out.balance_sum / 7 - want) <= BOUND * want);
    op = (struct op){ .kind = OP_ROUTE_BWD,
                      .x = { x, op.y[1], input(&v, "u"), balance.y[0] },
                      .y = { like(&v, x) }, .u = op.u };
    lab_run(&v.lab, &op);
    expect(&v, op.y[0], "dx");
    values_close(&v);
}

TEST(routes)
{
    route_case("route_norm", 1);
    route_case("route", 0);
}

TEST(gates)
{
    struct values v;
    struct op op;

    values_open(&v, "gate", 9);
    op = (struct op){ .kind = OP_GATE,
                      .x = { input(&v, "g"), input(&v, "x"),
                             input(&v, "r") } };
    op.y[0] = like(&v, op.x[1]);
    lab_run(&v.lab, &op);
    expect(&v, op.y[0], "y");
    op = (struct op){ .kind = OP_GATE_BWD,
                      .x = { op.x[0], op.x[1], input(&v, "u") },
                      .y = { like(&v, op.x[0]), like(&v, op.x[1]) } };
    lab_run(&v.lab, &op);
    expect(&v, op.y[0], "dg");
    expect(&v, op.y[1], "dx");
    values_close(&v);
}

TEST(embedding)
{
    struct values v;
    struct view table, d_table;
    struct op op;

    values_open(&v, "embed", 6);
    table = input(&v, "table");
    d_table = zeros(&v, table);
    indices(&v, "ids", v.lab.batch.ids);
    op = (struct op){ .kind = OP_EMBED, .x = { table },
                      .y = { lab_real(&v.lab, 6, 5) } };
    lab_run(&v.lab, &op);
    expect(&v, op.y[0], "y");
    op = (struct op){ .kind = OP_EMBED_BWD, .x = { input(&v, "u") },
                      .y = { d_table } };
    lab_run(&v.lab, &op);
    expect(&v, d_table, "dtable");
    values_close(&v);
}

static void
optimizer_step(struct values *v, struct op *update)
{
    struct op op = { .kind = OP_SQNORM, .x = { update->x[0] } };

    lab_run(&v->lab, &op);
    op = (struct op){ .kind = OP_CLIP, .u.clip = { 1.5f } };
    lab_run(&v->lab, &op);
    lab_run(&v->lab, update);
}

static void
check_optimizer(const char *name, uint16_t kind)
{
    struct values v;
    struct view grads;
    struct op op;

    values_open(&v, name, 1);
    grads = input(&v, "grads");
    op = (struct op){ .kind = kind, .y = { input(&v, "start") },
                      .u.opt = { .beta1 = 0.875f, .beta2 = 0.96875f,
                                 .eps = 0x1p-20f, .decay = 0x1p-4f,
                                 .lr_ratio = 4 } };
    op.y[1] = zeros(&v, op.y[0]);
    op.y[2] = zeros(&v, op.y[0]);
    v.lab.in.lr = 0.01 / 4;
    for (uint32_t i = 0; i < 3; i++) {
        op.x[0] = grads;
        op.x[0].rows = 1;
        op.x[0].off += (uint64_t)i * grads.ld;
        v.lab.in.updates = i;
        optimizer_step(&v, &op);
        expect_rows(&v, op.y[0], "after", i);
    }
    if (kind == OP_ADAMW) {
        expect(&v, op.y[1], "m");
        expect(&v, op.y[2], "v");
    }
    values_close(&v);
}

TEST(optimizers)
{
    check_optimizer("adamw", OP_ADAMW);
    check_optimizer("sgd", OP_SGD);
}

TEST(a_gradient_that_is_not_finite_is_skipped)
{
    struct values v;
    struct op op;
    double *grad;

    values_open(&v, "adamw", 1);
    op = (struct op){ .kind = OP_ADAMW, .x = { input(&v, "start") },
                      .y = { input(&v, "start") },
                      .u.opt = { .beta1 = 0.9f, .beta2 = 0.9f, .eps = 1,
                                 .decay = 1, .lr_ratio = 1 } };
    op.y[1] = zeros(&v, op.y[0]);
    op.y[2] = zeros(&v, op.y[0]);
    v.lab.in.lr = 1;
    grad = lab_row(&v.lab, &op.x[0], 0);
    grad[7] = NAN;
    optimizer_step(&v, &op);
    CHECK(v.lab.out.skipped == 1 && v.lab.out.scale == 0);
    expect(&v, op.y[0], "start");
    grad[7] = 0;
    optimizer_step(&v, &op);
    CHECK(v.lab.out.skipped == 0);
    CHECK(lab_row(&v.lab, &op.y[0], 0)[0] != grad[0]);
    values_close(&v);
}

/* h = drop(x) A^T with A the identity is drop(x), of module `site`. */
static void
dropped(struct values *v, uint64_t site, float dropout, struct op *op)
{
    struct lab *l = &v->lab;
    struct part *p = &l->part[0];

    p->in = p->out = p->rank = 50;
    p->w = zeros(v, (struct view){ .rows = 50, .cols = 50 });
    p->a = zeros(v, p->w);
    p->b = zeros(v, p->w);
    p->h = lab_real(l, 200, 50);
    p->site = site;
    p->dropout = dropout;
    for (uint32_t i = 0; i < 50; i++)
        lab_row(l, &p->a, i)[i] = 1;
    *op = (struct op){ .kind = OP_LINEAR, .u.lin = { p, 1 } };
    op->x[0] = lab_real(l, 200, 50);
    op->y[0] = lab_real(l, 200, 50);
    for (uint32_t i = 0; i < 200; i++)
        for (uint32_t c = 0; c < 50; c++)
            lab_row(l, &op->x[0], i)[c] = 1;
    lab_run(l, op);
}

/* Element (row, col) of the mask, from its definition in kernels/ops.h. */
static bool
is_kept(const struct inputs *s, uint64_t site, uint32_t row, uint32_t col,
        double dropout)
{
    const uint32_t counter[4] = { (uint32_t)s->step,
                                  (uint32_t)(s->step >> 32),
                                  (uint32_t)s->row0 + row, col / 4 };
    uint32_t key[2], draw[4];

    dropout_key(key, s->seed, site);
    philox(draw, counter, key);
    return draw[col % 4] >= dropout * 0x1p32;
}

static void
check_mask(uint64_t site, float dropout, double *first)
{
    struct values v;
    struct op op;
    uint32_t kept = 0;
    bool right = true;

    values_open(&v, "dropout", 200);
    v.lab.in.step = (7ull << 32) + site;
    dropped(&v, site, dropout, &op);
    for (uint32_t i = 0; i < 200; i++)
        for (uint32_t c = 0; c < 50; c++) {
            double h = lab_row(&v.lab, &v.lab.part[0].h, i)[c];
            bool keep = is_kept(&v.lab.in, site, i, c, (double)dropout);

            right &= h == (keep ? 1 / (1 - (double)dropout) : 0);
            kept += h != 0;
            first[i * 50 + c] = h;
        }
    CHECK(right);
    /* Six standard deviations of 10,000 draws. */
    CHECK(fabs(kept - 1e4 * (1 - (double)dropout))
          < 6 * sqrt(1e4 * (double)dropout * (1 - (double)dropout)) + 0.5);
    values_close(&v);
}

TEST(dropout)
{
    static double one[10000], other[10000];

    check_mask(5, 0.1f, one);
    check_mask(5, 0.1f, other);
    CHECK(memcmp(one, other, sizeof(one)) == 0);
    check_mask(6, 0.1f, other);
    CHECK(memcmp(one, other, sizeof(one)) != 0);
    check_mask(7, 0.5f, one);
    check_mask(8, 0.0f, one);
}

static const struct test tests[] = {
    RUN(norms), RUN(activations), RUN(rope), RUN(attention),
    RUN(attention_with_a_cache), RUN(cross_entropy), RUN(z_loss),
    RUN(embedding), RUN(routes), RUN(gates),
    RUN(optimizers), RUN(a_gradient_that_is_not_finite_is_skipped),
    RUN(dropout)
};

TEST_MAIN("ops_values", tests)
