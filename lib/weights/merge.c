/* merge.c - the list of a merged base's tensors, and its config.json. */
#include "weights/merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "model/family.h"
#include "tensor/modeldir.h"
#include "weights/adapter_saved.h"
#include "weights/adapter_tokens.h"
#include "weights/base.h"
#include "weights/lora_experts.h"
#include "weights/merge_items.h"

/* What becomes of the items */

/* Whether t stands for floats and is stored as none. */
static bool
is_packed(const struct weight *t)
{
    return stored_of(t->dtype) != NULL && !dtype_is_float(t->dtype)
           && (t->scale != NULL || t->dtype != DTYPE_I8);
}

/* Whether transformers has a module of that role the other way round than
 * the base stores it. */
static bool
is_turned(const struct model_desc *d, const struct module *m)
{
    const struct module_row *r = d->family->modules;

    while (r->name != NULL && r->role != m->role)
        r++;
    return r->name != NULL && r->in_out && !m->in_out;
}

static unsigned
written_type(const struct merger *x, const struct weight *t)
{
    bool floats = dtype_is_float(t->dtype) || is_packed(t);

    return floats && x->dtype != DTYPE_NONE ? x->dtype : t->dtype;
}

/* The module's weight gets what the adapter has for it. */
static int
set_module(struct merger *x, const struct module *m, const struct map *add,
           struct err *e)
{
    const struct merge_opts *o = x->o;
    const struct weight *t = base_find(o->base, o->desc,
                                       o->desc->tensor[m->weight].name);
    struct merge_tensor *item = &x->item[t - o->base->item];
    const struct map_entry *found = map_get(add, m->name, strlen(m->name));

    item->in_out = m->in_out;
    item->turn = is_turned(o->desc, m);
    if (found == NULL)
        return 0;
    if (stored_of(t->dtype) == NULL)
        return err_set(e, ERR_DATA, "tensor %s: weights of type %s are not "
                       "supported", t->name, dtype_name(t->dtype));
    item->add = &o->adapter->item[found->value];
    item->scale = adapter_scale(o->adapter, item->add);
    return 0;
}

/* A head of its own begins as the embedding. */
static void
add_head(struct merger *x)
{
    const struct merge_opts *o = x->o;
    const struct model_tensor *t = o->desc->tensor;
    const char *head = t[desc_module(o->desc, ROLE_HEAD, 0)->weight].name;
    const char *embed = t[desc_module(o->desc, ROLE_EMBED, 0)->weight].name;

    x->n = o->base->n;
    if (!o->untied || base_find(o->base, o->desc, head) != NULL)
        return;
    x->head = *base_find(o->base, o->desc, embed);
    x->head.name = head;
    x->item[x->n++] = (struct merge_tensor){
        .t = &x->head, .dtype = written_type(x, &x->head)
    };
}

struct merge_tensor *
merge_item(const struct merger *x, const char *name)
{
    const struct merge_opts *o = x->o;
    const struct weight *t = base_find(o->base, o->desc, name);

    if (t != NULL)
        return &x->item[t - o->base->item];
    return x->n > o->base->n ? &x->item[o->base->n] : NULL;
}

/* What was saved whole takes the place of what the base has. */
static int
set_whole(struct merger *x, struct err *e)
{
    for (size_t i = 0; i < x->o->adapter->n_whole; i++) {
        const struct adapter_tensor *w = &x->o->adapter->whole[i];
        struct merge_tensor *item = merge_item(x, w->name);

        if (item == NULL)
            continue;
        if (stored_of(item->t->dtype) == NULL)
            return err_set(e, ERR_DATA, "tensor %s: weights of type %s are "
                           "not supported", item->t->name,
                           dtype_name(item->t->dtype));
        item->whole = w->data;
    }
    return 0;
}

/* Rows of tokens, of a head that is the embedding, too, where the base has
 * one. */
