/* adapter_combine.h - several adapters as one: the sum of what each adds,
 * times a weight.
 *
 * With A_i [r_i, in], B_i [out, r_i], s_i = adapter_scale and weights w_i, a
 * module's sum of w_i s_i B_i A_i is, for any number s,
 *     s B A,  A = [A_1; A_2; ...],  B = [w_1 s_1/s B_1, w_2 s_2/s B_2, ...]
 * of rank r_1 + r_2 + ...: PEFT's add_weighted_adapter of the type "cat",
 * which is exact but for the rounding of B, and of that there is none where
 * all w_i s_i/s are powers of two. s is the scale of the first module.
 */
#ifndef WEIGHTS_ADAPTER_COMBINE_H
#define WEIGHTS_ADAPTER_COMBINE_H

#include "weights/adapter.h"

struct adapter_share {
    const struct adapter *a;
    const char *path; /* for messages */
    double weight;    /* finite; below 0 it is subtracted */
};

/* *sum = what the n shares add up to, for adapter_release. A module that only
 * some have is of these; base, dropout and fan_in_fan_out are those of the
 * first. Every module has the rank that it needs, and alpha so that its scale
 * is s: of the rest rank_pattern and alpha_pattern tell, by whole names or,
 * where a name in the layer says the same of all of them, that. ERR_USAGE for
 * DoRA, whose factors are of a whole layer, modules to save and rows of
 * tokens; ERR_DATA for a module of two sizes, a rank beyond the most there may
 * be and a product that is not finite; ERR_IO without memory. On failure *sum
 * is released. */
int adapter_combine(struct adapter *sum, const struct adapter_share *share,
                    size_t n, struct err *e);

#endif
