/* adapter_saved.c - which modules are saved whole, and whether an adapter has
 * all of them. */
#include "weights/adapter_saved.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/family.h"

static bool
ends(const char *s, size_t n, const char *with)
{
    size_t k = strlen(with);

    return k <= n && memcmp(s + n - k, with, k) == 0;
}

bool
adapter_saves(const struct adapter *a, const char *module)
{
    for (size_t i = 0; i < a->n_save; i++)
        if (ends(module, strlen(module), a->save[i]))
            return true;
    return false;
}

char *
adapter_saved_module(const struct adapter *a, const char *tensor)
{
    size_t n = strlen(tensor);
    size_t k = ends(tensor, n, ".weight") ? strlen(".weight")
               : ends(tensor, n, ".bias") ? strlen(".bias") : 0;
    char *module = k > 0 ? mem_dup(tensor, n - k) : NULL;

    if (module == NULL || a->n_save == 0
        || !(a->tied || adapter_saves(a, module))) {
        free(module);
        return NULL;
    }
    return module;
}

const struct adapter_tensor *
adapter_saved(const struct adapter *a, const char *tensor)
{
    for (size_t i = 0; i < a->n_whole; i++)
        if (strcmp(a->whole[i].name, tensor) == 0)
            return &a->whole[i];
    return NULL;
}

int
adapter_check_saved(const struct adapter *a, struct err *e)
{
    for (size_t i = 0; i < a->n; i++)
        if (adapter_saves(a, a->item[i].name))
            return err_set(e, ERR_DATA, "modules_to_save means module %s, of "
                           "which the adapter has matrices, too",
                           a->item[i].name);
    for (size_t i = 0; i < a->n_save; i++) {
        const struct adapter one = { .save = &a->save[i], .n_save = 1 };
        bool found = false;

        for (size_t k = 0; k < a->n_whole && !found; k++) {
            char *module = adapter_saved_module(&one, a->whole[k].name);

            found = module != NULL;
            free(module);
        }
        if (!found)
            return err_set(e, ERR_DATA, "modules_to_save: the adapter has no "
                           "tensors of '%s'", a->save[i]);
    }
    return 0;
}

bool
adapter_unties(const struct adapter *a, const struct model_desc *d)
{
    return d->tied && !a->tied
           && (adapter_saves(a, desc_module(d, ROLE_EMBED, 0)->name)
               || adapter_saves(a, desc_module(d, ROLE_HEAD, 0)->name));
}

/* The name of the head's weight, which a tied d has not. */
static bool
is_tied_head(const struct model_desc *d, const char *tensor)
{
    const char *head = desc_module(d, ROLE_HEAD, 0)->name;
    size_t n = strlen(head);

    return d->tied && strncmp(tensor, head, n) == 0
           && strcmp(tensor + n, ".weight") == 0;
}

/* The two names of what is one have one value. */
static int
check_tied(const struct adapter *a, const struct model_desc *d,
           struct err *e)
{
    const struct module *embed = desc_module(d, ROLE_EMBED, 0);
    const struct module *head = desc_module(d, ROLE_HEAD, 0);
    const struct adapter_tensor *x = NULL, *y;

    for (size_t i = 0; i < a->n_whole; i++)
        if (is_tied_head(d, a->whole[i].name))
            x = &a->whole[i];
    y = adapter_saved(a, d->tensor[embed->weight].name);
    if (!d->tied || (x == NULL && y == NULL))
        return 0;
    if (x == NULL || y == NULL)
        return err_set(e, ERR_DATA, "ensure_weight_tying: the adapter has %s "
                       "and no %s", x ? head->name : embed->name,
                       x ? embed->name : head->name);
    if (x->rows != y->rows || x->cols != y->cols
        || memcmp(x->data, y->data,
                  (size_t)(x->rows * x->cols) * sizeof(float)) != 0)
        return err_set(e, ERR_DATA, "ensure_weight_tying: %s and %s of the "
                       "adapter differ", x->name, y->name);
    return 0;
}

