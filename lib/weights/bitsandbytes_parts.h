/* bitsandbytes_parts.h - the forms of weights/bitsandbytes.h, for writing;
 * private to lib/weights.
 */
#ifndef WEIGHTS_BITSANDBYTES_PARTS_H
#define WEIGHTS_BITSANDBYTES_PARTS_H

#include <cjson/cJSON.h>

#include "base/io.h"
#include "tensor/safetensors.h"
#include "weights/weights.h"

/* How a matrix' name ends. */
#define BITSANDBYTES_WEIGHT "weight"

/* A tensor that a matrix becomes. */
struct bitsandbytes_part {
    const char *end; /* of its name, in place of BITSANDBYTES_WEIGHT */
    uint8_t dtype;

    /* n_dims and shape of t's. */
    void (*shape)(struct safetensor *s, const struct weight *t);

    /* Writes t's. ERR_DATA for what is not finite, or too large. */
    int (*put)(const struct weights *w, const struct weight *t,
               struct out *out, struct err *e);
};

/* What a matrix becomes, and what is said of it. */
struct bitsandbytes_form {
    uint8_t dtype; /* of a row of tensor/stored.h */
    uint64_t unit; /* rows are multiples of it */
    const struct bitsandbytes_part *part;
    size_t n_parts;

    /* Adds to q, the quantization_config of that config, what transformers 5
     * writes but defaults. */
    void (*config)(cJSON *q, const cJSON *config);
};

/* The form of NF4 or of I8_ROW. */
const struct bitsandbytes_form *bitsandbytes_form(unsigned dtype);

/* f[n] = elements from `at` on of t. ERR_DATA, unless they may, for those that
 * are not finite. */
int bitsandbytes_load(float *f, const struct weights *w,
                      const struct weight *t, uint64_t at, size_t n, bool may,
                      struct err *e);

#endif
