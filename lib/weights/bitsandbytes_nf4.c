/* bitsandbytes_nf4.c - the tensors that a matrix becomes in 4 bits, without
 * and with double quantisation. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "tensor/dynamic8.h"
#include "tensor/nf4.h"
#include "tensor/nf4_nested.h"
#include "weights/bitsandbytes_parts.h"

#define PIECE ((size_t)1 << 14) /* elements at a time: whole blocks */
#define WEIGHT BITSANDBYTES_WEIGHT

/* What bitsandbytes calls the type of the weight. */
static const char *
type_name(const struct weight *t)
{
    return t->dtype == DTYPE_BF16 ? "bfloat16"
           : t->dtype == DTYPE_F16 ? "float16" : "float32";
}

static void
state_text(struct buf *b, const struct bitsandbytes_matrix *m)
{
    buf_addf(b, "{\"quant_type\": \"nf4\", \"blocksize\": %d, \"dtype\": "
             "\"%s\", \"shape\": [%llu, %llu]", NF4_BLOCK, type_name(m->t),
             (unsigned long long)m->t->shape[0],
             (unsigned long long)m->t->shape[1]);
    if (m->nested) {
        buf_addf(b, ", \"nested_blocksize\": %d, \"nested_dtype\": "
                 "\"float32\", \"nested_offset\": ", NF4_NESTED_BLOCK);
        json_put_double(b, (double)m->offset);
    }
    buf_addstr(b, "}");
}

static void
shape_nf4_codes(struct safetensor *s, const struct bitsandbytes_matrix *m)
{
    s->n_dims = 2;
    s->shape[0] = weight_elements(m->t) / 2;
    s->shape[1] = 1;
}

static uint64_t
nf4_blocks(const struct weight *t)
{
    return weight_elements(t) / NF4_BLOCK;
}

static uint64_t
nested_blocks(const struct weight *t)
{
    return (nf4_blocks(t) + NF4_NESTED_BLOCK - 1) / NF4_NESTED_BLOCK;
}

static void
shape_vector(struct safetensor *s, uint64_t n)
{
    s->n_dims = 1;
    s->shape[0] = n;
}

static void
shape_nf4_absmax(struct safetensor *s, const struct bitsandbytes_matrix *m)
{
    shape_vector(s, nf4_blocks(m->t));
}

static void
shape_nested(struct safetensor *s, const struct bitsandbytes_matrix *m)
{
    shape_vector(s, nested_blocks(m->t));
}

static void
shape_nf4_values(struct safetensor *s, const struct bitsandbytes_matrix *m)
{
    (void)m;
    shape_vector(s, 16);
}

static void
shape_nested_values(struct safetensor *s,
                    const struct bitsandbytes_matrix *m)
{
    (void)m;
    shape_vector(s, 256);
}

static void
shape_state(struct safetensor *s, const struct bitsandbytes_matrix *m)
{
    struct buf state;

    buf_init(&state);
    state_text(&state, m);
    shape_vector(s, state.len);
    buf_release(&state);
}

/* Encodes m, which is no NF4, in blocks of 64 that don't end with a row here:
 * rows are whole blocks. Its codes to out, if any; all its scales to absmax,
 * if any. */
static int
encode_nf4(const struct bitsandbytes_matrix *m, struct out *out,
           float *absmax, struct err *e)
{
    float f[PIECE], some[PIECE / NF4_BLOCK];
    uint8_t code[PIECE / 2];
    uint64_t n = weight_elements(m->t);
    int rc = 0;

    for (uint64_t at = 0; at < n && rc == 0; at += PIECE) {
        size_t len = n - at < PIECE ? (size_t)(n - at) : PIECE;

        rc = bitsandbytes_load(f, m->w, m->t, at, len, false, e);
        if (rc < 0)
            break;
        nf4_encode(code, some, f, len);
        if (absmax)
            memcpy(absmax + at / NF4_BLOCK, some,
                   len / NF4_BLOCK * sizeof(*some));
        if (out)
            rc = out_write(out, code, len / 2, e);
    }
    return rc;
}

static int
put_nf4_codes(const struct bitsandbytes_matrix *m, struct out *out,
              struct err *e)
{
    return m->t->dtype == DTYPE_NF4
           ? bitsandbytes_put_stored(m->t, true, out, e)
           : encode_nf4(m, out, NULL, e);
}

/* *absmax = m's scales, which the caller frees. */
static int
take_absmax(float **absmax, const struct bitsandbytes_matrix *m,
            struct err *e)
{
    size_t bytes = (size_t)nf4_blocks(m->t) * sizeof(**absmax);
    float *x = mem_try(bytes + 1);
    int rc = 0;

    if (x == NULL)
        return err_set(e, ERR_IO, "%s: tensor %s: out of memory for %zu "
                       "bytes", m->w->path, m->t->name, bytes);
    if (m->t->dtype == DTYPE_NF4)
        memcpy(x, m->t->scale, bytes);
    else
        rc = encode_nf4(m, NULL, x, e);
    if (rc == 0)
        *absmax = x;
    else
        free(x);
    return rc;
}

static int
put_nf4_absmax(const struct bitsandbytes_matrix *m, struct out *out,
               struct err *e)
{
    float *absmax;
    int rc = take_absmax(&absmax, m, e);

    if (rc < 0)
        return rc;
    rc = out_write(out, absmax, (size_t)nf4_blocks(m->t) * sizeof(*absmax),
                   e);
    free(absmax);
    return rc;
}

