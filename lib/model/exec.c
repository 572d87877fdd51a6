/* exec.c - memory for a program, and running it. */
#include "model/prog.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "base/rng.h"
#include "model/base.h"

/* Pages that nobody has touched cost nothing, so the plan is a bound on what
 * is resident from the first step on. */
static int
zone_take(void **out, uint64_t bytes, const char *what, struct err *e)
{
    void *p;

    *out = NULL;
    if (bytes == 0)
        return 0;
    p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return err_errno(e, ERR_IO, "%llu bytes for the %s",
                         (unsigned long long)bytes, what);
    *out = p;
    return 0;
}

static void
exec_attach(struct exec *x, const struct prog *p, const struct backend *b)
{
    memset(x, 0, sizeof(*x));
    x->prog = p;
    x->backend = b;
    x->run.buf = p->buf;
    x->run.real_size = b->real_size;
}

int
exec_open(struct exec *x, const struct prog *p, const struct backend *b,
          struct err *e)
{
    int rc;

    exec_attach(x, p, b);
    x->owns = true;
    rc = zone_take(&x->run.zone[ZONE_STATE], p->zone_bytes[ZONE_STATE],
                   "state", e);
    if (rc == 0)
        rc = zone_take(&x->run.zone[ZONE_ARENA],
                       p->zone_bytes[ZONE_ARENA], "arena", e);
    if (rc < 0)
        exec_release(x);
    return rc;
}

void
exec_share(struct exec *x, const struct prog *p, const struct exec *other)
{
    exec_attach(x, p, other->backend);
    memcpy(x->run.zone, other->run.zone, sizeof(x->run.zone));
}

void
exec_release(struct exec *x)
{
    for (int z = 0; z < ZONE_COUNT && x->owns; z++) {
        if (x->run.zone[z] != NULL)
            munmap(x->run.zone[z], x->prog->zone_bytes[z]);
    }
    memset(x, 0, sizeof(*x));
}

int
exec_range(struct exec *x, enum range r, struct err *e)
{
    const struct prog *p = x->prog;

    return x->backend->run((struct backend *)x->backend, &x->run,
                           p->op + p->range[r],
                           p->range[r + 1] - p->range[r], e);
}

int
exec_forward(struct exec *x, struct err *e)
{
    struct step *s = x->run.step;
    uint32_t chunk = x->prog->opts.mode == PROG_DECODE
                     ? x->prog->rows : x->prog->opts.head_chunk;
    int rc = exec_range(x, RANGE_FWD, e);

    for (s->head_at = 0; s->head_at < s->n_head && rc == 0;
         s->head_at += chunk)
        rc = exec_range(x, RANGE_HEAD, e);
    return rc;
}

void *
exec_param(const struct exec *x, const struct param *p)
{
    char *flat = view_at(&x->run, &x->prog->params);

    return flat + p->off * x->run.real_size;
}

void *
exec_grad(const struct exec *x, const struct param *p)
{
    char *flat = view_at(&x->run, &x->prog->grads);

    return flat + p->off * x->run.real_size;
}

/* out[n] reals from floats. */
static void
store_reals(void *out, const float *in, size_t n, size_t real_size)
{
    if (real_size == sizeof(float)) {
        memcpy(out, in, n * sizeof(float));
        return;
    }
    for (size_t i = 0; i < n; i++)
        ((double *)out)[i] = in[i];
}

void
exec_load_base(struct exec *x, const struct weights *w)
{
    const struct prog *p = x->prog;
    float panel[1024];

    for (size_t i = 0; i < p->n_params; i++) {
        const struct param *q = &p->param[i];
        const struct weight *t = base_tensor(w, p->desc, q->module,
                                             q->kind == PARAM_BIAS
                                             ? ".bias" : ".weight");
        char *out = exec_param(x, q);

        for (uint64_t at = 0; at < q->n; at += 1024) {
            size_t n = q->n - at < 1024 ? (size_t)(q->n - at) : 1024;

            floats_load(panel, (const char *)t->data
                               + at * dtype_size(t->dtype), t->dtype, n);
            store_reals(out + at * x->run.real_size, panel, n,
                        x->run.real_size);
        }
    }
}

void
exec_init_lora(struct exec *x, uint64_t seed)
{
    const struct prog *p = x->prog;

    for (size_t i = 0; i < p->n_params; i++) {
        const struct param *q = &p->param[i];
        char *out = exec_param(x, q);
        double bound;
        struct rng r;

        if (q->kind != PARAM_LORA_A) {
            memset(out, 0, q->n * x->run.real_size);
            continue;
        }
        bound = 1 / sqrt((double)q->cols);
        rng_init(&r, seed, rng_site(q->module->name));
        for (uint64_t j = 0; j < q->n; j++) {
            float v = (float)((2 * rng_double(&r) - 1) * bound);

            store_reals(out + j * x->run.real_size, &v, 1,
                        x->run.real_size);
        }
    }
}
