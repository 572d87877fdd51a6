/* generate.c - a prompt in chunks, then token by token, through two programs
 * that share their caches; and the draw of the next token. */
#include "eval/generate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "weights/lora.h"

struct prog_opts
generator_opts(const struct model_desc *d, uint32_t context)
{
    uint32_t most = d->max_pos < 4096 ? d->max_pos : 4096;

    return (struct prog_opts){ .mode = PROG_DECODE, .batch = 1,
                               .seq_len = GENERATE_CHUNK,
                               .cache_len = context ? context : most };
}

static int
build_pair(struct generator *g, const struct model_desc *d,
           const struct frozen *base, const struct backend *b,
           const struct adapter *adapter, struct err *e)
{
    struct prog_opts o = generator_opts(d, g->context);
    const char **targets = NULL;
    int rc;

    if (adapter != NULL)
        lora_opts(&o, adapter, &targets);
    rc = prog_build(&g->prefill, d, &o, base, b, e);
    o.seq_len = 1;
    if (rc == 0)
        rc = prog_build(&g->single, d, &o, base, b, e);
    free(targets);
    return rc;
}

int
generator_open(struct generator *g, const struct model_desc *d,
               const struct frozen *base, const struct backend *b,
               const struct adapter *adapter, uint32_t context,
               struct err *e)
{
    int rc;

    memset(g, 0, sizeof(*g));
    g->context = generator_opts(d, context).cache_len;
    rc = build_pair(g, d, base, b, adapter, e);
    if (rc == 0)
        rc = exec_open(&g->prefill_exec, &g->prefill, b, NULL, e);
    if (rc == 0)
        rc = exec_open(&g->single_exec, &g->single, b, &g->prefill_exec, e);
    if (rc == 0 && adapter != NULL)
        rc = lora_load(&g->prefill_exec, adapter, e);
    if (rc < 0) {
        generator_release(g);
        return rc;
    }
    g->ids = mem_array(GENERATE_CHUNK, sizeof(*g->ids));
    g->pos = mem_array(GENERATE_CHUNK, sizeof(*g->pos));
    g->zero = mem_array(GENERATE_CHUNK, sizeof(*g->zero));
    g->head_row = mem_array(GENERATE_CHUNK, sizeof(*g->head_row));
    g->none = mem_array(GENERATE_CHUNK, sizeof(*g->none));
    g->logits = mem_array(d->vocab, sizeof(*g->logits));
    g->weight = mem_array(d->vocab, sizeof(*g->weight));
    g->order = mem_array(d->vocab, sizeof(*g->order));
    return 0;
}

void
generator_release(struct generator *g)
{
    exec_release(&g->single_exec);
    exec_release(&g->prefill_exec);
    prog_release(&g->single);
    prog_release(&g->prefill);
    free(g->ids);
    free(g->pos);
    free(g->zero);
    free(g->head_row);
    free(g->none);
    free(g->logits);
    free(g->weight);
    free(g->order);
    memset(g, 0, sizeof(*g));
}

/* Runs n tokens that stand at cache position at; g->logits is the last
 * one's row. */
static int
feed(struct generator *g, const int32_t *ids, uint32_t n, uint32_t at,
     struct err *e)
{
    struct exec *x = n == 1 ? &g->single_exec : &g->prefill_exec;
    const int32_t before = (int32_t)at, rows = (int32_t)n;
    struct batch batch = { .ids = g->ids, .target = g->zero, .pos = g->pos,
                           .doc_first = g->zero, .head_row = g->head_row,
                           .weight = g->none, .n = n, .cache_at = &before,
                           .seq_n = &rows };
    struct view last = x->prog->logits;
    int rc;

    memset(g->ids, 0, GENERATE_CHUNK * sizeof(*g->ids));
    memcpy(g->ids, ids, n * sizeof(*ids));
    for (uint32_t i = 0; i < GENERATE_CHUNK; i++)
        g->pos[i] = (int32_t)(i < n ? at + i : 0);
    g->head_row[0] = (int32_t)n - 1;
    x->in = (struct inputs){ .n_head = 1 };
    last.rows = 1;
    rc = exec_batch(x, &batch, e);
    if (rc == 0)
        rc = exec_forward(x, e);
    return rc < 0 ? rc : exec_get(x, &last, g->logits, e);
}

