/* bitsandbytes_write.c - each matrix becomes several tensors, each of which is
 * made when its turn in the file comes. */
#include "weights/bitsandbytes_write.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/progress.h"
#include "tensor/modeldir.h"
#include "weights/bitsandbytes_parts.h"
#include "weights/weights_source.h"

#define PIECE ((size_t)1 << 14) /* elements at a time */

struct writer {
    const struct weights *w;
    const uint8_t *use;
    const struct bitsandbytes_form *form;
    struct bitsandbytes_matrix *matrix; /* w's items */
    bool allow_bad;
    uint64_t bytes;
};

/* Whether t is written with another type than it has. */
static bool
becomes_f32(const struct weight *t)
{
    return stored_of(t->dtype) != NULL && !dtype_is_float(t->dtype)
           && (t->scale != NULL || t->dtype != DTYPE_I8);
}

/* The list of tensors */

static struct safetensor
one(const struct bitsandbytes_matrix *m, const struct bitsandbytes_part *part)
{
    const struct weight *t = m->t;
    struct safetensor s = { .dtype = becomes_f32(t) ? DTYPE_F32 : t->dtype,
                            .n_dims = t->n_dims };
    struct buf name;

    if (part == NULL) {
        memcpy(s.shape, t->shape, sizeof(t->shape));
        s.name = mem_strdup(t->name);
        return s;
    }
    buf_init(&name);
    buf_add(&name, t->name, strlen(t->name) - strlen(BITSANDBYTES_WEIGHT));
    buf_addstr(&name, part->end);
    s.name = name.data;
    s.dtype = part->dtype;
    part->shape(&s, m);
    return s;
}

static struct safetensor *
list_tensors(const struct writer *x, size_t *n)
{
    size_t each = x->form->n_parts;
    struct safetensor *s = mem_array(each * x->w->n + 1, sizeof(*s));

    *n = 0;
    for (size_t i = 0; i < x->w->n; i++) {
        const struct bitsandbytes_matrix *m = &x->matrix[i];

        if (x->use[i] != WEIGHT_LINEAR)
            s[(*n)++] = one(m, NULL);
        for (size_t k = 0; k < each && x->use[i] == WEIGHT_LINEAR; k++)
            s[(*n)++] = one(m, &x->form->part[k]);
    }
    return s;
}

/* The item and the part of it that a tensor of the list is; NULL: the item. */
static const struct weight *
item_of(const struct writer *x, const char *name,
        const struct bitsandbytes_part **part)
{
    for (size_t i = 0; i < x->form->n_parts; i++) {
        const struct weight *t;

        *part = &x->form->part[i];
        t = weights_beside(x->w, name, (*part)->end, BITSANDBYTES_WEIGHT);
        if (t != NULL && x->use[t - x->w->item] == WEIGHT_LINEAR)
            return t;
    }
    *part = NULL;
    return weights_find(x->w, name);
}

/* Data */

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

        rc = bitsandbytes_load(f, x->w, t, at, len, x->allow_bad, e);
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
    const struct bitsandbytes_part *part;
    const struct weight *t = item_of(x, s->name, &part);
    int rc = weights_ready(x->w, t, e);

    if (rc < 0)
        return rc;
    x->bytes += s->bytes;
    rc = part ? part->put(&x->matrix[t - x->w->item], out, e)
         : put_other(x, t, out, e);
    if (part == NULL || part == x->form->part)
        progress_add(t->bytes);
    weights_done(x->w, t);
    return rc;
}

/* The directory */

static char *
config_text(const struct writer *x, cJSON *root)
{
    static const char key[] = "quantization_config";
    cJSON *q = cJSON_CreateObject();

    cJSON_AddStringToObject(q, "quant_method", "bitsandbytes");
    x->form->config(q, root);
    cJSON_DeleteItemFromObjectCaseSensitive(root, key);
    cJSON_AddItemToObject(root, key, q);
    return cJSON_Print(root);
}

static int
put_config(const struct writer *x, struct out_dir *out,
           const struct weight_asset *a, struct err *e)
{
    cJSON *root;
    char *text;
    int rc = json_user(&root, a->data, a->n, a->name, e);

    if (rc < 0)
        return err_prefix(e, "%s", x->w->path);
    text = config_text(x, root);
    if (text == NULL)
        mem_out(a->n);
    rc = out_dir_put(out, a->name, text, strlen(text), e);
    cJSON_free(text);
    cJSON_Delete(root);
    return rc;
}

/* x->matrix, with the offsets that the list of tensors needs. */
static int
fill_matrices(struct writer *x, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < x->w->n && rc == 0; i++) {
        const struct weight *t = &x->w->item[i];

        x->matrix[i] = (struct bitsandbytes_matrix){
            .w = x->w, .t = t, .nested = x->form->nested
        };
        if (x->use[i] != WEIGHT_LINEAR)
            continue;
        if (t->shape[1] % x->form->unit != 0)
            return err_set(e, ERR_DATA, "%s: tensor %s: rows of %llu, which "
                           "is no multiple of %llu", x->w->path, t->name,
                           (unsigned long long)t->shape[1],
                           (unsigned long long)x->form->unit);
        if (!x->form->nested)
            continue;
        rc = weights_ready(x->w, t, e);
        if (rc == 0)
            rc = bitsandbytes_offset(&x->matrix[i], e);
        weights_done(x->w, t);
    }
    return rc;
}

static int
put_assets(const struct writer *x, struct out_dir *out, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < x->w->n_assets && rc == 0; i++) {
        const struct weight_asset *a = &x->w->asset[i];

        rc = strcmp(a->name, MODELDIR_CONFIG) == 0
             ? put_config(x, out, a, e)
             : out_dir_put(out, a->name, a->data, a->n, e);
    }
    return rc;
}

static int
put_weights(struct writer *x, struct out_dir *out, struct err *e)
{
    const struct modeldir_source source = { put_tensor, x };
    size_t n;
    struct safetensor *s = list_tensors(x, &n);
    int rc = modeldir_put_weights(out, s, n, &source, NULL, 0, e);

    for (size_t i = 0; i < n; i++)
        free(s[i].name);
    free(s);
    return rc;
}

int
bitsandbytes_write(struct out_dir *out, uint64_t *bytes,
                   const struct weights *w, const uint8_t *use,
                   const struct bitsandbytes_how *how, struct err *e)
{
    struct writer x = {
        w, use, .form = bitsandbytes_form(how->dtype, how->double_quant),
        .matrix = mem_array(w->n + 1, sizeof(*x.matrix)),
        .allow_bad = how->allow_bad
    };
    int rc = fill_matrices(&x, e);

    if (rc == 0)
        rc = put_assets(&x, out, e);
    if (rc == 0)
        rc = put_weights(&x, out, e);
    free(x.matrix);
    *bytes = x.bytes;
    return rc;
}
