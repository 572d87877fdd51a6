/* mix.c - weights of records, summed up in the order in which they are drawn
 * from.
 */
#include "data/mix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"

#define TOLD 8 /* names of a kind */

/* ---- shares ---- */

static void
add_part(struct mix_parts *p, const struct tokens_name *name, double there,
         double drawn)
{
    bool added;
    size_t i = (size_t)map_put(&p->names, name->n > 0 ? name->p : "", name->n,
                               p->names.n, &added)->value;

    if (i == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 16;
        p->part = mem_grow(p->part, p->cap * sizeof(*p->part));
    }
    if (added)
        p->part[i] = (struct mix_part){ 0, 0 };
    p->part[i].there += there;
    p->part[i].drawn += drawn;
    p->sum.there += there;
    p->sum.drawn += drawn;
}

static int
by_drawn(const void *a, const void *b, void *parts)
{
    const struct mix_part *part = parts;
    size_t i = *(const size_t *)a, j = *(const size_t *)b;

    if (part[i].drawn != part[j].drawn)
        return part[i].drawn > part[j].drawn ? -1 : 1;
    return (i > j) - (i < j);
}

static void
put_share(struct buf *b, const char *name, size_t n,
          const struct mix_part *part, const struct mix_part *sum)
{
    buf_addf(b, "%s%.*s %.1f%% (%.1f%%)", b->len > 0 ? ", " : "", (int)n, name,
             100 * part->drawn / sum->drawn, 100 * part->there / sum->there);
}

static void
tell_parts(const struct mix_parts *p, const char *what)
{
    struct mix_part rest = { 0, 0 };
    size_t *order = mem_array(p->names.n + 1, sizeof(*order));
    struct buf b;

    for (size_t i = 0; i < p->names.n; i++)
        order[i] = i;
    qsort_r(order, p->names.n, sizeof(*order), by_drawn, p->part);
    buf_init(&b);
    for (size_t i = 0; i < p->names.n; i++) {
        const struct mix_part *part = &p->part[order[i]];
        size_t n = p->names.entry[order[i]].len;

        if (i < TOLD) {
            put_share(&b, n > 0 ? map_key(&p->names, order[i]) : "(not told)",
                      n > 0 ? n : 10, part, &p->sum);
        } else {
            rest.there += part->there;
            rest.drawn += part->drawn;
        }
    }
    if (p->names.n > TOLD)
        put_share(&b, "(others)", 8, &rest, &p->sum);
    log_info("%s: %s", what, b.data);
    buf_release(&b);
    free(order);
}

void
mix_tell(const struct mix *x)
{
    if (x->lang.sum.drawn <= 0)
        return;
    log_info("shares of the tokens as they are drawn (as they are in train):");
    tell_parts(&x->lang, "by language");
    tell_parts(&x->repo, "by repository");
}

/* ---- weights ---- */

static int
newest_of(struct data_split *s, int64_t *newest, struct err *e)
{
    struct data_place p;
    int rc = 0;

    *newest = INT64_MIN;
    for (uint64_t i = 0; rc == 0 && i < s->source.n_records; i++) {
        rc = data_split_place(s, i, &p, e);
        if (rc == 0 && p.time != 0 && p.time > *newest)
            *newest = p.time;
    }
    return rc;
}

/* w[i] of each record, and what of the split is of whom. */
static int
weigh(struct mix *x, struct sampling *rules, struct data_split *s, double *w,
      struct err *e)
{
    struct tokens t;
    int64_t newest = 0;
    int rc = rules->half_life > 0 ? newest_of(s, &newest, e) : 0;

    for (uint64_t i = 0; rc == 0 && i < s->source.n_records; i++) {
        rc = data_split_tokens(s, i, &t, e);
        if (rc == 0)
            rc = sampling_weight(rules, &t.origin, &w[i], e);
        if (rc < 0)
            break;
        w[i] *= sampling_age(rules, t.origin.time, newest);
        add_part(&x->lang, &t.origin.lang, (double)t.n, w[i] * (double)t.n);
        add_part(&x->repo, &t.origin.repo, (double)t.n, w[i] * (double)t.n);
    }
    return rc;
}

