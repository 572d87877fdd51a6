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

/* A matrix that is written. */
struct bitsandbytes_matrix {
    const struct weights *w;
    const struct weight *t; /* of w */
    bool nested;            /* with double quantisation, and its offset */
    float offset;
};

/* A tensor that a matrix becomes. */
struct bitsandbytes_part {
    const char *end; /* of its name, in place of BITSANDBYTES_WEIGHT */
    uint8_t dtype;

    /* n_dims and shape of m's. */
    void (*shape)(struct safetensor *s, const struct bitsandbytes_matrix *m);

    /* Writes m's. ERR_DATA for what is not finite, or too large. */
    int (*put)(const struct bitsandbytes_matrix *m, struct out *out,
               struct err *e);
};

/* What a matrix becomes, and what is said of it. */
struct bitsandbytes_form {
    uint8_t dtype; /* of a row of tensor/stored.h */
    bool nested;   /* double quantisation (tensor/nf4_nested.h) */
    uint64_t unit; /* rows are multiples of it */
    const struct bitsandbytes_part *part;
    size_t n_parts;

    /* Adds to q, the quantization_config of that config, what transformers 5
     * writes but defaults. */
    void (*config)(cJSON *q, const cJSON *config);
};

/* The form of NF4, nested or not, or of I8_ROW, which is not. */
const struct bitsandbytes_form *bitsandbytes_form(unsigned dtype,
                                                  bool nested);

extern const struct bitsandbytes_form bitsandbytes_nf4,
    bitsandbytes_nf4_nested;

/* Sets the offset of m, whose rows are whole blocks of NF4. ERR_DATA for what
 * is not finite, ERR_IO without memory. */
int bitsandbytes_offset(struct bitsandbytes_matrix *m, struct err *e);

/* f[n] = elements from `at` on of t. ERR_DATA, unless they may, for those that
 * are not finite. */
int bitsandbytes_load(float *f, const struct weights *w,
                      const struct weight *t, uint64_t at, size_t n, bool may,
                      struct err *e);

/* Writes the codes or the scales of t, which has them as they are written. */
int bitsandbytes_put_stored(const struct weight *t, bool codes,
                            struct out *out, struct err *e);

#endif
