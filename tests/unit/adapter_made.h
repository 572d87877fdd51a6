/* adapter_made.h - an adapter of every linear of a tiny model, for tests that
 * write it. */
#ifndef ADAPTER_MADE_H
#define ADAPTER_MADE_H

#include <stdlib.h>

#include "base/io.h"
#include "test.h"
#include "tiny_model.h"
#include "weights/adapter.h"
#include "weights/weights_source.h"

/* An adapter of every linear of a model. */
struct adapter_made {
    const char *dir; /* made, empty */
    struct model_desc d;
    struct adapter a;
    struct weights base; /* a directory's: no tensors are asked for */
    struct weights_source source;
    struct err e;
};

static inline int
made_by_name(const void *x, const void *y)
{
    const struct adapter_module *a = x, *b = y;

    return strcmp(a->name, b->name);
}

static inline float *
random_floats(struct rng *r, size_t n)
{
    float *x = mem_array(n, sizeof(*x));

    for (size_t i = 0; i < n; i++)
        x[i] = (float)rng_normal(r);
    return x;
}

/* Ranks and alphas of module i are 2 + i % ranks and 3 + i % alphas. */
static inline void
made_adapter(struct adapter_made *x, const char *dir, const char *config,
             uint32_t ranks, uint32_t alphas)
{
    struct rng r;

    memset(x, 0, sizeof(*x));
    CHECK(desc_read(&x->d, config, strlen(config), "x", &x->e) == 0);
    x->base = (struct weights){ .path = (char *)"base",
                                .source = &x->source };
    x->a = (struct adapter){ .rank = 2, .alpha = 3, .dropout = 0.25 };
    x->a.item = mem_array(x->d.n_modules, sizeof(*x->a.item));
    rng_init(&r, 7, 1);
    for (size_t i = 0; i < x->d.n_modules; i++) {
        const struct module *m = &x->d.module[i];
        struct adapter_module *item = &x->a.item[x->a.n];
        uint32_t k = (uint32_t)x->a.n;

        if (!module_is_linear(&x->d, m))
            continue;
        *item = (struct adapter_module){
            .name = m->name, .in = m->in, .out = m->out,
            .rank = 2 + k % ranks, .alpha = 3 + k % alphas
        };
        item->a = random_floats(&r, (size_t)item->rank * m->in);
        item->b = random_floats(&r, (size_t)item->rank * m->out);
        x->a.n++;
    }
    qsort(x->a.item, x->a.n, sizeof(*x->a.item), made_by_name);
    x->dir = dir;
    path_remove(dir, &x->e);
    dir_make(dir, &x->e);
}

static inline void
made_drop(struct adapter_made *x)
{
    for (size_t i = 0; i < x->a.n; i++) {
        free((float *)x->a.item[i].a);
        free((float *)x->a.item[i].b);
    }
    free(x->a.item);
    desc_release(&x->d);
    path_remove(x->dir, &x->e);
}

#endif
