/* golden_bytes.h - what bitsandbytes made, by scripts of tests/golden: a tensor
 * of a golden file, and a checkpoint that is held against one. */
#ifndef GOLDEN_BYTES_H
#define GOLDEN_BYTES_H

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tensor/safetensors.h"
#include "test.h"
#include "weights/base.h"

/* A matrix; exits where it is not there. */
static inline const void *
golden_matrix(const struct safetensors *f, const char *name, uint64_t *rows,
              uint64_t *cols)
{
    const struct safetensor *t = safetensors_find(f, name);

    if (!CHECK(t != NULL && t->n_dims == 2))
        exit(1);
    *rows = t->shape[0];
    *cols = t->shape[1];
    return safetensors_data(f, t);
}

/* The base of that path has both matrices of path/want.safetensors in that
 * type, and they stand for the same floats, bit for bit; copies: it had to
 * copy something. */
static inline void
golden_checkpoint(const char *path, uint8_t dtype, bool copies)
{
    char want_path[256];
    struct weights w;
    struct model_desc d;
    struct safetensors want;
    struct err e = { 0 };
    size_t unused;

    snprintf(want_path, sizeof(want_path), "%s/want.safetensors", path);
    if (!CHECK(weights_open(&w, path, &e) == 0)
        || !CHECK(base_describe(&d, &unused, &w, &e) == 0)) {
        printf("  %s\n", e.text);
        return;
    }
    CHECK_EQ_U64(unused, 0);
    CHECK((w.copied > 0) == copies);
    CHECK(safetensors_open(&want, want_path, 1 << 20, &e) == 0);
    CHECK_EQ_U64(want.n, 2);
    for (size_t i = 0; i < want.n; i++) {
        const struct safetensor *t = &want.item[i];
        const struct weight *q = weights_find(&w, t->name);
        float *x = mem_alloc((size_t)t->bytes);

        CHECK(q != NULL && q->dtype == dtype && q->n_dims == 2);
        CHECK(q->shape[0] == t->shape[0] && q->shape[1] == t->shape[1]);
        CHECK_EQ_U64(weight_elements(q), t->bytes / sizeof(*x));
        CHECK_EQ_U64(weight_side_bytes(q), q->shape[0]
                     * stored_blocks(stored_of(dtype), q->shape[1])
                     * sizeof(float));
        weight_floats(x, q, 0, (size_t)t->bytes / sizeof(*x));
        CHECK(memcmp(x, safetensors_data(&want, t), (size_t)t->bytes) == 0);
        free(x);
    }
    safetensors_release(&want);
    desc_release(&d);
    weights_release(&w);
}

#endif
