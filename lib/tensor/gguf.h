/* gguf.h - a GGUF file, opened: its keys, and where its tensors lie.
 *
 * The file: "GGUF", version (u32), how many tensors and keys (u64 each); the
 * keys: name, type (u32), value; of every tensor name, dimensions (u32 how
 * many, u64 each, the fastest first), type (u32) and offset in the data
 * (u64); then, on the next multiple of general.alignment (32), the data, each
 * tensor on such a multiple. A string is its length (u64) and its bytes, an
 * array the type of its elements (u32), their number (u64) and they. All is
 * little-endian. Versions 2 and 3 are alike.
 *
 * The file is mapped, and what is found points into the mapping. It is read as
 * hostile: no number of it is believed before it was compared with the bytes
 * that are left. What is guaranteed of an opened file: keys and tensors have
 * names of their own, in UTF-8 and without NUL; every value and every string
 * of an array lies in the file; types are those of the tables below; tensors
 * have whole blocks to the row, lie in the file, and one after the other: none
 * overlaps another, and nothing stands between them or behind the last but
 * the padding.
 *
 * What strings that are values hold is not looked at: not all of it is UTF-8.
 */
#ifndef TENSOR_GGUF_H
#define TENSOR_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/io.h"
#include "base/map.h"
#include "tensor/dtype.h"

#define GGUF_MAX_KEYS 65536
#define GGUF_MAX_TENSORS 1000000
#define GGUF_MAX_NAME 512
#define GGUF_DIMS 4

/* Types of values, by their numbers in the file. */
enum gguf_type {
    GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32,
    GGUF_BOOL, GGUF_STRING, GGUF_ARRAY, GGUF_U64, GGUF_I64, GGUF_F64,
    GGUF_TYPES
};

/* Bytes of the mapping; no NUL at their end. */
struct gguf_text {
    const char *p;
    size_t n;
};

struct gguf_key {
    struct gguf_text name;
    uint8_t type;      /* enum gguf_type: of an array, of its elements */
    bool is_array;     /* arrays of arrays are refused */
    uint64_t n;        /* elements; 1 where it is no array */
    const uint8_t *at; /* the first of them, aligned to nothing */
    size_t bytes;      /* of all of them */
};

/* A type of tensors, ggml's. */
struct gguf_format {
    const char *name;  /* "Q4_K" */
    uint16_t block;    /* elements of a row that lie together */
    uint16_t bytes;    /* of a block */
    uint8_t dtype;     /* the enum dtype that stores it; DTYPE_NONE: none */
};

struct gguf_tensor {
    struct gguf_text name;
    uint32_t type;          /* for gguf_format */
    uint32_t n_dims;
    uint64_t ne[GGUF_DIMS]; /* elements, the fastest dimension first; 1 past
                               n_dims */
    uint64_t begin;         /* offset in the data */
    uint64_t bytes;
};

struct gguf {
    char *path;
    struct file_map map;
    uint32_t version;
    uint64_t align;   /* of the data and of each tensor */
    uint64_t data_at; /* where the data starts in the file */
    struct gguf_key *key;
    size_t n_keys;
    struct gguf_tensor *tensor; /* as the file lists them */
    size_t n_tensors;
    struct map by_name; /* of the keys */
};

/* Whether the file begins as a GGUF file does; false when there is none. */
bool gguf_is(const char *path);

/* Opens and maps a file: no data is read. A missing file is ERR_IO, a
 * directory ERR_USAGE, a broken file or one of another version ERR_DATA with
 * the offset. On failure *g is released. */
int gguf_open(struct gguf *g, const char *path, struct err *e);
void gguf_release(struct gguf *g);

/* The check behind gguf_open, of a file that is p[n] and in memory for as long
 * as *g is: map is not set. */
int gguf_parse(struct gguf *g, const void *p, size_t n, const char *where,
               struct err *e);

/* NULL for a number that is no type. */
const struct gguf_format *gguf_format(uint32_t type);

/* t->bytes of its type and dimensions. ERR_DATA, beginning with `where`, for
 * an unknown type, more than 4 dimensions, rows that are no whole blocks, a
 * size over 2^64. */
int gguf_measure(struct gguf_tensor *t, const char *where, struct err *e);

/* Where the tensor's bytes are; on a multiple of g->align. */
const void *gguf_data(const struct gguf *g, const struct gguf_tensor *t);

/* Keys. NULL when there is none of that name. */
const struct gguf_key *gguf_find(const struct gguf *g, const char *name);

bool gguf_type_is_whole(unsigned type); /* U8 to I64; not BOOL */
bool gguf_type_is_real(unsigned type);  /* F32 and F64 */
size_t gguf_type_bytes(unsigned type);  /* 0 for strings, arrays, unknown */
const char *gguf_type_name(unsigned type); /* "u32", "string"; "?" */

/* Element i of a key (0 of one that is no array), i < n. The first takes any
 * whole number that an int64_t holds and BOOL, the second any number and
 * BOOL. False, *out untouched, for other types and greater numbers. */
bool gguf_whole(const struct gguf_key *k, uint64_t i, int64_t *out);
bool gguf_real(const struct gguf_key *k, uint64_t i, double *out);

/* The string of a key that is one; false for others. */
bool gguf_string(const struct gguf_key *k, struct gguf_text *out);

/* The strings of a key that is an array of them, one after the other:
 *
 *   for (struct gguf_strings s = gguf_strings(k); gguf_next(&s, &text);)
 *
 * There are none in a key of another type. */
struct gguf_strings {
    const uint8_t *p;
    uint64_t left;
};
struct gguf_strings gguf_strings(const struct gguf_key *k);
bool gguf_next(struct gguf_strings *s, struct gguf_text *text);

bool gguf_text_is(struct gguf_text t, const char *s);

#endif
