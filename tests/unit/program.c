/* program.c - every program that the builder makes, checked by walking it:
 * nothing is read before it was written, no two buffers that live at one
 * time share memory, gradients are stored once and then added to, and nobody
 * meddles with what is copied beside the ops. */
#include "test.h"

#include "model/layer_kind.h"
#include "model/op_info.h"
#include "model/prog.h"
#include "tiny_model.h"

static uint64_t
mock_scratch(const struct backend *b, const struct op *op)
{
    (void)b;
    return op->kind == OP_ATTENTION ? 1000 : 0;
}

static const struct backend mock = { .name = "mock", .real_size = 4,
                                     .activation = DTYPE_REAL,
                                     .kept = DTYPE_REAL,
                                     .kinds = UINT64_MAX,
                                     .scratch = mock_scratch };

/* One that keeps bfloat16 of the reals that it computes with. */
static const struct backend keeper = { .name = "keeper", .real_size = 4,
                                       .activation = DTYPE_REAL,
                                       .kept = DTYPE_BF16,
                                       .kinds = UINT64_MAX,
                                       .scratch = mock_scratch };

enum { TINY_MODULES = 128 };

struct walk {
    const struct prog *p;
    bool *written;
    size_t at;
};

static void
use_view(void *ctx, const struct view *v, enum view_use use)
{
    const struct walk *w = ctx;

    if (w->p->buf[v->buf].zone != ZONE_ARENA)
        return;
    if (use != VIEW_WRITTEN && !CHECK(w->written[v->buf]))
        printf("  op %zu (%s) reads buffer %u\n", w->at,
               op_info(w->p->op[w->at].kind)->name, v->buf);
    w->written[v->buf] = true;
}

/* What no row of the table says an op has. */
static void
check_unused(const struct op *op)
{
    const struct op_info *info = op_info(op->kind);

    for (unsigned i = info->n_x; i < OP_MAX_X; i++)
        CHECK(op->x[i].buf == 0);
    for (unsigned i = info->n_y; i < OP_MAX_Y; i++)
        CHECK(op->y[i].buf == 0);
}

static void
check_order(const struct prog *p)
{
    struct walk w = { p, mem_array(p->n_bufs, sizeof(bool)), 0 };

    for (w.at = 0; w.at < p->n_ops; w.at++) {
        op_walk(&p->op[w.at], use_view, &w);
        check_unused(&p->op[w.at]);
    }
    free(w.written);
}

/* A LINEAR's parts side by side: weights in the base, adapters' h in one
 * buffer. */
static void
check_parts(const struct prog *p, const struct op *op)
{
    uint64_t h = 0;

    for (uint32_t i = 0; i < op->u.lin.n; i++) {
        const struct part *t = &op->u.lin.part[i];
        const struct tensor_buf *w = &p->buf[t->w.buf];

        if (i > 0 && w->zone == ZONE_BASE) {
            const struct tensor_buf *last = &p->buf[t[-1].w.buf];

            CHECK(w->at == size_round(last->at + last->bytes, 256));
        }
        if (t->rank > 0)
            CHECK(t->h.off == h && t->h.ld >= h + t->rank);
        h += t->rank;
    }
}

static void
check_places(const struct prog *p)
{
    for (size_t i = 0; i < p->n_ops; i++)
        if (p->op[i].kind == OP_LINEAR)
            check_parts(p, &p->op[i]);

    for (size_t i = 1; i < p->n_bufs; i++) {
        const struct tensor_buf *a = &p->buf[i];

        CHECK(a->zone != ZONE_ARENA || a->born >= 0);
        if (a->zone != ZONE_NONE)
            CHECK(a->at + a->bytes <= p->zone_bytes[a->zone]);
        for (size_t j = 1; j < i; j++) {
            const struct tensor_buf *b = &p->buf[j];

            if (a->zone != b->zone || a->born > b->dies || b->born > a->dies)
                continue;
            if (!CHECK(a->at + a->bytes <= b->at
                       || b->at + b->bytes <= a->at))
                printf("  buffers %zu and %zu\n", i, j);
        }
    }
}

