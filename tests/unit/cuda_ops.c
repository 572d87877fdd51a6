/* cuda_ops.c - every op of the CUDA back end against the reference in double,
 * in float and in bf16, through the contract of kernels/ops.h alone. The
 * plugin is that of GRAFT_CUDA, or the one built over the stand-in. */
#include "cuda_device.h"
#define FEW_STEP 5
#include "op_cases.h"

/* A program of one op, or of those that lead to it, over a world's buffers. */
struct program {
    struct op_list list;
    struct op op[4];
    struct part part[WORLD_PARTS];
    struct tensor_buf buf[WORLD_BUFS + 2];
    struct view whole[WORLD_BUFS + 2]; /* of a buffer, padding included */
};

static bool
is_activation(const struct world *w, uint32_t buf)
{
    return w->act[buf];
}

/* Of a moment in 8 bits. */
static bool
is_codes(const struct world *w, uint32_t buf)
{
    return w->op.kind == OP_ADAMW8
           && (buf == w->op.y[1].buf || buf == w->op.y[2].buf);
}

static struct view
for_device(const struct world *w, struct view v, bool bf16)
{
    if (bf16 && v.dtype == DTYPE_REAL && is_activation(w, v.buf))
        v.dtype = DTYPE_BF16;
    return v;
}

static void
lay_buffers(struct program *p, const struct world *w, bool bf16)
{
    uint64_t at[ZONE_COUNT] = { 0 };

    for (uint32_t i = 1; i < w->n_bufs; i++) {
        struct tensor_buf *b = &p->buf[i];

        *b = w->buf[i];
        p->whole[i] = (struct view){ i, 1, (uint32_t)w->len[i],
                                     (uint32_t)w->len[i], 0, DTYPE_REAL, 0 };
        p->whole[i] = for_device(w, p->whole[i], bf16);
        if (is_codes(w, i)) {
            p->whole[i].dtype = DTYPE_U8;
            b->zone = ZONE_ARENA;
        }
        if (b->zone != ZONE_BASE)
            b->bytes = w->len[i] * element_size(p->whole[i].dtype, 4);
        b->at = at[b->zone];
        at[b->zone] += size_round(b->bytes, 256);
    }
    memcpy(p->list.zone_bytes, at, sizeof(at));
    p->list.n_bufs = w->n_bufs;
    p->list.buf = p->buf;
}

/* A buffer of scratch or of the prologue's. */
static struct view
add_buffer(struct program *p, uint64_t bytes, uint8_t dtype)
{
    uint32_t i = (uint32_t)p->list.n_bufs++;
    uint64_t *end = &p->list.zone_bytes[ZONE_ARENA];
    uint32_t n = (uint32_t)(dtype == DTYPE_REAL ? bytes / 4 : bytes);

    p->buf[i] = (struct tensor_buf){ .bytes = bytes, .at = *end,
                                     .zone = ZONE_ARENA };
    *end += size_round(bytes, 256);
    return (struct view){ i, 1, n, n, 0, dtype, 0 };
}

static void
patch_parts(struct program *p, const struct world *w, bool bf16)
{
    memcpy(p->part, w->part, sizeof(p->part));
    for (int i = 0; i < WORLD_PARTS; i++) {
        struct part *q = &p->part[i];
        struct view *v[] = { &q->w, &q->bias, &q->a, &q->b, &q->h,
                             &q->grad_w, &q->grad_bias, &q->grad_a,
                             &q->grad_b };

        for (size_t k = 0; k < sizeof(v) / sizeof(v[0]); k++)
            *v[k] = for_device(w, *v[k], bf16);
    }
}

static struct op *
add_op(struct program *p, const struct world *w, const struct op *from,
       bool bf16)
{
    struct op *op = &p->op[p->list.n++];

    *op = *from;
    for (int i = 0; i < OP_MAX_X; i++)
        op->x[i] = for_device(w, op->x[i], bf16);
    for (int i = 0; i < OP_MAX_Y; i++)
        op->y[i] = for_device(w, op->y[i], bf16);
    return op;
}

/* The world's ops, the first with a buffer of scratch. */
static void
add_ops(struct program *p, const struct world *w, const struct backend *b,
        bool bf16)
{
    struct op *op = add_op(p, w, &w->op, bf16);
    uint64_t scratch;

    for (size_t i = 0; i < w->n_more; i++)
        add_op(p, w, &w->more[i], bf16);
    if (op->kind == OP_LINEAR || op->kind == OP_LINEAR_BWD
        || op->kind == OP_DORA_NORM || op->kind == OP_GROUPED
        || op->kind == OP_GROUPED_BWD)
        op->u.lin.part = p->part;
    if (op->kind == OP_HEAD_CE || op->kind == OP_LOGITS)
        op->u.head.part = p->part;
    scratch = b->scratch(b, op);
    if (scratch > 0)
        op->scratch = add_buffer(p, scratch, DTYPE_U8);
}

