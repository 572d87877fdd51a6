/* bitsandbytes.c - finds what belongs to a 4-bit weight by its name, checks
 * that it fits, and makes one NF4 tensor of it; and what a config says of
 * weights of 4 and of 8 bits. */
#include "weights/bitsandbytes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/family.h"
#include "tensor/nf4.h"
#include "weights/weights_source.h"

#define STATE ".quant_state.bitsandbytes__"
#define NF4_STATE STATE "nf4"
#define MAX_STATE 4096        /* bytes of JSON */
#define MAX_BLOCK (1u << 20)
#define MAX_DIM ((double)(1u << 31))

/* A weight in parts. */
struct parts {
    struct weight *weight;
    const struct weight *absmax, *map, *nested, *nested_map;
    uint64_t rows, cols, block, nested_block;
    float offset;
};

static int
refuse(const struct weights *w, const struct weight *t, struct err *e,
       const char *why)
{
    return err_set(e, ERR_DATA, "%s: tensor %s: %s", w->path, t->name, why);
}

/* JSON */

/* A whole number in [1, max]. */
static bool
take_count(const cJSON *v, double max, uint64_t *out)
{
    if (!cJSON_IsNumber(v) || !(v->valuedouble >= 1 && v->valuedouble <= max)
        || v->valuedouble != floor(v->valuedouble))
        return false;
    *out = (uint64_t)v->valuedouble;
    return true;
}

static bool
is_text(const cJSON *v, const char *text)
{
    return cJSON_IsString(v) && strcmp(v->valuestring, text) == 0;
}

static const char *
read_state(struct parts *p, const cJSON *root)
{
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(root, "shape");
    const cJSON *offset = cJSON_GetObjectItemCaseSensitive(root,
                                                           "nested_offset");

    if (!is_text(cJSON_GetObjectItemCaseSensitive(root, "quant_type"), "nf4"))
        return "quant_type is not nf4";
    if (!take_count(cJSON_GetObjectItemCaseSensitive(root, "blocksize"),
                    MAX_BLOCK, &p->block) || p->block % NF4_BLOCK != 0)
        return "blocksize is no multiple of 64";
    if (!cJSON_IsArray(shape) || cJSON_GetArraySize(shape) != 2
        || !take_count(cJSON_GetArrayItem(shape, 0), MAX_DIM, &p->rows)
        || !take_count(cJSON_GetArrayItem(shape, 1), MAX_DIM, &p->cols))
        return "shape is not that of a matrix";
    if (p->cols % NF4_BLOCK != 0)
        return "its blocks of 64 run over the ends of rows";
    if (p->nested == NULL)
        return NULL;
    if (!take_count(cJSON_GetObjectItemCaseSensitive(root,
                                                     "nested_blocksize"),
                    MAX_BLOCK, &p->nested_block))
        return "nested_blocksize is no whole number from 1 to 2^20";
    if (!cJSON_IsNumber(offset) || !isfinite((float)offset->valuedouble))
        return "nested_offset is no number";
    p->offset = (float)offset->valuedouble;
    return NULL;
}

/* Parts */

static bool
is_row(const struct weight *t, unsigned dtype, uint64_t n)
{
    return t && t->dtype == dtype && t->bytes == n * dtype_size(dtype);
}

