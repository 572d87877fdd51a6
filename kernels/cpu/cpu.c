/* cpu.c - the CPU back end: which instruction set, which function per op.
 *
 * Everything that depends on the machine is decided here, once, from CPUID:
 * the table of vector functions and the matrix libraries' settings.
 */
#include "kernels/cpu/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/par.h"

struct op_impl {
    void (*run)(const struct job *j);
    uint64_t (*scratch)(const struct op *op, int workers);
    /* What comes behind it where products are of bfloat16. */
    uint64_t (*narrow)(const struct op *op, int workers);
};

static const struct op_impl impls[OP_KINDS] = {
    [OP_EMBED] = { cpu_embed, NULL },
    [OP_EMBED_BWD] = { cpu_embed_bwd, NULL },
    [OP_EMBED_TOKENS] = { cpu_embed_tokens, NULL },
    [OP_EMBED_TOKENS_BWD] = { cpu_embed_tokens_bwd, NULL },
    [OP_NORM] = { cpu_norm, norm_scratch },
    [OP_NORM_BWD] = { cpu_norm_bwd, norm_bwd_scratch },
    [OP_LINEAR] = { cpu_linear, linear_scratch, linear_bf16_scratch },
    [OP_LINEAR_BWD] = { cpu_linear_bwd, linear_bwd_scratch,
                        linear_bf16_scratch },
    [OP_DORA_NORM] = { cpu_dora_norm, dora_norm_scratch },
    [OP_DORA] = { cpu_dora, dora_scratch },
    [OP_DORA_BWD] = { cpu_dora_bwd, NULL },
    [OP_ROPE] = { cpu_rope, rope_scratch },
    [OP_ATTENTION] = { cpu_attention, attention_scratch,
                       attention_bf16_scratch },
    [OP_ATTENTION_BWD] = { cpu_attention_bwd, attention_bwd_scratch,
                           attention_bf16_scratch },
    [OP_ACT] = { cpu_act, NULL },
    [OP_ACT_BWD] = { cpu_act_bwd, NULL },
    [OP_GLU] = { cpu_glu, NULL },
    [OP_GLU_BWD] = { cpu_glu_bwd, NULL },
    [OP_ADD] = { cpu_add, NULL },
    [OP_CONV1D] = { cpu_conv1d, conv1d_scratch },
    [OP_CONV1D_BWD] = { cpu_conv1d_bwd, conv1d_bwd_scratch },
    [OP_SCAN] = { cpu_scan, scan_scratch },
    [OP_SCAN_BWD] = { cpu_scan_bwd, scan_bwd_scratch },
    [OP_SSD] = { cpu_ssd, ssd_scratch },
    [OP_SSD_BWD] = { cpu_ssd_bwd, ssd_bwd_scratch },
    [OP_ROUTE] = { cpu_route, route_scratch },
    [OP_ROUTE_BWD] = { cpu_route_bwd, route_bwd_scratch },
    [OP_BALANCE] = { cpu_balance, NULL },
    [OP_GATHER] = { cpu_gather, NULL },
    [OP_COMBINE] = { cpu_combine, NULL },
    [OP_COMBINE_BWD] = { cpu_combine_bwd, NULL },
    [OP_GATE] = { cpu_gate, NULL },
    [OP_GATE_BWD] = { cpu_gate_bwd, NULL },
    [OP_GROUPED] = { cpu_linear, linear_scratch, linear_bf16_scratch },
    [OP_GROUPED_BWD] = { cpu_linear_bwd, linear_bwd_scratch,
                         linear_bf16_scratch },
    [OP_HEAD_CE] = { cpu_head_ce, head_ce_scratch, head_ce_bf16_scratch },
    [OP_LOGITS] = { cpu_logits, logits_scratch, logits_bf16_scratch },
    [OP_CACHE] = { cpu_cache, NULL },
    [OP_COPY] = { cpu_copy, NULL },
    [OP_ZERO] = { cpu_zero, NULL },
    [OP_SQNORM] = { cpu_sqnorm, sqnorm_scratch },
    [OP_CLIP] = { cpu_clip, NULL },
    [OP_ADAMW] = { cpu_adamw, NULL },
    [OP_ADAMW8] = { cpu_adamw8, NULL },
    [OP_MUON] = { cpu_muon, muon_scratch },
    [OP_SGD] = { cpu_sgd, NULL },
};