/* What leads to the results that a world begins with: a norm, and for an
 * optimiser a scale made of it. */
static void
add_prologue(struct program *p, const struct world *w,
             const struct backend *b, struct view *seed)
{
    bool optimiser = w->op.kind == OP_ADAMW || w->op.kind == OP_ADAMW8
                     || w->op.kind == OP_MUON || w->op.kind == OP_SGD;
    struct op *op = &p->op[0];

    if (!optimiser && w->op.kind != OP_CLIP)
        return;
    *seed = add_buffer(p, 4, DTYPE_REAL);
    op->kind = OP_SQNORM;
    op->x[0] = *seed;
    op->scratch = add_buffer(p, b->scratch(b, op), DTYPE_U8);
    p->list.n = 1;
    if (optimiser) {
        p->op[1].kind = OP_CLIP;
        p->op[1].u.clip.max_norm = (float)w->out.scale;
        p->list.n = 2;
    }
}

static void
put_buffers(struct program *p, struct memory *m, struct backend *b,
            const struct world *w, struct view seed)
{
    float first = (float)sqrt(w->out.gnorm2);
    struct err e;

    if (w->op.kind != OP_CLIP)
        first = w->out.skipped ? NAN : 1;
    if (seed.buf != 0)
        CHECK(b->put(m, &seed, &first, &e) == 0);
    for (uint32_t i = 1; i < w->n_bufs; i++) {
        uint16_t *half = mem_array(w->len[i] + 1, sizeof(*half));
        bool is_half = p->whole[i].dtype == DTYPE_BF16;

        for (size_t k = 0; w->value[i] && k < w->len[i]; k++)
            half[k] = f32_to_bf16(w->value[i][k]);
        if (w->value[i])
            CHECK(b->put(m, &p->whole[i], is_half ? (void *)half
                                                  : (void *)w->value[i],
                         &e) == 0);
        if (is_codes(w, i)) { /* as the reference's memory begins */
            memset(half, 0xff, w->len[i]);
            CHECK(b->put(m, &p->whole[i], half, &e) == 0);
        }
        free(half);
    }
}

static struct outcome
get_buffers(struct program *p, struct memory *m, struct backend *b,
            const struct world *w)
{
    struct outcome out = { .out = w->out };
    struct err e;

    CHECK(b->results(m, &out.out, &e) == 0);
    for (uint32_t i = 1; i < w->n_bufs; i++) {
        float *x = mem_array(w->len[i] + 1, sizeof(*x));

        out.value[i] = mem_array(w->len[i], sizeof(double));
        if (w->value[i])
            CHECK(b->get(m, &p->whole[i], x, &e) == 0);
        for (size_t k = 0; w->value[i] && k < w->len[i]; k++)
            out.value[i][k] = p->whole[i].dtype == DTYPE_BF16
                ? (double)bf16_to_f32(((uint16_t *)(void *)x)[k])
                : (double)x[k];
        free(x);
    }
    return out;
}

/* Runs the world's ops on b. */
static struct outcome
device_run(struct world *w, struct backend *b, bool bf16)
{
    struct program p = { 0 };
    struct outcome out = { .out = w->out };
    enum range r = w->op.kind == OP_HEAD_CE ? RANGE_HEAD : RANGE_FWD;
    struct view seed = { 0 };
    struct memory *m = NULL;
    struct err e = { 0 };

    lay_buffers(&p, w, bf16);
    patch_parts(&p, w, bf16);
    add_prologue(&p, w, b, &seed);
    add_ops(&p, w, b, bf16);
    p.list.op = p.op;
    for (int k = r + 1; k <= RANGE_COUNT; k++)
        p.list.range[k] = p.list.n;
    p.list.rows = w->batch.n;
    p.list.seqs = 3; /* entries that every case of decoding has */
    p.list.head_chunk = w->op.kind == OP_HEAD_CE ? w->op.u.head.chunk : 1;
    if (!CHECK(b->prepare(b, &m, &p.list, NULL, &e) == 0)) {
        printf("    %s\n", e.text);
        return out;
    }
    put_buffers(&p, m, b, w, seed);
    if (!CHECK(b->run(m, RANGE_START, &e) == 0
               && b->batch(m, &w->batch, &w->in, &e) == 0
               && b->run(m, r, &e) == 0
               && b->run(m, RANGE_UPDATE, &e) == 0))
        printf("    %s\n", e.text);
    out = get_buffers(&p, m, b, w);
    b->release(m);
    return out;
}

static struct outcome
reference(struct world *w)
{
    struct backend ref;

    ref64_open(&ref);
    if (w->op.kind == OP_HEAD_CE) /* all of it, where a card takes chunks */
        w->op.u.head.chunk = w->in.n_head + 1;
    return world_run(w, &ref, 1);
}

