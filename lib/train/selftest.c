/* selftest.c - tiny models with random weights, made in memory, trained by
 * two back ends on the same tokens. */
#include "train/selftest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/par.h"
#include "base/rng.h"
#include "tensor/stored.h"
#include "train/trainer.h"

/* AdamW divides by the root of v and this: where a gradient is next to none,
 * a smaller one would make rounding as large as any step. */
#define EPS 1e-3f

#define VOCAB 61
#define N_RECORDS 7
#define MOST_TOKENS 16
#define STEPS 2

static const struct {
    const char *name, *config;
} models[] = {
    { "llama",
      "{\"model_type\": \"llama\", \"vocab_size\": 61, \"hidden_size\": 24,"
      " \"intermediate_size\": 40, \"num_hidden_layers\": 2,"
      " \"num_attention_heads\": 4, \"num_key_value_heads\": 2,"
      " \"head_dim\": 8, \"max_position_embeddings\": 64}" },
    { "gpt2",
      "{\"model_type\": \"gpt2\", \"vocab_size\": 61, \"n_embd\": 24,"
      " \"n_layer\": 2, \"n_head\": 3, \"n_positions\": 64}" },
    { "gemma3_text",
      "{\"model_type\": \"gemma3_text\", \"vocab_size\": 61,"
      " \"hidden_size\": 24, \"intermediate_size\": 40,"
      " \"num_hidden_layers\": 2, \"num_attention_heads\": 4,"
      " \"num_key_value_heads\": 2, \"head_dim\": 8, \"sliding_window\": 5,"
      " \"sliding_window_pattern\": 2}" },
};

static const struct {
    const char *name;
    uint8_t method, optimizer, recompute;
    bool dora;
    float dropout;
} ways[] = {
    { .name = "lora", .method = METHOD_LORA, .optimizer = OPT_SGD },
    { .name = "lora, dropout, recomputation", .method = METHOD_LORA,
      .optimizer = OPT_ADAMW, .recompute = RECOMPUTE_BLOCK, .dropout = 0.25f },
    { .name = "dora", .method = METHOD_LORA, .optimizer = OPT_SGD,
      .dora = true },
    { .name = "full", .method = METHOD_FULL, .optimizer = OPT_SGD },
};

enum { N_MODELS = sizeof(models) / sizeof(models[0]),
       N_WAYS = sizeof(ways) / sizeof(ways[0]) };

/* A model with weights and tokens to train it on. */
struct small {
    struct model_desc desc;
    struct frozen base;
    struct lora_part *parts; /* by module */
    uint32_t len[N_RECORDS], ids[MOST_TOKENS];
    uint8_t learn[MOST_TOKENS];
};

/* What a run gave: [n] of each of two. */
struct outcome {
    double loss, *gradient, *parameters;
    size_t n;
};

/* data and, where there is one, side of t become x[rows][cols] in s. */
static void
store(struct frozen_tensor *t, const struct stored *s, const float *x,
      size_t rows, size_t cols)
{
    size_t row = (size_t)stored_row_bytes(s, cols), bad;
    size_t side_row = (size_t)stored_blocks(s, cols)
                      * dtype_size(s->side_dtype);
    char *data = mem_alloc(rows * row), *side = NULL;

    if (side_row > 0)
        side = mem_alloc(rows * side_row);
    for (size_t i = 0; i < rows; i++) /* finite: it can't be refused */
        s->encode(data + i * row, side ? side + i * side_row : NULL,
                  x + i * cols, cols, &bad);
    t->data = data;
    t->side = side;
    t->dtype = s->dtype;
}

/* Normal numbers of deviation 0.3, gains of norms about 1, from the name. */
static void
make_tensor(struct frozen_tensor *to, const struct model_tensor *t,
            const struct stored *s)
{
    size_t n = (size_t)t->rows * t->cols;
    float *x = mem_array(n, sizeof(*x));
    bool other = !dtype_is_float(s->dtype)
                 && (t->n_dims == 1
                     || (s->linears && !(t->flags & TENSOR_LINEAR)));
    struct rng r;

    rng_init(&r, 7, rng_site(t->name));
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(0.3 * rng_normal(&r))
               + (t->flags & TENSOR_NORM ? 1 : 0);
    to->name = t->name;
    store(to, other ? stored_of(DTYPE_F32) : s, x, t->rows, t->cols);
    free(x);
}

static int
small_open(struct small *m, const char *config, const struct stored *s,
           struct err *e)
{
    struct model_desc *d = &m->desc;
    int rc;

