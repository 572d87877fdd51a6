/* bitsandbytes_parts.c - which form is which; what the forms share; and the
 * tensors that a matrix becomes in 8 bits. */
#include "weights/bitsandbytes_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tensor/int8_row.h"

#define WEIGHT BITSANDBYTES_WEIGHT

/* Floats */

int
bitsandbytes_load(float *f, const struct weights *w, const struct weight *t,
                  uint64_t at, size_t n, bool may, struct err *e)
{
    size_t bad;

    weight_floats(f, t, at, n);
    bad = may ? n : floats_bad(f, n);
    if (bad == n)
        return 0;
    return err_set(e, ERR_DATA, "%s: tensor %s: element %llu is %g",
                   w->path, t->name, (unsigned long long)(at + bad),
                   (double)f[bad]);
}

int
bitsandbytes_put_stored(const struct weight *t, bool codes,
                        struct out *out, struct err *e)
{
    return codes ? out_write(out, t->data, (size_t)t->bytes, e)
           : out_write(out, t->scale, (size_t)weight_side_bytes(t), e);
}

/* In 8 bits */

static void
shape_int8_codes(struct safetensor *s, const struct bitsandbytes_matrix *m)
{
    s->n_dims = 2;
    s->shape[0] = m->t->shape[0];
    s->shape[1] = m->t->shape[1];
}

static void
shape_int8_absmax(struct safetensor *s, const struct bitsandbytes_matrix *m)
{
    s->n_dims = 1;
    s->shape[0] = m->t->shape[0];
}

static void
shape_int8_layout(struct safetensor *s, const struct bitsandbytes_matrix *m)
{
    (void)m;
    s->n_dims = 0;
}

static int
put_int8(const struct bitsandbytes_matrix *m, bool codes, struct out *out,
         struct err *e)
{
    const struct weights *w = m->w;
    const struct weight *t = m->t;
    size_t cols = (size_t)t->shape[1], bad;
    float *f, absmax;
    int8_t *q;
    int rc = 0;

    if (t->dtype == DTYPE_I8_ROW)
        return bitsandbytes_put_stored(t, codes, out, e);
    f = mem_array(cols + 1, sizeof(*f));
    q = mem_alloc(cols + 1);
    for (uint64_t r = 0; r < t->shape[0] && rc == 0; r++) {
        rc = bitsandbytes_load(f, w, t, r * cols, cols, false, e);
        if (rc < 0)
            break;
        if (!int8_row_encode(q, &absmax, f, cols, &bad))
            rc = err_set(e, ERR_DATA, "%s: tensor %s: element %llu is %g, "
                         "too large for int8_row", w->path, t->name,
                         (unsigned long long)(r * cols + bad),
                         (double)f[bad]);
        else
            rc = codes ? out_write(out, q, cols, e)
                 : out_write(out, &absmax, sizeof(absmax), e);
    }
    free(f);
    free(q);
    return rc;
}

static int
put_int8_codes(const struct bitsandbytes_matrix *m, struct out *out,
               struct err *e)
{
    return put_int8(m, true, out, e);
}

static int
put_int8_absmax(const struct bitsandbytes_matrix *m, struct out *out,
                struct err *e)
{
    return put_int8(m, false, out, e);
}

static int
put_int8_layout(const struct bitsandbytes_matrix *m, struct out *out,
                struct err *e)
{
    (void)m;
    return out_write(out, "", 1, e); /* 0: rows */
}

static const struct bitsandbytes_part int8_parts[] = {
    { WEIGHT, DTYPE_I8, shape_int8_codes, .put = put_int8_codes },
    { "SCB", DTYPE_F32, shape_int8_absmax, .put = put_int8_absmax },
    { "weight_format", DTYPE_U8, shape_int8_layout, .put = put_int8_layout },
};

static void
int8_config(cJSON *q, const cJSON *config)
{
    (void)config;
    cJSON_AddBoolToObject(q, "load_in_4bit", false);
    cJSON_AddBoolToObject(q, "load_in_8bit", true);
    cJSON_AddBoolToObject(q, "llm_int8_has_fp16_weight", false);
}

/* The forms */

static const struct bitsandbytes_form int8_row = {
    DTYPE_I8_ROW, false, 1, .part = int8_parts,
    .n_parts = sizeof(int8_parts) / sizeof(int8_parts[0]),
    .config = int8_config
};

const struct bitsandbytes_form *
bitsandbytes_form(unsigned dtype, bool nested)
{
    return dtype == DTYPE_I8_ROW ? &int8_row
           : nested ? &bitsandbytes_nf4_nested : &bitsandbytes_nf4;
}