int
bitsandbytes_offset(struct bitsandbytes_matrix *m, struct err *e)
{
    size_t n = (size_t)nf4_blocks(m->t);
    float *absmax;
    int rc = take_absmax(&absmax, m, e);

    if (rc < 0)
        return rc;
    m->offset = n > 0 ? nf4_nested_offset(absmax, n) : 0;
    free(absmax);
    return isfinite(m->offset) ? 0
           : err_set(e, ERR_DATA, "%s: tensor %s: the sum of its scales is "
                     "too large for double quantisation", m->w->path,
                     m->t->name);
}

/* The scales' codes, or what these are multiplied with. */
static int
put_nested(const struct bitsandbytes_matrix *m, bool codes, struct out *out,
           struct err *e)
{
    size_t n = (size_t)nf4_blocks(m->t);
    size_t bytes = (size_t)nested_blocks(m->t) * sizeof(float);
    float *absmax, *nested;
    uint8_t *code;
    int rc = take_absmax(&absmax, m, e);

    if (rc < 0)
        return rc;
    nested = mem_alloc(bytes + 1);
    code = mem_alloc(n + 1);
    nf4_nested_encode(code, nested, absmax, n, m->offset);
    rc = codes ? out_write(out, code, n, e)
         : out_write(out, nested, bytes, e);
    free(absmax);
    free(nested);
    free(code);
    return rc;
}

static int
put_nested_codes(const struct bitsandbytes_matrix *m, struct out *out,
                 struct err *e)
{
    return put_nested(m, true, out, e);
}

static int
put_nested_absmax(const struct bitsandbytes_matrix *m, struct out *out,
                  struct err *e)
{
    return put_nested(m, false, out, e);
}

static int
put_nf4_values(const struct bitsandbytes_matrix *m, struct out *out,
               struct err *e)
{
    (void)m;
    return out_write(out, nf4_value, 16 * sizeof(*nf4_value), e);
}

static int
put_nested_values(const struct bitsandbytes_matrix *m, struct out *out,
                  struct err *e)
{
    float map[256];

    (void)m;
    dynamic8_values(map, true);
    return out_write(out, map, sizeof(map), e);
}

static int
put_state(const struct bitsandbytes_matrix *m, struct out *out,
          struct err *e)
{
    struct buf state;
    int rc;

    buf_init(&state);
    state_text(&state, m);
    rc = out_write(out, state.data, state.len, e);
    buf_release(&state);
    return rc;
}

static const struct bitsandbytes_part nf4_parts[] = {
    { WEIGHT, DTYPE_U8, shape_nf4_codes, .put = put_nf4_codes },
    { WEIGHT ".absmax", DTYPE_F32, shape_nf4_absmax, .put = put_nf4_absmax },
    { WEIGHT ".quant_map", DTYPE_F32, shape_nf4_values,
      .put = put_nf4_values },
    { WEIGHT ".quant_state.bitsandbytes__nf4", DTYPE_U8, shape_state,
      .put = put_state },
};

static const struct bitsandbytes_part nested_parts[] = {
    { WEIGHT, DTYPE_U8, shape_nf4_codes, .put = put_nf4_codes },
    { WEIGHT ".absmax", DTYPE_U8, shape_nf4_absmax,
      .put = put_nested_codes },
    { WEIGHT ".nested_absmax", DTYPE_F32, shape_nested,
      .put = put_nested_absmax },
    { WEIGHT ".nested_quant_map", DTYPE_F32, shape_nested_values,
      .put = put_nested_values },
    { WEIGHT ".quant_map", DTYPE_F32, shape_nf4_values,
      .put = put_nf4_values },
    { WEIGHT ".quant_state.bitsandbytes__nf4", DTYPE_U8, shape_state,
      .put = put_state },
};

static void
config_of(cJSON *q, const cJSON *config, bool nested)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(config, "dtype");

    if (!cJSON_IsString(type))
        type = cJSON_GetObjectItemCaseSensitive(config, "torch_dtype");
    cJSON_AddBoolToObject(q, "load_in_4bit", true);
    cJSON_AddBoolToObject(q, "load_in_8bit", false);
    cJSON_AddStringToObject(q, "bnb_4bit_quant_type", "nf4");
    cJSON_AddBoolToObject(q, "bnb_4bit_use_double_quant", nested);
    cJSON_AddStringToObject(q, "bnb_4bit_quant_storage", "uint8");
    cJSON_AddStringToObject(q, "bnb_4bit_compute_dtype",
                            cJSON_IsString(type) ? type->valuestring
                                                 : "float32");
}

static void
nf4_config(cJSON *q, const cJSON *config)
{
    config_of(q, config, false);
}

static void
nested_config(cJSON *q, const cJSON *config)
{
    config_of(q, config, true);
}

const struct bitsandbytes_form bitsandbytes_nf4 = {
    DTYPE_NF4, false, NF4_BLOCK, .part = nf4_parts,
    .n_parts = sizeof(nf4_parts) / sizeof(nf4_parts[0]),
    .config = nf4_config
};

const struct bitsandbytes_form bitsandbytes_nf4_nested = {
    DTYPE_NF4, true, NF4_BLOCK, .part = nested_parts,
    .n_parts = sizeof(nested_parts) / sizeof(nested_parts[0]),
    .config = nested_config
};
