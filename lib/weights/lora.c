/* lora.c - an adapter's modules and a program's parameters, paired by name;
 * matrices go through exec_put and exec_write, wherever they lie. */
#include "weights/lora.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/family.h"

void
lora_opts(struct prog_opts *o, const struct adapter *a,
          const char ***targets)
{
    *targets = mem_array(a->n + 1, sizeof(**targets));
    for (size_t i = 0; i < a->n; i++)
        (*targets)[i] = a->item[i].name;
    o->method = METHOD_LORA;
    o->rank = a->rank;
    o->alpha = (float)(adapter_scale(a) * a->rank);
    o->targets = *targets;
    o->n_targets = a->n;
}

struct adapter
lora_meta(const struct prog_opts *o, const struct model_desc *d,
          double alpha, double dropout, const char *base)
{
    struct adapter a = { .rank = o->rank, .alpha = alpha,
                         .dropout = dropout, .base = base,
                         .target = (const char **)o->targets,
                         .n_targets = o->n_targets };

    /* As transformers' class has them: a GGUF file stores them all alike. */
    for (const struct module_row *r = d->family->modules; r->name; r++)
        a.fan_in_fan_out |= r->in_out;
    return a;
}

static const struct adapter_module *
find_module(const struct adapter *a, const char *name)
{
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->item[i].name, name) == 0)
            return &a->item[i];
    }
    return NULL;
}

int
lora_load(struct exec *x, const struct adapter *a, struct err *e)
{
    const struct prog *p = x->prog;

    if (p->n_params != 2 * a->n)
        return err_set(e, ERR_DATA, "the adapter has %zu modules where the "
                       "program has %zu", a->n, p->n_params / 2);
    for (size_t i = 0; i < p->n_params; i++) {
        const struct param *q = &p->param[i];
        const struct adapter_module *m = find_module(a, q->module->name);
        struct view v = prog_param(q, p->params);
        int rc;

        if (m == NULL || m->in != q->module->in || m->out != q->module->out)
            return err_set(e, ERR_DATA, "the adapter has no %s of its size",
                           q->module->name);
        rc = exec_put(x, &v, q->kind == PARAM_LORA_A ? m->a : m->b, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The last parts of the modules' names, each once: what target_modules says
 * when every linear has an adapter. *n of them; the caller frees the list. */
static const char **
leaf_names(const struct prog *p, size_t *n)
{
    const char **leaf = mem_array(p->n_params, sizeof(*leaf));

    *n = 0;
    for (size_t i = 0; i < p->n_params; i++) {
        const char *name = strrchr(p->param[i].module->name, '.') + 1;
        size_t k = 0;

        while (k < *n && strcmp(leaf[k], name) != 0)
            k++;
        if (k == *n)
            leaf[(*n)++] = name;
    }
    return leaf;
}

/* Parameters come as A, B, A, B: add_params of bind.c. */
static int
write_matrix(void *ctx, size_t i, bool b, struct out *out, struct err *e)
{
    const struct exec *x = ctx;
    struct view v = prog_param(&x->prog->param[2 * i + b], x->prog->params);

    return exec_write(x, &v, out, e);
}

int
lora_save(const struct exec *x, const struct adapter *meta,
          const char *dir, struct err *e)
{
    const struct adapter_source source = { write_matrix, (void *)x };
    const struct prog *p = x->prog;
    struct adapter a = *meta;
    const char **leaf = NULL;
    int rc;

    if (a.n_targets == 0)
        a.target = leaf = leaf_names(p, &a.n_targets);
    a.n = p->n_params / 2;
    a.item = mem_array(a.n, sizeof(*a.item));
    for (size_t i = 0; i < a.n; i++) {
        const struct param *q = &p->param[2 * i];

        a.item[i].name = q->module->name;
        a.item[i].in = q->module->in;
        a.item[i].out = q->module->out;
    }
    rc = adapter_write(&a, dir, NULL, 0, &source, e);
    free(a.item);
    free(leaf);
    return rc;
}