static int
set_tokens(struct merger *x, struct err *e)
{
    static const enum role roles[] = { ROLE_EMBED, ROLE_HEAD };
    const struct model_desc *d = x->o->desc;

    for (size_t i = 0; i < 2; i++) {
        const struct module *m = desc_module(d, roles[i], 0);
        const struct adapter_tokens *t = adapter_tokens_find(x->o->adapter, d,
                                                             m);
        struct merge_tensor *item;
        char name[160];

        snprintf(name, sizeof(name), "%s.weight", m->name);
        item = t ? merge_item(x, name) : NULL;
        if (item == NULL)
            continue;
        if (stored_of(item->t->dtype) == NULL)
            return err_set(e, ERR_DATA, "tensor %s: weights of type %s are "
                           "not supported", item->t->name,
                           dtype_name(item->t->dtype));
        item->tokens = t;
    }
    return 0;
}

int
merge_items(struct merger *x, struct err *e)
{
    const struct merge_opts *o = x->o;
    struct map add;
    int rc = 0;

    x->dtype = o->dtype;
    for (size_t i = 0; i < o->base->n && x->dtype == DTYPE_NONE; i++)
        if (is_packed(&o->base->item[i]))
            x->dtype = DTYPE_BF16;
    x->item = mem_array(o->base->n + 1, sizeof(*x->item));
    for (size_t i = 0; i < o->base->n; i++)
        x->item[i] = (struct merge_tensor){
            .t = &o->base->item[i],
            .dtype = written_type(x, &o->base->item[i])
        };
    map_init(&add);
    for (size_t i = 0; i < o->adapter->n; i++)
        map_put(&add, o->adapter->item[i].name,
                strlen(o->adapter->item[i].name), i, NULL);
    for (size_t i = 0; i < o->desc->n_modules && rc == 0; i++)
        if (lora_reaches(o->desc, &o->desc->module[i]))
            rc = set_module(x, &o->desc->module[i], &add, e);
    map_release(&add);
    add_head(x);
    if (rc == 0)
        rc = set_whole(x, e);
    if (rc == 0)
        rc = set_tokens(x, e);
    return rc < 0 ? err_prefix(e, "%s", o->base->path) : 0;
}

/* Weights */

/* With a head beside them the tensors have their full names, by which
 * transformers tells the head from what it calls the base model. */
static void
name_in_full(const struct merger *x, struct safetensor *s)
{
    const struct merge_opts *o = x->o;

    for (size_t i = 0; i < o->desc->n_tensors; i++) {
        const char *name = o->desc->tensor[i].name;

        s[merge_item(x, name) - x->item].name = (char *)name;
    }
}

static struct safetensor *
list_tensors(const struct merger *x)
{
    size_t n = x->n;
    struct safetensor *s = mem_array(n + 1, sizeof(*s));

    for (size_t i = 0; i < n; i++) {
        const struct weight *t = x->item[i].t;

        s[i] = (struct safetensor){ .name = (char *)t->name,
                                    .dtype = (uint8_t)x->item[i].dtype,
                                    .n_dims = t->n_dims };
        memcpy(s[i].shape, t->shape, sizeof(t->shape));
        if (x->item[i].turn) {
            s[i].shape[0] = t->shape[1];
            s[i].shape[1] = t->shape[0];
        }
    }
    if (x->o->untied)
        name_in_full(x, s);
    return s;
}

static int
write_out(void *ctx, const void *p, size_t n, struct err *e)
{
    return out_write(ctx, p, n, e);
}

static int
put_tensor(void *ctx, const struct safetensor *s, struct out *out,
           struct err *e)
{
    struct merger *x = ctx;
    const struct weights *w = x->o->base;
    const struct merge_tensor *item = merge_item(x, s->name);
    const struct weight *t = item->t;
    int rc = weights_ready(w, t, e);

