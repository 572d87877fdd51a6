/* trend.h - where the loss of a run goes, if it goes on as it does.
 *
 * A power law of the tokens, loss = a tokens^b, is fitted to the losses of all
 * steps by least squares of the logarithms; a step counts by its tokens, times
 * the square of the part of all tokens that had been seen by then, so that the
 * last half has seven eighths of the weight. It knows nothing of what the rate
 * will do, nor of a loss that nothing can be below.
 */
#ifndef TRAIN_TREND_H
#define TRAIN_TREND_H

#include <stdint.h>

#define TREND_FIRST 32 /* before so many steps there is none */

/* Part of a run's state; all 0 at its beginning. */
struct trend {
    double tokens, weight;
    double x, y, xx, xy; /* of the logarithms of tokens and losses the means,
                            and the sums of products about them */
    uint64_t n;          /* steps */
};

/* A step of so many tokens; one whose loss is not over 0 and finite only makes
 * them more. */
void trend_take(struct trend *t, uint64_t tokens, double loss);

/* The loss after so many tokens; NAN where there are too few steps. */
double trend_at(const struct trend *t, double tokens);

#endif
