/* sample.h - the next token, of the scores that a model gives to each.
 *
 * The same choices as transformers' logits processors, in their order:
 *
 *   1. repetition_penalty: the score of each token that is in the text so
 *      far, prompt and all, is divided by it, or multiplied if negative;
 *   2. temperature: scores are divided by it; 0 takes the likeliest token;
 *   3. top_k: the k likeliest, and those as likely as the last of them;
 *   4. top_p: of these the likeliest whose probabilities sum to it;
 *   5. min_p: of these those at least min_p times as likely as the likeliest.
 *
 * What is drawn depends on the seed, the site and the length of the text so
 * far, and on nothing that was drawn before.
 */
#ifndef EVAL_SAMPLE_H
#define EVAL_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

struct sampling {
    uint32_t max_tokens;
    double temperature;        /* 0: the likeliest, ties to the lower id */
    uint32_t top_k;            /* 0: all */
    double top_p, min_p;       /* 1: all; 0: all */
    double repetition_penalty; /* 0 or 1: none */
    uint64_t seed, site;
};

/* Scratch for a vocabulary. */
struct sampler {
    uint32_t vocab;
    uint32_t n;         /* tokens that may be drawn, the likeliest n */
    double sum;         /* of their weights */
    double *weight;     /* by id: exp((score - highest) / temperature) */
    uint32_t *order;    /* a heap, and behind it those that were taken off */
    uint32_t sorted;    /* as many as these */
    uint8_t *seen;      /* by id: it was penalised */
};

void sampler_init(struct sampler *s, uint32_t vocab);
void sampler_release(struct sampler *s);

/* Puts the penalty on logits[vocab] for the ids of the text[n] so far, which
 * are of the vocabulary. */
void sampler_penalize(struct sampler *s, const struct sampling *o,
                      double *logits, const int32_t *text, size_t n);

/* Which tokens may be drawn at temperature > 0: s->n of them, which have
 * their ->weight of ->sum. */
void sampler_keep(struct sampler *s, const struct sampling *o,
                  const double *logits);

/* The i-th likeliest, i < s->sorted. */
static inline uint32_t
sampler_token(const struct sampler *s, uint32_t i)
{
    return s->order[s->vocab - 1 - i];
}

/* The token after text[n]; logits are finite, and the penalty is put on them.
 */
int32_t sampler_next(struct sampler *s, const struct sampling *o,
                     double *logits, const int32_t *text, size_t n);

#endif
