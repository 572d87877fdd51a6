/* modeldir.h - a Hugging Face model directory, read and written.
 *
 * Tensors come from model.safetensors if it is there (as transformers does
 * it), else from the files that model.safetensors.index.json names; those
 * names are hostile input and never leave the directory. A tensor is found
 * in one file only. Assets are the small files that make a base whole:
 * config.json first, then generation config and tokenizer files.
 */
#ifndef TENSOR_MODELDIR_H
#define TENSOR_MODELDIR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/io.h"
#include "tensor/safetensors.h"

#define MODELDIR_CONFIG "config.json"
#define MODELDIR_WEIGHTS "model.safetensors"
#define MODELDIR_INDEX "model.safetensors.index.json"
#define MODELDIR_KEY "graft.key"
#define MODELDIR_MAX_ASSET (64 << 20)

/* Asset name i in the order of a weights stream, NULL past the last. */
const char *modeldir_asset_name(size_t i);

struct modeldir_tensor {
    const struct safetensors *file;
    const struct safetensor *t;
};

struct modeldir {
    char *path;
    struct safetensors *file;
    size_t n_files;
    struct modeldir_tensor *item; /* bytewise by name */
    size_t n;
};

/* Opens every file. A missing directory is ERR_IO, a directory without
 * weights, an index with a bad name, missing files (all listed) or a tensor
 * that is not where the index says: ERR_DATA. */
int modeldir_open(struct modeldir *d, const char *path, struct err *e);
void modeldir_release(struct modeldir *d);

/* Reads asset `name` of the directory into *text; *found tells whether it
 * is there. */
int modeldir_asset(const char *path, const char *name, struct buf *text,
                   bool *found, struct err *e);

/* Writes the data of t, t->bytes of it, to out. */
struct modeldir_source {
    int (*put)(void *ctx, const struct safetensor *t, struct out *out,
               struct err *e);
    void *ctx;
};

/* Writes model.safetensors into the new directory; puts item[n] into file
 * order. meta[n_meta] goes into the file's metadata after format=pt. */
int modeldir_put_weights(struct out_dir *w, struct safetensor *item,
                         size_t n, const struct modeldir_source *source,
                         const struct safetensors_meta *meta, size_t n_meta,
                         struct err *e);

/* Whether path is a directory that was written with that value of
 * MODELDIR_KEY, and whole. */
bool modeldir_has_key(const char *path, const char *key);

#endif
