/* codec_avx2.c - struct codec compiled with AVX2: see the Makefile. */
#if defined(__x86_64__)
#define CODEC_NAME "avx2"
#define CODEC_TABLE codec_avx2
#define LANES 8

#include <immintrin.h>

#include "tensor/codec_body.inc"
#endif
