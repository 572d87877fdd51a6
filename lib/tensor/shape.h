/* shape.h - the shape of a tensor: its size in bytes, and as text. */
#ifndef TENSOR_SHAPE_H
#define TENSOR_SHAPE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SHAPE_MAX_DIMS 8

/* Dimension i in units of the type (tensor/dtype.h): the last one in those of
 * several elements. */
uint64_t shape_units(unsigned dtype, const uint64_t *shape, size_t n_dims,
                     size_t i);

/* *bytes = the size of a tensor of that type and shape; ERR_DATA (without
 * prefix) when it overflows or there are too many dimensions. */
int tensor_bytes(uint64_t *bytes, unsigned dtype, const uint64_t *shape,
                 size_t n_dims, struct err *e);

/* "[2, 3]", for messages; returns text. Needs room for 8 dimensions. */
#define SHAPE_TEXT 192
char *shape_text(char text[SHAPE_TEXT], const uint64_t *shape, size_t n_dims);

#endif
