/* divergence.h - how far two models' distributions of the next token are from
 * each other.
 *
 * With logits a and b, P = softmax(a) and Q = softmax(b):
 *
 *     KL(P || Q) = sum_i P_i (log P_i - log Q_i)
 *                = sum_i P_i (a_i - b_i) - log sum_i e^a_i
 *                                        + log sum_i e^b_i
 *
 * the Kullback-Leibler divergence, in nats. It is computed in double, from
 * logits less their maximum, so that nothing overflows and the logarithm of
 * no probability is taken that has become 0; equal logits have 0 exactly. What
 * rounding leaves below 0 is 0.
 */
#ifndef EVAL_DIVERGENCE_H
#define EVAL_DIVERGENCE_H

#include <stdbool.h>
#include <stdint.h>

struct divergence {
    double loss[2]; /* -log P(target), -log Q(target), nats */
    double kl;      /* KL(P || Q) */
    bool same_top;  /* both have the same likeliest token; of equally likely
                       ones that with the lowest id */
    uint8_t bad;    /* 1, 2: the logits of P, Q are not finite, and nothing
                       else is said; 0: they are */
};

/* Of p[n] and q[n], logits, n >= 1; target < n. */
struct divergence divergence_of(const double *p, const double *q, uint32_t n,
                                uint32_t target);

/* The value below which that share of v[n], which ascend, lies: between two
 * of them it is interpolated, as by numpy.percentile. NAN of none. */
double quantile(const double *v, uint64_t n, double share);

#endif
