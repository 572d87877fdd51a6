/* exactness.c - completes records, each as far as it is right. */
#include "eval/exactness.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/progress.h"
#include "eval/generate.h"
#include "eval/scores.h"

/* Of each record: whether it is exact, and its tokens before the first wrong
 * one. */
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

/* A target, and how far it was reached. */
struct following {
    const int32_t *target;
    size_t n, right;
};

static bool
follow(void *ctx, int32_t id)
{
    struct following *f = ctx;

    if (id != f->target[f->right])
        return false;
    f->right++;
    return f->right < f->n;
}

/* Where the target begins that ends the record; 0 where there is none. */
static size_t
target_of(const uint8_t *learn, size_t n)
{
    size_t at = n;

    while (at > 0 && learn[at - 1])
        at--;
    for (size_t i = 0; i < at; i++) {
        if (learn[i])
            return 0;
    }
    return at < n ? at : 0;
}

/* Record i under one model; left out, or as many tokens as are right. */
static int
complete_record(struct completing_records *c, struct generator *g,
                uint64_t i, struct model_exactness *to, struct err *e)
{
    struct sampling likeliest = { .temperature = 0 };
    struct following f = { .right = 0 };
    struct tokens t;
    int32_t *ids;
    uint8_t *learn;
    size_t at;
    int rc = data_split_tokens(c->split, i, &t, e);

    if (rc < 0)
        return rc;
    ids = mem_array(t.n, sizeof(*ids));
    learn = mem_array(t.n, sizeof(*learn));
    tokens_ids(&t, (uint32_t *)ids);
    tokens_mask(&t, learn);
    at = target_of(learn, t.n);
    free(learn);
    if (at > 0 && t.n <= g->context) {
        f.target = ids + at;
        f.n = t.n - at;
        likeliest.max_tokens = (uint32_t)f.n;
        rc = generate(g, ids, at, &likeliest, follow, &f, e);
        to->exact[i] = (struct record_loss){ f.right == f.n, 1 };
        to->right[i] = (struct record_loss){ (double)f.right, f.n };
    }
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
    json_put_number(b, "share", exact.mean);
    json_put_number(b, "half_width", exact.half);
    json_put_number(b, "right", right.mean);
    buf_addc(b, '}');
}

static void
put_all(struct buf *b, const struct completing_records *c)
{
    const uint32_t *cluster = c->split->cluster;
    struct mean_loss m = mean_of(c->base.exact, cluster, c->n), d;

    buf_addf(b, ", \"exactness\": {\"records\": %llu, \"clusters\": %llu, "
             "\"left_out\": %llu", (unsigned long long)m.records,
             (unsigned long long)m.clusters,
             (unsigned long long)(c->n - m.records));
    put_model(b, "base", c, &c->base);
    if (c->adapter.exact != NULL) {
        put_model(b, "adapter", c, &c->adapter);
        d = share_difference(c->adapter.exact, c->base.exact, cluster,
                             c->n).seen;
        buf_addstr(b, ", \"difference\": {");
        json_put_number(b, "share", d.mean);
        json_put_number(b, "half_width", d.half);
        buf_addc(b, '}');
    }
    buf_addc(b, '}');
}

int
exactness_fit(const struct model *m, const struct score_opts *o,
              struct err *e)
{
    struct prog_opts p = generator_opts(&m->desc, 1, o->context);

    if (m->desc.pos == POS_LEARNED && p.cache_len > m->desc.max_pos)
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