static bool
has_avx2(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

static bool
has_avx512(void)
{
#if defined(__x86_64__)
    return has_avx2() && __builtin_cpu_supports("avx512f")
        && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl");
#else
    return false;
#endif
}

/* The table named isa, or the best one; NULL when the machine lacks it. */
static const struct vec *
pick_vec(const char *isa)
{
    if (isa && strcmp(isa, "generic") == 0)
        return &vec_generic;
#if defined(__x86_64__)
    if (has_avx512() && (isa == NULL || strcmp(isa, "avx512") == 0))
        return &vec_avx512;
    if (has_avx2() && (isa == NULL || strcmp(isa, "avx2") == 0))
        return &vec_avx2;
#endif
    return isa ? NULL : &vec_generic;
}

/* What computes in bfloat16 here, or NULL. */
static const struct bf16_ops *
pick_bf16(void)
{
#if defined(__x86_64__)
    if (has_avx512() && __builtin_cpu_supports("avx512bf16"))
        return &bf16_avx512;
#endif
    return NULL;
}

/* What multiplies in whole numbers beside vec, or NULL. Its results are the
 * same bits whichever it is. */
static const struct fixed_ops *
pick_fixed(const struct vec *vec)
{
#if defined(__x86_64__)
    if (vec == &vec_avx512 && __builtin_cpu_supports("avx512vnni"))
        return &fixed_avx512vnni;
    if (vec != &vec_generic)
        return &fixed_avx2;
#endif
    (void)vec;
    return NULL;
}

static uint64_t
cpu_scratch(const struct backend *b, const struct op *op)
{
    const struct op_impl *impl = &impls[op->kind];

    const struct cpu *cpu = b->priv;
    uint64_t bytes = impl->scratch ? impl->scratch(op, par_threads()) : 0;

    if (cpu->bf16 && impl->narrow)
        bytes += impl->narrow(op, par_threads());
    return bytes;
}

static void
cpu_run(const struct host *h, struct run *run, const struct op *op)
{
    const struct cpu *cpu = (const struct cpu *)h;
    struct job j = { cpu, cpu->vec, run, op };

    impls[op->kind].run(&j);
}

int
cpu_open(struct backend *b, const char *isa, const char *compute,
         struct err *e)
{
    bool bf16 = strcmp(compute, "bf16") == 0;
    const struct vec *vec = pick_vec(isa);
    char libraries[160];
    struct cpu *cpu;
    int rc;

    if (vec == NULL)
        return err_set(e, ERR_USAGE, "this processor has no %s (found %s)",
                       isa, pick_vec(NULL)->name);
    if (!bf16 && strcmp(compute, "f32") != 0)
        return err_set(e, ERR_USAGE, "cannot compute in '%s' (expected f32 "
                       "or bf16)", compute);
    if (bf16 && pick_bf16() == NULL)
        return err_set(e, ERR_USAGE, "this processor has no instructions "
                       "for bf16 (AVX512_BF16; use --compute f32)");
    cpu = mem_alloc(sizeof(*cpu));
    cpu->vec = vec;
    cpu->bf16 = bf16 ? pick_bf16() : NULL;
    cpu->fixed = pick_fixed(vec);
    dynamic8_init(&cpu->eight[0], true);
    dynamic8_init(&cpu->eight[1], false);
    rc = gemm_open(&cpu->gemm, has_avx512(), par_threads(), e);
    if (rc < 0) {
        free(cpu);
        return rc;
    }
    gemm_describe(&cpu->gemm, libraries, sizeof(libraries));
    snprintf(b->detail, sizeof(b->detail), "%s, %s", vec->name, libraries);
    b->name = "cpu";
    b->kinds = 0;
    b->real_size = sizeof(float);
    for (unsigned k = 0; k < OP_KINDS; k++)
        b->kinds |= (uint64_t)(impls[k].run != NULL) << k;
    b->scratch = cpu_scratch;
    cpu->host.op = cpu_run;
    host_backend(b, &cpu->host);
    if (bf16)
        b->kept = DTYPE_BF16;
    b->principal = cpu_principal;
    b->principal_scratch = cpu_principal_scratch;
    b->close = cpu_close;
    b->reserve = (uint64_t)par_threads() * GEMM_RESERVE;
    return 0;
}

void
cpu_close(struct backend *b)
{
    struct cpu *cpu = b->priv;

    if (cpu)
        gemm_close(&cpu->gemm);
    free(cpu);
    b->priv = NULL;
}

void
cpu_dots(float *out, const float *a, size_t n_a, const float *b, size_t n_b,
         size_t dim)
{
    const struct vec *vec = pick_vec(NULL);

    for (size_t i = 0; i < n_a; i++)
        for (size_t k = 0; k < n_b; k++)
            out[i * n_b + k] = vec->dot(a + i * dim, b + k * dim, dim);
}