/* The range of op i. */
static int
range_of(const struct prog *p, size_t i)
{
    int r = 0;

    while (p->range[r + 1] <= i)
        r++;
    return r;
}

/* What must not be touched until op `at`, or at all, is. */
struct meddler {
    const struct op *copy;
    size_t at;
    bool over; /* the copy is */
};

static void
meddle(void *ctx, const struct view *v, enum view_use use)
{
    const struct meddler *m = ctx;
    const struct op *c = m->copy;
    bool source = v->buf == c->x[0].buf, to = v->buf == c->y[0].buf;
    bool stash = c->kind == OP_STASH;

    if (!CHECK(!(m->over ? source && stash
                         : to || (source && use != VIEW_READ))))
        printf("  op %zu meddles with copy %u\n", m->at,
               c->u.aside.number);
}

/* Op i is a STASH or FETCH: one WAIT of its range ends it. Until then nobody
 * writes what is copied or touches the copy; later nobody uses what went. */
static void
check_copy(const struct prog *p, size_t i)
{
    struct meddler m = { &p->op[i], i + 1, false };
    size_t waits = 0;

    for (; m.at < p->n_ops; m.at++) {
        const struct op *op = &p->op[m.at];

        if (op->kind == OP_WAIT && range_of(p, m.at) == range_of(p, i)
            && op->u.aside.number == m.copy->u.aside.number) {
            CHECK(op->x[0].buf == m.copy->x[0].buf);
            CHECK(op->y[0].buf == m.copy->y[0].buf);
            m.over = true;
            waits++;
        } else {
            op_walk(op, meddle, &m);
        }
    }
    CHECK_EQ_U64(waits, 1);
}

static size_t
count_ops(const struct prog *p, int kind)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n_ops; i++)
        n += p->op[i].kind == kind;
    return n;
}

static void
check_copies(const struct prog *p)
{
    size_t n = count_ops(p, OP_STASH);

    CHECK_EQ_U64(count_ops(p, OP_FETCH), n);
    CHECK_EQ_U64(count_ops(p, OP_WAIT), 2 * n);
    for (size_t i = 0; i < p->n_ops; i++)
        if (p->op[i].kind == OP_STASH || p->op[i].kind == OP_FETCH)
            check_copy(p, i);
}

static struct prog_opts
some_opts(int mode, int method)
{
    struct prog_opts o = { .mode = (uint8_t)mode, .method = (uint8_t)method,
                           .batch = 2, .seq_len = 16, .head_chunk = 8,
                           .cache_len = 32, .rank = 4, .alpha = 8,
                           .clip = 1 };

    return o;
}

/* An adapter for every linear; with dora, for all but the second: those of a
 * LINEAR side by side are of both kinds then. */
static void
some_parts(struct lora_part *part, const struct model_desc *d, bool dora)
{
    size_t n = 0;

    CHECK(d->n_modules <= TINY_MODULES);
    for (size_t i = 0; i < d->n_modules; i++) {
        part[i] = (struct lora_part){ 0 };
        if (module_is_linear(d, &d->module[i]) && (n++ != 1 || !dora))
            part[i] = (struct lora_part){ 4, 2, dora };
    }
}

