/* bitsandbytes_write.c - each matrix becomes four tensors, each of which is
 * made when its turn in the file comes: the scales first, then the codes. */
#include "weights/bitsandbytes_write.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/progress.h"
#include "tensor/modeldir.h"
#include "tensor/nf4.h"

#define PIECE ((size_t)1 << 14) /* elements at a time: whole blocks */

enum part { CODES, ABSMAX, VALUES, STATE, N_PARTS };

static const char *const suffix[N_PARTS] = {
    [CODES] = "", [ABSMAX] = ".absmax", [VALUES] = ".quant_map",
    [STATE] = ".quant_state.bitsandbytes__nf4"
};

struct writer {
    const struct weights *w;
    const bool *linear;
    bool allow_bad;
    uint64_t bytes;
};

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

/* Whether t is written with another type than it has. */
static bool
becomes_f32(const struct weight *t)
{
    return stored_of(t->dtype) != NULL && !dtype_is_float(t->dtype)
           && (t->scale != NULL || t->dtype != DTYPE_I8);
}

/* The list of tensors */

static struct safetensor
one(const struct weight *t, enum part part, uint8_t dtype, uint32_t n_dims,
    uint64_t rows, uint64_t cols)
{
    struct safetensor s = { .dtype = dtype, .n_dims = n_dims,
                            .shape = { rows, cols } };
    struct buf name;

    buf_init(&name);
    buf_addf(&name, "%s%s", t->name, suffix[part]);
    s.name = name.data;
    return s;
}

static struct safetensor *
list_tensors(const struct writer *x, size_t *n)
{
    struct safetensor *s = mem_array(N_PARTS * x->w->n + 1, sizeof(*s));
    struct buf state;

    *n = 0;
    buf_init(&state);
    for (size_t i = 0; i < x->w->n; i++) {
        const struct weight *t = &x->w->item[i];

        if (!x->linear[i]) {
            s[*n] = one(t, CODES, becomes_f32(t) ? DTYPE_F32 : t->dtype,
                        t->n_dims, 0, 0);
            memcpy(s[(*n)++].shape, t->shape, sizeof(t->shape));
            continue;
        }
        buf_reset(&state);
        state_text(&state, t);
        s[(*n)++] = one(t, CODES, DTYPE_U8, 2, weight_elements(t) / 2, 1);
        s[(*n)++] = one(t, ABSMAX, DTYPE_F32, 1,
                        weight_elements(t) / NF4_BLOCK, 0);
        s[(*n)++] = one(t, VALUES, DTYPE_F32, 1, 16, 0);
        s[(*n)++] = one(t, STATE, DTYPE_U8, 1, state.len, 0);
    }
    buf_release(&state);
    return s;
}

/* The item and the part of it that a tensor of the list is. */
static const struct weight *
item_of(const struct writer *x, const char *name, enum part *part)
{
    const struct weight *t = weights_find(x->w, name);
    size_t n = strlen(name);

    *part = CODES;
    for (int i = CODES + 1; i < N_PARTS && t == NULL; i++) {
        size_t end = strlen(suffix[i]);
        char *stem;

        if (n <= end || strcmp(name + n - end, suffix[i]) != 0)
            continue;
        stem = mem_dup(name, n - end);
        t = weights_find(x->w, stem);
        *part = (enum part)i;
        free(stem);
    }
    return t;
}

/* Data */

/* f[n] = elements from `at` on of t. */
static int
load(const struct writer *x, float *f, const struct weight *t, uint64_t at,
     size_t n, bool may, struct err *e)
{
    size_t bad;

    weight_floats(f, t, at, n);
    bad = may ? n : floats_bad(f, n);
    if (bad == n)
        return 0;
    return err_set(e, ERR_DATA, "%s: tensor %s: element %llu is %g",
                   x->w->path, t->name, (unsigned long long)(at + bad),
                   (double)f[bad]);
}

/* A matrix in blocks of 64, which don't end with a row here: rows are whole
 * blocks. */
static int
put_matrix(const struct writer *x, const struct weight *t, enum part part,
           struct out *out, struct err *e)
{
    float f[PIECE], absmax[PIECE / NF4_BLOCK];
    uint8_t code[PIECE / 2];
    uint64_t n = weight_elements(t);
    int rc = 0;

    for (uint64_t at = 0; at < n && rc == 0; at += PIECE) {
        size_t len = n - at < PIECE ? (size_t)(n - at) : PIECE;

        rc = load(x, f, t, at, len, false, e);
        if (rc < 0)
            break;
        nf4_encode(code, absmax, f, len);
        rc = part == CODES ? out_write(out, code, len / 2, e)
             : out_write(out, absmax, len / NF4_BLOCK * sizeof(*absmax), e);
    }
    return rc;
}

static int
put_other(const struct writer *x, const struct weight *t, struct out *out,
          struct err *e)
{
    uint64_t n = weight_elements(t);
    float f[PIECE];
    int rc = 0;

