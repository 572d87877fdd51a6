/* exec.c - memory for a program, and running it: the calls of a back end, and
 * what is put into its memory at the start. */
#include "model/prog.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "tensor/stored.h"

#define PIECE ((uint64_t)1 << 18) /* elements that are on their way at once */

int
exec_open(struct exec *x, const struct prog *p, const struct backend *b,
          const struct exec *with, struct err *e)
{
    int rc;

    memset(x, 0, sizeof(*x));
    x->prog = p;
    x->backend = (struct backend *)b;
    rc = b->prepare(x->backend, &x->memory, &p->list,
                    with ? with->memory : NULL, e);
    if (rc < 0)
        memset(x, 0, sizeof(*x));
    return rc;
}

void
exec_release(struct exec *x)
{
    if (x->memory != NULL)
        x->backend->release(x->memory);
    memset(x, 0, sizeof(*x));
}

int
exec_batch(struct exec *x, const struct batch *b, struct err *e)
{
    return x->backend->batch(x->memory, b, &x->in, e);
}

int
exec_range(struct exec *x, enum range r, struct err *e)
{
    return x->backend->run(x->memory, r, e);
}

int
exec_start(struct exec *x, struct err *e)
{
    return x->prog->norms.buf ? exec_range(x, RANGE_START, e) : 0;
}

int
exec_forward(struct exec *x, struct err *e)
{
    int rc = exec_range(x, RANGE_FWD, e);

    return rc < 0 ? rc : exec_range(x, RANGE_HEAD, e);
}

int
exec_results(struct exec *x, struct results *out, struct err *e)
{
    return x->backend->results(x->memory, out, e);
}

void
exec_watch(struct exec *x, struct op_time *time)
{
    x->backend->watch(x->memory, time);
}

int
exec_watched(struct exec *x, struct err *e)
{
    return x->backend->watched ? x->backend->watched(x->memory, e) : 0;
}

struct view
prog_param(const struct param *q, struct view flat)
{
    flat.off += q->off;
    flat.rows = q->rows;
    flat.cols = flat.ld = q->cols;
    return flat;
}

/* The rows of v have to follow one another. */
struct view
view_part(struct view v, uint64_t at, uint64_t n)
{
    v.off += at;
    v.rows = 1;
    v.cols = v.ld = (uint32_t)n;
    return v;
}

int
exec_put(struct exec *x, const struct view *v, const void *from,
         struct err *e)
{
    size_t n = (size_t)v->rows * v->cols;
    const float *narrow = from;
    double *wide;
    int rc;

    if (v->dtype == DTYPE_U8 || x->backend->real_size == sizeof(*narrow))
        return x->backend->put(x->memory, v, from, e);
    wide = mem_array(n, sizeof(*wide));
    for (size_t i = 0; i < n; i++)
        wide[i] = narrow[i];
    rc = x->backend->put(x->memory, v, wide, e);
    free(wide);
    return rc;
}

/* The elements of a view as floats or doubles: size tells. */
static int
get_reals(const struct exec *x, const struct view *v, void *to, size_t size,
          struct err *e)
{
    size_t n = (size_t)v->rows * v->cols;
    void *other;
    int rc;

    if (x->backend->real_size == size)
        return x->backend->get(x->memory, v, to, e);
    other = mem_array(n, x->backend->real_size);
    rc = x->backend->get(x->memory, v, other, e);
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (size == sizeof(double))
            ((double *)to)[i] = (double)((float *)other)[i];
        else
            ((float *)to)[i] = (float)((double *)other)[i];
    }
    free(other);
    return rc;
}

int
exec_get(const struct exec *x, const struct view *v, double *to,
         struct err *e)
{
    return get_reals(x, v, to, sizeof(*to), e);
}

static uint64_t
piece_at(const struct view *v, uint64_t at)
{
    uint64_t n = (uint64_t)v->rows * v->cols;

    return n - at < PIECE ? n - at : PIECE;
}

int
exec_write(const struct exec *x, const struct view *v, struct out *out,
           struct err *e)
{
    uint64_t n = (uint64_t)v->rows * v->cols, k;
    float *piece = mem_array(piece_at(v, 0), sizeof(*piece));
    int rc = 0;

    for (uint64_t at = 0; at < n && rc == 0; at += k) {
        struct view part = view_part(*v, at, k = piece_at(v, at));

        rc = v->dtype == DTYPE_U8
             ? x->backend->get(x->memory, &part, piece, e)
             : get_reals(x, &part, piece, sizeof(*piece), e);
        if (rc == 0)
            rc = out_write(out, piece, k * element_size(v->dtype,
                                                        sizeof(*piece)), e);
    }
    free(piece);
    return rc;
}

