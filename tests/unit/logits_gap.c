/* logits_gap.c - a merged base is as far from base and adapter as its weights
 * are. */
#include "eval/logits_gap.h"

#include <math.h>

#include "kernels/host.h"
#include "test.h"
#include "tiny_world.h"

enum { N = 20 };

/* The tensor of the module becomes W + s B A; the caller frees it. */
static float *
merged_tensor(const struct tiny_world *w, const struct adapter_module *a,
              const struct frozen_tensor *t)
{
    double s = adapter_scale(&w->model.adapter, a);
    float *to = mem_dup(t->data, (size_t)a->in * a->out * sizeof(*to));

    for (uint32_t o = 0; o < a->out; o++)
        for (uint32_t i = 0; i < a->in; i++)
            for (uint32_t k = 0; k < a->rank; k++)
                to[o * a->in + i] += (float)(s * a->b[o * a->rank + k]
                                             * a->a[k * a->in + i]);
    return to;
}

TEST(the_gap_is_that_of_the_weights)
{
    struct tiny_world w;
    struct model other;
    struct frozen_tensor *t;
    struct logits_gap g;
    uint32_t id[N];
    float *made[4];
    size_t n = 0;
    struct err e;

    tiny_world_open(&w, tiny_llama, NULL);
    tiny_adapter(&w);
    for (uint32_t i = 0; i < N; i++)
        id[i] = i * 7 % 61;
    CHECK(logits_gap(&g, &w.model, &w.model, id, N, &e) == 0);
    CHECK(g.gap == g.moved && g.moved > 0.01 && g.top > 0.1);
    other = w.model;
    other.with = NULL;
    t = mem_dup(w.model.base.tensor, w.model.desc.n_tensors * sizeof(*t));
    for (size_t i = 0; i < w.model.desc.n_modules; i++) {
        const struct module *m = &w.model.desc.module[i];

        if (m->role != ROLE_Q)
            continue;
        made[n] = merged_tensor(&w, &w.item[n], &t[m->weight]);
        t[m->weight].data = made[n++];
    }
    CHECK_EQ_U64(n, w.model.adapter.n);
    other.base.tensor = t;
    CHECK(logits_gap(&g, &w.model, &other, id, N, &e) == 0);
    CHECK(g.moved > 0.01);
    CHECK(g.gap < 20 * logits_gap_rounding(&w.model.desc, g.top));
    made[1][5] += 0.5f;
    CHECK(logits_gap(&g, &w.model, &other, id, N, &e) == 0);
    CHECK(g.gap > 1e-3);
    made[1][5] = NAN;
    CHECK(logits_gap(&g, &w.model, &other, id, N, &e) == ERR_DATA);
    while (n > 0)
        free(made[--n]);
    free(t);
    tiny_world_close(&w);
}

static const struct test tests[] = { RUN(the_gap_is_that_of_the_weights) };

TEST_MAIN("logits_gap", tests)
