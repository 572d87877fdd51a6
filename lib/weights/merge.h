/* merge.h - a base with an adapter folded into it, as a model directory of
 * Hugging Face or as a GGUF file.
 *
 * Every tensor of the base is written under its name; the layers' matrices
 * that the adapter has get what it adds (weights/merge_tensor.h), and what it
 * has saved whole takes the base's place. A head that is the embedding in the
 * base, and not in d, is written beside it, and the config says so. Formats
 * that Hugging Face's safetensors don't have are widened. The same base and
 * adapter give the same bytes at any number of threads.
 */
#ifndef WEIGHTS_MERGE_H
#define WEIGHTS_MERGE_H

#include <stdint.h>

#include "base/io.h"
#include "tensor/safetensors.h"
#include "weights/adapter.h"
#include "weights/weights.h"

struct merge_counts {
    size_t tensors;   /* that were written */
    uint64_t deltas;  /* weights to which the adapter adds something */
    uint64_t changed; /* those that are stored as another number for it */
};

struct merge_opts {
    const struct weights *base;
    const struct model_desc *desc;  /* of it: base_describe */
    bool untied;    /* desc is, for the adapter's sake: adapter_unties */
    const struct adapter *adapter;  /* which matches it: adapter_match */
    unsigned dtype; /* of all floats; DTYPE_NONE: of each as it is stored, and
                       BF16 where the base has other formats than floats */
    const struct safetensors_meta *meta; /* for the file's metadata */
    size_t n_meta;
};

/* Fills the new directory: the base's assets, verbatim but for what
 * config.json says of the weights' type, and the weights. *bytes = what the
 * tensors came to. ERR_DATA as merge_tensor_put, and for a matrix of a type
 * that programs don't compute with. */
int merge_write(struct out_dir *out, const struct merge_opts *o,
                struct merge_counts *n, uint64_t *bytes, struct err *e);

/* The same as a GGUF file that llama.cpp loads: names, keys and tokenizer are
 * those that weights_open reads of one, and what it would not read back as the
 * model that it is, is refused before any weight is written. A base that is
 * such a file keeps its keys, but for those on how it was stored. Matrices are
 * of dtype, which may be Q8_0 (F16 where a row is no whole blocks, which a
 * warning counts); norms, biases and positions are in F32. ERR_USAGE for a
 * family or a setting that such a file can't say and a base without a
 * tokenizer, ERR_DATA for a tokenizer that llama.cpp doesn't have. */
int merge_write_gguf(struct out *out, const struct merge_opts *o,
                     struct merge_counts *n, uint64_t *bytes, struct err *e);

#endif
