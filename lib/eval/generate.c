/* generate.c - texts side by side through two programs that share their
 * caches: one for many tokens of each, one for a token of each. */
#include "eval/generate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "weights/lora.h"

struct prog_opts
generator_opts(const struct model_desc *d, uint32_t batch, uint32_t context)
{
    uint32_t most = d->max_pos < 4096 ? d->max_pos : 4096;

    return (struct prog_opts){ .mode = PROG_DECODE, .batch = batch,
                               .seq_len = batch > 1 ? GENERATE_BATCH_CHUNK
                                                    : GENERATE_CHUNK,
                               .head_chunk = batch,
                               .cache_len = context ? context : most };
}

static int
build_pair(struct generator *g, const struct model_desc *d,
           const struct frozen *base, const struct backend *b,
           const struct adapter *adapter, struct err *e)
{
    struct prog_opts o = generator_opts(d, g->batch, g->context);
    struct lora_part *parts = NULL;
    int rc = adapter ? lora_opts(&o, adapter, d, &parts, e) : 0;

    if (rc == 0)
        rc = prog_build(&g->prefill, d, &o, base, b, e);
    o.seq_len = 1;
    if (rc == 0)
        rc = prog_build(&g->single, d, &o, base, b, e);
    free(parts);
    return rc;
}

static void
take_memory(struct generator *g, uint32_t vocab)
{
    size_t rows = (size_t)g->batch * g->chunk;

    g->ids = mem_array(rows, sizeof(*g->ids));
    g->pos = mem_array(rows, sizeof(*g->pos));
    g->zero = mem_array(rows, sizeof(*g->zero));
    g->head_row = mem_array(rows, sizeof(*g->head_row));
    g->none = mem_array(rows, sizeof(*g->none));
    g->cache_at = mem_array(g->batch, sizeof(*g->cache_at));
    g->seq_n = mem_array(g->batch, sizeof(*g->seq_n));
    g->logits = mem_array((size_t)g->batch * vocab, sizeof(*g->logits));
    g->text = mem_array(g->batch, sizeof(*g->text));
    for (uint32_t i = 0; i < g->batch; i++)
        g->text[i].id = mem_array(g->context, sizeof(*g->text[i].id));
    sampler_init(&g->sampler, vocab);
}

