/* desc.c - config.json to a description.
 *
 * Numbers are collected through the family's key table into a struct config,
 * checked once, and turned into layers; tensors.c lists what they are made
 * of. Whatever changes the
 * function of the model and isn't understood is refused by name.
 */
#include "model/desc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/family_rows.h"
#include "model/rope.h"
#include "model/scan_sizes.h"
#include "model/tensors.h"
#include "tensor/dtype.h"

/* Puts the settings of the holder to the top, where the table finds them:
 * what they say counts, the top's own keys fill in what they don't. */
static int
spread_rope(cJSON *root, const struct family *f, struct err *e)
{
    const cJSON *holder = rope_holder(root), *v;

    if (holder == NULL || f->pos != POS_ROTARY || f->local_rope)
        return 0;
    cJSON_ArrayForEach(v, holder) {
        if (cJSON_IsObject(v))
            return err_set(e, ERR_DATA, "%s.%s: settings for a type of "
                           "layers are not implemented", holder->string,
                           v->string);
        if (key_find(f->keys, v->string) == NULL)
            continue;
        cJSON_DeleteItemFromObjectCaseSensitive(root, v->string);
        cJSON_AddItemToObject(root, v->string, cJSON_Duplicate(v, true));
    }
    return 0;
}

static int
check_heads(struct config *c, const struct family *f, struct err *e)
{
    if (f->one_key_head)
        c->kv_heads = 1;
    if (c->kv_heads == 0)
        c->kv_heads = c->heads;
    if (c->head_dim == 0 && fmod(c->dim, c->heads) != 0)
        return err_set(e, ERR_DATA, "%g columns don't divide into %g heads",
                       c->dim, c->heads);
    if (c->head_dim == 0)
        c->head_dim = c->dim / c->heads;
    if (fmod(c->heads, c->kv_heads) != 0)
        return err_set(e, ERR_DATA,
                       "%g heads don't divide over %g key heads", c->heads,
                       c->kv_heads);
    if (c->head_dim > MAX_HEAD_DIM)
        return err_set(e, ERR_DATA, "heads of %g columns (expected at most "
                       "%d)", c->head_dim, MAX_HEAD_DIM);
    return 0;
}

/* Whether layer l is one of those. */
static bool
is_each(uint32_t l, double period, double offset)
{
    return period > 0 && l % (uint32_t)period == (uint32_t)offset;
}

static int
check_each(const char *what, double period, double offset, struct err *e)
{
    return period <= 0 || offset < period ? 0
           : err_set(e, ERR_DATA, "%s_layer_offset (found %g, expected less "
                     "than %s_layer_period, which is %g)", what, offset, what,
                     period);
}

static bool
has_experts(const struct config *c, const struct family *f)
{
    return c->experts > (f->lone_dense ? 1 : 0);
}

static int
check_experts(struct config *c, const struct family *f, struct err *e)
{
    if (c->expert_dim == 0)
        c->expert_dim = c->ff_dim;
    if (c->expert_offset < 0)
        c->expert_offset = c->expert_period - 1;
    if (c->top_k > c->experts && has_experts(c, f))
        return err_set(e, ERR_DATA, "num_experts_per_tok (found %g, expected "
                       "at most the %g experts that there are)", c->top_k,
                       c->experts);
    return 0;
}

/* Fills in what is derived and checks that the sizes fit together. */
static int
check_config(struct config *c, const struct family *f, const cJSON *root,
             struct err *e)
{
    int rc = 0;

    if (f->mixer != MIX_ATTENTION)
        rc = scan_sizes(c, f, root, e);
    if (rc == 0 && c->heads > 0)
        rc = check_heads(c, f, e);
    if (rc == 0)
        rc = check_each("attn", c->attn_period, c->attn_offset, e);
    if (rc == 0)
        rc = check_each("expert", c->expert_period, c->expert_offset, e);
    if (rc < 0)
        return rc;
    if (c->ff_dim == 0)
        c->ff_dim = 4 * c->dim;
    if (check_experts(c, f, e) < 0)
        return e->code;
    if (c->pad >= c->vocab)
        return err_set(e, ERR_DATA, "pad_token_id (found %g, expected an id "
                       "below vocab_size, which is %g)", c->pad, c->vocab);
    if (c->pad > PAD_NONE && c->pad < 0)
        c->pad += c->vocab;
    return 0;
}

