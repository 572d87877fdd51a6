/* gguf_rope.h - the rotary positions of a GGUF file, as config.json has them;
 * private to gguf_*.c.
 *
 * llama.cpp's converter writes the scaling of Llama 3 as a tensor of factors
 * instead of its settings: these are found again by comparing with what
 * Meta's settings would make.
 */
#ifndef WEIGHTS_GGUF_ROPE_H
#define WEIGHTS_GGUF_ROPE_H

#include <stdbool.h>

#include "base/buf.h"
#include "model/family.h"
#include "tensor/gguf.h"

#define GGUF_ROPE_DIMENSIONS "rope.dimension_count"
#define GGUF_ROPE_SCALING "rope.scaling."
#define GGUF_VALUE_LENGTH "attention.value_length"

/* A value for a message: a number, a short string in quotes, or its type. */
#define GGUF_VALUE 80
char *gguf_value_text(char text[GGUF_VALUE], const struct gguf_key *k);

struct gguf_rope {
    double rotary;    /* the part of a head that turns */
    const char *type; /* rope_type; NULL: no scaling */
    double factor, original, low, high; /* 0: not said */
};

/* Whether key[n], below the architecture's name, is one that is read here. */
bool gguf_rope_reads(const char *key, size_t n);

/* Reads them for a model of these sizes; partial: the family's config.json can
 * say that a part of a head turns. ERR_DATA for a scaling that is not
 * implemented. */
int gguf_rope_read(struct gguf_rope *r, const struct gguf *g,
                   const char *arch, const struct config *c, bool partial,
                   struct err *e);

/* Appends ", "rope_scaling": ..." where there is one. */
void gguf_rope_put(struct buf *b, const struct gguf_rope *r);

#endif