    memset(m, 0, sizeof(*m));
    rc = desc_read(d, config, strlen(config), "selftest", e);
    if (rc < 0)
        return rc;
    m->base = (struct frozen){
        .path = "selftest",
        .tensor = mem_array(d->n_tensors, sizeof(*m->base.tensor))
    };
    for (size_t i = 0; i < d->n_tensors; i++)
        make_tensor(&m->base.tensor[i], &d->tensor[i], s);
    m->parts = mem_array(d->n_modules, sizeof(*m->parts));
    for (size_t i = 0; i < d->n_modules; i++)
        if (module_is_linear(d, &d->module[i]))
            m->parts[i] = (struct lora_part){ .rank = 3, .scale = 2 };
    for (uint32_t i = 0; i < N_RECORDS; i++)
        m->len[i] = 2 + i * 2;
    return 0;
}

static void
small_close(struct small *m)
{
    for (size_t i = 0; i < m->desc.n_tensors; i++) {
        free((void *)m->base.tensor[i].data);
        free((void *)m->base.tensor[i].side);
    }
    free(m->base.tensor);
    free(m->parts);
    desc_release(&m->desc);
}

static int
get_record(void *ctx, uint64_t i, struct record_tokens *out, struct err *e)
{
    struct small *m = ctx;

    (void)e;
    for (uint32_t k = 0; k < m->len[i]; k++) {
        m->ids[k] = (uint32_t)((i * 17 + k * k * 5 + 3) % VOCAB);
        m->learn[k] = k % 4 != 3;
    }
    *out = (struct record_tokens){ m->ids, m->learn, m->len[i] };
    return 0;
}

/* Random values in every adapter: with B at 0, A has no gradient. */
static int
fill_adapters(struct trainer *t, struct err *e)
{
    struct rng r;
    int rc = 0;

    rng_init(&r, 11, 0);
    for (size_t i = 0; i < t->prog.n_params && rc == 0; i++) {
        const struct param *q = &t->prog.param[i];
        struct view v = prog_param(q, t->prog.params);
        float *x;

        if (q->kind != PARAM_LORA_A && q->kind != PARAM_LORA_B)
            continue;
        x = mem_array(q->n, sizeof(*x));
        for (uint64_t j = 0; j < q->n; j++)
            x[j] = (float)(0.2 * rng_normal(&r));
        rc = exec_put(&t->exec, &v, x, e);
        free(x);
    }
    return rc;
}

/* *to[n] = a flat vector. */
static int
take_flat(double **to, const struct trainer *t, const struct view *v,
          struct err *e)
{
    *to = mem_array((size_t)t->prog.n_flat, sizeof(**to));
    return exec_get(&t->exec, v, *to, e);
}

static int
take_end(struct outcome *out, struct trainer *t, struct err *e)
{
    struct mean_loss loss;
    int rc = take_flat(&out->parameters, t, &t->prog.params, e);

    out->n = (size_t)t->prog.n_flat;
    if (rc == 0)
        rc = trainer_evaluate(t, &loss, e);
    if (rc == 0)
        out->loss = loss.mean;
    return rc;
}

static int
train(struct outcome *out, struct trainer *t, struct err *e)
{
    struct step_report r;
    int rc = trainer_start(t, e);

    if (rc == 0)
        rc = fill_adapters(t, e);
    for (int i = 0; i < STEPS && rc == 0; i++) {
        rc = trainer_step(t, e);
        if (rc == 0)
            rc = trainer_report(t, &r, e);
        rc = rc > 0 ? 0 : rc;
        if (rc == 0 && i == 0)
            rc = take_flat(&out->gradient, t, &t->prog.grads, e);
    }
    return rc < 0 ? rc : take_end(out, t, e);
}

static void
note_kinds(uint64_t *kinds, const struct prog *p)
{
    for (size_t i = 0; i < p->n_ops; i++)
        *kinds |= UINT64_C(1) << p->op[i].kind;
}

