/* prompt_score.c - every prompt under the base, then under the adapter, and the
 * counts of both; text becomes tokens by the base's tokenizer or by one that
 * is named. */
#include "eval/prompt_score.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "eval/context_prompt.h"
#include "eval/junit.h"
#include "eval/prompts.h"
#include "eval/run_check.h"
#include "eval/tally.h"
#include "eval/text_codec.h"

#define MAX_TOKENS 64

/* A codec's, and what prompts are with their context: all of them, or none. */
struct encoding {
    struct text_codec c;
    const struct prompts *p;
    struct ids *ids; /* of each prompt; NULL: they have no context */
};

static int
encode(void *ctx, const struct prompt *p, struct ids *ids, struct err *e)
{
    struct encoding *x = ctx;
    const struct ids *known = x->ids ? &x->ids[p - x->p->item] : NULL;

    for (size_t i = 0; known != NULL && i < known->n; i++)
        ids_add(ids, known->id[i]);
    if (known != NULL)
        return 0;
    if (p->chat != NULL)
        return text_codec_chat(&x->c, p->chat, strlen(p->chat), "messages",
                               ids, e);
    return text_codec_text(&x->c, p->text, p->len, ids, e);
}

static void
decode(void *ctx, int32_t id, struct buf *out)
{
    const struct encoding *x = ctx;

    text_codec_decode(&x->c, (uint32_t)id, out);
}

static bool
ends(void *ctx, int32_t id)
{
    const struct encoding *x = ctx;

    return text_codec_ends(&x->c, (uint32_t)id);
}

/* Encodes all prompts, each behind its context; *counts gets the sums. */
static int
encode_all(struct encoding *x, const struct model *m,
           const struct prompt_opts *o, struct context_counts *counts,
           struct err *e)
{
    uint32_t context = generator_opts(&m->desc, 1, o->context).cache_len;
    const struct prompts *p = x->p;
    struct context_prompt *at = mem_array(p->n, sizeof(*at));
    struct ids *ids = mem_array(p->n, sizeof(*ids));
    int rc = 0;

    for (size_t i = 0; i < p->n && rc == 0; i++) {
        const struct prompt *q = &p->item[i];

        ids_init(&ids[i]);
        rc = q->chat != NULL ? context_no_chat(e)
                             : encode(x, q, &ids[i], e);
        at[i].ids = &ids[i];
        at[i].room = context_room(context, ids[i].n, q->max_tokens);
        if (rc < 0)
            err_prefix(e, "prompt %s", q->id);
    }
    if (rc == 0)
        rc = context_prompts(o->context_set, at, p->n, &x->c.tokenizer,
                             counts, e);
    x->ids = ids;
    free(at);
    return rc;
}

static void
release_all(struct encoding *x)
{
    for (size_t i = 0; x->ids != NULL && i < x->p->n; i++)
        ids_release(&x->ids[i]);
    free(x->ids);
    text_codec_release(&x->c);
}

/* What all completions under one model have. */
struct scoring {
    const struct prompt_opts *o;
    const struct prompts *p;
    const struct codec *codec;
    const char *model;
    struct generator g;
    struct tally *tally;
    struct out *out;
    struct buf line;
    struct junit junit;
};

/* Sample j of prompt i. */
static int
complete_one(struct scoring *s, size_t i, uint32_t j, struct err *e)
{
    const struct prompt *p = &s->p->item[i];
    struct sampling sampling = { .temperature = s->o->temperature,
                                 .top_p = s->o->top_p,
                                 .seed = s->o->seed + j };
    struct completion c;
    int rc = prompt_complete(&c, p, &s->g, s->codec, &sampling, e);

    if (rc < 0)
        return rc;
    rc = run_checks(p, &c, &s->o->limits, e);
    if (rc == 0) {
        tally_add(s->tally, s->p, i, &c.result);
        buf_reset(&s->line);
        completion_json(&c, p, s->model, j, s->o->samples, &s->line);
        buf_addc(&s->line, '\n');
        if (s->o->junit != NULL)
            junit_add(&s->junit, p, &c, j, s->o->samples);
        rc = out_write(s->out, s->line.data, s->line.len, e);
    }
    completion_release(&c);
    return rc;
}