/* Whether layer_types makes layer l one with a window. */
static int
read_layer_type(bool *slides, const cJSON *types, uint32_t l, struct err *e)
{
    const cJSON *t = cJSON_GetArrayItem(types, (int)l);

    if (!cJSON_IsString(t)
        || (strcmp(t->valuestring, "sliding_attention") != 0
            && strcmp(t->valuestring, "full_attention") != 0))
        return key_error("layer_types", t, e, "\"full_attention\" or "
                         "\"sliding_attention\"");
    *slides = t->valuestring[0] == 's';
    return 0;
}

/* Without a list of types or a pattern of them. */
static bool
slides_by_rule(const struct family *f, const struct config *c, uint32_t l)
{
    return f->even_windows ? l % 2 == 0 && l < c->window_from
                           : l >= c->window_from;
}

/* The window of the layers that have one; 0: nobody has. */
static int
read_window(uint32_t *window, const struct family *f, const cJSON *root,
            const struct config *c, struct err *e)
{
    *window = c->use_window != 0 ? (uint32_t)c->window : 0;
    return !f->even_windows || c->use_window <= 0 || *window > 0 ? 0
           : key_error("sliding_window",
                       cJSON_GetObjectItemCaseSensitive(root,
                                                        "sliding_window"),
                       e, "over 0, since use_sliding_window is true");
}

/* The window of every layer: by a rule, or, where the family has such a key,
 * as layer_types says; the other families' layers are all of one type. */
static int
fill_windows(struct model_desc *d, const cJSON *root, const struct config *c,
             struct err *e)
{
    const cJSON *types =
        cJSON_GetObjectItemCaseSensitive(root, "layer_types");
    bool listed = types != NULL && !cJSON_IsNull(types);
    bool obeyed = listed && key_find(d->family->keys, "layer_types") != NULL;
    uint32_t window;

    if (listed && d->family->mixer != MIX_ATTENTION)
        return key_error("layer_types", types, e, "no such key: the type of "
                         "the model says it");
    if (listed && cJSON_GetArraySize(types) != (int)d->n_layers)
        return key_error("layer_types", types, e, "a list of %u layers",
                         d->n_layers);
    if (read_window(&window, d->family, root, c, e) < 0)
        return e->code;
    for (uint32_t l = 0; l < d->n_layers; l++) {
        bool slides = false;
        int rc = listed ? read_layer_type(&slides, types, l, e) : 0;

        if (rc < 0)
            return rc;
        if (!listed && c->pattern > 0)
            slides = fmod(l + 1, c->pattern) > 0;
        if ((obeyed || c->pattern > 0) && slides && window == 0)
            return err_set(e, ERR_DATA, "layer_types asks for a window, "
                           "and no sliding_window is in use");
        if (!obeyed && c->pattern <= 0)
            slides = slides_by_rule(d->family, c, l);
        d->layer[l].rope = d->family->local_rope && slides;
        d->layer[l].window = slides ? window : 0;
    }
    return 0;
}

/* dense[l]: layer l is in the list of those that have no experts. */
static int
read_dense(bool *dense, const struct model_desc *d, const cJSON *root,
           struct err *e)
{
    const cJSON *list =
        cJSON_GetObjectItemCaseSensitive(root, "mlp_only_layers"), *v;

    if (list == NULL || cJSON_IsNull(list)
        || key_find(d->family->keys, "mlp_only_layers") == NULL)
        return 0;
    if (!cJSON_IsArray(list))
        return key_error("mlp_only_layers", list, e, "a list of layers");
    cJSON_ArrayForEach(v, list) {
        if (!cJSON_IsNumber(v) || !(v->valuedouble >= 0)
            || !(v->valuedouble < d->n_layers)
            || v->valuedouble != floor(v->valuedouble))
            return key_error("mlp_only_layers", v, e, "layers from 0 to %u",
                             d->n_layers - 1);
        dense[(uint32_t)v->valuedouble] = true;
    }
    return 0;
}

