/* weights.h - one opened base: its tensors and its assets.
 *
 * A base is a Hugging Face model directory (config.json and one or more
 * .safetensors, with or without index), a shard set that `quantize | shard`
 * made, or a GGUF file, whose tensors have the names and shapes that Hugging
 * Face gives them, and whose keys are a config.json (weights_gguf.c). The data
 * is mapped read-only and never copied, except a tensor that is not aligned
 * for its type in its file, or whose rows are in another order there: that one
 * is copied once and counted. Names are unique; items are in bytewise order of
 * name.
 *
 * An int8 tensor has its scales beside it: in a stream they are the F16
 * tensor "NAME.scale", which is attached here and is not an item. So are the
 * parts of weights that bitsandbytes saved, which are NF4 or I8_ROW here.
 *
 * All sizes are checked when opening; a file that is cut short after that
 * ends the program (file_map_open).
 */
#ifndef WEIGHTS_WEIGHTS_H
#define WEIGHTS_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "tensor/shape.h"
#include "tensor/stored.h"

/* What a tensor is to who quantises. */
enum weight_use {
    WEIGHT_OTHER,
    WEIGHT_LINEAR, /* a layer's matrix, which adapters are for */
    WEIGHT_EXACT   /* of few numbers, on which much depends (model/desc.h) */
};

struct weight {
    const char *name;
    uint8_t dtype;          /* enum dtype; see tensor/stored.h */
    uint32_t n_dims;
    uint64_t shape[SHAPE_MAX_DIMS];
    const void *data;       /* row major, aligned for dtype */
    const void *scale;      /* of a quantised one: its side tensor, a row
                               for each of its rows along the last
                               dimension; NULL for plain integers */
    uint64_t bytes;         /* of data, without scale */

    /* A GGUF file of Llama's has in its queries and keys the rows of the two
     * halves of a head take turns: of so many heads, as they lie in the file.
     * data is NULL until weights_ready has put them in order. 0: none. */
    uint32_t heads;
    const void *paired;
};

/* config.json, tokenizer.json and the like, verbatim. */
struct weight_asset {
    const char *name;
    const char *data; /* data[n] is NUL */
    size_t n;
};

struct weights {
    char *path;
    struct weight *item;
    size_t n;
    struct weight_asset *asset;
    size_t n_assets;
    uint64_t mapped; /* bytes of all mappings */
    uint64_t copied; /* bytes of tensors copied: for alignment or order, or
                        scales that had to be dequantised */
    char made_of[ID_HEX + 1]; /* the id of the tokenizer.json that the
                                 tokenizer of a GGUF file, or of a set made of
                                 one, was made of, as these have it; or "" */
    uint8_t bitsandbytes; /* bits of the weights that it has as bitsandbytes
                             saves them, 4 or 8; 0: none */
    struct weights_source *source;
};

/* ERR_IO for a path that is not there, ERR_DATA for one that is no base or
 * a broken one. */
int weights_open(struct weights *w, const char *path, struct err *e);
void weights_release(struct weights *w);

/* NULL when there is none. */
const struct weight *weights_find(const struct weights *w, const char *name);
const struct weight_asset *weights_asset(const struct weights *w,
                                         const char *name);

/* The text of config.json, verbatim; ERR_DATA when the base has none. */
int weights_config(const struct weights *w, const char **text, size_t *n,
                   struct err *e);

/* Bytes of t's side tensor; 0 where it has none. */
uint64_t weight_side_bytes(const struct weight *t);

/* The number of t's elements. */
uint64_t weight_elements(const struct weight *t);

/* x[n] = elements [at, at + n) of t, counted row after row, of a float type or
 * in a stored format, with its scales where that has some. */
void weight_floats(float *x, const struct weight *t, uint64_t at, size_t n);

/* From now on t->data is there: of most tensors it always is. ERR_IO when there
 * is no memory for a copy. */
int weights_ready(const struct weights *w, const struct weight *t,
                  struct err *e);
int weights_all_ready(const struct weights *w, struct err *e);

/* Nobody reads t->data any more: what weights_ready took is given back, and
 * the rest dropped. */
void weights_done(const struct weights *w, const struct weight *t);

/* t's mapped pages are not needed for now: a program that goes through a base
 * once stays small. They come back when they are read again. */
void weights_drop(const struct weights *w, const struct weight *t);

/* Compares all data with the hashes of its set, by all threads, and reads all
 * of it to do so; a model directory has no hashes. ERR_DATA names the file. */
int weights_check(const struct weights *w, struct err *e);

/* The content id of the base. Of a shard set its manifest's, at once; of a
 * directory a hash over names, types, shapes, bytes and assets, which reads
 * all of the data. */
struct id weights_id(const struct weights *w);

/* The same where it is known without that; NULL where it is not. */
const struct id *weights_known_id(const struct weights *w);

#endif