int
generator_open(struct generator *g, const struct model_desc *d,
               const struct frozen *base, const struct backend *b,
               const struct adapter *adapter, uint32_t batch,
               uint32_t context, struct err *e)
{
    struct prog_opts o = generator_opts(d, batch, context);
    int rc;

    memset(g, 0, sizeof(*g));
    g->batch = batch;
    g->chunk = o.seq_len;
    g->context = o.cache_len;
    rc = build_pair(g, d, base, b, adapter, e);
    if (rc == 0)
        rc = exec_open(&g->prefill_exec, &g->prefill, b, NULL, e);
    if (rc == 0)
        rc = exec_open(&g->single_exec, &g->single, b, &g->prefill_exec, e);
    if (rc == 0 && adapter != NULL)
        rc = lora_load(&g->prefill_exec, adapter, e);
    if (rc < 0)
        generator_release(g);
    else
        take_memory(g, d->vocab);
    return rc;
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
    free(g->cache_at);
    free(g->seq_n);
    free(g->logits);
    for (uint32_t i = 0; g->text != NULL && i < g->batch; i++)
        free(g->text[i].id);
    free(g->text);
    sampler_release(&g->sampler);
    memset(g, 0, sizeof(*g));
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

int
generator_begin(struct generator *g, uint32_t i, const int32_t *prompt,
                size_t n, bool keep, struct err *e)
{
    struct generator_text *t = &g->text[i];
    uint32_t same = 0;
    int rc = check_prompt(g, prompt, n, e);

    if (rc < 0)
        return rc;
    while (keep && same < t->fed && same + 1 < n
           && t->id[same] == prompt[same])
        same++;
    if (same < t->fed && desc_recurs(g->prefill.desc))
        same = 0; /* its state knows no way back */
    memcpy(t->id, prompt, n * sizeof(*prompt));
    t->n = (uint32_t)n;
    t->fed = same;
    t->logits = NULL;
    return 0;
}

/* Puts up to most tokens of text i into the batch; how many. */
static uint32_t
lay(struct generator *g, uint32_t i, uint32_t most)
{
    struct generator_text *t = &g->text[i];
    uint32_t k = t->n - t->fed < most ? t->n - t->fed : most;
    size_t row = (size_t)i * most;

    memcpy(g->ids + row, t->id + t->fed, k * sizeof(*t->id));
    for (uint32_t r = 0; r < k; r++)
        g->pos[row + r] = (int32_t)(t->fed + r);
    g->cache_at[i] = (int32_t)t->fed;
    g->seq_n[i] = (int32_t)k;
    return k;
}

/* Runs what was laid; g->logits are n_head rows. */
static int
run(struct generator *g, struct exec *x, uint32_t n, uint32_t n_head,
    struct err *e)
{
    struct batch batch = { .ids = g->ids, .target = g->zero, .pos = g->pos,
                           .doc_first = g->zero, .head_row = g->head_row,
                           .weight = g->none, .n = n,
                           .cache_at = g->cache_at, .seq_n = g->seq_n };
    struct view last = x->prog->logits;
    int rc;

    last.rows = n_head;
    x->in = (struct inputs){ .n_head = n_head };
    rc = exec_batch(x, &batch, e);
    if (rc == 0)
        rc = exec_range(x, RANGE_FWD, e);
    if (rc == 0 && n_head > 0)
        rc = exec_range(x, RANGE_HEAD, e);
    if (rc == 0 && n_head > 0)
        rc = exec_get(x, &last, g->logits, e);
    return rc;
}

/* A model that isn't finite has no likeliest token. */
static int
check_logits(const struct generator *g, uint32_t n_head, struct err *e)
{
    uint32_t vocab = g->prefill.desc->vocab;

    for (size_t i = 0; i < (size_t)n_head * vocab; i++) {
        if (!isfinite(g->logits[i]))
            return err_set(e, ERR_DATA, "the model's output is not finite "
                           "(token %zu has %g)", i % vocab, g->logits[i]);
    }
    return 0;
}

int
generator_pass(struct generator *g, struct err *e)
{
    uint32_t most = 1, n = 0, n_head = 0, vocab = g->prefill.desc->vocab;
    int rc;

    for (uint32_t i = 0; i < g->batch; i++) {
        g->text[i].logits = NULL;
        if (g->text[i].n - g->text[i].fed > 1)
            most = g->chunk;
    }
    memset(g->ids, 0, (size_t)g->batch * most * sizeof(*g->ids));
    memset(g->pos, 0, (size_t)g->batch * most * sizeof(*g->pos));
    memset(g->head_row, 0, (size_t)g->batch * most * sizeof(*g->head_row));
    for (uint32_t i = 0; i < g->batch; i++) {
        struct generator_text *t = &g->text[i];
        uint32_t k = lay(g, i, most);

        if (k == 0)
            continue;
        n = i * most + k;
        t->fed += k;
        if (t->fed < t->n)
            continue;
        g->head_row[n_head] = (int32_t)n - 1;
        t->logits = g->logits + (size_t)n_head++ * vocab;
    }
    rc = run(g, most > 1 ? &g->prefill_exec : &g->single_exec, n, n_head, e);
    return rc < 0 ? rc : check_logits(g, n_head, e);
}

int32_t
generator_next(struct generator *g, uint32_t i, const struct sampling *s)
{
    const struct generator_text *t = &g->text[i];

    return sampler_next(&g->sampler, s, t->logits, t->id, t->n);
}

bool
generator_add(struct generator *g, uint32_t i, int32_t id)
{
    struct generator_text *t = &g->text[i];

    if (t->n == g->context)
        return false;
    t->id[t->n++] = id;
    return true;
}

void
generator_end(struct generator *g, uint32_t i)
{
    g->text[i].n = g->text[i].fed;
    g->text[i].logits = NULL;
}

int
generate(struct generator *g, const int32_t *prompt, size_t n,
         const struct sampling *s, generate_emit *emit, void *ctx,
         struct err *e)
{
    const struct generator_text *t = &g->text[0];
    int rc = generator_begin(g, 0, prompt, n, false, e);

    for (uint32_t i = 0; rc == 0 && i < s->max_tokens; i++) {
        int32_t id;

        do
            rc = generator_pass(g, e);
        while (rc == 0 && t->logits == NULL);
        if (rc < 0)
            break;
        id = generator_next(g, 0, s);
        if (!emit(ctx, id) || !generator_add(g, 0, id)
            || t->n == g->context)
            break;
    }
    return rc;
}