static void
fill_layer(struct layer_desc *y, const struct config *c)
{
    y->heads = (uint32_t)c->heads;
    y->kv_heads = (uint32_t)c->kv_heads;
    y->head_dim = (uint32_t)c->head_dim;
    y->ff_dim = (uint32_t)c->ff_dim;
    if (y->ffn == FF_EXPERTS || y->ffn == FF_SHARED) {
        y->experts = (uint32_t)c->experts;
        y->top_k = (uint32_t)c->top_k;
        y->expert_dim = (uint32_t)c->expert_dim;
    }
    if (y->ffn == FF_SHARED)
        y->shared_dim = (uint32_t)c->shared_dim;
    y->inner = (uint32_t)c->inner;
    y->state = (uint32_t)c->state;
    y->width = (uint32_t)c->width;
    y->rank = y->mixer == MIX_MAMBA ? (uint32_t)c->rank : 0;
    y->groups = (uint32_t)c->groups;
}

/* Which kinds the layers are of, and their sizes. */
static int
fill_layers(struct model_desc *d, const cJSON *root, const struct config *c,
            struct err *e)
{
    const struct family *f = d->family;
    bool dense[MAX_LAYERS] = { false }, some = false;

    if (read_dense(dense, d, root, e) < 0)
        return e->code;
    d->layer = mem_array(d->n_layers, sizeof(*d->layer));
    for (uint32_t l = 0; l < d->n_layers; l++) {
        struct layer_desc *y = &d->layer[l];

        y->mixer = is_each(l, c->attn_period, c->attn_offset)
                   ? MIX_ATTENTION : f->mixer;
        y->ffn = has_experts(c, f) && !dense[l]
                 && is_each(l, c->expert_period, c->expert_offset)
                 ? f->sparse : f->ffn;
        fill_layer(y, c);
        some |= y->experts > 0;
    }
    return c->balanced == 0 || some ? 0
           : err_set(e, ERR_DATA, "output_router_logits (found true, and no "
                     "layer has experts)");
}

static void
fill_drops(struct model_desc *d, const struct config *c)
{
    for (const struct key *k = d->family->keys; k->name != NULL; k++)
        if (k->kind == KEY_DROP && key_value(c, k) > 0)
            d->drop[d->n_drops++] = (struct dropout_desc){ k->name,
                                                           key_value(c, k) };
}

/* A factor as a model of that type (dtype, torch_dtype) has it. */
static double
root_in(float x, const cJSON *type)
{
    const char *name = cJSON_IsString(type) ? type->valuestring : "";

    if (strcmp(name, "bfloat16") == 0)
        x = bf16_to_f32(f32_to_bf16(x));
    else if (strcmp(name, "float16") == 0)
        x = f16_to_f32(f32_to_f16(x));
    return (double)x;
}

static void
fill_numbers(struct model_desc *d, const struct config *c, const cJSON *root)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(root, "dtype");
    const struct family *f = d->family;

    if (type == NULL)
        type = cJSON_GetObjectItemCaseSensitive(root, "torch_dtype");
    d->vocab = (uint32_t)c->vocab;
    d->dim = (uint32_t)c->dim;
    d->n_layers = (uint32_t)c->n_layers;
    d->max_pos = (uint32_t)c->max_pos;
    d->norm = f->norm;
    d->act = (uint8_t)c->act;
    d->pos = f->pos;
    d->parallel = f->parallel;
    d->tied = c->tied != 0;
    d->eps = (float)c->eps;
    d->attn_scale = c->attn_scale > 0 ? (float)c->attn_scale
                    : 1.0f / sqrtf((float)(c->query_scalar > 0
                                           ? c->query_scalar : c->head_dim));
    d->embed_scale = f->scaled_embedding ? root_in(sqrtf((float)c->dim), type)
                                         : c->embed_scale;
    d->residual_scale = c->residual_scale;
    d->hidden_scale = 1 / c->logits_divisor;
    d->init_range = (float)c->init_range;
    d->route_norm = f->route_norm || c->route_norm != 0;
    d->balance = c->balanced != 0 ? (float)c->balance : 0;
    d->step = (struct step_desc){
        .scale = c->step_scale, .least = c->step_least,
        .most = c->step_most, .floor = c->step_floor,
        .constant = c->step_constant != 0
    };
    d->step_low = (float)c->step_low;
    d->step_high = (float)c->step_high;
    d->pad = c->pad < 0 ? 0 : (uint32_t)c->pad + 1;
}

