/* tally.c - counts of completions that passed, as shares with their intervals:
 * what base and adapter pass, and how far they differ. */
#include "eval/tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "eval/mean_loss.h"

#define Z_95 1.959963984540054

void
tally_init(struct tally *t, const struct prompts *p)
{
    memset(t, 0, sizeof(*t));
    t->pass = mem_array(p->n, sizeof(*t->pass));
}

void
tally_release(struct tally *t)
{
    free(t->pass);
    memset(t, 0, sizeof(*t));
}

void
tally_add(struct tally *t, const struct prompts *p, size_t i,
          const struct check_result *r)
{
    const struct prompt *q = &p->item[i];
    bool passed = prompt_checks(q) && r->passed;

    t->pass[i] += passed;
    t->passed += passed;
    for (int k = 0; k < CHECK_KINDS; k++) {
        t->given[k] += q->checks.n[k] > 0;
        t->held[k] += q->checks.n[k] > 0 && r->held[k];
    }
}

double
pass_at(uint32_t n, uint32_t c, uint32_t k)
{
    double none = 1;

    if (n - c < k)
        return 1;
    for (uint32_t i = n - c + 1; i <= n; i++)
        none *= 1 - (double)k / i;
    return 1 - none;
}

/* ---- shares ---- */

/* The prompts that have checks, and which of them are of one cluster. */
struct checked {
    uint64_t n, clusters;
    uint32_t *cluster;      /* of every prompt */
    struct record_loss *of; /* of every prompt: scratch for one model, */
    struct record_loss *other; /* and for another */
};

static void
checked_init(struct checked *c, const struct prompts *p)
{
    struct map names;
    uint32_t next = 0;

    memset(c, 0, sizeof(*c));
    c->cluster = mem_array(p->n, sizeof(*c->cluster));
    c->of = mem_array(p->n, sizeof(*c->of));
    c->other = mem_array(p->n, sizeof(*c->other));
    map_init(&names);
    for (size_t i = 0; i < p->n; i++) {
        const char *name = p->item[i].cluster;
        bool added = true, counts = prompt_checks(&p->item[i]);

        c->n += counts;
        c->cluster[i] = next;
        if (name != NULL && counts)
            c->cluster[i] = (uint32_t)map_put(&names, name, strlen(name),
                                              next, &added)->value;
        next += added;
        c->clusters += added && counts;
    }
    map_release(&names);
}

static void
checked_release(struct checked *c)
{
    free(c->cluster);
    free(c->of);
    free(c->other);
}

/* What mean_of takes: prompts without a check have no losses. */
static void
fill(struct record_loss *r, const struct prompts *p, uint32_t samples,
     const struct tally *t)
{
    for (size_t i = 0; i < p->n; i++)
        r[i] = (struct record_loss){
            .sum = t->pass[i],
            .n = prompt_checks(&p->item[i]) ? samples : 0
        };
}

/* The 95% interval of a share p of n that are independent (Wilson, J. Am.
 * Stat. Assoc. 22, 1927): with few prompts the usual one says 0 +- 0. */
static void
wilson(double p, double n, double *low, double *high)
{
    double z2 = Z_95 * Z_95;
    double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
    double half = Z_95 / (1 + z2 / n)
                  * sqrt(p * (1 - p) / n + z2 / (4 * n * n));

    *low = fmax(middle - half, 0);
    *high = fmin(middle + half, 1);
}

/* Where completions are of one prompt, or prompts of one cluster, these are
 * what is independent. */
static void
put_share(struct buf *b, const struct prompts *p, uint32_t samples,
          const struct tally *t, struct checked *c)
{
    struct share s;

    fill(c->of, p, samples, t);
    s = share_mean(c->of, c->cluster, p->n);
    if (c->n > 0 && samples == 1 && c->clusters == c->n)
        wilson(s.seen.mean, (double)c->n, &s.low, &s.high);
    json_put_number(b, "share", s.seen.mean);
    json_put_number(b, "share_low", s.low);
    json_put_number(b, "share_high", s.high);
}

