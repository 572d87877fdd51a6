/* ops.cuh - a function for each kind of op: it puts the op's launches on the
 * call's stream. T is the type of activations. */
#ifndef KERNELS_CUDA_OPS_CUH
#define KERNELS_CUDA_OPS_CUH

#include "cuda.cuh"

/* rows.cu */
template <class T> void run_embed(struct call *c);
template <class T> void run_embed_bwd(struct call *c);
template <class T> void run_rope(struct call *c);
template <class T> void run_act(struct call *c);
template <class T> void run_act_bwd(struct call *c);
template <class T> void run_glu(struct call *c);
template <class T> void run_glu_bwd(struct call *c);
template <class T> void run_add(struct call *c);
template <class T> void run_cache(struct call *c);
template <class T> void run_copy(struct call *c);
template <class T> void run_zero(struct call *c);

/* tokens.cu */
template <class T> void run_embed_tokens(struct call *c);
template <class T> void run_embed_tokens_bwd(struct call *c);

/* aside.cu */
void run_stash(struct call *c);
void run_fetch(struct call *c);
void run_wait(struct call *c);

/* norm.cu */
template <class T> void run_norm(struct call *c);
template <class T> void run_norm_bwd(struct call *c);

/* linear.cu, linear_bwd.cu */
template <class T> void run_linear(struct call *c);
template <class T> void run_linear_bwd(struct call *c);

/* conv.cu */
template <class T> void run_conv1d(struct call *c);
template <class T> void run_conv1d_bwd(struct call *c);

/* scan.cu, scan_bwd.cu */
template <class T> void run_scan(struct call *c);
template <class T> void run_scan_bwd(struct call *c);

/* ssd.cu, ssd_bwd.cu (and ssd_steps.cu) */
template <class T> void run_ssd(struct call *c);
template <class T> void run_ssd_bwd(struct call *c);

/* dora.cu */
void run_dora_norm(struct call *c);
template <class T> void run_dora(struct call *c);
template <class T> void run_dora_bwd(struct call *c);

/* attention.cu, attention_bwd.cu */
template <class T> void run_attention(struct call *c);
template <class T> void run_attention_bwd(struct call *c);

/* head.cu */
template <class T> void run_head_ce(struct call *c);
template <class T> void run_logits(struct call *c);

/* route.cu, experts.cu */
template <class T> void run_route(struct call *c);
template <class T> void run_route_bwd(struct call *c);
void run_balance(struct call *c);
template <class T> void run_gather(struct call *c);
template <class T> void run_combine(struct call *c);
template <class T> void run_combine_bwd(struct call *c);
template <class T> void run_gate(struct call *c);
template <class T> void run_gate_bwd(struct call *c);

/* grouped.cu */
template <class T> void run_grouped(struct call *c);
template <class T> void run_grouped_bwd(struct call *c);

/* optim.cu, muon.cu */
void run_sqnorm(struct call *c);
void run_clip(struct call *c);
void run_adamw(struct call *c);
void run_adamw8(struct call *c);
void run_muon(struct call *c);
void run_sgd(struct call *c);

#endif