/* *out is the caller's to release, also after a failure. */
static int
run_on(struct outcome *out, struct small *m, size_t way,
       const struct backend *b, uint64_t *kinds, struct err *e)
{
    struct model model = { .desc = m->desc, .backend = *b };
    struct token_source source = {
        .get = get_record, .ctx = m, .n_records = N_RECORDS, .len = m->len,
        .vocab = VOCAB
    };
    struct train_opts o = {
        .prog = { .method = ways[way].method, .batch = 2, .seq_len = 16,
                  .head_chunk = 8, .lora = m->parts,
                  .dropout = ways[way].dropout,
                  .recompute = ways[way].recompute,
                  .optimizer = ways[way].optimizer, .beta1 = 0.9f,
                  .beta2 = 0.999f, .adam_eps = EPS, .clip = 1 },
        .accum = 2, .steps = STEPS, .seed = 3,
        .course = { .kind = SCHEDULE_CONSTANT, .peak = 0.01 },
        .back_off = 1
    };
    struct trainer t;
    int rc;

    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < m->desc.n_modules; i++)
        m->parts[i].dora = ways[way].dora && m->parts[i].rank > 0;
    rc = trainer_plan(&t, &o, &model, &m->base, &source, &source, e);
    if (rc < 0)
        return rc;
    note_kinds(kinds, &t.prog);
    note_kinds(kinds, &t.eval_prog);
    rc = train(out, &t, e);
    trainer_release(&t);
    return rc;
}

static void
outcome_release(struct outcome *o)
{
    free(o->gradient);
    free(o->parameters);
}

/* |a - b| / |b|; infinite where a is not finite. */
static double
distance(const double *a, const double *b, size_t n)
{
    double diff = 0, norm = 0;

    for (size_t i = 0; i < n; i++) {
        diff += (a[i] - b[i]) * (a[i] - b[i]);
        norm += b[i] * b[i];
    }
    return isfinite(diff) ? sqrt(diff / norm) : INFINITY;
}

static bool
is_same(const struct outcome *a, const struct outcome *b)
{
    return memcmp(&a->loss, &b->loss, sizeof(a->loss)) == 0
           && memcmp(a->gradient, b->gradient, a->n * sizeof(double)) == 0
           && memcmp(a->parameters, b->parameters,
                     a->n * sizeof(double)) == 0;
}

/* The way on b, by all threads and by one, against the reference. */
static int
compare(struct selftest *out, struct small *m, size_t way,
        const struct backend *b, uint64_t *kinds, struct err *e)
{
    struct outcome want = { 0 }, got = { 0 }, one = { 0 };
    int threads = par_threads(), rc;
    struct backend ref;

    ref64_open(&ref);
    rc = run_on(&want, m, way, &ref, kinds, e);
    if (rc == 0)
        rc = run_on(&got, m, way, b, kinds, e);
    if (rc == 0 && !b->apart) {
        par_set_threads(threads > 1 ? 1 : 2);
        rc = run_on(&one, m, way, b, kinds, e);
        par_set_threads(threads);
    }
    if (rc == 0) {
        out->loss = distance(&got.loss, &want.loss, 1);
        out->gradient = distance(got.gradient, want.gradient, want.n);
        out->parameters = distance(got.parameters, want.parameters, want.n);
        out->threads = b->apart || is_same(&got, &one);
    }
    outcome_release(&want);
    outcome_release(&got);
    outcome_release(&one);
    return rc;
}

/* Format i of those that bases are made in; NULL past the last. */
static const struct stored *
format_at(size_t i)
{
    const struct stored *s;

    for (size_t k = 0; (s = stored_at(k)) != NULL; k++)
        if (s->encode != NULL && i-- == 0)
            return s;
    return NULL;
}

/* Run i: each model in each format in the first way, then in f32 in the
 * others. */
static bool
choose(size_t i, size_t *model, const struct stored **s, size_t *way)
{
    size_t n = 0;

    *model = i % N_MODELS;
    i /= N_MODELS;
    while (format_at(n) != NULL)
        n++;
    *s = i < n ? format_at(i) : stored_of(DTYPE_F32);
    *way = i < n ? 0 : i - n + 1;
    return *way < N_WAYS;
}

int
selftest_do(struct selftest *out, size_t i, const struct backend *b,
            double bound, uint64_t *kinds, struct err *e)
{
    const struct stored *s;
    size_t model, way;
    struct small m;
    int rc;

    if (!choose(i, &model, &s, &way))
        return 0;
    *out = (struct selftest){ .model = models[model].name, .stored = s->name,
                              .what = ways[way].name };
    rc = small_open(&m, models[model].config, s, e);
    if (rc < 0)
        return rc;
    rc = compare(out, &m, way, b, kinds, e);
    small_close(&m);
    out->good = out->loss <= bound && out->gradient <= bound
                && out->parameters <= bound && out->threads;
    return rc < 0 ? rc : 1;
}
