/* scores.c - what was measured of a split's records as JSON: the summary, and
 * a line for each record. */
#include "eval/scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "eval/context_score.h"
#include "eval/divergence.h"

static void
put_loss(struct buf *b, const char *name, struct mean_loss m)
{
    buf_addf(b, ", \"%s\": {", name);
    json_put_number(b, "loss", m.mean);
    json_put_number(b, "half_width", m.half);
    json_put_number(b, "perplexity", exp(m.mean));
    json_put_number(b, "perplexity_low", exp(m.mean - m.half));
    json_put_number(b, "perplexity_high", exp(m.mean + m.half));
    buf_addc(b, '}');
}

static void
put_difference(struct buf *b, const char *name, struct mean_loss d)
{
    buf_addf(b, ", \"%s\": {", name);
    json_put_number(b, "loss", d.mean);
    json_put_number(b, "half_width", d.half);
    buf_addc(b, '}');
}

/* Records with more positions than seq_len. */
static uint64_t
count_cut(const struct scores *s, uint32_t seq_len)
{
    uint64_t cut = 0;

    for (uint64_t i = 0; i < s->n; i++)
        cut += s->split->len[i] > (uint64_t)seq_len + 1;
    return cut;
}

/* "records": N, "clusters": N, "tokens": N */
static void
put_counts(struct buf *b, struct mean_loss m)
{
    buf_addf(b, "\"records\": %llu, \"clusters\": %llu, \"tokens\": %llu",
             (unsigned long long)m.records, (unsigned long long)m.clusters,
             (unsigned long long)m.tokens);
}

static int
by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void
put_divergence(struct buf *b, struct mean_loss mean, struct measured *m)
{
    static const struct {
        const char *name;
        double share;
    } at[] = { { "median", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 },
               { "p99_9", 0.999 }, { "max", 1 } };

    qsort(m->kls, m->n_kls, sizeof(*m->kls), by_size);
    buf_addstr(b, ", \"kl_divergence\": {");
    json_put_number(b, "mean", mean.mean);
    json_put_number(b, "half_width", mean.half);
    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
        json_put_number(b, at[i].name,
                        quantile(m->kls, m->n_kls, at[i].share));
    buf_addc(b, '}');
}

static void
put_same_top(struct buf *b, struct mean_loss m)
{
    buf_addstr(b, ", \"same_top\": {");
    json_put_number(b, "share", m.mean);
    json_put_number(b, "half_width", m.half);
    buf_addc(b, '}');
}

/* Base, what is held against it, and the difference; mean is base's. */
static void
put_models(struct buf *b, const struct scores *s, struct mean_loss mean,
           struct measured *m)
{
    const uint32_t *cluster = s->split->cluster;
    bool adapter = m->adapter != NULL;
    const struct record_loss *other = adapter ? m->adapter : m->compare;

    put_loss(b, "base", mean);
    if (other == NULL)
        return;
    put_loss(b, adapter ? "adapter" : "compare",
             mean_of(other, cluster, s->n));
    put_difference(b, "difference",
                   mean_difference(other, m->base, cluster, s->n));
    if (m->kl == NULL)
        return;
    put_divergence(b, mean_of(m->kl, cluster, s->n), m);
    put_same_top(b, mean_of(m->same_top, cluster, s->n));
}

void
scores_put_part(struct buf *b, const struct scores *s, struct mean_loss mean,
                struct measured *m)
{
    put_counts(b, mean);
    put_models(b, s, mean, m);
}

/* The same over all tokens. */
static void
put_all(struct buf *b, struct scores *s)
{
    struct mean_loss mean = mean_of(s->all.base, s->split->cluster, s->n);

    buf_addstr(b, ", \"all\": {");
    scores_put_part(b, s, mean, &s->all);
    buf_addc(b, '}');
}

/* One model behind its context, and less the same without. */
static void
put_behind(struct buf *b, const struct scores *s, const char *name,
           const char *difference, const struct record_loss *behind,
           const struct record_loss *without)
{
    const uint32_t *cluster = s->split->cluster;

    put_loss(b, name, mean_of(behind, cluster, s->n));
    put_difference(b, difference,
                   mean_difference(behind, without, cluster, s->n));
}

