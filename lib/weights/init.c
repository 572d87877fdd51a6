/* init.c - see init.h. */
#include "weights/init.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/par.h"
#include "base/progress.h"
#include "base/rng.h"
#include "model/family.h"

#define PIECE 4096 /* elements that one worker makes at a time */
#define BATCH 64   /* pieces written at a time */

static bool
is_norm(const struct module *m)
{
    return m->role == ROLE_NORM1 || m->role == ROLE_NORM2
           || m->role == ROLE_NORM_F;
}

static void
add_tensor(struct safetensor *t, const struct module *m, const char *leaf,
           unsigned dtype)
{
    bool vector = is_norm(m) || strcmp(leaf, "bias") == 0;
    struct buf name;

    buf_init(&name);
    buf_addf(&name, "%s.%s", m->name, leaf);
    memset(t, 0, sizeof(*t));
    t->name = mem_dup(name.data, name.len);
    buf_release(&name);
    t->dtype = (uint8_t)dtype;
    t->n_dims = vector ? 1 : 2;
    t->shape[0] = !vector && m->in_out ? m->in : m->out;
    if (!vector)
        t->shape[1] = m->in_out ? m->out : m->in;
}

struct safetensor *
model_tensors(const struct model_desc *d, unsigned dtype, size_t *n)
{
    struct safetensor *t = mem_array(2 * d->n_modules, sizeof(*t));
    size_t i;

    *n = 0;
    for (i = 0; i < d->n_modules; i++) {
        if (!d->module[i].shared)
            add_tensor(&t[(*n)++], &d->module[i], "weight", dtype);
        if (d->module[i].bias)
            add_tensor(&t[(*n)++], &d->module[i], "bias", dtype);
    }
    return t;
}

void
model_tensors_free(struct safetensor *t, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        free(t[i].name);
    free(t);
}

void
model_init_start(struct model_init *m, const struct model_desc *d,
                 uint64_t seed)
{
    size_t i;

    m->desc = d;
    m->seed = seed;
    map_init(&m->module);
    for (i = 0; i < d->n_modules; i++)
        map_put(&m->module, d->module[i].name, strlen(d->module[i].name), i,
                NULL);
}

void
model_init_release(struct model_init *m)
{
    map_release(&m->module);
}

/* What the values of a tensor are: mean, and deviation from it. */
static void
rule_of(const struct model_init *m, const struct safetensor *t, double *mean,
        double *deviation)
{
    const struct model_desc *d = m->desc;
    const char *dot = strrchr(t->name, '.');
    const struct module *module =
        &d->module[map_get(&m->module, t->name,
                           (size_t)(dot - t->name))->value];

    *mean = 0;
    *deviation = 0;
    if (strcmp(dot, ".bias") == 0)
        return;
    if (is_norm(module)) {
        *mean = 1;
        return;
    }
    *deviation = (double)d->init_range;
    if (d->family->scaled_residual
        && (module->role == ROLE_O || module->role == ROLE_DOWN))
        *deviation /= sqrt(2.0 * d->n_layers);
}

/* Up to BATCH pieces of a tensor, made side by side. */
struct span {
    uint64_t at, end; /* the first element, and the tensor's last one + 1 */
    uint64_t seed, site;
    double mean, deviation;
    unsigned dtype;
    uint8_t *raw;
};

static void
make_piece(void *ctx, size_t i, int worker)
{
    const struct span *b = ctx;
    uint64_t at = b->at + i * PIECE;
    size_t n = b->end - at < PIECE ? (size_t)(b->end - at) : PIECE, k;
    float x[PIECE];
    struct rng r;

    (void)worker;
    /* A normal takes four words, so the counter is the element's index. */
    rng_init(&r, b->seed, b->site);
    r.counter[0] = (uint32_t)at;
    r.counter[1] = (uint32_t)(at >> 32);
    for (k = 0; k < n; k++)
        x[k] = (float)(b->deviation > 0
                       ? b->mean + b->deviation * rng_normal(&r) : b->mean);
    floats_store(b->raw + i * PIECE * dtype_size(b->dtype), b->dtype, x, n);
}

int
model_init_put(void *ctx, const struct safetensor *t, struct out *out,
               struct err *e)
{
    const struct model_init *m = ctx;
    size_t size = dtype_size(t->dtype);
    struct span b = {
        .end = t->bytes / size, .seed = m->seed, .site = rng_site(t->name),
        .dtype = t->dtype, .raw = mem_alloc(BATCH * PIECE * size),
    };
    int rc = 0;

    rule_of(m, t, &b.mean, &b.deviation);
    while (b.at < b.end && rc == 0) {
        uint64_t n = b.end - b.at;

        if (n > BATCH * PIECE)
            n = BATCH * PIECE;
        par_for((size_t)((n + PIECE - 1) / PIECE), make_piece, &b);
        rc = out_write(out, b.raw, (size_t)n * size, e);
        b.at += n;
        progress_add(n * size);
    }
    free(b.raw);
    return rc;
}