/* Fills parameter q piece by piece: fill gives elements [at, at + n). */
static int
fill_param(struct exec *x, const struct param *q,
           void (*fill)(void *ctx, uint64_t at, float *to, size_t n),
           void *ctx, struct err *e)
{
    struct view v = prog_param(q, x->prog->params);
    float *piece = mem_array(piece_at(&v, 0), sizeof(*piece));
    uint64_t k;
    int rc = 0;

    for (uint64_t at = 0; at < q->n && rc == 0; at += k) {
        struct view part = view_part(v, at, k = piece_at(&v, at));

        fill(ctx, at, piece, k);
        rc = exec_put(x, &part, piece, e);
    }
    free(piece);
    return rc;
}

/* A tensor of the base, its columns, and which rows (NULL: all). */
struct loading {
    const struct frozen_tensor *t;
    const int32_t *token;
    uint32_t cols;
};

static void
load_piece(void *ctx, uint64_t at, float *to, size_t n)
{
    const struct loading *l = ctx;
    const struct stored *s = stored_of(l->t->dtype);
    const char *data = l->t->data, *side = l->t->side;
    uint64_t bytes = stored_row_bytes(s, l->cols);
    uint64_t scales = stored_blocks(s, l->cols) * dtype_size(s->side_dtype);

    for (size_t done = 0, k; done < n; done += k) {
        uint64_t row = (at + done) / l->cols, col = (at + done) % l->cols;

        k = n - done < l->cols - col ? n - done : l->cols - col;
        row = l->token ? (uint64_t)l->token[row] : row;
        s->widen(to + done, data + row * bytes,
                 side ? side + row * scales : NULL, col, k);
    }
}

int
exec_load_base(struct exec *x, const struct frozen *base, struct err *e)
{
    const struct prog *p = x->prog;
    int rc = 0;

    for (size_t i = 0; i < p->n_params && rc == 0; i++) {
        const struct param *q = &p->param[i];
        struct loading l = { .cols = q->cols, .token = q->token };

        if (q->kind != PARAM_TENSOR && q->kind != PARAM_TOKENS)
            continue;
        l.t = &base->tensor[q->tensor - p->desc->tensor];
        rc = fill_param(x, q, load_piece, &l, e);
    }
    return rc;
}

struct start {
    struct rng rng;
    double bound; /* 0: zeroes */
};

static void
start_piece(void *ctx, uint64_t at, float *to, size_t n)
{
    struct start *s = ctx;

    (void)at; /* pieces come in order */
    for (size_t i = 0; i < n; i++)
        to[i] = s->bound > 0
                ? (float)((2 * rng_double(&s->rng) - 1) * s->bound) : 0;
}

/* A magnitude becomes the norm that is there. */
static int
start_magnitude(struct exec *x, const struct param *q, struct err *e)
{
    struct view from = view_part(x->prog->norms, q->norm, q->n);
    struct view to = prog_param(q, x->prog->params);
    double *wide = mem_array(q->n, sizeof(*wide));
    float *v = mem_array(q->n, sizeof(*v));
    int rc = exec_get(x, &from, wide, e);

    for (uint64_t i = 0; i < q->n; i++)
        v[i] = (float)wide[i];
    if (rc == 0)
        rc = exec_put(x, &to, v, e);
    free(wide);
    free(v);
    return rc;
}

int
exec_init_lora(struct exec *x, uint64_t seed, struct err *e)
{
    const struct prog *p = x->prog;
    int rc = 0;

    for (size_t i = 0; i < p->n_params && rc == 0; i++) {
        const struct param *q = &p->param[i];
        struct start s = { .bound = 0 };

        if (q->kind == PARAM_TENSOR || q->kind == PARAM_TOKENS)
            continue;
        if (q->kind == PARAM_LORA_A)
            s.bound = 1 / sqrt((double)q->cols);
        rng_init(&s.rng, seed, rng_site(q->module->name));
        rc = fill_param(x, q, start_piece, &s, e);
    }
    if (rc == 0 && p->norms.buf != 0)
        rc = exec_start(x, e);
    for (size_t i = 0; i < p->n_params && rc == 0; i++)
        if (p->param[i].kind == PARAM_LORA_MAGNITUDE)
            rc = start_magnitude(x, &p->param[i], e);
    return rc;
}