static uint64_t
ceil_div(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

/* What of p does not fit its shape; NULL if all does. */
static const char *
check_parts(const struct parts *p)
{
    uint64_t n = p->rows * p->cols, blocks = ceil_div(n, p->block);

    if (p->weight->bytes != n / 2)
        return "the codes don't fit the shape";
    if (!is_row(p->map, DTYPE_F32, 16)
        || memcmp(p->map->data, nf4_value, sizeof(float[16])) != 0)
        return "quant_map is not that of nf4";
    if (p->nested == NULL)
        return is_row(p->absmax, DTYPE_F32, blocks)
               ? NULL : "absmax does not fit the shape";
    if (!is_row(p->absmax, DTYPE_U8, blocks))
        return "absmax does not fit the shape";
    if (!is_row(p->nested_map, DTYPE_F32, 256))
        return "nested_quant_map is not 256 floats";
    if (!is_row(p->nested, DTYPE_F32, ceil_div(blocks, p->nested_block)))
        return "nested_absmax does not fit the shape";
    return NULL;
}

/* The absmax of block k. */
static float
absmax_at(const struct parts *p, uint64_t k)
{
    const uint8_t *code = p->absmax->data;
    const float *map, *factor;
    float product;

    if (p->nested == NULL)
        return ((const float *)p->absmax->data)[k];
    map = p->nested_map->data;
    factor = p->nested->data;
    product = map[code[k]] * factor[k / p->nested_block];
    return product + p->offset;
}

/* p's scales, one for each 64 elements: in place, or a copy that w owns. */
static int
scales_of(const void **out, struct weights *w, const struct parts *p,
          struct err *e)
{
    uint64_t n = p->rows * p->cols / NF4_BLOCK, k;
    float *x;

    *out = p->absmax->data;
    if (p->nested == NULL && p->block == NF4_BLOCK)
        return 0;
    x = mem_try((size_t)(n * sizeof(*x)));
    if (x == NULL)
        return err_set(e, ERR_IO, "%s: tensor %s: out of memory for %llu "
                       "bytes", w->path, p->absmax->name,
                       (unsigned long long)(n * sizeof(*x)));
    weights_own(w, x, n * sizeof(*x));
    for (k = 0; k < n; k++)
        x[k] = absmax_at(p, k / (p->block / NF4_BLOCK));
    *out = x;
    return 0;
}

static struct parts
parts_of(const struct weights *w, const struct weight *state)
{
    const char *name = state->name;

    return (struct parts){
        .weight = weights_beside(w, name, NF4_STATE, ""),
        .absmax = weights_beside(w, name, NF4_STATE, ".absmax"),
        .map = weights_beside(w, name, NF4_STATE, ".quant_map"),
        .nested = weights_beside(w, name, NF4_STATE, ".nested_absmax"),
        .nested_map = weights_beside(w, name, NF4_STATE,
                                     ".nested_quant_map"),
    };
}

/* Makes one tensor of what belongs to item i, the state of a weight, and marks
 * what is a part of that. */
static int
attach(struct weights *w, size_t i, bool *part, struct err *e)
{
    const struct weight *state = &w->item[i];
    struct parts p = parts_of(w, state);
    const struct weight *of[] = { state, p.absmax, p.map, p.nested,
                                  p.nested_map };
    const void *scale;
    const char *why;
    cJSON *root;
    int rc;

    if (state->dtype != DTYPE_U8 || state->bytes > MAX_STATE)
        return refuse(w, state, e, "is no text of at most 4096 bytes");
    if (p.weight == NULL)
        return refuse(w, state, e, "is there without its weight");
    rc = json_user(&root, state->data, (size_t)state->bytes, state->name, e);
    if (rc < 0)
        return err_prefix(e, "%s: tensor", w->path);
    why = read_state(&p, root);
    cJSON_Delete(root);
    if (why == NULL)
        why = check_parts(&p);
    if (why != NULL)
        return refuse(w, state, e, why);
    rc = scales_of(&scale, w, &p, e);
    if (rc == 0) {
        p.weight->dtype = DTYPE_NF4;
        p.weight->n_dims = 2;
        p.weight->shape[0] = p.rows;
        p.weight->shape[1] = p.cols;
        p.weight->scale = scale;
    }
    for (size_t k = 0; k < sizeof(of) / sizeof(of[0]); k++)
        if (of[k] != NULL)
            part[of[k] - w->item] = true;
    return rc;
}

int
bitsandbytes_attach(struct weights *w, struct err *e)
{
    bool *part = mem_array(w->n, sizeof(*part));
    int rc = 0;

    for (size_t i = 0; i < w->n && rc == 0; i++) {
        const struct weight *t = &w->item[i];
        const char *at = strstr(t->name, STATE);

        if (at == NULL)
            continue;
        if (strcmp(at, NF4_STATE) != 0)
            rc = err_set(e, ERR_DATA, "%s: tensor %s: 4-bit weights of "
                         "type %s are not supported (nf4 is)", w->path,
                         t->name, at + strlen(STATE));
        else
            rc = attach(w, i, part, e);
        w->bitsandbytes = 4;
    }
    if (rc == 0)
        weights_leave(w, part);
    free(part);
    return rc < 0 ? rc : bitsandbytes_attach_int8(w, e);
}

/* The config */

/* Whether q, a quantization_config, is of weights in so many bits. */
static bool
says_bits(const cJSON *q, int bits)
{
    const cJSON *four = cJSON_GetObjectItemCaseSensitive(q, "load_in_4bit");
    const cJSON *eight = cJSON_GetObjectItemCaseSensitive(q, "load_in_8bit");

    if (!is_text(cJSON_GetObjectItemCaseSensitive(q, "quant_method"),
                 "bitsandbytes")
        || cJSON_IsTrue(four) != (bits == 4)
        || cJSON_IsTrue(eight) != (bits == 8))
        return false;
    return bits == 8
           || is_text(cJSON_GetObjectItemCaseSensitive(
                          q, "bnb_4bit_quant_type"), "nf4");
}

/* Whether the config's family has matrices that transformers turns before
 * bitsandbytes has them. */
static bool
has_turned(const cJSON *config)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(config,
                                                         "model_type");
    const struct family *f;
    struct err e;

    if (!cJSON_IsString(type)
        || family_find(&f, type->valuestring, &e) < 0)
        return false;
    for (const struct module_row *m = f->modules; m->name != NULL; m++)
        if (m->in_out)
            return true;
    return false;
}

int
bitsandbytes_config(char **text, const struct weights *w, const char *p,
                    size_t n, const char *where, struct err *e)
{
    static const char key[] = "quantization_config", turn[] = "fan_in_fan_out";
    cJSON *root;
    int rc = json_user(&root, p, n, where, e);

    *text = NULL;
    if (rc < 0)
        return rc;
    if (says_bits(cJSON_GetObjectItemCaseSensitive(root, key),
                  w->bitsandbytes)) {
        cJSON_DeleteItemFromObjectCaseSensitive(root, key);
        if (has_turned(root)) {
            cJSON_DeleteItemFromObjectCaseSensitive(root, turn);
            cJSON_AddFalseToObject(root, turn);
        }
    }
    *text = cJSON_Print(root);
    cJSON_Delete(root);
    if (*text == NULL)
        mem_out(n);
    return 0;
}