TEST(programs_are_sound)
{
    struct lora_part part[TINY_MODULES];

    for (size_t m = 0; m < N_TINY; m++) {
        struct tiny_model t;

        tiny_open(&t, tiny_configs[m]);
        for (int i = 0; i < 96; i++) {
            struct prog_opts o = some_opts(i % 3 == 2 ? PROG_DECODE : i % 3,
                                           i / 3 % 2 ? METHOD_FULL
                                                     : METHOD_LORA);
            struct prog p;
            struct err e;

            o.recompute = i / 6 % 2 ? RECOMPUTE_BLOCK - i / 12 % 2 : 0;
            o.offload = i / 12 % 2;
            o.lora = part;
            some_parts(part, &t.desc, i / 24 % 2);
            if (!CHECK(prog_build(&p, &t.desc, &o, &t.base,
                                  i < 48 ? &mock : &keeper, &e) == 0)) {
                printf("  %s\n", e.text);
                continue;
            }
            check_order(&p);
            check_places(&p);
            check_copies(&p);
            CHECK((count_ops(&p, OP_STASH) > 0)
                  == (o.offload && o.mode == PROG_TRAIN));
            prog_release(&p);
        }
        tiny_close(&t);
    }
}

TEST(recomputation_and_reuse_save_memory)
{
    struct prog_opts o = some_opts(PROG_TRAIN, METHOD_LORA);
    uint64_t bytes[4];
    struct tiny_model t;
    struct prog p;
    struct err e;

    tiny_open(&t, tiny_llama);
    for (int i = 0; i < 4; i++) {
        o.no_reuse = i == 0;
        o.recompute = (uint8_t)(i > 1 ? i - 1 : 0);
        CHECK(prog_build(&p, &t.desc, &o, &t.base, &mock, &e) == 0);
        bytes[i] = p.zone_bytes[ZONE_ARENA];
        prog_release(&p);
    }
    CHECK(bytes[1] < bytes[0]);
    CHECK(bytes[2] < bytes[1]);
    CHECK(bytes[3] < bytes[2]);
    tiny_close(&t);
}

static const char llama_of_layers[] =
    "{\"model_type\": \"llama\", \"vocab_size\": 61, \"hidden_size\": 128,"
    " \"intermediate_size\": 320, \"num_hidden_layers\": %d,"
    " \"num_attention_heads\": 4, \"num_key_value_heads\": 2}";

/* Bytes by which the arena (or HOST) of 12 layers is larger than that of
 * 8, for each of the four. */
static uint64_t
bytes_a_layer(const struct prog_opts *o, const struct backend *b,
              enum zone zone)
{
    uint64_t bytes[2];

    for (int i = 0; i < 2; i++) {
        struct tiny_model t;
        char config[400];
        struct prog p;
        struct err e;

        snprintf(config, sizeof(config), llama_of_layers, 8 + 4 * i);
        tiny_open(&t, config);
        CHECK(prog_build(&p, &t.desc, o, &t.base, b, &e) == 0);
        bytes[i] = p.zone_bytes[zone];
        prog_release(&p);
        tiny_close(&t);
    }
    return (bytes[1] - bytes[0]) / 4;
}

/* Floats of a row that a layer keeps: x, norm1, q|k|v, attention, x1, norm2,
 * gate|up, glu; and small ones: statistics of two norms and of attention's
 * heads, seven modules' products with A. */
TEST(what_is_offloaded_takes_the_arena_of_one_layer)
{
    struct prog_opts o = some_opts(PROG_TRAIN, METHOD_LORA);
    uint64_t row = 4 * 2 * 16, small = 2 * 2 + 4 + 7 * 4;
    uint64_t kept = 128 + 128 + 256 + 128 + 128 + 128 + 640 + 320;

    CHECK_EQ_U64(bytes_a_layer(&o, &mock, ZONE_ARENA), row * (kept + small));
    CHECK_EQ_U64(bytes_a_layer(&o, &mock, ZONE_HOST), 0);
    /* but for q|k|v, what comes of them and their products with A */
    o.recompute = RECOMPUTE_ATTENTION;
    CHECK_EQ_U64(bytes_a_layer(&o, &mock, ZONE_ARENA),
                 row * (kept - 256 - 128 + small - 4 - 3 * 4));
    o.recompute = RECOMPUTE_NONE;
    o.offload = OFFLOAD_ACTIVATIONS;
    CHECK_EQ_U64(bytes_a_layer(&o, &mock, ZONE_ARENA), row * small);
    CHECK_EQ_U64(bytes_a_layer(&o, &mock, ZONE_HOST), row * kept);
    o.recompute = RECOMPUTE_BLOCK;
    CHECK_EQ_U64(bytes_a_layer(&o, &mock, ZONE_HOST), row * 128);
    CHECK_EQ_U64(bytes_a_layer(&o, &mock, ZONE_ARENA), row * 4);
}

