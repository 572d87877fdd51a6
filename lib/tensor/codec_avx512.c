/* codec_avx512.c - struct codec compiled with AVX-512: see the Makefile. */
#if defined(__x86_64__)
#define CODEC_NAME "avx512"
#define CODEC_TABLE codec_avx512
#define LANES 16

#include <immintrin.h>

#include "tensor/codec_body.inc"
#endif
