/* codec.h - the loops that encode tensors, once per instruction set; private
 * to lib/tensor and its tests.
 *
 * Every table holds the same functions, made from codec_body.inc by a compiler
 * that may use other instructions: plain loops, without sums, so that every
 * table gives the same bytes. codec_best is chosen once, by what CPUID shows.
 */
#ifndef TENSOR_CODEC_H
#define TENSOR_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct codec {
    const char *name;

    /* The largest bit pattern of x[n] without its sign: that of the largest
     * magnitude, and of none that is finite where it is FLOAT_INF or more. */
    uint32_t (*top)(const float *x, size_t n);

    /* What nf4.h, int8.h and int8_row.h have of these names. */
    void (*nf4_encode)(uint8_t *code, float *absmax, const float *x,
                       size_t n);
    bool (*int8_encode)(int8_t *q, uint16_t *scale, const float *x, size_t n,
                        size_t *bad);
    bool (*int8_row_encode)(int8_t *q, float *absmax, const float *x,
                            size_t n, size_t *bad);

    /* floats_load and floats_store of these types. */
    void (*load_bf16)(float *out, const void *in, size_t n);
    void (*store_bf16)(void *out, const float *in, size_t n);
    void (*load_f16)(float *out, const void *in, size_t n);

    /* What lowrank.h has of this name. */
    size_t (*lowrank_add)(float *y, const float *x, float scale,
                          const float *coef, const float *rows, size_t ld,
                          size_t rank, size_t n);

    /* floats_differ of these sizes. */
    size_t (*differ16)(const void *a, const void *b, size_t n);
    size_t (*differ32)(const void *a, const void *b, size_t n);
};

#define FLOAT_INF 0x7f800000u

/* The fastest that this machine has. */
const struct codec *codec_best(void);

/* Table i of those that this machine has, from the plainest to the fastest;
 * NULL past the last. */
const struct codec *codec_at(size_t i);

extern const struct codec codec_generic;
#if defined(__x86_64__)
extern const struct codec codec_avx2, codec_avx512;
#endif

#endif