/* All of these, but for the small ones; and a layer that is made once more
 * keeps its input as it is. */
TEST(what_is_kept_in_bfloat16_takes_half)
{
    struct prog_opts o = some_opts(PROG_TRAIN, METHOD_LORA);
    uint64_t row = 2 * 16, small = 4 * (2 * 2 + 4 + 7 * 4);
    uint64_t kept = 2 * (128 + 128 + 256 + 128 + 128 + 128 + 640 + 320);

    CHECK_EQ_U64(bytes_a_layer(&o, &keeper, ZONE_ARENA),
                 row * (kept + small));
    o.recompute = RECOMPUTE_ATTENTION;
    CHECK_EQ_U64(bytes_a_layer(&o, &keeper, ZONE_ARENA),
                 row * (kept - 2 * (256 + 128) + small - 4 * (4 + 3 * 4)));
    o.recompute = RECOMPUTE_BLOCK;
    CHECK_EQ_U64(bytes_a_layer(&o, &keeper, ZONE_ARENA),
                 row * 4 * (128 + 4));
}

TEST(nothing_below_the_lowest_adapter_is_walked_back)
{
    struct lora_part parts[TINY_MODULES] = { { 0 } };
    struct prog_opts o = some_opts(PROG_TRAIN, METHOD_LORA);
    struct tiny_model t;
    struct prog p;
    struct err e;

    o.lora = parts;
    tiny_open(&t, tiny_llama);
    for (size_t i = 0; i < t.desc.n_modules; i++)
        if (strcmp(t.desc.module[i].name, "model.layers.2.mlp.down_proj") == 0)
            parts[i] = (struct lora_part){ 3, 0.5f };
    CHECK(prog_build(&p, &t.desc, &o, &t.base, &mock, &e) == 0);
    CHECK_EQ_U64(count_ops(&p, OP_LINEAR_BWD), 1);
    CHECK_EQ_U64(count_ops(&p, OP_ATTENTION_BWD), 0);
    CHECK_EQ_U64(count_ops(&p, OP_NORM_BWD), 1); /* the final norm's */
    CHECK_EQ_U64(p.n_params, 2);
    CHECK(p.param[0].rows == 3 && p.param[1].cols == 3);
    prog_release(&p);
    tiny_close(&t);
}

/* LoRA+: all of A, then all of B, and nothing of either left out. */
TEST(b_may_learn_at_a_rate_of_its_own)
{
    struct prog_opts o = some_opts(PROG_TRAIN, METHOD_LORA);
    struct tiny_model t;
    struct prog p;
    struct err e;

    o.lr_ratio = 16;
    tiny_open(&t, tiny_llama);
    CHECK(prog_build(&p, &t.desc, &o, &t.base, &mock, &e) == 0);
    if (CHECK_EQ_U64(p.n_ops - p.range[RANGE_UPDATE], 4)) {
        const struct op *a = &p.op[p.n_ops - 2], *b = &p.op[p.n_ops - 1];

        CHECK(a->u.opt.lr_ratio == 1 && b->u.opt.lr_ratio == 16);
        CHECK(a->y[0].off == 0 && b->y[0].off == a->y[0].cols
              && b->y[0].off + b->y[0].cols == p.n_flat);
        for (size_t i = 0; i < p.n_params; i++)
            CHECK((p.param[i].kind == PARAM_LORA_A)
                  == (p.param[i].off + p.param[i].n <= a->y[0].cols));
    }
    prog_release(&p);
    tiny_close(&t);
}

