/* flops.h - floating-point operations of the kinds of op that multiply
 * matrices; see flops in op_info.h. Private to lib/model. */
#ifndef MODEL_FLOPS_H
#define MODEL_FLOPS_H

#include "kernels/ops.h"

double flops_linear(const struct op *op, double n, double n_head);
double flops_linear_bwd(const struct op *op, double n, double n_head);
double flops_grouped(const struct op *op, double n, double n_head);
double flops_grouped_bwd(const struct op *op, double n, double n_head);
double flops_attention(const struct op *op, double n, double n_head);
double flops_attention_bwd(const struct op *op, double n, double n_head);
double flops_muon(const struct op *op, double n, double n_head);
double flops_head(const struct op *op, double n, double n_head);

#endif
