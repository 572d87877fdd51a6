/* evaluate.h - the loss of a model over records, record by record. */
#ifndef MODEL_EVALUATE_H
#define MODEL_EVALUATE_H

#include "model/batch.h"
#include "model/prog.h"

/* A record's losses, in nats, and how many of its tokens had one. */
struct record_loss {
    double sum;
    uint64_t n;
};

/* Runs every record of s (or the first limit of them; 0: all) through an
 * evaluation program; out[i] is record i's. x's program is PROG_EVAL; its
 * batch and step are used. Packing doesn't change a loss: records don't see
 * each other. ERR_AGAIN when it was asked to stop (base/stop.h). */
int evaluate(struct exec *x, const struct token_source *s, uint64_t limit,
             struct record_loss *out, struct err *e);

/* The mean over tokens and half the width of its 95% confidence interval,
 * with records as clusters: the ratio estimator's linearised variance
 *   var = k/(k-1) * sum_i (sum_i - mean * n_i)^2 / N^2     (k records)
 * (Cochran, Sampling Techniques, 3rd ed., 6.3). half is NAN below two
 * records. */
struct mean_loss {
    double mean, half;
    uint64_t tokens, records;
};
struct mean_loss mean_of(const struct record_loss *r, uint64_t n);

/* The same for the difference a - b of two models on the same records. */
struct mean_loss mean_difference(const struct record_loss *a,
                                 const struct record_loss *b, uint64_t n);

#endif
