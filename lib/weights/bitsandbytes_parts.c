/* bitsandbytes_parts.c - the tensors that a matrix becomes, in 4 bits and in
 * 8, each of which is made anew from the matrix. */
#include "weights/bitsandbytes_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tensor/int8_row.h"
#include "tensor/nf4.h"

#define PIECE ((size_t)1 << 14) /* elements at a time: whole blocks */
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

/* The codes or the scales of t, which has them as they are written. */
static int
put_stored(const struct weight *t, bool codes, struct out *out,
           struct err *e)
{
    return codes ? out_write(out, t->data, (size_t)t->bytes, e)
           : out_write(out, t->scale, (size_t)weight_side_bytes(t), e);
}

/* In 4 bits */

/* What bitsandbytes calls the type of the weight. */
static const char *
type_name(const struct weight *t)
{
    return t->dtype == DTYPE_BF16 ? "bfloat16"
           : t->dtype == DTYPE_F16 ? "float16" : "float32";
}

static void
state_text(struct buf *b, const struct weight *t)
{
    buf_addf(b, "{\"quant_type\": \"nf4\", \"blocksize\": %d, \"dtype\": "
             "\"%s\", \"shape\": [%llu, %llu]}", NF4_BLOCK, type_name(t),
             (unsigned long long)t->shape[0],
             (unsigned long long)t->shape[1]);
}

static void
shape_nf4_codes(struct safetensor *s, const struct weight *t)
{
    s->n_dims = 2;
    s->shape[0] = weight_elements(t) / 2;
    s->shape[1] = 1;
}

static void
shape_nf4_absmax(struct safetensor *s, const struct weight *t)
{
    s->n_dims = 1;
    s->shape[0] = weight_elements(t) / NF4_BLOCK;
}

static void
shape_nf4_values(struct safetensor *s, const struct weight *t)
{
    (void)t;
    s->n_dims = 1;
    s->shape[0] = 16;
}

static void
shape_nf4_state(struct safetensor *s, const struct weight *t)
{
    struct buf state;

    buf_init(&state);
    state_text(&state, t);
    s->n_dims = 1;
    s->shape[0] = state.len;
    buf_release(&state);
}

/* A matrix in blocks of 64, which don't end with a row here: rows are whole
 * blocks. Its codes, or its scales. */
static int
put_nf4(const struct weights *w, const struct weight *t, bool codes,
        struct out *out, struct err *e)
{
    float f[PIECE], absmax[PIECE / NF4_BLOCK];
    uint8_t code[PIECE / 2];
    uint64_t n = weight_elements(t);
    int rc = 0;

    if (t->dtype == DTYPE_NF4)
        return put_stored(t, codes, out, e);
    for (uint64_t at = 0; at < n && rc == 0; at += PIECE) {
        size_t len = n - at < PIECE ? (size_t)(n - at) : PIECE;

        rc = bitsandbytes_load(f, w, t, at, len, false, e);
        if (rc < 0)
            break;
        nf4_encode(code, absmax, f, len);
        rc = codes ? out_write(out, code, len / 2, e)
             : out_write(out, absmax, len / NF4_BLOCK * sizeof(*absmax), e);
    }
    return rc;
}

static int
put_nf4_codes(const struct weights *w, const struct weight *t, struct out *out,
              struct err *e)
{
    return put_nf4(w, t, true, out, e);
}

static int
put_nf4_absmax(const struct weights *w, const struct weight *t,
               struct out *out, struct err *e)
{
    return put_nf4(w, t, false, out, e);
}

static int
put_nf4_values(const struct weights *w, const struct weight *t,
               struct out *out, struct err *e)
{
    (void)w;
    (void)t;
    return out_write(out, nf4_value, 16 * sizeof(*nf4_value), e);
}

static int
put_nf4_state(const struct weights *w, const struct weight *t,
              struct out *out, struct err *e)
{
    struct buf state;
    int rc;

    (void)w;
    buf_init(&state);
    state_text(&state, t);
    rc = out_write(out, state.data, state.len, e);
    buf_release(&state);
    return rc;
}

static const struct bitsandbytes_part nf4_parts[] = {
    { WEIGHT, DTYPE_U8, shape_nf4_codes, .put = put_nf4_codes },
    { WEIGHT ".absmax", DTYPE_F32, shape_nf4_absmax, .put = put_nf4_absmax },
    { WEIGHT ".quant_map", DTYPE_F32, shape_nf4_values,
      .put = put_nf4_values },
    { WEIGHT ".quant_state.bitsandbytes__nf4", DTYPE_U8, shape_nf4_state,
      .put = put_nf4_state },
};

static void
nf4_config(cJSON *q, const cJSON *config)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(config, "dtype");

    if (!cJSON_IsString(type))
        type = cJSON_GetObjectItemCaseSensitive(config, "torch_dtype");
    cJSON_AddBoolToObject(q, "load_in_4bit", true);
    cJSON_AddBoolToObject(q, "load_in_8bit", false);
    cJSON_AddStringToObject(q, "bnb_4bit_quant_type", "nf4");
    cJSON_AddBoolToObject(q, "bnb_4bit_use_double_quant", false);
    cJSON_AddStringToObject(q, "bnb_4bit_quant_storage", "uint8");
    cJSON_AddStringToObject(q, "bnb_4bit_compute_dtype",
                            cJSON_IsString(type) ? type->valuestring
                                                 : "float32");
}

/* In 8 bits */

static void
shape_int8_codes(struct safetensor *s, const struct weight *t)
{
    s->n_dims = 2;
    s->shape[0] = t->shape[0];
    s->shape[1] = t->shape[1];
}

static void
shape_int8_absmax(struct safetensor *s, const struct weight *t)
{
    s->n_dims = 1;
    s->shape[0] = t->shape[0];
}

static void
shape_int8_layout(struct safetensor *s, const struct weight *t)
{
    (void)t;
    s->n_dims = 0;
}

static int
put_int8(const struct weights *w, const struct weight *t, bool codes,
         struct out *out, struct err *e)
{
    size_t cols = (size_t)t->shape[1], bad;
    float *f, absmax;
    int8_t *q;
    int rc = 0;

    if (t->dtype == DTYPE_I8_ROW)
        return put_stored(t, codes, out, e);
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
put_int8_codes(const struct weights *w, const struct weight *t,
               struct out *out, struct err *e)
{
    return put_int8(w, t, true, out, e);
}

static int
put_int8_absmax(const struct weights *w, const struct weight *t,
                struct out *out, struct err *e)
{
    return put_int8(w, t, false, out, e);
}

static int
put_int8_layout(const struct weights *w, const struct weight *t,
                struct out *out, struct err *e)
{
    (void)w;
    (void)t;
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

static const struct bitsandbytes_form forms[] = {
    { DTYPE_NF4, NF4_BLOCK, nf4_parts,
      .n_parts = sizeof(nf4_parts) / sizeof(nf4_parts[0]),
      .config = nf4_config },
    { DTYPE_I8_ROW, 1, int8_parts,
      .n_parts = sizeof(int8_parts) / sizeof(int8_parts[0]),
      .config = int8_config },
};

const struct bitsandbytes_form *
bitsandbytes_form(unsigned dtype)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (forms[i].dtype == dtype)
            return &forms[i];
    return NULL;
}
