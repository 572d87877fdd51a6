/* codec.c - which of the tables of loops this machine can run. */
#include "tensor/codec.h"

#include <pthread.h>

#define MOST 3

static const struct codec *table[MOST + 1]; /* the rest is NULL */
static const struct codec *best;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
find(void)
{
    size_t n = 0;

    table[n++] = &codec_generic;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        table[n++] = &codec_avx2;
    if (n == 2 && __builtin_cpu_supports("avx512f")
        && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl"))
        table[n++] = &codec_avx512;
#endif
    best = table[n - 1];
}

const struct codec *
codec_best(void)
{
    pthread_once(&once, find);
    return best;
}

const struct codec *
codec_at(size_t i)
{
    pthread_once(&once, find);
    return i < MOST ? table[i] : NULL;
}
