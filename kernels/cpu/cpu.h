/* cpu.h - what the files of the CPU back end share; nobody else includes it.
 *
 * An op has a function that runs it and, where it needs any, one that tells
 * its scratch. Work is cut into items for par_for by shapes alone.
 */
#ifndef KERNELS_CPU_CPU_H
#define KERNELS_CPU_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/cpu/bf16.h"
#include "kernels/cpu/fixed.h"
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/vec.h"
#include "kernels/host.h"
#include "tensor/dynamic8.h"

struct cpu {
    struct host host; /* first */
    struct gemm gemm;
    const struct vec *vec;
    const struct bf16_ops *bf16; /* NULL: products are float throughout */
    const struct fixed_ops *fixed; /* NULL: few rows stay floats, too */
    struct dynamic8 eight[2];    /* of m, of v */
};

/* An op being run. */
struct job {
    const struct cpu *cpu;
    const struct vec *vec;
    struct run *run;
    const struct op *op;
};

static inline float *
f32_at(const struct job *j, const struct view *v)
{
    return view_at(j->run, v);
}

static inline size_t
min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t
ceil_div(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

/* The first row of row i's document that is in its sequence of seq rows. */
static inline size_t
first_row(const struct job *j, size_t i, size_t seq)
{
    size_t doc = (size_t)j->run->batch->doc_first[i], at = i - i % seq;

    return doc > at ? doc : at;
}

static inline bool
is_f32(const struct view *v)
{
    return v->dtype == DTYPE_F32 || v->dtype == DTYPE_REAL;
}

/* Rows of a view over token rows that hold tokens. */
static inline size_t
token_rows(const struct job *j, const struct view *v)
{
    return min_size(v->rows, j->run->batch->n);
}

/* Scratch is handed out in pieces of whole cache lines. */
static inline size_t
piece(size_t floats)
{
    return (floats + 15) / 16 * 16;
}

/* Runs of ops. */
void cpu_embed(const struct job *j);
void cpu_embed_bwd(const struct job *j);
void cpu_embed_tokens(const struct job *j);
void cpu_embed_tokens_bwd(const struct job *j);
void cpu_norm(const struct job *j);
void cpu_norm_bwd(const struct job *j);
void cpu_linear(const struct job *j); /* and GROUPED */
void cpu_linear_bwd(const struct job *j);
void cpu_dora_norm(const struct job *j);
void cpu_dora(const struct job *j);
void cpu_dora_bwd(const struct job *j);
void cpu_rope(const struct job *j);
void cpu_attention(const struct job *j);
void cpu_attention_bwd(const struct job *j);
void cpu_act(const struct job *j);
void cpu_act_bwd(const struct job *j);
void cpu_glu(const struct job *j);
void cpu_glu_bwd(const struct job *j);
void cpu_add(const struct job *j);
void cpu_conv1d(const struct job *j);
void cpu_conv1d_bwd(const struct job *j);
void cpu_scan(const struct job *j);
void cpu_scan_bwd(const struct job *j);
void cpu_ssd(const struct job *j);
void cpu_ssd_bwd(const struct job *j);
void cpu_route(const struct job *j);
void cpu_route_bwd(const struct job *j);
void cpu_balance(const struct job *j);
void cpu_gather(const struct job *j);
void cpu_combine(const struct job *j);
void cpu_combine_bwd(const struct job *j);
void cpu_gate(const struct job *j);
void cpu_gate_bwd(const struct job *j);
void cpu_head_ce(const struct job *j);
void cpu_logits(const struct job *j);
void cpu_cache(const struct job *j);
void cpu_copy(const struct job *j);
void cpu_zero(const struct job *j);
void cpu_sqnorm(const struct job *j);
void cpu_clip(const struct job *j);
void cpu_adamw(const struct job *j);
void cpu_adamw8(const struct job *j);
void cpu_muon(const struct job *j);
void cpu_sgd(const struct job *j);

/* struct backend's principal and principal_scratch. */
int cpu_principal(const struct backend *b, const struct principal *p,
                  struct err *e);
uint64_t cpu_principal_scratch(const struct principal *p);

/* Bytes of scratch for `workers` workers. */
uint64_t norm_scratch(const struct op *op, int workers);
uint64_t norm_bwd_scratch(const struct op *op, int workers);
uint64_t linear_scratch(const struct op *op, int workers);
uint64_t linear_bwd_scratch(const struct op *op, int workers);
uint64_t linear_bf16_scratch(const struct op *op, int workers);
uint64_t dora_norm_scratch(const struct op *op, int workers);
uint64_t dora_scratch(const struct op *op, int workers);
uint64_t rope_scratch(const struct op *op, int workers);
uint64_t attention_scratch(const struct op *op, int workers);
uint64_t attention_bwd_scratch(const struct op *op, int workers);
uint64_t attention_bf16_scratch(const struct op *op, int workers);
uint64_t conv1d_scratch(const struct op *op, int workers);
uint64_t conv1d_bwd_scratch(const struct op *op, int workers);
uint64_t scan_scratch(const struct op *op, int workers);
uint64_t scan_bwd_scratch(const struct op *op, int workers);
uint64_t ssd_scratch(const struct op *op, int workers);
uint64_t ssd_bwd_scratch(const struct op *op, int workers);
uint64_t route_scratch(const struct op *op, int workers);
uint64_t route_bwd_scratch(const struct op *op, int workers);
uint64_t head_ce_scratch(const struct op *op, int workers);
uint64_t logits_scratch(const struct op *op, int workers);
uint64_t head_ce_bf16_scratch(const struct op *op, int workers);
uint64_t logits_bf16_scratch(const struct op *op, int workers);
uint64_t muon_scratch(const struct op *op, int workers);
uint64_t sqnorm_scratch(const struct op *op, int workers);

#endif
