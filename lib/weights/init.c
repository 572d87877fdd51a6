/* init.c - the description's tensors for a checkpoint, and their values in
 * pieces, which threads make side by side and one writes in order. */
#include "weights/init.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/par.h"
#include "base/progress.h"
#include "base/rng.h"
#include "model/roles.h"

#define PIECE 4096 /* elements that one worker makes at a time */
#define BATCH 64   /* pieces written at a time */

struct safetensor *
model_tensors(const struct model_desc *d, unsigned dtype, size_t *n)
{
    struct safetensor *list = mem_array(d->n_tensors, sizeof(*list));

    for (size_t i = 0; i < d->n_tensors; i++) {
        const struct model_tensor *t = &d->tensor[i];
        bool vector = t->n_dims == 1;

        list[i].name = mem_strdup(t->name);
        list[i].dtype = (uint8_t)dtype;
        list[i].n_dims = t->n_dims;
        list[i].shape[0] = vector ? t->cols : t->rows;
        list[i].shape[1] = vector ? 0 : t->n_dims == 3 ? 1 : t->cols;
        list[i].shape[2] = t->n_dims == 3 ? t->cols : 0;
    }
    *n = d->n_tensors;
    return list;
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
    m->scaled = false;
    map_init(&m->tensor);
    for (i = 0; i < d->n_tensors; i++)
        map_put(&m->tensor, d->tensor[i].name, strlen(d->tensor[i].name), i,
                NULL);
}

void
model_init_release(struct model_init *m)
{
    map_release(&m->tensor);
}

static enum init_rule
rule_of(const struct model_init *m, const struct model_tensor *t)
{
    unsigned role = m->desc->module[t->module].role;

    return m->scaled && t->init == INIT_NORMAL && role_info(role)->residual
           ? INIT_SCALED : (enum init_rule)t->init;
}

/* Up to BATCH pieces of a tensor, made side by side. */
struct values {
    uint64_t at, end; /* the first element, and the tensor's last one + 1 */
    uint64_t seed, site;
    const struct model_desc *desc;
    enum init_rule init;
    double mean, deviation; /* uniform: half its range */
    uint32_t cols;
    unsigned dtype;
    uint8_t *raw;
};

/* What the values of a tensor are. */
static void
values_of(const struct model_init *m, const struct safetensor *t,
          struct values *b)
{
    const struct model_desc *d = m->desc;
    const struct map_entry *own = map_get(&m->tensor, t->name,
                                          strlen(t->name));
    const struct model_tensor *as = &d->tensor[own->value];

    b->desc = d;
    b->init = rule_of(m, as);
    b->cols = as->cols;
    switch (b->init) {
    case INIT_ONES:
        b->mean = 1;
        break;
    case INIT_NORMAL:
        b->deviation = (double)d->init_range;
        break;
    case INIT_SCALED:
        b->deviation = (double)d->init_range / sqrt(2.0 * d->n_layers);
        break;
    case INIT_FAN_IN:
    case INIT_OUT:
        b->deviation = 1 / sqrt((double)as->cols);
        if (b->init == INIT_OUT && m->scaled)
            b->deviation /= sqrt(2.0 * d->n_layers);
        break;
    case INIT_STEP:
        b->deviation = d->step.scale / sqrt((double)as->cols);
        if (d->step.constant) {
            b->init = INIT_ONES;
            b->mean = b->deviation;
            b->deviation = 0;
        }
        break;
    default:
        break;
    }
}

/* The inverse of softplus, of a step between the least and the most. */
static double
step_bias(const struct step_desc *s, double u)
{
    double low = log(s->least), high = log(s->most);
    double step = fmax(exp(low + u * (high - low)), s->floor);

    return step + log(-expm1(-step));
}

/* Uniform from 0 to 1: how much of a normal distribution is below a draw. */
static double
uniform(struct rng *r)
{
    return 0.5 * erfc(-rng_normal(r) * sqrt(0.5));
}

/* Element i. */
static double
value_at(const struct values *b, uint64_t i, struct rng *r)
{
    switch (b->init) {
    case INIT_A_LOG:
        return log((double)(i % b->cols + 1));
    case INIT_STEP_BIAS:
        return step_bias(&b->desc->step, uniform(r));
    case INIT_FAN_IN:
    case INIT_OUT:
    case INIT_STEP:
        return b->deviation * (2 * uniform(r) - 1);
    default:
        return b->deviation > 0 ? b->mean + b->deviation * rng_normal(r)
                                : b->mean;
    }
}

static void
make_piece(void *ctx, size_t i, int worker)
{
    const struct values *b = ctx;
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
        x[k] = (float)value_at(b, at + k, &r);
    floats_store(b->raw + i * PIECE * dtype_size(b->dtype), b->dtype, x, n);
}

int
model_init_put(void *ctx, const struct safetensor *t, struct out *out,
               struct err *e)
{
    const struct model_init *m = ctx;
    size_t size = dtype_size(t->dtype);
    struct values b = {
        .end = t->bytes / size, .seed = m->seed, .site = rng_site(t->name),
        .dtype = t->dtype, .raw = mem_alloc(BATCH * PIECE * size),
    };
    int rc = 0;

    values_of(m, t, &b);
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