static int
check_tensor(const struct adapter_tensor *t, const struct model_desc *d,
             struct err *e)
{
    uint64_t had[2] = { t->rows, t->cols }, want[2];
    char have[SHAPE_TEXT], text[SHAPE_TEXT];
    const struct model_tensor *own = d->tensor;
    const struct model_tensor *end = own + d->n_tensors;

    while (own < end && strcmp(own->name, t->name) != 0)
        own++;
    if (own == end)
        return err_set(e, ERR_DATA, "tensor %s of the adapter: the base has "
                       "no such tensor", t->name);
    want[0] = own->rows;
    want[1] = own->cols;
    if (own->n_dims == t->n_dims && own->rows == t->rows
        && own->cols == t->cols)
        return 0;
    return err_set(e, ERR_DATA, "tensor %s of the adapter: shape %s, in the "
                   "base %s", t->name,
                   shape_text(have, had + 2 - t->n_dims, t->n_dims),
                   shape_text(text, want + 2 - own->n_dims, own->n_dims));
}

/* Linears that the base has the other way round than transformers. */
static int
check_way(const struct model_desc *d, const struct module *m, struct err *e)
{
    if (!d->turned || !module_is_linear(d, m))
        return 0;
    return err_set(e, ERR_USAGE, "module %s is stored the other way round "
                   "than transformers has it, and can't be saved whole",
                   m->name);
}

int
adapter_match_saved(const struct adapter *a, const struct model_desc *d,
                    struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < a->n_whole && rc == 0; i++)
        if (!is_tied_head(d, a->whole[i].name))
            rc = check_tensor(&a->whole[i], d, e);
    for (size_t i = 0; i < d->n_tensors && rc == 0; i++) {
        const struct module *m = &d->module[d->tensor[i].module];
        bool weight = i == m->weight;

        if (adapter_saved(a, d->tensor[i].name) != NULL)
            rc = check_way(d, m, e);
        else if (adapter_saves(a, m->name)
                 || (!weight && m->weight != NO_TENSOR
                     && adapter_saved(a, d->tensor[m->weight].name)))
            rc = err_set(e, ERR_DATA, "tensor %s is missing, of a module "
                         "that is saved", d->tensor[i].name);
    }
    return rc < 0 ? rc : check_tied(a, d, e);
}

/* Whether it means a module of modules: all that such a one holds would be
 * saved. */
static bool
means_holder(const char *name, const char *module)
{
    for (const char *p = module; (p = strchr(p, '.')) != NULL; p++)
        if (ends(module, (size_t)(p - module), name))
            return true;
    return false;
}

int
adapter_select_saved(bool *whole, const struct adapter *a,
                     const struct model_desc *d, struct err *e)
{
    const struct module *embed = desc_module(d, ROLE_EMBED, 0);
    const struct module *head = desc_module(d, ROLE_HEAD, 0);
    bool *is_embed = &whole[embed - d->module];
    bool *is_head = &whole[head - d->module];

    for (size_t i = 0; i < a->n_save; i++) {
        const struct adapter one = { .save = &a->save[i], .n_save = 1 };
        bool found = false;

        for (size_t k = 0; k < d->n_modules; k++) {
            const char *name = d->module[k].name;

            if (means_holder(a->save[i], name))
                return err_set(e, ERR_USAGE, "module to save '%s' holds %s "
                               "and others (expected modules that have "
                               "weights themselves)", a->save[i], name);
            if (!adapter_saves(&one, name))
                continue;
            found = whole[k] = true;
            if (check_way(d, &d->module[k], e) < 0)
                return e->code;
        }
        if (!found)
            return err_set(e, ERR_USAGE, "module to save '%s' is none that a "
                           "%s has", a->save[i], d->family->model_type);
    }
    if (d->tied && (*is_embed || *is_head)) {
        if (head->has_bias)
            return err_set(e, ERR_USAGE, "module to save %s: a tied head "
                           "with a bias can't be kept one with the embedding",
                           head->name);
        *is_embed = *is_head = true;
    }
    return 0;
}