static int32_t
most_likely(const double *logits, uint32_t n)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < n; i++) {
        if (logits[i] > logits[best])
            best = i;
    }
    return (int32_t)best;
}

/* Moves the heaviest of order[n] down a heap from i. */
static void
sift(uint32_t *order, const double *weight, size_t i, size_t n)
{
    for (;;) {
        size_t c = 2 * i + 1;
        uint32_t t;

        if (c >= n)
            return;
        if (c + 1 < n && weight[order[c + 1]] > weight[order[c]])
            c++;
        if (weight[order[i]] >= weight[order[c]])
            return;
        t = order[i];
        order[i] = order[c];
        order[c] = t;
        i = c;
    }
}

/* Sampling from the likeliest tokens whose probabilities sum to top_p: a
 * heap gives them in order, so a flat tail is never sorted. */
static int32_t
draw(struct generator *g, const struct sampling *s, uint32_t at)
{
    const double *logits = g->logits;
    uint32_t n = g->prefill.desc->vocab, left = n;
    double top = logits[most_likely(logits, n)], sum = 0, kept = 0, u;
    struct rng r;

    for (uint32_t i = 0; i < n; i++) {
        g->weight[i] = exp((logits[i] - top) / s->temperature);
        g->order[i] = i;
        sum += g->weight[i];
    }
    for (size_t i = n / 2; i-- > 0;)
        sift(g->order, g->weight, i, n);
    while (left > 0 && kept < s->top_p * sum) {
        uint32_t best = g->order[0];

        kept += g->weight[best];
        g->order[0] = g->order[--left];
        g->order[left] = best;
        sift(g->order, g->weight, 0, left);
    }
    rng_init(&r, s->seed, s->site + at);
    u = rng_double(&r) * kept;
    for (uint32_t i = n; i-- > left;) {
        u -= g->weight[g->order[i]];
        if (u < 0)
            return (int32_t)g->order[i];
    }
    return (int32_t)g->order[n - 1];
}

static int
check_prompt(const struct generator *g, const int32_t *prompt, size_t n,
             struct err *e)
{
    uint32_t vocab = g->prefill.desc->vocab;

    if (n == 0)
        return err_set(e, ERR_DATA, "an empty prompt");
    if (n >= g->context)
        return err_set(e, ERR_LIMIT, "a prompt of %zu tokens fills the "
                       "context of %u", n, g->context);
    for (size_t i = 0; i < n; i++) {
        if (prompt[i] < 0 || (uint32_t)prompt[i] >= vocab)
            return err_set(e, ERR_DATA, "token %d is outside the model's "
                           "vocabulary of %u", prompt[i], vocab);
    }
    return 0;
}

/* A model that isn't finite has no likeliest token. */
static int
check_logits(const struct generator *g, struct err *e)
{
    for (uint32_t i = 0; i < g->prefill.desc->vocab; i++) {
        if (!isfinite(g->logits[i]))
            return err_set(e, ERR_DATA, "the model's output is not finite "
                           "(token %u has %g)", i, g->logits[i]);
    }
    return 0;
}

int
generate(struct generator *g, const int32_t *prompt, size_t n,
         const struct sampling *s, generate_emit *emit, void *ctx,
         struct err *e)
{
    uint32_t at = 0;
    int rc = check_prompt(g, prompt, n, e);

    while (rc == 0 && at < n) {
        uint32_t k = n - at < GENERATE_CHUNK ? (uint32_t)(n - at)
                                             : GENERATE_CHUNK;

        rc = feed(g, prompt + at, k, at, e);
        at += k;
    }
    for (uint32_t i = 0; rc == 0 && i < s->max_tokens; i++) {
        int32_t id;

        rc = check_logits(g, e);
        if (rc < 0)
            break;
        id = s->temperature > 0
             ? draw(g, s, at)
             : most_likely(g->logits, g->prefill.desc->vocab);
        if (!emit(ctx, id) || at + 1 >= g->context
            || i + 1 == s->max_tokens)
            break;
        rc = feed(g, &id, 1, at++, e);
    }
    return rc;
}