/* Takes from want the rows of y without a token: a card does them, too. */
static void
keep_tokens(const struct world *w, const struct view *y, struct outcome *got,
            const struct outcome *want)
{
    for (uint32_t i = w->batch.n; y->buf != 0 && i < y->rows; i++)
        memcpy(got->value[y->buf] + y->off + i * (size_t)y->ld,
               want->value[y->buf] + y->off + i * (size_t)y->ld,
               y->cols * sizeof(double));
}

/* Takes from want what the op does not say: results of other ops, rows of
 * gates without a token, and rows of logits that nobody asked for. */
static void
keep_defined(const struct world *w, struct outcome *got,
             const struct outcome *want)
{
    const struct view *y = &w->op.y[0];
    struct results r = want->out;

    if (w->op.kind == OP_HEAD_CE)
        r.loss_sum = got->out.loss_sum;
    if (w->op.kind == OP_BALANCE)
        r.balance_sum = got->out.balance_sum;
    if (w->op.kind == OP_HEAD_CE && w->op.u.head.z > 0)
        r.z_sum = got->out.z_sum;
    if (w->op.kind == OP_SQNORM || w->op.kind == OP_CLIP)
        r.gnorm2 = got->out.gnorm2;
    if (w->op.kind == OP_CLIP) {
        r.scale = got->out.scale;
        r.skipped = got->out.skipped;
    }
    got->out = r;
    if (w->op.kind == OP_GATE || w->op.kind == OP_GATE_BWD) {
        keep_tokens(w, &w->op.y[0], got, want);
        keep_tokens(w, &w->op.y[1], got, want);
    }
    if (w->op.kind != OP_LOGITS)
        return;
    for (size_t k = w->in.n_head * (size_t)y->ld + y->off;
         k < w->len[y->buf]; k++)
        got->value[y->buf][k] = want->value[y->buf][k];
}

/* Whether every case is run once more, for the same bits: with sanitizers it
 * takes too long. */
#if defined(__SANITIZE_ADDRESS__)
enum { TWICE = false };
#else
enum { TWICE = true };
#endif

static void
try_compute(struct world *w, const char *compute, const char *name)
{
    struct op op = w->op;
    struct outcome want, got;
    struct backend b;

    if (!device_here(&b, compute))
        return;
    if (!(b.kinds >> w->op.kind & 1)) { /* prog_build refuses it there */
        device_done(&b);
        return;
    }
    w->head_at = 0;
    want = reference(w);
    w->op = op;
    got = device_run(w, &b, strcmp(compute, "bf16") == 0);
    keep_defined(w, &got, &want);
    world_compare(w, &got, &want, name);
    if (TWICE) {
        struct outcome again = device_run(w, &b, strcmp(compute, "bf16") == 0);

        keep_defined(w, &again, &want);
        world_same(w, &got, &again, name);
        outcome_release(w, &again);
    }
    outcome_release(w, &want);
    outcome_release(w, &got);
    device_done(&b);
}

/* Else all that an op has are floats, in bf16, too. */
static bool
has_activations(const struct world *w)
{
    bool any = false;

    for (uint32_t i = 1; i < w->n_bufs; i++)
        any |= is_activation(w, i);
    return any;
}

void
try_op(struct world *w, const char *name)
{
    double extra = w->extra, magnitude = w->magnitude;

    note_case(&w->op);
    try_compute(w, "f32", name);
    world_round(w);
    if (has_activations(w))
        w->extra += w->rounding > 0 ? w->rounding : 8 * 0x1p-8;
    if (w->rounding > 0)
        w->magnitude = 0;
    try_compute(w, "bf16", name);
    w->extra = extra;
    w->magnitude = magnitude;
}

/* try_op has done it. */
void
try_bf16(struct world *w, bool exact, const char *name)
{
    (void)w;
    (void)exact;
    (void)name;
}

/* What parts have in common is one product, where it can be. */
TEST(parts_are_one_product)
{
    uint64_t (*products)(void) = NULL;
    void *f = device_function("standin_products");

    memcpy(&products, &f, sizeof(f));
    if (products == NULL)
        SKIP("a card does not count its products");
    for (uint32_t i = 0; i < 2 * N_JOINED; i++) {
        const struct joined_case *c = &joined[i / 2];
        bool bf16 = c->dtype == DTYPE_BF16;
        struct world w;
        struct outcome out;
        struct backend b;
        uint64_t n;

        if (!device_here(&b, bf16 ? "bf16" : "f32"))
            return;
        joined_world(&w, c, i & 1);
        n = products();
        out = device_run(&w, &b, bf16);
        n = products() - n;
        if (!CHECK(n == c->products[i & 1]))
            printf("    case %u%s: %u products, not %u\n", i / 2,
                   i & 1 ? " backward" : "", (unsigned)n, c->products[i & 1]);
        outcome_release(&w, &out);
        world_release(&w);
        device_done(&b);
    }
}

static const struct test tests[] = {
    RUN_OP_CASES,
    RUN(parts_are_one_product),
    RUN(every_kind_was_compared),
};

TEST_MAIN("cuda_ops", tests)