    if (rc < 0)
        return rc;
    x->bytes += s->bytes;
    rc = merge_tensor_put(item, x->counts,
                          &(struct merge_sink){ write_out, out }, e);
    weights_done(w, t);
    return rc == ERR_DATA ? err_prefix(e, "%s", w->path) : rc;
}

/* The config */

/* Whether a key of config.json describes the weights as the base stores
 * them. */
static bool
is_stale(const struct merger *x, const char *key)
{
    return strcmp(key, "quantization_config") == 0
           || (x->o->desc->turned && strcmp(key, "fan_in_fan_out") == 0)
           || (x->o->untied && strcmp(key, "tie_word_embeddings") == 0);
}

/* Appends the object p[n] without what describes the weights as the base
 * stores them, and with what they are now. */
static int
put_config(const struct merger *x, struct buf *out, const char *p, size_t n,
           const char *where, struct err *e)
{
    unsigned dtype = x->dtype;
    static const char *const types[] = { "dtype", "torch_dtype" };
    const char *type = dtype == DTYPE_F32 ? "float32"
                       : dtype == DTYPE_F16 ? "float16" : "bfloat16";
    const char *at, *comma = "";
    bool told = dtype == DTYPE_NONE;
    struct buf key;
    struct json j;
    int rc = json_check(p, n, where, e);

    j = json_on(p, n, where);
    if (rc == 0)
        rc = json_enter_object(&j, e);
    if (rc < 0)
        return rc;
    buf_init(&key);
    buf_addc(out, '{');
    for (; json_next_key(&j, &key); buf_reset(&key)) {
        bool typed = dtype != DTYPE_NONE && (strcmp(key.data, types[0]) == 0
                                     || strcmp(key.data, types[1]) == 0);

        json_kind(&j);
        at = j.p;
        json_skip(&j);
        if (is_stale(x, key.data))
            continue;
        buf_addf(out, "%s\n  ", comma);
        json_put_string(out, key.data, key.len);
        buf_addstr(out, ": ");
        if (typed)
            buf_addf(out, "\"%s\"", type);
        else
            buf_add(out, at, (size_t)(j.p - at));
        told |= typed;
        comma = ",";
    }
    if (!told)
        buf_addf(out, "%s\n  \"%s\": \"%s\"", comma, types[1], type);
    if (x->o->untied)
        buf_addstr(out, ",\n  \"tie_word_embeddings\": false");
    buf_addstr(out, "\n}\n");
    buf_release(&key);
    return 0;
}

static int
put_assets(const struct merger *x, struct out_dir *out, struct err *e)
{
    const struct weights *w = x->o->base;
    bool other = x->o->desc->turned || x->o->untied;
    struct buf text;
    int rc = 0;

    buf_init(&text);
    for (size_t i = 0; i < w->n_assets && rc == 0; i++) {
        const struct weight_asset *a = &w->asset[i];
        bool anew = strcmp(a->name, MODELDIR_CONFIG) == 0
                    && (x->dtype != DTYPE_NONE || other);

        buf_reset(&text);
        if (anew)
            rc = put_config(x, &text, a->data, a->n, a->name, e);
        if (rc < 0)
            err_prefix(e, "%s", w->path);
        else
            rc = out_dir_put(out, a->name, anew ? text.data : a->data,
                             anew ? text.len : a->n, e);
    }
    buf_release(&text);
    return rc;
}

int
merge_write(struct out_dir *out, const struct merge_opts *o,
            struct merge_counts *n, uint64_t *bytes, struct err *e)
{
    struct merger x = { .o = o, .counts = n };
    const struct modeldir_source source = { put_tensor, &x };
    struct safetensor *s;
    int rc = merge_items(&x, e);

    if (rc == 0)
        rc = put_assets(&x, out, e);
    if (rc == 0) {
        s = list_tensors(&x);
        rc = modeldir_put_weights(out, s, x.n, &source, o->meta, o->n_meta,
                                  e);
        free(s);
    }
    *bytes = x.bytes;
    n->tensors = x.n;
    free(x.item);
    return rc;
}
