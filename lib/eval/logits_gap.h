/* logits_gap.h - how far the logits of a merged base are from those of the
 * base with the adapter beside it. */
#ifndef EVAL_LOGITS_GAP_H
#define EVAL_LOGITS_GAP_H

#include "weights/model.h"

struct logits_gap {
    double top;   /* the largest magnitude of base and adapter's logits */
    double gap;   /* the largest difference of the merged base's from them */
    double moved; /* that of the base's alone: what the adapter does */
};

/* The program that runs n tokens as one text, for model_fit. */
struct prog_opts logits_gap_opts(uint32_t n);

/* Runs id[n] as a text through m, with its adapter and without, and through
 * merged, and compares all n rows of logits. ERR_DATA for one that is not
 * finite. */
int logits_gap(struct logits_gap *g, const struct model *m,
               const struct model *merged, const uint32_t *id, uint32_t n,
               struct err *e);

/* What to expect of such a difference from 32-bit sums alone: a sum of k
 * products is off by about 2^-24 sqrt(k) of itself, the longest of a layer's
 * two branches and those of all layers as independent as throws of a coin. */
double logits_gap_rounding(const struct model_desc *d, double top);

#endif