/* The first of layer l's ops from op i on; and how many follow one another. */
static const struct op *
layer_ops(const struct prog *p, size_t i, uint32_t l, size_t *n)
{
    const struct op *first;

    while (i < p->n_ops && p->op[i].layer != l)
        i++;
    first = &p->op[i];
    for (*n = 0; i < p->n_ops && p->op[i].layer == l; i++)
        ++*n;
    return first;
}

/* But for the LINEAR that makes the layer's output, into buffers of the same
 * sizes, and with nothing of the first pass but the layer's input. */
static void
check_again(const struct prog *p, uint32_t l)
{
    size_t n, m;
    const struct op *was = layer_ops(p, p->range[RANGE_FWD] + 1, l, &n);
    const struct op *now = layer_ops(p, p->range[RANGE_BWD] + 1, l, &m);

    CHECK(n > 5 && m > n);
    for (size_t i = 0; i + 1 < n; i++) {
        uint32_t x = was[i].x[0].buf, y = was[i].y[0].buf;

        CHECK_EQ_U64(now[i].kind, was[i].kind);
        CHECK(now[i].y[0].buf != y);
        CHECK_EQ_U64(p->buf[now[i].y[0].buf].bytes, p->buf[y].bytes);
        CHECK((now[i].x[0].buf == x) == (x == was[0].x[0].buf));
    }
    CHECK(now[n - 1].kind != OP_LINEAR);
}

TEST(a_recomputed_layer_is_its_first_pass)
{
    struct prog_opts o = some_opts(PROG_TRAIN, METHOD_LORA);

    o.recompute = RECOMPUTE_BLOCK;
    for (size_t m = 0; m < N_TINY; m++) {
        struct tiny_model t;
        struct prog p;
        struct err e;

        tiny_open(&t, tiny_configs[m]);
        CHECK(prog_build(&p, &t.desc, &o, &t.base, &mock, &e) == 0);
        for (uint32_t l = 1; l < t.desc.n_layers; l++)
            check_again(&p, l);
        prog_release(&p);
        tiny_close(&t);
    }
}

TEST(layers_may_be_of_different_kinds)
{
    const struct layer_desc gated = { .mixer = MIX_ATTENTION,
                                      .ffn = FF_GATED };
    const struct layer_desc plain = { .mixer = MIX_ATTENTION,
                                      .ffn = FF_MLP };
    struct prog_opts o = some_opts(PROG_TRAIN, METHOD_LORA);
    struct tiny_model t;
    struct prog p;
    struct err e;

    CHECK(layer_has_role(&gated, ROLE_GATE));
    CHECK(!layer_has_role(&plain, ROLE_GATE));
    tiny_open(&t, tiny_llama);
    t.desc.layer[1].ffn = FF_MLP;
    for (int i = 0; i < 2; i++) {
        o.recompute = i == 0 ? RECOMPUTE_NONE : RECOMPUTE_BLOCK;
        o.offload = OFFLOAD_ACTIVATIONS;
        CHECK(prog_build(&p, &t.desc, &o, &t.base, &mock, &e) == 0);
        CHECK_EQ_U64(count_ops(&p, OP_GLU_BWD), 2);
        CHECK_EQ_U64(count_ops(&p, OP_ACT_BWD), 1);
        CHECK_EQ_U64(count_ops(&p, OP_ACT), 1 + (size_t)i);
        check_order(&p);
        check_places(&p);
        check_copies(&p);
        prog_release(&p);
    }
    tiny_close(&t);
}

TEST(full_training_trains_every_parameter)
{
    struct prog_opts o = some_opts(PROG_TRAIN, METHOD_FULL);

    for (size_t m = 0; m < N_TINY; m++) {
        struct tiny_model t;
        struct prog p;
        struct err e;

        tiny_open(&t, tiny_configs[m]);
        CHECK(prog_build(&p, &t.desc, &o, &t.base, &mock, &e) == 0);
        CHECK_EQ_U64(p.n_trainable, desc_params(&t.desc));
        CHECK_EQ_U64(p.n_params, t.desc.n_tensors);
        prog_release(&p);
        tiny_close(&t);
    }
}

