/* adapter.c - an adapter in memory, and whether it fits a model. */
#include "weights/adapter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "weights/adapter_saved.h"
#include "weights/adapter_tokens.h"
#include "weights/lora_experts.h"
#include "weights/module_pattern.h"

double
adapter_scale(const struct adapter *a, const struct adapter_module *m)
{
    return m->alpha / (a->rslora ? sqrt(m->rank) : m->rank);
}

/* *value is of the first key that matches, and stays where none does. */
static int
look_up(double *value, const struct adapter_patterns *p, const char *module,
        struct err *e)
{
    bool found = false;
    int rc = 0;

    for (size_t i = 0; i < p->n && rc == 0 && !found; i++) {
        rc = module_ends(&found, p->item[i].key, module, e);
        if (rc == 0 && found)
            *value = p->item[i].value;
    }
    return rc;
}

int
adapter_strength(const struct adapter *a, const char *module, uint32_t *rank,
                 double *alpha, struct err *e)
{
    double r = a->rank;
    int rc;

    *alpha = a->alpha;
    rc = look_up(&r, &a->rank_pattern, module, e);
    if (rc == 0)
        rc = look_up(alpha, &a->alpha_pattern, module, e);
    *rank = (uint32_t)r;
    return rc;
}

void
adapter_patterns_release(struct adapter_patterns *p)
{
    for (size_t i = 0; i < p->n; i++)
        free((char *)p->item[i].key);
    free(p->item);
}

void
adapter_release(struct adapter *a)
{
    size_t i;

    for (i = 0; i < a->n; i++)
        free((char *)a->item[i].name);
    for (i = 0; i < a->n_targets; i++)
        free((char *)a->target[i]);
    for (i = 0; i < a->n_save; i++)
        free((char *)a->save[i]);
    for (i = 0; i < a->n_whole; i++)
        free((char *)a->whole[i].name);
    adapter_tokens_release(a);
    adapter_patterns_release(&a->rank_pattern);
    adapter_patterns_release(&a->alpha_pattern);
    free((char *)a->base);
    free(a->target);
    free(a->save);
    free(a->whole);
    free(a->item);
    free(a->data);
    memset(a, 0, sizeof(*a));
}

void
adapter_drop_values(struct adapter *a)
{
    for (size_t i = 0; i < a->n; i++)
        a->item[i].a = a->item[i].b = a->item[i].magnitude = NULL;
    for (size_t i = 0; i < a->n_whole; i++)
        a->whole[i].data = NULL;
    for (size_t i = 0; i < a->n_tokens; i++)
        a->tokens[i].rows = NULL;
    free(a->data);
    a->data = NULL;
}

int
adapter_match(const struct adapter *a, const struct model_desc *d,
              size_t *linears, struct err *e)
{
    struct map names;
    size_t i;
    int rc = 0;

    map_init(&names);
    for (i = 0; i < d->n_modules; i++)
        if (lora_reaches(d, &d->module[i]))
            map_put(&names, d->module[i].name, strlen(d->module[i].name), i,
                    NULL);
    for (i = 0; i < a->n && rc == 0; i++) {
        const struct adapter_module *m = &a->item[i];
        const struct map_entry *found = map_get(&names, m->name,
                                                strlen(m->name));
        const struct module *own = found ? &d->module[found->value] : NULL;

        if (own == NULL)
            rc = err_set(e, ERR_DATA, "module %s of the adapter: the base "
                         "has no such linear", m->name);
        else if (own->in != m->in || own->out != m->out)
            rc = err_set(e, ERR_DATA, "module %s of the adapter: maps %u to "
                         "%u, in the base %u to %u", m->name, m->in, m->out,
                         own->in, own->out);
    }
    if (rc == 0 && a->n == 0)
        rc = err_set(e, ERR_DATA, "the adapter has no modules");
    if (rc == 0)
        rc = adapter_match_saved(a, d, e);
    if (rc == 0)
        rc = adapter_tokens_match(a, d, e);
    if (rc == 0)
        *linears = names.n;
    map_release(&names);
    return rc;
}