static int
complete_all(struct scoring *s, const struct model *m,
             const struct adapter *a, struct tally *t, struct err *e)
{
    int rc = generator_open(&s->g, &m->desc, &m->base, &m->backend, a, 1,
                            s->o->context, e);

    if (rc < 0)
        return rc;
    s->model = a != NULL ? "adapter" : "base";
    s->tally = t;
    buf_init(&s->line);
    for (size_t i = 0; i < s->p->n && rc == 0; i++) {
        for (uint32_t j = 0; j < s->o->samples && rc == 0; j++)
            rc = complete_one(s, i, j, e);
        progress_add(rc == 0);
    }
    junit_end(&s->junit, s->model);
    buf_release(&s->line);
    generator_release(&s->g);
    return rc;
}

int
prompts_fit(const struct model *m, const struct prompt_opts *o,
            struct err *e)
{
    struct prog_opts p = generator_opts(&m->desc, 1, o->context);

    if (!desc_reaches(&m->desc, p.cache_len))
        return 0; /* there is no such program: generator_open says why */
    return model_fit(m, &p, "generation", o->force, e);
}

static int
read_prompts(struct prompts *p, const struct prompt_opts *o, struct err *e)
{
    struct prompts_opts reading = { .max_tokens = o->max_tokens,
                                    .suite = o->suite };
    int rc;

    if (reading.max_tokens == 0)
        reading.max_tokens = o->suite != SUITE_NONE ? SUITE_MAX_TOKENS
                                                    : MAX_TOKENS;
    rc = prompts_read(p, o->path, &reading, e);
    if (rc < 0)
        return rc;
    if (p->left_out > 0)
        log_info("%s: %llu lines are left out: the examples, and what is not "
                 "of the suite's test", o->path,
                 (unsigned long long)p->left_out);
    rc = run_checks_ready(p, &o->limits, e);
    if (rc < 0)
        prompts_release(p);
    return rc;
}

int
prompts_score(const struct model *m, const struct prompt_opts *o,
              struct out *out, struct buf *summary, struct err *e)
{
    struct text_codec_opts own = { .tokenizer = o->tokenizer };
    struct context_counts counts = { .records = 0 };
    struct prompts p;
    struct encoding x = { .p = &p };
    struct codec codec = { encode, decode, ends, &x };
    struct tally base, with;
    struct scoring s = { .o = o, .p = &p, .codec = &codec, .out = out };
    int rc = read_prompts(&p, o, e);

    if (rc < 0)
        return rc;
    rc = text_codec_open(&x.c, &m->weights, m->desc.vocab, &own, e);
    if (rc < 0)
        goto out;
    if (o->context_set != NULL)
        rc = encode_all(&x, m, o, &counts, e);
    tally_init(&base, &p);
    tally_init(&with, &p);
    junit_init(&s.junit, o->path);
    progress_begin("prompts", 0, m->with != NULL ? 2 * p.n : p.n);
    if (rc == 0)
        rc = complete_all(&s, m, NULL, &base, e);
    if (rc == 0 && m->with != NULL)
        rc = complete_all(&s, m, m->with, &with, e);
    if (rc == 0 && o->junit != NULL)
        rc = junit_write(&s.junit, o->junit, e);
    if (rc == 0)
        tally_put(summary, &p, o->samples, &base,
                  m->with != NULL ? &with : NULL,
                  o->context_set != NULL ? &counts : NULL);
    tally_release(&base);
    tally_release(&with);
    junit_release(&s.junit);
    release_all(&x);
out:
    prompts_release(&p);
    return rc;
}
