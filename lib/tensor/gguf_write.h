/* gguf_write.h - a GGUF file being written: version 3, aligned to 32 bytes.
 *
 * First its keys and what there is of tensors are named, in the order of the
 * file; then it is started on an output, and the tensors' bytes follow, in
 * pieces of any size, so that no more than a piece is ever in memory:
 *
 *   gguf_out_init(&g, path);
 *   gguf_out_string(&g, "general.architecture", "llama");
 *   rc = gguf_out_tensor(&g, "token_embd.weight", type, 2, ne, e);
 *   rc = gguf_out_start(&g, &out, e);
 *   rc = gguf_out_data(&g, p, n, e);   as often as there is data
 *   rc = gguf_out_finish(&g, e);       then out_commit
 *   gguf_out_release(&g);
 *
 * Names of keys are at most GGUF_MAX_NAME bytes, those of tensors less than
 * the 64 that ggml has room for.
 */
#ifndef TENSOR_GGUF_WRITE_H
#define TENSOR_GGUF_WRITE_H

#include "base/buf.h"
#include "base/io.h"
#include "base/map.h"
#include "tensor/gguf.h"

#define GGUF_OUT_ALIGN 32
#define GGUF_OUT_MAX_NAME 63

struct gguf_out {
    const char *where;     /* what messages call the file */
    struct buf keys, list; /* as the file has them */
    struct map names;      /* of the keys */
    size_t twice;          /* 1 + the entry of a key put twice; 0: none */
    struct map tensors;    /* by name: bytes */
    uint64_t begin;        /* of the next tensor in the data */
    struct out *out;       /* once it is started */
    size_t next;           /* tensors that are complete */
    uint64_t written;      /* bytes of the one that is not */
};

/* where has to stay until the release. */
void gguf_out_init(struct gguf_out *g, const char *where);
void gguf_out_release(struct gguf_out *g);

/* Keys. One that is put twice is what gguf_out_start fails by. */
void gguf_out_u32(struct gguf_out *g, const char *name, uint32_t v);
void gguf_out_f32(struct gguf_out *g, const char *name, float v);
void gguf_out_bool(struct gguf_out *g, const char *name, bool v);
void gguf_out_string(struct gguf_out *g, const char *name, const char *v);

/* Arrays. p is n numbers of that type, little-endian (u32, i32, f32, ...). */
void gguf_out_numbers(struct gguf_out *g, const char *name,
                      enum gguf_type type, const void *p, size_t n);
void gguf_out_strings(struct gguf_out *g, const char *name,
                      const struct gguf_text *text, size_t n);

/* A key of another file, as it is there. */
void gguf_out_key(struct gguf_out *g, const struct gguf_key *k);

/* A tensor: ne[n_dims], the fastest dimension first, of a type of
 * gguf_format. ERR_DATA for a name that is too long or there twice, an unknown
 * type, rows that are no whole blocks or a size over 2^64. */
int gguf_out_tensor(struct gguf_out *g, const char *name, uint32_t type,
                    uint32_t n_dims, const uint64_t *ne, struct err *e);

/* Writes all that comes before the data. */
int gguf_out_start(struct gguf_out *g, struct out *out, struct err *e);

/* The next n bytes of the data, without what pads it: all of the first
 * tensor's, then all of the second's; a piece may have bytes of several. */
int gguf_out_data(struct gguf_out *g, const void *p, size_t n,
                  struct err *e);

/* ERR_IO, naming the tensor, when data is missing. */
int gguf_out_finish(struct gguf_out *g, struct err *e);

#endif