/* For k of 1, 2, 5, 10, 20, 50 and so on, up to the samples that there are. */
static void
put_pass_at(struct buf *b, const struct prompts *p, uint32_t samples,
            const struct tally *t, uint64_t checked)
{
    static const uint32_t steps[] = { 1, 2, 5 };
    const char *comma = "";
    uint64_t ten = 1;

    buf_addstr(b, ", \"pass_at\": {");
    for (int step = 0; ten * steps[step] <= samples; ) {
        uint32_t k = (uint32_t)(ten * steps[step]);
        double sum = 0;

        for (size_t i = 0; i < p->n; i++)
            sum += prompt_checks(&p->item[i])
                   ? pass_at(samples, t->pass[i], k) : 0;
        buf_addf(b, "%s\"%u\": ", comma, k);
        json_put_double(b, sum / (double)checked);
        comma = ", ";
        step = (step + 1) % 3;
        ten *= step == 0 ? 10 : 1;
    }
    buf_addc(b, '}');
}

static void
put_tally(struct buf *b, const char *name, const struct prompts *p,
          uint32_t samples, const struct tally *t, struct checked *c)
{
    buf_addf(b, ", \"%s\": {\"passed\": %llu", name,
             (unsigned long long)t->passed);
    put_share(b, p, samples, t, c);
    if (samples > 1)
        put_pass_at(b, p, samples, t, c->n);
    for (int k = 0; k < CHECK_KINDS; k++) {
        if (t->given[k] > 0)
            buf_addf(b, ", \"%s\": [%llu, %llu]", check_name(k),
                     (unsigned long long)t->held[k],
                     (unsigned long long)t->given[k]);
    }
    buf_addc(b, '}');
}

/* What the adapter changed: the difference of the shares on the same prompts;
 * and prompt by prompt, because gains and losses may make up for each other.
 */
static void
put_change(struct buf *b, const struct prompts *p, uint32_t samples,
           const struct tally *base, const struct tally *with,
           struct checked *c)
{
    uint64_t gained = 0, lost = 0;
    struct mean_loss d;

    fill(c->of, p, samples, base);
    fill(c->other, p, samples, with);
    d = share_difference(c->other, c->of, c->cluster, p->n).seen;
    for (size_t i = 0; i < p->n; i++) {
        gained += with->pass[i] > base->pass[i];
        lost += with->pass[i] < base->pass[i];
    }
    buf_addstr(b, ", \"difference\": {");
    json_put_number(b, "share", d.mean);
    json_put_number(b, "half_width", d.half);
    buf_addf(b, "}, \"gained\": %llu, \"lost\": %llu",
             (unsigned long long)gained, (unsigned long long)lost);
}

void
tally_put(struct buf *b, const struct prompts *p, uint32_t samples,
          const struct tally *base, const struct tally *with,
          const struct context_counts *context)
{
    struct checked c;

    checked_init(&c, p);
    buf_addf(b, ", \"prompts\": {\"n\": %zu, \"checked\": %llu", p->n,
             (unsigned long long)c.n);
    if (p->left_out > 0)
        buf_addf(b, ", \"left_out\": %llu",
                 (unsigned long long)p->left_out);
    if (samples > 1)
        buf_addf(b, ", \"samples\": %u", samples);
    buf_addf(b, ", \"clusters\": %llu", (unsigned long long)c.clusters);
    put_tally(b, "base", p, samples, base, &c);
    if (with != NULL) {
        put_tally(b, "adapter", p, samples, with, &c);
        put_change(b, p, samples, base, with, &c);
    }
    if (context != NULL) {
        buf_addstr(b, ", \"context\": {");
        context_put_counts(b, context);
        buf_addc(b, '}');
    }
    buf_addc(b, '}');
    checked_release(&c);
}
