/* pissa.c - singular triplets of a base's matrices to an adapter's start, and
 * the adapter with what it started from to one that is saved. */
#include "weights/pissa.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/par.h"
#include "base/progress.h"
#include "base/rng.h"
#include "base/stop.h"
#include "tensor/stored.h"

/* Room */

static int
check_part(const struct lora_part *p, const struct module *m, struct err *e)
{
    uint32_t most = m->in < m->out ? m->in : m->out;

    if (p->rank > most)
        return err_set(e, ERR_USAGE, "--init pissa: module %s: the rank %u "
                       "is more than the %u of its matrix", m->name, p->rank,
                       most);
    if (p->scale <= 0)
        return err_set(e, ERR_USAGE, "--init pissa: module %s: an alpha of 0 "
                       "leaves nothing to train", m->name);
    return 0;
}

int
pissa_place(float **data, struct lora_part *parts,
            const struct model_desc *d, const struct backend *b,
            struct err *e)
{
    uint64_t n = 0;
    float *at;
    int rc = 0;

    if (b->principal == NULL)
        return err_set(e, ERR_USAGE, "--init pissa does not run on %s (use "
                       "--device cpu)", b->name);
    for (size_t i = 0; i < d->n_modules && rc == 0; i++) {
        const struct module *m = &d->module[i];

        if (parts[i].rank == 0)
            continue;
        rc = check_part(&parts[i], m, e);
        n += (uint64_t)parts[i].rank * ((uint64_t)m->in + m->out);
    }
    if (rc < 0)
        return rc;
    *data = at = mem_try(n * sizeof(*at));
    if (at == NULL)
        return err_set(e, ERR_IO, "out of memory for %llu floats",
                       (unsigned long long)n);
    for (size_t i = 0; i < d->n_modules; i++) {
        if (parts[i].rank == 0)
            continue;
        parts[i].c = at;
        at += (size_t)parts[i].rank * d->module[i].in;
        parts[i].d = at;
        at += (size_t)parts[i].rank * d->module[i].out;
    }
    return 0;
}

/* The start */

struct starter {
    const struct exec *x;
    size_t first; /* module of these items */
    const struct frozen *base;
    uint32_t iterations;
    uint64_t seed;
    struct err *failed; /* of each module */
};

/* The module's matrix as it is stored, in floats. */
static float *
widen(const struct frozen_tensor *t, const struct model_tensor *own,
      struct err *e)
{
    const struct stored *s = stored_of(t->dtype);
    size_t n = (size_t)own->rows * own->cols, bad;
    size_t side = (size_t)stored_blocks(s, own->cols)
                  * (s->side_dtype == DTYPE_NONE
                     ? 0 : dtype_size(s->side_dtype));
    float *w = mem_try(n * sizeof(*w));

    if (w == NULL) {
        err_set(e, ERR_IO, "tensor %s: out of memory for %zu floats", t->name,
                n);
        return NULL;
    }
    for (size_t i = 0; i < own->rows; i++)
        s->widen(w + i * own->cols,
                 (const char *)t->data + i * stored_row_bytes(s, own->cols),
                 t->side ? (const char *)t->side + i * side : NULL, 0,
                 own->cols);
    bad = floats_bad(w, n);
    if (bad == n)
        return w;
    err_set(e, ERR_DATA, "tensor %s: element %zu is %g", t->name, bad,
            (double)w[bad]);
    free(w);
    return NULL;
}

/* to[n, r] or, turned, to[r, n] = from[n, r] or, with `rows`, from[r, n], the
 * i-th of r times factor[i]. */
static void
place(float *to, const float *from, bool rows, bool turned,
      const float *factor, size_t n, size_t r)
{
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < r; i++)
            to[turned ? i * n + k : k * r + i]
                = factor[i] * from[rows ? i * n + k : k * r + i];
}

/* C = A0 and D = -s B0, of the triplets of the matrix as it is stored: [out,
 * in], or [in, out]. */
static void
put_start(const struct param *a, const struct param *b,
          const struct principal *p, bool in_out)
{
    size_t r = p->rank;
    float *root = mem_array(2 * r, sizeof(*root)), *minus = root + r;
    double s = a->scale;

    for (size_t i = 0; i < r; i++) {
        double v = sqrt(fmax(p->value[i], 0) / s);

        root[i] = (float)v;
        minus[i] = (float)(-s * v);
    }
    place(a->fixed, in_out ? p->left : p->right, !in_out, true, root,
          a->cols, r);
    place(b->fixed, in_out ? p->right : p->left, in_out, false, minus,
          b->rows, r);
    free(root);
}

static int
start_one(const struct starter *s, size_t i, struct err *e)
{
    const struct prog *prog = s->x->prog;
    const struct param *a = &prog->param[2 * i], *b = a + 1;
    const struct module *m = a->module;
    const struct model_tensor *own = &prog->desc->tensor[m->weight];
    const struct frozen_tensor *t = &s->base->tensor[m->weight];
    struct principal p = { .rows = own->rows, .cols = own->cols,
                           .rank = a->rows, .iterations = s->iterations,
                           .seed = s->seed, .site = rng_site(m->name) };
    int rc;

    p.x = widen(t, own, e);
    if (p.x == NULL)
        return e->code;
    p.left = mem_array((size_t)p.rows * p.rank, sizeof(*p.left));
    p.right = mem_array((size_t)p.cols * p.rank, sizeof(*p.right));
    p.value = mem_array(p.rank, sizeof(*p.value));
    rc = s->x->backend->principal(s->x->backend, &p, e);
    if (rc == 0)
        put_start(a, b, &p, m->in_out);
    else
        err_prefix(e, "tensor %s", t->name);
    free(p.x);
    free(p.left);
    free(p.right);
    free(p.value);
    return rc;
}

