/* codec_generic.c - struct codec for any processor. */
#define CODEC_NAME "generic"
#define CODEC_TABLE codec_generic
#define LANES 4

#include "tensor/codec_body.inc"
