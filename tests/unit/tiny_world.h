/* tiny_world.h - a tiny model on the reference back end as programs have it:
 * a base with assets, and an adapter for its query projections. */
#ifndef TINY_WORLD_H
#define TINY_WORLD_H

#include "tiny_model.h"
#include "weights/model.h"

#define TINY_RANK 2

struct tiny_world {
    struct model model;
    struct tiny_model base;
    struct weight_asset asset[2];
    struct adapter_module item[4];
    float values[4][2 * TINY_RANK * 32];
};

/* Random matrices, so that it changes every output. */
static inline void
tiny_adapter(struct tiny_world *w)
{
    static const char *const targets[] = { "q_proj" };
    struct adapter *a = &w->model.adapter;
    struct rng r;

    *a = (struct adapter){ .rank = TINY_RANK, .alpha = 4,
                           .target = (const char **)targets,
                           .n_targets = 1, .item = w->item };
    rng_init(&r, 3, 1);
    for (size_t i = 0; i < w->model.desc.n_modules; i++) {
        const struct module *m = &w->model.desc.module[i];
        float *v = w->values[a->n];

        if (m->role != ROLE_Q)
            continue;
        for (size_t k = 0; k < TINY_RANK * (m->in + m->out); k++)
            v[k] = (float)(0.5 * rng_normal(&r));
        w->item[a->n++] = (struct adapter_module){
            .name = m->name, .in = m->in, .out = m->out, .rank = TINY_RANK,
            .alpha = a->alpha, .a = v, .b = v + TINY_RANK * m->in
        };
    }
    w->model.with = a;
}

/* tokenizer: the text of its tokenizer.json; NULL: none. */
static inline void
tiny_world_open(struct tiny_world *w, const char *config,
                const char *tokenizer)
{
    memset(w, 0, sizeof(*w));
    tiny_open(&w->base, config);
    w->model.desc = w->base.desc;
    w->model.base = w->base.base;
    w->model.weights.path = (char *)w->base.base.path;
    if (tokenizer != NULL) {
        w->asset[0] = (struct weight_asset){
            "tokenizer.json", tokenizer, strlen(tokenizer)
        };
        w->model.weights.asset = w->asset;
        w->model.weights.n_assets = 1;
    }
    ref_open(&w->model.backend);
}

static inline void
tiny_world_close(struct tiny_world *w)
{
    tiny_close(&w->base);
}

#endif
