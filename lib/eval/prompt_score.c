/* prompt_score.c - every prompt under the base, then under the adapter, and the
 * counts of both; text becomes tokens by the base's tokenizer or by one that
 * is named. */
#include "eval/prompt_score.h"

#include <string.h>

#include "base/log.h"
#include "base/progress.h"
#include "eval/junit.h"
#include "eval/prompts.h"
#include "eval/run_check.h"
#include "eval/tally.h"
#include "eval/text_codec.h"

#define MAX_TOKENS 64

static int
encode(void *ctx, const struct prompt *p, struct ids *ids, struct err *e)
{
    struct text_codec *c = ctx;

    if (p->chat != NULL)
        return text_codec_chat(c, p->chat, strlen(p->chat), "messages", ids,
                               e);
    return text_codec_text(c, p->text, p->len, ids, e);
}

static void
decode(void *ctx, int32_t id, struct buf *out)
{
    text_codec_decode(ctx, (uint32_t)id, out);
}

static bool
ends(void *ctx, int32_t id)
{
    return text_codec_ends(ctx, (uint32_t)id);
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

    if (m->desc.pos == POS_LEARNED && p.cache_len > m->desc.max_pos)
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
    struct text_codec c;
    struct codec codec = { encode, decode, ends, &c };
    struct tally base, with;
    struct prompts p;
    struct scoring s = { .o = o, .p = &p, .codec = &codec, .out = out };
    int rc = read_prompts(&p, o, e);

    if (rc < 0)
        return rc;
    rc = text_codec_open(&c, &m->weights, m->desc.vocab, &own, e);
    if (rc < 0)
        goto out;
    tally_init(&base, &p);
    tally_init(&with, &p);
    junit_init(&s.junit, o->path);
    progress_begin("prompts", 0, m->with != NULL ? 2 * p.n : p.n);
    rc = complete_all(&s, m, NULL, &base, e);
    if (rc == 0 && m->with != NULL)
        rc = complete_all(&s, m, m->with, &with, e);
    if (rc == 0 && o->junit != NULL)
        rc = junit_write(&s.junit, o->junit, e);
    if (rc == 0)
        tally_put(summary, &p, o->samples, &base,
                  m->with != NULL ? &with : NULL);
    tally_release(&base);
    tally_release(&with);
    junit_release(&s.junit);
    text_codec_release(&c);
out:
    prompts_release(&p);
    return rc;
}
