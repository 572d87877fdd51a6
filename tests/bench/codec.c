/* codec.c - what the encoders of lib/tensor take off BF16 a second, on one
 * core: widened and encoded, a piece at a time, by each instruction set. */
#include "tensor/codec.h"

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "rounds.h"

#define N 16384
#define TIMES 200
#define ROUNDS 9

static uint16_t in[N];
static float x[N], absmax[N / 64];
static uint16_t scale[N / 128];
static uint8_t out[N];

static void
nf4(const struct codec *c)
{
    c->nf4_encode(out, absmax, x, N);
}

static void
int8(const struct codec *c)
{
    size_t bad;

    c->int8_encode((int8_t *)out, scale, x, N, &bad);
}

static void
int8_row(const struct codec *c)
{
    size_t bad;

    c->int8_row_encode((int8_t *)out, absmax, x, N, &bad);
}

/* GB/s of BF16, by processor time. */
static double
speed(const struct codec *c, void (*encode)(const struct codec *c))
{
    double took[ROUNDS];

    for (int k = 0; k < ROUNDS; k++) {
        double start = clock_now(CLOCK_PROCESS_CPUTIME_ID);

        for (int i = 0; i < TIMES; i++) {
            c->load_bf16(x, in, N);
            encode(c);
        }
        took[k] = clock_now(CLOCK_PROCESS_CPUTIME_ID) - start;
    }
    return 2e-9 * N * TIMES / median(took, ROUNDS);
}

int
main(void)
{
    const struct codec *c;
    struct rng r;

    rng_init(&r, 1, 1);
    for (size_t i = 0; i < N; i++)
        x[i] = (float)rng_normal(&r) * 0.02f;
    codec_generic.store_bf16(in, x, N);
    for (size_t i = 0; (c = codec_at(i)) != NULL; i++)
        printf("quantize: encoders, %s: nf4 %.2f GB/s, int8 %.2f GB/s, "
               "int8_row %.2f GB/s%s\n",
               c->name, speed(c, nf4), speed(c, int8), speed(c, int8_row),
               c == codec_best() ? " (bar: 1)" : "");
    return 0;
}
