/* tensors.c - a description's modules, from the family's rows, and their
 * tensors, from the modules. */
#include "model/tensors.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "model/layer_kind.h"
#include "model/roles.h"

/* Modules */

/* expert: of a row that each expert has. */
static void
add_module(struct model_desc *d, const struct config *c,
           const struct module_row *row, uint32_t layer, uint32_t expert)
{
    const struct role_info *role = role_info(row->role);
    const struct layer_desc *y = &d->layer[layer];
    struct module *m = &d->module[d->n_modules++];
    char prefix[32] = "", name[48];

    if (role->in_layer)
        /* layers is a constant of the family table: "layers.%u." */
        snprintf(prefix, sizeof(prefix), d->family->layers, layer);
    /* and so is this, with %u where it is of an expert */
    snprintf(name, sizeof(name), row->name, expert);
    snprintf(m->name, sizeof(m->name), "%s%s%s",
             role->top ? "" : d->family->body, prefix, name);
    m->role = row->role;
    m->layer = layer;
    m->expert = role->each ? (int32_t)expert : -1;
    m->in_out = row->in_out && c->in_out != 0;
    m->aside = row->aside;
    d->turned |= row->in_out && !m->in_out;
    m->has_bias = row->bias == BIAS_ALWAYS
                  || (row->bias == BIAS_ATTN && c->attn_bias != 0)
                  || (row->bias == BIAS_MLP && c->mlp_bias != 0)
                  || (row->bias == BIAS_CONV && c->conv_bias != 0);
    m->in = role->in != NULL ? role->in(d, y) : 0;
    m->out = role->out(d, y);
}

static bool
in_layer(const struct module_row *row)
{
    return row->name != NULL && role_info(row->role)->in_layer;
}

/* From the first of an expert's rows on, which stand together: expert after
 * expert. Returns the row after them. */
static const struct module_row *
add_experts(struct model_desc *d, const struct config *c,
            const struct module_row *row, uint32_t layer)
{
    const struct module_row *first = row;

    for (uint32_t e = 0; e < d->layer[layer].experts; e++)
        for (row = first; in_layer(row) && role_info(row->role)->each; row++)
            add_module(d, c, row, layer, e);
    return row;
}

static void
add_layer(struct model_desc *d, const struct config *c,
          const struct module_row *row, uint32_t layer)
{
    d->layer[layer].first = d->n_modules;
    while (in_layer(row)) {
        if (!layer_has_role(&d->layer[layer], row->role)) {
            row++;
        } else if (role_info(row->role)->each) {
            row = add_experts(d, c, row, layer);
        } else {
            add_module(d, c, row, layer, 0);
            row++;
        }
    }
    d->layer[layer].end = d->n_modules;
}

/* Modules of all layers, at most. */
static size_t
count_modules(const struct model_desc *d, size_t rows)
{
    size_t n = 0;

    for (uint32_t l = 0; l < d->n_layers; l++)
        n += rows * (1 + (size_t)d->layer[l].experts);
    return n;
}

/* One module a row outside the layers; inside, one in each layer of a kind
 * that has the role, or one for each of its experts. */
void
list_modules(struct model_desc *d, const struct config *c)
{
    const struct module_row *rows = d->family->modules, *inside, *row;
    size_t n = 0;

    for (row = rows; row->name != NULL; row++)
        n++;
    d->module = mem_array(count_modules(d, n), sizeof(*d->module));
    for (row = rows; row->name != NULL && !in_layer(row); row++)
        add_module(d, c, row, 0, 0);
    inside = row;
    for (uint32_t l = 0; l < d->n_layers; l++)
        add_layer(d, c, inside, l);
    for (row = inside; row->name != NULL; row++)
        if (!in_layer(row))
            add_module(d, c, row, 0, 0);
}

/* Tensors */

static enum init_rule
init_of(const struct model_desc *d, const struct role_info *role)
{
    if (role->init != INIT_ZEROS)
        return role->init;
    if (d->family->scan_init && role->scan_init != INIT_ZEROS)
        return role->scan_init;
    if (role->flags & TENSOR_NORM)
        return d->norm == NORM_RMS_ABOUT_1 ? INIT_ZEROS : INIT_ONES;
    return role->residual && d->family->scaled_residual ? INIT_SCALED
                                                        : INIT_NORMAL;
}

