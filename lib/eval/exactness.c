/* exactness.c - completes records, each span as far as it is right. */
#include "eval/exactness.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/progress.h"
#include "eval/generate.h"
#include "eval/scores.h"

/* Of each record: how many of its spans are exact, and how many of their
 * tokens come before the first wrong one. */
struct model_exactness {
    struct record_loss *exact, *right;
};

struct completing_records {
    const struct model *m;
    const struct score_opts *o;
    struct data_split *split;
    uint64_t n;
    struct model_exactness base, adapter;
};

/* Tokens at to end of a record: target, with something before it. */
struct span {
    size_t at, end;
};

/* The span behind *s, at first { 0, 0 }; false where there is none. An end
 * of the record that stands alone behind other spans is none. */
static bool
next_span(struct span *s, const uint8_t *learn, size_t n)
{
    size_t before = s->end;

    for (s->at = before; s->at < n && !learn[s->at]; s->at++)
        continue;
    for (s->end = s->at; s->end < n && learn[s->end]; s->end++)
        continue;
    if (s->at == 0 && s->end > 0)
        return next_span(s, learn, n);
    return s->at < n && !(before > 0 && s->at + 1 == n);
}

/* *right: how many tokens of the span of ids are the likeliest, up to the
 * first that is not. */
static int
complete_span(struct generator *g, const int32_t *ids,
                 const struct span *s, size_t *right, struct err *e)
{
    struct sampling likeliest = { .temperature = 0 };
    size_t at;
    int rc = 0;

    for (at = s->at; rc == 0 && at < s->end; at++) {
        rc = generator_begin(g, 0, ids, at, true, e);
        while (rc == 0 && !g->text[0].logits)
            rc = generator_pass(g, e);
        if (rc == 0 && generator_next(g, 0, &likeliest) != ids[at])
            break;
    }
    *right = at - s->at;
    return rc;
}

/* Record i under one model: all its spans, or left out. */
static int
complete_record(struct completing_records *c, struct generator *g,
                uint64_t i, struct model_exactness *to, struct err *e)
{
    struct span s = { 0 };
    struct tokens t;
    int32_t *ids;
    uint8_t *learn;
    size_t right;
    int rc = data_split_tokens(c->split, i, &t, e);

    if (rc < 0 || t.n > g->context)
        return rc;
    ids = mem_array(t.n, sizeof(*ids));
    learn = mem_array(t.n, sizeof(*learn));
    tokens_ids(&t, (uint32_t *)ids);
    tokens_mask(&t, learn);
    while (rc == 0 && next_span(&s, learn, t.n)) {
        rc = complete_span(g, ids, &s, &right, e);
        to->exact[i].sum += right == s.end - s.at;
        to->exact[i].n++;
        to->right[i].sum += (double)right;
        to->right[i].n += s.end - s.at;
    }
    free(learn);
    free(ids);
    return rc;
}

static int
complete_all(struct completing_records *c, const struct adapter *a,
             struct model_exactness *to, struct err *e)
{
    const struct model *m = c->m;
    struct generator g;
    int rc = generator_open(&g, &m->desc, &m->base, &m->backend, a, 1,
                            c->o->context, e);

    if (rc < 0)
        return rc;
    to->exact = mem_array(c->n, sizeof(*to->exact));
    to->right = mem_array(c->n, sizeof(*to->right));
    for (uint64_t i = 0; i < c->n && rc == 0; i++) {
        rc = complete_record(c, &g, i, to, e);
        progress_add(rc == 0);
    }
    generator_release(&g);
    return rc;
}

/* ---- what is told ---- */

static void
put_shares(struct buf *b, const struct mean_loss *exact,
           const struct mean_loss *right)
{
    json_put_number(b, "share", exact->mean);
    json_put_number(b, "half_width", exact->half);
    json_put_number(b, "right", right->mean);
    json_put_number(b, "right_half_width", right->half);
    buf_addc(b, '}');
}

static void
put_model(struct buf *b, const char *name, const struct completing_records *c,
          const struct model_exactness *x)
{
    const uint32_t *cluster = c->split->cluster;
    struct mean_loss exact = share_mean(x->exact, cluster, c->n).seen;
    struct mean_loss right = mean_of(x->right, cluster, c->n);
    double passed = 0;

    for (uint64_t i = 0; i < c->n; i++)
        passed += x->exact[i].sum;
    buf_addf(b, ", \"%s\": {\"exact\": %.0f", name, passed);
    put_shares(b, &exact, &right);
}

static void
put_difference(struct buf *b, const struct completing_records *c)
{
    const struct model_exactness *with = &c->adapter, *without = &c->base;
    const uint32_t *cluster = c->split->cluster;
    struct mean_loss exact, right;

    exact = share_difference(with->exact, without->exact, cluster, c->n).seen;
    right = mean_difference(with->right, without->right, cluster, c->n);
    buf_addstr(b, ", \"difference\": {");
    put_shares(b, &exact, &right);
}

static void
put_all(struct buf *b, const struct completing_records *c)
{
    struct mean_loss m = mean_of(c->base.exact, c->split->cluster, c->n);

    buf_addf(b, ", \"exactness\": {\"records\": %llu, \"clusters\": %llu, "
             "\"left_out\": %llu, \"spans\": %llu",
             (unsigned long long)m.records, (unsigned long long)m.clusters,
             (unsigned long long)(c->n - m.records),
             (unsigned long long)m.tokens);
    put_model(b, "base", c, &c->base);
    if (c->adapter.exact) {
        put_model(b, "adapter", c, &c->adapter);
        put_difference(b, c);
    }
    buf_addc(b, '}');
}

int
exactness_fit(const struct model *m, const struct score_opts *o,
              struct err *e)
{
    struct prog_opts p = generator_opts(&m->desc, 1, o->context);

    if (!desc_reaches(&m->desc, p.cache_len))
        return 0; /* there is no such program: generator_open says why */
    return model_fit(m, &p, "generation", o->force, e);
}

int
exactness_put(struct buf *b, const struct model *m,
              const struct score_opts *o, struct err *e)
{
    struct score_opts some = *o;
    struct dataset data;
    struct data_split split;
    struct completing_records c = { .m = m, .o = &some, .split = &split };
    int rc;

    some.records = o->exactness;
    rc = scores_open_split(&data, &split, m, &some, e);
    if (rc < 0)
        return rc;
    c.n = split.source.n_records;
    progress_begin("records", 0, m->with != NULL ? 2 * c.n : c.n);
    rc = complete_all(&c, NULL, &c.base, e);
    if (rc == 0 && m->with != NULL)
        rc = complete_all(&c, m->with, &c.adapter, e);
    progress_end();
    if (rc == 0)
        put_all(b, &c);
    free(c.base.exact);
    free(c.base.right);
    free(c.adapter.exact);
    free(c.adapter.right);
    data_split_release(&split);
    dataset_release(&data);
    return rc;
}