/* A copy of the base may have its matrices in another type: its views say so,
 * and where each element comes from. */
TEST(a_back_end_may_keep_matrices_in_a_type_of_its_own)
{
    struct prog_opts o = some_opts(PROG_TRAIN, METHOD_LORA);
    struct backend narrow = mock;

    narrow.operand = DTYPE_BF16;
    for (size_t m = 0; m < N_TINY; m++) {
        uint64_t stored = 0, kept = 0;
        struct tiny_model t;
        struct prog p;
        struct err e;

        tiny_open(&t, tiny_configs[m]);
        CHECK(prog_build(&p, &t.desc, &o, &t.base, &narrow, &e) == 0);
        for (size_t i = 0; i < t.desc.n_tensors; i++) {
            const struct model_tensor *d = &t.desc.tensor[i];
            uint64_t n = (uint64_t)d->rows * d->cols;

            stored += n * dtype_size(t.base.tensor[i].dtype);
            kept += n * (d->n_dims == 2 ? 2 : 4);
        }
        CHECK_EQ_U64(p.base_bytes, kept);
        CHECK(kept < stored);
        for (size_t i = 1; i < p.n_bufs; i++) {
            const struct tensor_buf *b = &p.buf[i];

            if (b->zone == ZONE_BASE)
                CHECK(b->source_dtype == DTYPE_F32
                      && (b->dtype == DTYPE_F32 || b->dtype == DTYPE_BF16));
        }
        prog_release(&p);
        tiny_close(&t);
    }
}

static int
build_error(const struct prog_opts *o, struct tiny_model *t, struct err *e)
{
    struct prog p;

    return prog_build(&p, &t->desc, o, &t->base, &mock, e);
}

TEST(what_does_not_fit_is_refused)
{
    struct prog_opts o = some_opts(PROG_TRAIN, METHOD_LORA);
    struct backend narrow;
    struct tiny_model t;
    struct prog p;
    struct err e;

    tiny_open(&t, tiny_gpt2);
    narrow = mock;
    narrow.head_dim = t.desc.layer[0].head_dim - 1;
    CHECK(prog_build(&p, &t.desc, &o, &t.base, &narrow, &e) == ERR_USAGE);
    CHECK(strstr(e.text, "that attention on mock takes") != NULL);
    narrow.head_dim++;
    if (CHECK(prog_build(&p, &t.desc, &o, &t.base, &narrow, &e) == 0))
        prog_release(&p);
    o.seq_len = 65; /* positions: 64 */
    CHECK(build_error(&o, &t, &e) == ERR_USAGE);
    o.seq_len = 16;
    o.method = METHOD_FULL;
    t.base.tensor[1].dtype = DTYPE_I8;
    CHECK(build_error(&o, &t, &e) == ERR_USAGE);
    CHECK_STR(e.text, "tiny: full training needs a floating-point base "
              "(transformer.wpe.weight is int8)");
    tiny_close(&t);
}

static const struct test tests[] = {
    RUN(programs_are_sound),
    RUN(recomputation_and_reuse_save_memory),
    RUN(what_is_kept_in_bfloat16_takes_half),
    RUN(what_is_offloaded_takes_the_arena_of_one_layer),
    RUN(nothing_below_the_lowest_adapter_is_walked_back),
    RUN(b_may_learn_at_a_rate_of_its_own),
    RUN(a_recomputed_layer_is_its_first_pass),
    RUN(layers_may_be_of_different_kinds),
    RUN(full_training_trains_every_parameter),
    RUN(a_back_end_may_keep_matrices_in_a_type_of_its_own),
    RUN(what_does_not_fit_is_refused),
};

TEST_MAIN("program", tests)
