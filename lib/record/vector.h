/* vector.h - vector records: what a model makes of a text, as one vector.
 *
 * Encoding, little-endian: u8 form, 1; 7 zero bytes; u64 ordinal; i64 time; 32
 * bytes id of the text record; u8 length of the repository's name and that, u8
 * length of the language's and that; the elements as float32, which end the
 * record. None of them is NaN or infinite.
 *
 * Stream keys: "dim" is the number of elements of each vector. What they were
 * made with is in keys, too, so that only vectors that can be compared are:
 * "base" and "adapter", content ids, "pool", how hidden states became one, and
 * "tokenizer".
 *
 * Limit: VECTOR_DIM_MAX elements.
 */
#ifndef RECORD_VECTOR_H
#define RECORD_VECTOR_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/tokens.h"
#include "stream/head.h"

#define VECTOR_DIM_MAX (1u << 20)

struct vector {
    struct tokens_origin origin; /* text, ordinal, time, repo and lang of it */
    size_t dim;
    const uint8_t *data; /* encoded: use vector_floats */
};

/* Appends an encoded record; ERR_DATA where an element isn't finite. */
int vector_encode(struct buf *b, const struct tokens_origin *origin,
                  const float *x, size_t dim, struct err *e);

/* Decodes without copying; dim is that of the head, 0: not looked at.
 * ERR_DATA, *v untouched. */
int vector_decode(struct vector *v, const void *p, size_t n, uint64_t dim,
                  struct err *e);

/* Copies out the v->dim elements. */
void vector_floats(const struct vector *v, float *out);

/* *dim is what the head says; ERR_DATA without it, or where it is none. where
 * is the message's prefix. */
int vector_dim(const struct stream_head *h, const char *where, uint64_t *dim,
               struct err *e);

#endif
