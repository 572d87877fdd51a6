/* sample.c - a heap gives the tokens in order, the likeliest first, for as
 * long as somebody asks: a flat tail is never sorted. */
#include "eval/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

enum { SIDE = 8 };

void
sampler_init(struct sampler *s, uint32_t vocab)
{
    memset(s, 0, sizeof(*s));
    s->vocab = vocab;
    s->weight = mem_array(vocab, sizeof(*s->weight));
    s->order = mem_array(vocab, sizeof(*s->order));
    s->seen = mem_array(vocab, sizeof(*s->seen));
}

void
sampler_release(struct sampler *s)
{
    free(s->weight);
    free(s->order);
    free(s->seen);
    memset(s, 0, sizeof(*s));
}

void
sampler_penalize(struct sampler *s, const struct sampling *o, double *logits,
                 const int32_t *text, size_t n)
{
    double penalty = o->repetition_penalty;

    if (penalty == 0 || penalty == 1)
        return;
    for (size_t i = 0; i < n; i++) {
        if (s->seen[text[i]])
            continue;
        s->seen[text[i]] = 1;
        if (logits[text[i]] < 0)
            logits[text[i]] *= penalty;
        else
            logits[text[i]] /= penalty;
    }
    for (size_t i = 0; i < n; i++)
        s->seen[text[i]] = 0;
}

/* The highest of logits[n], of a few at a time: each is compared with the one
 * SIDE before it, so that a comparison need not wait for the last. */
static double
highest(const double *logits, uint32_t n)
{
    double top[SIDE];
    uint32_t i = 0;

    for (size_t k = 0; k < SIDE; k++)
        top[k] = logits[0];
    for (; i + SIDE <= n; i += SIDE) {
        for (size_t k = 0; k < SIDE; k++)
            top[k] = logits[i + k] > top[k] ? logits[i + k] : top[k];
    }
    for (; i < n; i++)
        top[0] = logits[i] > top[0] ? logits[i] : top[0];
    for (size_t k = 1; k < SIDE; k++)
        top[0] = top[k] > top[0] ? top[k] : top[0];
    return top[0];
}

static int32_t
most_likely(const double *logits, uint32_t n)
{
    double top = highest(logits, n);
    uint32_t best = 0;

    while (logits[best] < top)
        best++;
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

/* The weight of the i-th likeliest, which then stands in its place. */
static double
weight_at(struct sampler *s, uint32_t i)
{
    while (s->sorted <= i) {
        uint32_t last = s->vocab - 1 - s->sorted++, best = s->order[0];

        s->order[0] = s->order[last];
        s->order[last] = best;
        sift(s->order, s->weight, 0, last);
    }
    return s->weight[sampler_token(s, i)];
}

static void
keep_k(struct sampler *s, uint32_t k)
{
    double sum = 0;
    uint32_t n = 0;

    if (k == 0)
        return;
    while (n < s->n && (n < k || weight_at(s, n) == weight_at(s, n - 1)))
        sum += weight_at(s, n++);
    s->n = n;
    s->sum = sum;
}

static void
keep_p(struct sampler *s, double p)
{
    double sum = 0;
    uint32_t n = 0;

    if (p >= 1)
        return;
    while (n < s->n && (n == 0 || sum < p * s->sum))
        sum += weight_at(s, n++);
    s->n = n;
    s->sum = sum;
}

static void
keep_likely(struct sampler *s, double least)
{
    double sum = 0;
    uint32_t n = 0;

    if (least == 0)
        return;
    while (n < s->n && (n == 0 || weight_at(s, n) >= least))
        sum += weight_at(s, n++);
    s->n = n;
    s->sum = sum;
}

void
sampler_keep(struct sampler *s, const struct sampling *o,
             const double *logits)
{
    double top = highest(logits, s->vocab);

    s->sum = 0;
    s->n = s->vocab;
    s->sorted = 0;
    for (uint32_t i = 0; i < s->vocab; i++) {
        s->weight[i] = exp((logits[i] - top) / o->temperature);
        s->order[i] = i;
        s->sum += s->weight[i];
    }
    for (size_t i = s->vocab / 2; i-- > 0;)
        sift(s->order, s->weight, i, s->vocab);
    keep_k(s, o->top_k);
    keep_p(s, o->top_p);
    keep_likely(s, o->min_p);
}

int32_t
sampler_next(struct sampler *s, const struct sampling *o, double *logits,
             const int32_t *text, size_t n)
{
    struct rng r;
    double u;

    sampler_penalize(s, o, logits, text, n);
    if (o->temperature == 0)
        return most_likely(logits, s->vocab);
    sampler_keep(s, o, logits);
    rng_init(&r, o->seed, o->site + n);
    u = rng_double(&r) * s->sum;
    for (uint32_t i = 0; i < s->n; i++) {
        u -= weight_at(s, i);
        if (u < 0)
            return (int32_t)sampler_token(s, i);
    }
    return (int32_t)sampler_token(s, 0);
}