/* ---- draws ----
 *
 * On the line of the draws records of one weight are neighbours, so that as
 * many of them are drawn as should be, but for one: in the order of the set
 * weights could keep step with the draws. With a curriculum they lie in its
 * order, and what is equal there in any.
 */

struct place {
    double key;
    uint64_t tie;
    uint32_t record;
};

static int
by_key(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->tie > y->tie) - (x->tie < y->tie);
}

/* The records in the order of the line. */
static int
order_records(struct mix *x, enum curriculum by, const double *w,
              struct data_split *s, struct err *e)
{
    uint64_t n = s->source.n_records;
    struct place *place = mem_array(n, sizeof(*place));
    struct data_place p;
    int rc = 0;

    x->record = mem_array(n, sizeof(*x->record));
    for (uint64_t i = 0; rc == 0 && i < n; i++) {
        place[i].record = (uint32_t)i;
        place[i].tie = i;
        place[i].key = by == CURRICULUM_LENGTH ? s->len[i] : w[i];
        if (by != CURRICULUM_NONE)
            place[i].tie = rng_permute(i, n, rng_site("mix"), 0);
        if (by != CURRICULUM_AGE)
            continue;
        rc = data_split_place(s, i, &p, e);
        place[i].key = (double)p.time;
    }
    if (rc == 0)
        qsort(place, n, sizeof(*place), by_key);
    for (uint64_t i = 0; rc == 0 && i < n; i++)
        x->record[i] = place[i].record;
    free(place);
    return rc;
}

static bool
all_equal(const double *w, uint64_t n)
{
    for (uint64_t i = 1; i < n; i++)
        if (w[i] != w[0])
            return false;
    return true;
}

/* Where each place ends among the n draws, in 2^-32 of a draw. */
static int
sum_up(struct mix *x, const double *w, struct data_split *s, struct err *e)
{
    uint64_t n = s->source.n_records;
    double sum = 0, at = 0;

    for (uint64_t i = 0; i < n; i++)
        sum += w[x->record[i]];
    if (!(sum > 0) || !isfinite(sum))
        return err_set(e, ERR_DATA, "%s: every record of train has weight 0",
                       s->data->set.path);
    if (all_equal(w, n))
        return 0;
    x->end = mem_array(n, sizeof(*x->end));
    for (uint64_t i = 0; i < n; i++) {
        at += w[x->record[i]];
        x->end[i] = (uint64_t)ldexp(at / sum * (double)n, 32);
    }
    return 0;
}

static int
make_draws(struct mix *x, struct sampling *rules, struct data_split *s,
           struct err *e)
{
    double *w = mem_array(s->source.n_records, sizeof(*w));
    int rc = weigh(x, rules, s, w, e);

    if (rc == 0)
        rc = order_records(x, rules->curriculum, w, s, e);
    if (rc == 0)
        rc = sum_up(x, w, s, e);
    free(w);
    lengths_done(&s->data->lengths);
    return rc;
}

int
mix_open(struct mix *x, struct data_split *s, struct err *e)
{
    const struct manifest *m = &s->data->set.manifest;
    struct sampling rules;
    int rc;

    memset(x, 0, sizeof(*x));
    map_init(&x->lang.names);
    map_init(&x->repo.names);
    if (m->n_sampling == 0 || s->source.n_records == 0)
        return 0;
    if (s->source.n_records > UINT32_MAX)
        return err_set(e, ERR_LIMIT, "%s: over %u records in a split",
                       s->data->set.path, UINT32_MAX);
    rc = sampling_parse(&rules, (const char *const *)m->sampling,
                        m->n_sampling, s->data->set.path, ERR_DATA, e);
    if (rc < 0)
        return rc;
    rc = make_draws(x, &rules, s, e);
    x->draws = (struct draws){ x->end, x->record,
                               rules.curriculum != CURRICULUM_NONE };
    if (x->end || x->draws.staged)
        s->source.draws = &x->draws;
    sampling_release(&rules);
    return rc;
}

static void
parts_release(struct mix_parts *p)
{
    map_release(&p->names);
    free(p->part);
}

void
mix_release(struct mix *x)
{
    parts_release(&x->lang);
    parts_release(&x->repo);
    free(x->end);
    free(x->record);
    memset(x, 0, sizeof(*x));
}