/* A vector of m: its index. With no leaf it is named as the module is. */
static uint32_t
add_tensor(struct model_desc *d, const struct module *m, const char *leaf)
{
    struct model_tensor *t = &d->tensor[d->n_tensors];

    *t = (struct model_tensor){ .module = (uint32_t)(m - d->module),
                                .expert = m->expert, .n_dims = 1, .rows = 1,
                                .cols = m->out };
    snprintf(t->name, sizeof(t->name), "%s%s%s", m->name, *leaf ? "." : "",
             leaf);
    return (uint32_t)d->n_tensors++;
}

static uint32_t
add_weight(struct model_desc *d, const struct module *m)
{
    const struct role_info *role = role_info(m->role);
    uint32_t i = add_tensor(d, m, role->bare ? "" : "weight");
    struct model_tensor *t = &d->tensor[i];

    t->flags = (uint8_t)(role->flags | (m->aside ? TENSOR_ASIDE : 0));
    t->init = (uint8_t)init_of(d, role);
    if (role->in != NULL) {
        t->n_dims = role->spread ? 3 : 2;
        t->rows = m->in_out ? m->in : m->out;
        t->cols = m->in_out ? m->out : m->in;
    }
    return i;
}

static uint32_t
add_bias(struct model_desc *d, const struct module *m)
{
    uint32_t i = add_tensor(d, m, "bias");

    d->tensor[i].flags = TENSOR_BIAS;
    if (d->family->scan_init)
        d->tensor[i].init = role_info(m->role)->bias_init;
    return i;
}

void
list_tensors(struct model_desc *d)
{
    free(d->tensor);
    d->tensor = mem_array(2 * d->n_modules, sizeof(*d->tensor));
    d->n_tensors = 0;
    for (size_t i = 0; i < d->n_modules; i++) {
        struct module *m = &d->module[i];
        bool tied = m->role == ROLE_HEAD && d->tied;

        m->weight = tied ? desc_module(d, ROLE_EMBED, 0)->weight
                         : add_weight(d, m);
        m->bias = m->has_bias ? add_bias(d, m) : NO_TENSOR;
    }
}

/* What is asked of the lists */

void
desc_untie(struct model_desc *d)
{
    d->tied = false;
    list_tensors(d);
}

static const struct module *
find_role(const struct model_desc *d, enum role role, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (d->module[i].role == role)
            return &d->module[i];
    return NULL;
}

const struct module *
desc_module(const struct model_desc *d, enum role role, uint32_t layer)
{
    const struct layer_desc *y = &d->layer[layer];
    const struct module *m;

    if (role_info(role)->in_layer)
        return find_role(d, role, y->first, y->end);
    m = find_role(d, role, 0, d->layer[0].first);
    return m != NULL ? m : find_role(d, role, d->layer[d->n_layers - 1].end,
                                     d->n_modules);
}

const struct module *
desc_expert(const struct model_desc *d, enum role role, uint32_t layer,
            uint32_t expert)
{
    const struct module *m = desc_module(d, role, layer);
    size_t each = 1; /* modules of an expert, which stand together */

    if (m == NULL || expert >= d->layer[layer].experts)
        return NULL;
    while (d->layer[layer].experts > 1 && m[each].role != role)
        each++;
    return m + each * expert;
}

bool
module_is_linear(const struct model_desc *d, const struct module *m)
{
    uint8_t flags = d->tensor[m->weight].flags;

    return flags & TENSOR_LINEAR && !(flags & TENSOR_ASIDE);
}

bool
desc_recurs(const struct model_desc *d)
{
    for (uint32_t l = 0; l < d->n_layers; l++)
        if (d->layer[l].mixer != MIX_ATTENTION)
            return true;
    return false;
}

uint64_t
desc_params(const struct model_desc *d)
{
    uint64_t n = 0;

    for (size_t i = 0; i < d->n_tensors; i++)
        n += (uint64_t)d->tensor[i].rows * d->tensor[i].cols;
    return n;
}