static int
find_family(const struct family **f, const cJSON *root, struct err *e)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(root, "model_type");

    if (!cJSON_IsString(type))
        return err_set(e, ERR_DATA, "no model_type");
    return family_find(f, type->valuestring, e);
}

static int
read_config(struct config *c, const struct family **f, cJSON *root,
            struct err *e)
{
    int rc = find_family(f, root, e);

    *c = (struct config){ .max_pos = MAX_POSITIONS, .rotary = 1,
                          .use_window = 1, .pad = PAD_NONE,
                          .expert_offset = -1,
                          .embed_scale = 1, .residual_scale = 1,
                          .logits_divisor = 1 };
    if (rc == 0)
        rc = keys_read(c, common_keys, root, e);
    if (rc == 0)
        rc = spread_rope(root, *f, e);
    if (rc == 0)
        rc = keys_read(c, (*f)->keys, root, e);
    return rc < 0 ? rc : check_config(c, *f, root, e);
}

int
family_config(struct config *c, const struct family **f, const char *text,
              size_t n, const char *where, struct err *e)
{
    cJSON *root = NULL;
    int rc = json_user(&root, text, n, where, e);

    if (rc < 0)
        return rc;
    rc = read_config(c, f, root, e);
    cJSON_Delete(root);
    return rc < 0 ? err_prefix(e, "%s", where) : 0;
}

static int
fill_desc(struct model_desc *d, cJSON *root, struct err *e)
{
    struct config c;
    int rc = read_config(&c, &d->family, root, e);

    if (rc < 0)
        return rc;
    fill_numbers(d, &c, root);
    d->bounded = d->pos == POS_LEARNED;
    if (d->pos == POS_ROTARY)
        rc = ropes_read(d->rope, root, d->family, &c, e);
    if (rc < 0)
        return rc;
    if (d->rope[0].positions > 0) {
        d->bounded = true;
        d->max_pos = d->rope[0].positions;
    }
    rc = fill_layers(d, root, &c, e);
    if (rc == 0)
        rc = fill_windows(d, root, &c, e);
    if (rc < 0)
        return rc;
    fill_drops(d, &c);
    list_modules(d, &c);
    list_tensors(d);
    return 0;
}

bool
desc_reaches(const struct model_desc *d, uint32_t tokens)
{
    return !d->bounded || tokens <= d->max_pos;
}

const char *
desc_positions(const struct model_desc *d)
{
    return d->pos == POS_LEARNED
           ? "learned positions (max_position_embeddings)"
           : "positions with short factors (original_max_position_embeddings)";
}

int
desc_read(struct model_desc *d, const char *text, size_t n,
          const char *where, struct err *e)
{
    cJSON *root = NULL;
    int rc;

    memset(d, 0, sizeof(*d));
    rc = json_user(&root, text, n, where, e);
    if (rc < 0)
        return rc;
    rc = fill_desc(d, root, e);
    if (rc < 0) {
        err_prefix(e, "%s", where);
        desc_release(d);
    }
    cJSON_Delete(root);
    return rc;
}

void
desc_release(struct model_desc *d)
{
    for (size_t i = 0; i < MODEL_ROPES; i++)
        free(d->rope[i].freq);
    free(d->layer);
    free(d->module);
    free(d->tensor);
    memset(d, 0, sizeof(*d));
}
