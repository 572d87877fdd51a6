/* safetensors.h - reading and writing .safetensors files.
 *
 * The file: header length N (u64), N bytes of JSON padded with spaces to a
 * multiple of 8, then the data of all tensors without holes to the end of
 * the file. Little-endian, row major. The JSON is one object: tensor name ->
 * {"dtype", "shape", "data_offsets": [begin, end)} relative to the data, and
 * "__metadata__", strings to strings.
 *
 * The reader treats the file as hostile. Before anything is allocated a size
 * was compared with the file; the header is read into owned memory, checked
 * whole, and only then the file is mapped. What it guarantees of an opened
 * file: names are unique, sizes equal type times shape, the tensors lie end
 * to end from the first data byte to the last byte of the file.
 *
 * Limits: SAFETENSORS_* below.
 */
#ifndef TENSOR_SAFETENSORS_H
#define TENSOR_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/io.h"
#include "base/map.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

#define SAFETENSORS_MAX_HEADER 100000000 /* the format's own limit */
#define SAFETENSORS_MAX_ADAPTER_HEADER (16 << 20)
#define SAFETENSORS_MAX_TENSORS 1000000
#define SAFETENSORS_MAX_NAME 512
#define SAFETENSORS_META "__metadata__"

struct safetensor {
    char *name;
    uint8_t dtype;      /* enum dtype */
    uint32_t n_dims;    /* 0: a scalar */
    uint64_t shape[SHAPE_MAX_DIMS];
    uint64_t begin;     /* offset in the data section */
    uint64_t bytes;
};

struct safetensors_meta {
    const char *key, *value; /* owned by what was opened */
};

struct safetensors {
    char *path;
    struct file_map map;     /* the whole file; empty after a parse alone */
    uint64_t data_at;        /* where the data section starts */
    struct safetensor *item; /* in order of their data */
    size_t n;
    struct safetensors_meta *meta;
    size_t n_meta;
    struct map by_name;      /* name -> index of item */
};

/* Opens and maps a file whose header is at most max_header bytes. A missing
 * file is ERR_IO, a directory ERR_USAGE, a broken file ERR_DATA. */
int safetensors_open(struct safetensors *s, const char *path,
                     uint64_t max_header, struct err *e);
void safetensors_release(struct safetensors *s);

/* Without a mapping: reads the header of a file that was just opened. The data
 * of item[0], item[1] and so on come next from in. */
int safetensors_read_head(struct safetensors *s, struct in *in,
                          uint64_t max_header, struct err *e);

/* The check behind safetensors_open: header[n] describes data_bytes bytes
 * of data. where is the message's prefix. Maps nothing. */
int safetensors_parse(struct safetensors *s, const char *header, size_t n,
                      uint64_t data_bytes, const char *where, struct err *e);

/* NULL when there is none. */
const struct safetensor *safetensors_find(const struct safetensors *s,
                                          const char *name);

/* Where the tensor's bytes are mapped; aligned to nothing. */
const void *safetensors_data(const struct safetensors *s,
                             const struct safetensor *t);

/* Puts item[n] into file order (by type, of larger alignment first, as the
 * library safetensors has them, then by name, bytewise), sets begin and bytes,
 * and writes the header with meta[n_meta] in the order given. The caller then
 * writes the data of item[0], item[1] and so on. ERR_DATA for a duplicate
 * name. */
int safetensors_start(struct out *out, struct safetensor *item, size_t n,
                      const struct safetensors_meta *meta, size_t n_meta,
                      struct err *e);

#endif
