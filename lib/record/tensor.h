/* tensor.h - what weights streams hold: descriptors of tensors, and assets.
 *
 * A descriptor: name, NUL, the type's name as in safetensors ("F32"), NUL,
 * varint number of dimensions, varint dimensions. Data follow row major,
 * little-endian, dimensions times element size of them. An int8 tensor's
 * scales are a tensor of their own, "NAME.scale", F16, right behind it: one
 * per 128 elements along the last dimension, ceil(last / 128) a row.
 *
 * An asset (a record; all come before the first tensor): u8 1; name, NUL;
 * the bytes, to the end of the record. A name is that of a file without
 * directory.
 *
 * Limits: 8 dimensions, a tensor's name 1 KiB, an asset's 255 bytes.
 */
#ifndef RECORD_TENSOR_H
#define RECORD_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "tensor/dtype.h"

#define TENSOR_MAX_DIMS 8
#define TENSOR_MAX_NAME 1024

struct tensor_desc {
    const char *name; /* points into the descriptor */
    enum dtype dtype;
    uint32_t n_dims;
    uint64_t shape[TENSOR_MAX_DIMS];
    uint64_t bytes; /* of the data: follows from the rest */
};

/* Appends the encoded descriptor; ERR_DATA where it can't be one. bytes is
 * not looked at. */
int tensor_encode(struct buf *b, const struct tensor_desc *d, struct err *e);

/* Decodes without copying; n_data is what the stream says follows and must
 * be what shape and type give. ERR_DATA, *d untouched. */
int tensor_decode(struct tensor_desc *d, const void *p, size_t n,
                  uint64_t n_data, struct err *e);

struct asset {
    const char *name; /* points into the record */
    const char *data;
    size_t n;
};

int asset_encode(struct buf *b, const char *name, const void *data, size_t n,
                 struct err *e);
int asset_decode(struct asset *a, const void *p, size_t n, struct err *e);

#endif