static void
start_item(void *ctx, size_t i, int worker)
{
    const struct starter *s = ctx;

    (void)worker;
    i += s->first;
    if (stop_asked())
        err_set(&s->failed[i], ERR_AGAIN, "stopped before the first step");
    else
        start_one(s, i, &s->failed[i]);
}

/* Adapters: A, B, A, B before all other parameters. */
static size_t
n_pairs(const struct prog *p)
{
    size_t n = 0;

    while (n < p->n_params && p->param[n].fixed != NULL)
        n++;
    return n / 2;
}

/* A parameter begins with what is frozen of it, over divisor. */
static int
put_param(struct exec *x, const struct param *q, float divisor,
          struct err *e)
{
    struct view v = prog_param(q, x->prog->params);
    float *start = mem_array(q->n, sizeof(*start));
    int rc;

    for (uint64_t i = 0; i < q->n; i++)
        start[i] = q->fixed[i] / divisor;
    rc = exec_put(x, &v, start, e);
    free(start);
    return rc;
}

uint64_t
pissa_scratch(const struct prog *p, const struct backend *b,
              uint32_t iterations)
{
    size_t n = n_pairs(p), at_once = (size_t)par_threads();
    uint64_t most = 0;

    for (size_t i = 0; i < n; i++) {
        const struct param *a = &p->param[2 * i];
        uint64_t in = a->cols, out = a[1].rows, r = a->rows;
        struct principal one = { .rows = (uint32_t)out, .cols = (uint32_t)in,
                                 .rank = (uint32_t)r,
                                 .iterations = iterations };
        uint64_t bytes = sizeof(float) * (in * out + r * (in + out + 1))
                         + b->principal_scratch(&one);

        most = bytes > most ? bytes : most;
    }
    return most * (n < at_once ? n : at_once);
}

int
pissa_start(struct exec *x, const struct frozen *base,
            uint32_t iterations, uint64_t seed, struct err *e)
{
    const struct prog *p = x->prog;
    size_t n = n_pairs(p), at_once = 4 * (size_t)par_threads();
    struct starter s = { .x = x, .base = base, .iterations = iterations,
                         .seed = seed,
                         .failed = mem_array(n, sizeof(*s.failed)) };
    int rc = 0;

    progress_begin("matrices", 0, n);
    for (; s.first < n; s.first += at_once) {
        size_t k = n - s.first < at_once ? n - s.first : at_once;

        par_for(k, start_item, &s);
        progress_add(k);
    }
    progress_end();
    for (size_t i = 0; i < n && rc == 0; i++) {
        const struct param *a = &p->param[2 * i], *b = a + 1;

        rc = s.failed[i].code;
        if (rc < 0)
            *e = s.failed[i];
        if (rc == 0)
            rc = put_param(x, a, 1, e);
        if (rc == 0)
            rc = put_param(x, b, -b->scale, e);
    }
    free(s.failed);
    mem_trim();
    return rc == ERR_DATA ? err_prefix(e, "%s", base->path) : rc;
}

/* What is saved */

bool
pissa_is(const struct prog *p)
{
    return p->n_params > 0 && p->param[0].fixed != NULL;
}

/* Twice the values, or so many times. */
static struct adapter_patterns
times(const struct adapter_patterns *from, double factor)
{
    struct adapter_patterns p = { mem_array(from->n, sizeof(*p.item)),
                                  from->n };

    for (size_t i = 0; i < p.n; i++)
        p.item[i] = (struct adapter_pattern){ from->item[i].key,
                                              factor * from->item[i].value };
    return p;
}

void
pissa_double(struct adapter *a)
{
    double alpha = a->rslora ? sqrt(2) : 2;

    a->rank *= 2;
    a->alpha *= alpha;
    a->rank_pattern = times(&a->rank_pattern, 2);
    a->alpha_pattern = times(&a->alpha_pattern, alpha);
}

void
pissa_release_double(struct adapter *a)
{
    free(a->rank_pattern.item);
    free(a->alpha_pattern.item);
}

/* D / s is -B0. */
static int
write_b(const struct param *q, const double *b, struct out *out,
        struct err *e)
{
    size_t r = q->cols;
    float *row = mem_array(2 * r, sizeof(*row));
    int rc = 0;

    for (size_t o = 0; o < q->rows && rc == 0; o++) {
        for (size_t k = 0; k < r; k++) {
            row[k] = (float)b[o * r + k];
            row[r + k] = q->fixed[o * r + k] / q->scale;
        }
        rc = out_write(out, row, 2 * r * sizeof(*row), e);
    }
    free(row);
    return rc;
}

int
pissa_write(const struct exec *x, const struct param *q, struct out *out,
            struct err *e)
{
    struct view v = prog_param(q, x->prog->params);
    double *b;
    int rc;

    if (q->kind == PARAM_LORA_A) {
        rc = exec_write(x, &v, out, e);
        return rc < 0 ? rc : out_write(out, q->fixed, q->n * sizeof(float),
                                       e);
    }
    b = mem_array(q->n, sizeof(*b));
    rc = exec_get(x, &v, b, e);
    if (rc == 0)
        rc = write_b(q, b, out, e);
    free(b);
    return rc;
}