    if (!becomes_f32(t) && !dtype_is_float(t->dtype))
        return out_write(out, t->data, (size_t)t->bytes, e);
    for (uint64_t at = 0; at < n && rc == 0; at += PIECE) {
        size_t len = n - at < PIECE ? (size_t)(n - at) : PIECE;

        rc = load(x, f, t, at, len, x->allow_bad, e);
        if (rc == 0 && becomes_f32(t))
            rc = out_write(out, f, len * sizeof(*f), e);
    }
    if (rc == 0 && !becomes_f32(t))
        rc = out_write(out, t->data, (size_t)t->bytes, e);
    return rc;
}

static int
put_tensor(void *ctx, const struct safetensor *s, struct out *out,
           struct err *e)
{
    struct writer *x = ctx;
    enum part part;
    const struct weight *t = item_of(x, s->name, &part);
    struct buf state;
    int rc;

    x->bytes += s->bytes;
    if (part == VALUES)
        return out_write(out, nf4_value, 16 * sizeof(*nf4_value), e);
    if (part == STATE) {
        buf_init(&state);
        state_text(&state, t);
        rc = out_write(out, state.data, state.len, e);
        buf_release(&state);
        return rc;
    }
    rc = weights_ready(x->w, t, e);
    if (rc < 0)
        return rc;
    if (!x->linear[t - x->w->item])
        rc = put_other(x, t, out, e);
    else if (t->dtype == DTYPE_NF4 && part == CODES)
        rc = out_write(out, t->data, (size_t)t->bytes, e);
    else if (t->dtype == DTYPE_NF4)
        rc = out_write(out, t->scale, (size_t)weight_side_bytes(t), e);
    else
        rc = put_matrix(x, t, part, out, e);
    if (part == CODES)
        progress_add(t->bytes);
    weights_done(x->w, t);
    return rc;
}

/* The directory */

/* The config with what transformers 5 writes for load_in_4bit. */
static char *
config_text(cJSON *root)
{
    static const char key[] = "quantization_config";
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(root, "dtype");
    cJSON *q = cJSON_CreateObject();

    if (!cJSON_IsString(type))
        type = cJSON_GetObjectItemCaseSensitive(root, "torch_dtype");
    cJSON_AddStringToObject(q, "quant_method", "bitsandbytes");
    cJSON_AddBoolToObject(q, "load_in_4bit", true);
    cJSON_AddBoolToObject(q, "load_in_8bit", false);
    cJSON_AddStringToObject(q, "bnb_4bit_quant_type", "nf4");
    cJSON_AddBoolToObject(q, "bnb_4bit_use_double_quant", false);
    cJSON_AddStringToObject(q, "bnb_4bit_quant_storage", "uint8");
    cJSON_AddStringToObject(q, "bnb_4bit_compute_dtype",
                            cJSON_IsString(type) ? type->valuestring
                                                 : "float32");
    cJSON_DeleteItemFromObjectCaseSensitive(root, key);
    cJSON_AddItemToObject(root, key, q);
    return cJSON_Print(root);
}

static int
put_config(struct out_dir *out, const struct weight_asset *a,
           const struct weights *w, struct err *e)
{
    cJSON *root;
    char *text;
    int rc = json_user(&root, a->data, a->n, a->name, e);

    if (rc < 0)
        return err_prefix(e, "%s", w->path);
    text = config_text(root);
    if (text == NULL)
        mem_out(a->n);
    rc = out_dir_put(out, a->name, text, strlen(text), e);
    cJSON_free(text);
    cJSON_Delete(root);
    return rc;
}

static int
check_matrices(const struct writer *x, struct err *e)
{
    for (size_t i = 0; i < x->w->n; i++) {
        const struct weight *t = &x->w->item[i];

        if (x->linear[i] && t->shape[1] % NF4_BLOCK != 0)
            return err_set(e, ERR_DATA, "%s: tensor %s: rows of %llu, which "
                           "is no multiple of %d", x->w->path, t->name,
                           (unsigned long long)t->shape[1], NF4_BLOCK);
    }
    return 0;
}

int
bitsandbytes_write(struct out_dir *out, uint64_t *bytes,
                   const struct weights *w, const bool *linear,
                   bool allow_bad, struct err *e)
{
    struct writer x = { w, linear, .allow_bad = allow_bad };
    const struct modeldir_source source = { put_tensor, &x };
    struct safetensor *s;
    size_t n;
    int rc = check_matrices(&x, e);

    for (size_t i = 0; i < w->n_assets && rc == 0; i++) {
        const struct weight_asset *a = &w->asset[i];

        rc = strcmp(a->name, MODELDIR_CONFIG) == 0
             ? put_config(out, a, w, e)
             : out_dir_put(out, a->name, a->data, a->n, e);
    }
    if (rc < 0)
        return rc;
    s = list_tensors(&x, &n);
    rc = modeldir_put_weights(out, s, n, &source, NULL, e);
    for (size_t i = 0; i < n; i++)
        free(s[i].name);
    free(s);
    *bytes = x.bytes;
    return rc;
}
