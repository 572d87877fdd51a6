/* prompt_score.c - every prompt under the base, then under the adapter, and the
 * counts of both; text becomes tokens by the base's tokenizer or by one that
 * is named. */
#include "eval/prompt_score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/progress.h"
#include "eval/prompts.h"
#include "eval/text_codec.h"

#define Z_95 1.959963984540054

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

/* What came of all prompts under one model. */
struct tally {
    uint64_t passed, given[CHECK_KINDS], held[CHECK_KINDS];
    bool *pass; /* of each prompt: it has checks, and passed */
};

static void
count_result(struct tally *t, size_t i, const struct prompt *p,
             const struct check_result *r)
{
    t->pass[i] = prompt_checks(p) && r->passed;
    t->passed += t->pass[i];
    for (int k = 0; k < CHECK_KINDS; k++) {
        t->given[k] += p->checks.n[k] > 0;
        t->held[k] += p->checks.n[k] > 0 && r->held[k];
    }
}

static int
complete_all(const struct model *m, const struct prompt_opts *o,
             const struct adapter *a, const struct prompts *p,
             const struct codec *codec, struct tally *t, struct out *out,
             struct err *e)
{
    struct sampling s = { .temperature = o->temperature, .top_p = o->top_p,
                          .seed = o->seed };
    struct generator g;
    struct buf line;
    int rc = generator_open(&g, &m->desc, &m->base, &m->backend, a,
                            1, o->context, e);

    if (rc < 0)
        return rc;
    buf_init(&line);
    for (size_t i = 0; i < p->n && rc == 0; i++) {
        struct completion c;

        rc = prompt_complete(&c, &p->item[i], &g, codec, &s, e);
        if (rc < 0)
            break;
        count_result(t, i, &p->item[i], &c.result);
        buf_reset(&line);
        completion_json(&c, &p->item[i], a ? "adapter" : "base", &line);
        buf_addc(&line, '\n');
        rc = out_write(out, line.data, line.len, e);
        completion_release(&c);
        progress_add(1);
    }
    buf_release(&line);
    generator_release(&g);
    return rc;
}

/* The 95% interval of a share of k in n (Wilson, J. Am. Stat. Assoc. 22,
 * 1927): with few prompts the usual one says 0 +- 0. */
static void
put_share(struct buf *b, uint64_t k, uint64_t n)
{
    double z2 = Z_95 * Z_95, count = (double)n, p = (double)k / count;
    double middle = (p + z2 / (2 * count)) / (1 + z2 / count);
    double half = Z_95 / (1 + z2 / count)
                  * sqrt(p * (1 - p) / count + z2 / (4 * count * count));

    buf_addstr(b, ", \"share\": ");
    json_put_double(b, p);
    buf_addstr(b, ", \"share_low\": ");
    json_put_double(b, n > 0 ? fmax(middle - half, 0) : NAN);
    buf_addstr(b, ", \"share_high\": ");
    json_put_double(b, n > 0 ? fmin(middle + half, 1) : NAN);
}

static void
put_tally(struct buf *b, const char *name, const struct tally *t,
          uint64_t checked)
{
    buf_addf(b, ", \"%s\": {\"passed\": %llu", name,
             (unsigned long long)t->passed);
    put_share(b, t->passed, checked);
    for (int k = 0; k < CHECK_KINDS; k++) {
        if (t->given[k] > 0)
            buf_addf(b, ", \"%s\": [%llu, %llu]", check_name(k),
                     (unsigned long long)t->held[k],
                     (unsigned long long)t->given[k]);
    }
    buf_addc(b, '}');
}

/* Totals; what the adapter changed is told prompt by prompt, because gains
 * and losses may make up for each other. */
static void
put_totals(struct buf *b, const struct prompts *p, const struct tally *base,
           const struct tally *with)
{
    uint64_t checked = 0, gained = 0, lost = 0;

    for (size_t i = 0; i < p->n; i++)
        checked += prompt_checks(&p->item[i]);
    buf_addf(b, ", \"prompts\": {\"n\": %zu, \"checked\": %llu", p->n,
             (unsigned long long)checked);
    put_tally(b, "base", base, checked);
    if (with != NULL) {
        put_tally(b, "adapter", with, checked);
        for (size_t i = 0; i < p->n; i++) {
            gained += with->pass[i] && !base->pass[i];
            lost += base->pass[i] && !with->pass[i];
        }
        buf_addf(b, ", \"gained\": %llu, \"lost\": %llu",
                 (unsigned long long)gained, (unsigned long long)lost);
    }
    buf_addc(b, '}');
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

int
prompts_score(const struct model *m, const struct prompt_opts *o,
              struct out *out, struct buf *summary, struct err *e)
{
    struct text_codec_opts own = { .tokenizer = o->tokenizer };
    struct text_codec c;
    struct codec codec = { encode, decode, ends, &c };
    struct tally base = { 0 }, with = { 0 };
    struct prompts p;
    int rc = prompts_read(&p, o->path, o->max_tokens, false, e);

    if (rc < 0)
        return rc;
    rc = text_codec_open(&c, &m->weights, m->desc.vocab, &own, e);
    if (rc < 0)
        goto out;
    base.pass = mem_array(p.n, sizeof(*base.pass));
    with.pass = mem_array(p.n, sizeof(*with.pass));
    progress_begin("prompts", 0, m->with != NULL ? 2 * p.n : p.n);
    rc = complete_all(m, o, NULL, &p, &codec, &base, out, e);
    if (rc == 0 && m->with != NULL)
        rc = complete_all(m, o, m->with, &p, &codec, &with, out, e);
    if (rc == 0)
        put_totals(summary, &p, &base, m->with != NULL ? &with : NULL);
    free(base.pass);
    free(with.pass);
    text_codec_release(&c);
out:
    prompts_release(&p);
    return rc;
}