static void
put_context(struct buf *b, const struct scores *s)
{
    const struct context_scores *c = s->context;

    if (c == NULL)
        return;
    buf_addstr(b, ", \"context\": {");
    context_put_counts(b, &c->counts);
    put_behind(b, s, "base", "difference", c->base, s->target.base);
    if (c->adapter != NULL)
        put_behind(b, s, "adapter", "adapter_difference", c->adapter,
                   s->target.adapter);
    buf_addc(b, '}');
}

void
scores_put(struct buf *b, const struct score_opts *o, struct scores *s)
{
    struct mean_loss mean = mean_of(s->target.base, s->split->cluster, s->n);
    uint64_t cut = count_cut(s, o->seq_len);

    buf_addstr(b, ", \"split\": ");
    json_put_string(b, o->split, strlen(o->split));
    buf_addf(b, ", \"seq_len\": %u, ", o->seq_len);
    put_counts(b, mean);
    buf_addf(b, ", \"cut\": %llu", (unsigned long long)cut);
    put_models(b, s, mean, &s->target);
    put_all(b, s);
    put_context(b, s);
    if (mean.clusters < 2)
        log_warn("%s: all of it is one commit or document: there is no "
                 "interval", o->data);
    if (cut > 0)
        log_info("%s: %llu of %llu records are longer than --seq-len %u and "
                 "measured in pieces", o->data, (unsigned long long)cut,
                 (unsigned long long)s->n, o->seq_len);
}

/* ", \"NAME\": MEAN" of record i, null without a token; nothing for what was
 * not measured. */
static void
put_mean(struct buf *b, const char *name, const struct record_loss *r,
         uint64_t i)
{
    if (r == NULL)
        return;
    json_put_number(b, name, r[i].n > 0 ? r[i].sum / (double)r[i].n : NAN);
}

/* The number of the tokens, and what was measured on them. */
static void
put_record(struct buf *b, const struct measured *m, uint64_t i)
{
    buf_addf(b, "\"tokens\": %llu", (unsigned long long)m->base[i].n);
    put_mean(b, "base", m->base, i);
    put_mean(b, "adapter", m->adapter, i);
    put_mean(b, "compare", m->compare, i);
    put_mean(b, "kl_divergence", m->kl, i);
    put_mean(b, "same_top", m->same_top, i);
}

/* ", \"context\": {...}" of record i, where it was measured. */
static void
put_record_context(struct buf *b, const struct context_scores *c, uint64_t i)
{
    if (c == NULL)
        return;
    buf_addf(b, ", \"context\": {\"records\": %u, \"tokens\": %u",
             c->size[i].records, c->size[i].tokens);
    put_mean(b, "base", c->base, i);
    put_mean(b, "adapter", c->adapter, i);
    buf_addc(b, '}');
}

int
scores_write(const struct scores *s, const char *path, struct err *e)
{
    struct data_place p;
    struct out out;
    struct buf b;
    int rc = out_open(&out, path, e);

    if (rc < 0)
        return rc;
    buf_init(&b);
    for (uint64_t i = 0; i < s->n && rc == 0; i++) {
        rc = data_split_place(s->split, i, &p, e);
        if (rc < 0)
            break;
        buf_reset(&b);
        buf_addf(&b, "{\"record\": %llu, \"ordinal\": %llu, "
                 "\"cluster\": %u, ", (unsigned long long)p.record,
                 (unsigned long long)p.ordinal, s->split->cluster[i]);
        put_record(&b, &s->target, i);
        buf_addstr(&b, ", \"all\": {");
        put_record(&b, &s->all, i);
        buf_addc(&b, '}');
        put_record_context(&b, s->context, i);
        buf_addstr(&b, "}\n");
        rc = out_write(&out, b.data, b.len, e);
    }
    if (rc == 0)
        rc = out_commit(&out, e);
    out_release(&out);
    buf_release(&b);
    return rc;
}
