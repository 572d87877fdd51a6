/* tiny_run.h - a trainer over a tiny model, records in memory and a back end:
 * for tests of steps. */
#ifndef TINY_RUN_H
#define TINY_RUN_H

#include "kernels/host.h"
#include "test.h"
#include "tiny_model.h"
#include "train/trainer.h"

#define N_RECORDS 7

/* Records of 2 to 14 tokens, some tokens without loss. */
struct memory_source {
    uint32_t len[N_RECORDS], ids[64];
    uint8_t learn[64];
};

static inline int
memory_get(void *ctx, uint64_t i, struct record_tokens *out, struct err *e)
{
    struct memory_source *m = ctx;

    (void)e;
    for (uint32_t k = 0; k < m->len[i]; k++) {
        m->ids[k] = (uint32_t)((i * 17 + k * k * 5 + 3) % 61);
        m->learn[k] = k % 4 != 3;
    }
    *out = (struct record_tokens){ m->ids, m->learn, m->len[i] };
    return 0;
}

static inline struct token_source
memory_source(struct memory_source *m)
{
    for (uint32_t i = 0; i < N_RECORDS; i++)
        m->len[i] = 2 + i * 2;
    return (struct token_source){ .get = memory_get, .ctx = m,
                                  .n_records = N_RECORDS, .len = m->len,
                                  .vocab = 61 };
}

static inline struct train_opts
tiny_opts(int method)
{
    struct train_opts o = {
        .prog = { .method = (uint8_t)method, .batch = 2, .seq_len = 16,
                  .head_chunk = 8, .rank = 3, .alpha = 6, .dropout = 0,
                  .optimizer = OPT_SGD, .beta1 = 0.9f, .beta2 = 0.999f,
                  .adam_eps = 1e-8f },
        .accum = 1, .steps = 100, .seed = 3,
        .course = { .kind = SCHEDULE_CONSTANT, .peak = 0.01 },
        .max_bad = 10, .back_off = 1,
    };

    return o;
}

struct tiny_run {
    struct tiny_model tiny;
    struct model model; /* of tiny's description and a back end */
    struct memory_source memory;
    struct token_source source, none;
    struct trainer trainer;
};

static inline void
open_backend(struct backend *b, const char *name)
{
    struct err e;

    if (strcmp(name, "ref") == 0)
        ref_open(b);
    else if (strcmp(name, "ref64") == 0)
        ref64_open(b);
    else if (!CHECK(cpu_open(b, NULL, "f32", &e) == 0))
        abort();
}

/* The memory of a host back end. */
static inline void *
at_view(const struct trainer *t, const struct view *v)
{
    return view_at(host_memory_run(t->exec.memory), v);
}

/* Parameter q, or its gradient: flat tells. */
static inline void *
at_param(const struct trainer *t, const struct param *q,
         const struct view *flat)
{
    struct view v = prog_param(q, *flat);

    return at_view(t, &v);
}

/* Random values in every adapter matrix: with B at 0, A has no gradient. */
static inline void
fill_adapter(struct trainer *t)
{
    struct rng r;

    rng_init(&r, 11, 0);
    for (size_t i = 0; i < t->prog.n_params; i++) {
        const struct param *q = &t->prog.param[i];
        void *p = at_param(t, q, &t->prog.params);

        for (uint64_t j = 0; q->kind >= PARAM_LORA_A && j < q->n; j++) {
            double v = 0.2 * rng_normal(&r);

            if (t->model->backend.real_size == sizeof(float))
                ((float *)p)[j] = (float)v;
            else
                ((double *)p)[j] = v;
        }
    }
}

/* On a back end that is open. */
static inline void
open_run_on(struct tiny_run *r, const char *config, const struct backend *b,
            const struct train_opts *o)
{
    struct err e;

    tiny_open(&r->tiny, config);
    r->model = (struct model){ .desc = r->tiny.desc, .backend = *b };
    r->source = memory_source(&r->memory);
    r->none = (struct token_source){ .n_records = 0 };
    if (!CHECK(trainer_plan(&r->trainer, o, &r->model, &r->tiny.base,
                            &r->source, &r->none, &e) == 0)
        || !CHECK(trainer_start(&r->trainer, &e) == 0)) {
        printf("  %s\n", e.text);
        exit(1);
    }
    fill_adapter(&r->trainer);
}

static inline void
open_run(struct tiny_run *r, const char *config, const char *backend,
         const struct train_opts *o)
{
    struct backend b;

    open_backend(&b, backend);
    open_run_on(r, config, &b, o);
}

static inline void
close_run(struct tiny_run *r)
{
    trainer_release(&r->trainer);
    if (strcmp(r->model.backend.name, "cpu") == 0)
        cpu_close(&r->model.backend);
    tiny_close(&r->tiny);
}

#endif
