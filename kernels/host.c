/* host.c - a program's memory in this process, and running ranges in it.
 *
 * The base is read where it is mapped. Zones are anonymous mappings: pages
 * that nobody has touched cost nothing, so the plan is a bound on what is
 * resident from the first step on.
 */
#include "kernels/host.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/mem.h"

#define BATCH_ARRAYS 5 /* of int32_t, by row; two more are by sequence */

struct memory {
    const struct backend *b;
    const struct op_list *p;
    bool owns; /* the zones */
    struct op_time *times; /* by op of the program; NULL: nobody asks */
    struct run run;
    struct inputs in;
    struct results out;
    struct batch batch;
    int32_t *index; /* the arrays of batch: ids, target, ..., seq_n */
    float *weight;
};

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
host_release(struct memory *m)
{
    if (m == NULL)
        return;
    for (int z = 0; z < ZONE_COUNT && m->owns; z++)
        if (m->run.zone[z] != NULL)
            munmap(m->run.zone[z], m->p->zone_bytes[z]);
    free(m->index);
    free(m->weight);
    free(m);
}

static int
take_zones(struct memory *m, struct err *e)
{
    static const char *const name[ZONE_COUNT] = {
        [ZONE_STATE] = "state", [ZONE_ARENA] = "arena",
        [ZONE_HOST] = "activations that wait"
    };
    int rc = 0;

    m->owns = true;
    for (int z = ZONE_STATE; z < ZONE_COUNT && rc == 0; z++)
        rc = zone_take(&m->run.zone[z], m->p->zone_bytes[z], name[z], e);
    return rc;
}

static int
host_prepare(struct backend *b, struct memory **out,
             const struct op_list *p, struct memory *with, struct err *e)
{
    struct memory *m = mem_alloc(sizeof(*m));
    int rc = 0;

    m->b = b;
    m->p = p;
    m->index = mem_array(BATCH_ARRAYS * (size_t)p->rows
                         + 2 * (size_t)p->seqs, sizeof(*m->index));
    m->weight = mem_array(p->rows, sizeof(*m->weight));
    m->run = (struct run){ .buf = p->buf, .real_size = b->real_size,
                           .in = &m->in, .out = &m->out,
                           .batch = &m->batch };
    if (with != NULL)
        memcpy(m->run.zone, with->run.zone, sizeof(m->run.zone));
    else
        rc = take_zones(m, e);
    if (rc < 0) {
        host_release(m);
        return rc;
    }
    *out = m;
    return 0;
}

/* Copies the rows of a view to (or, put, from) p[rows * cols]. */
static int
copy_view(struct memory *m, const struct view *v, void *p, bool put)
{
    size_t size = element_size(v->dtype, m->run.real_size);
    char *at = view_at(&m->run, v), *host = p;
    size_t rows = v->rows, cols = v->cols;

    if (v->ld == v->cols) { /* all in one */
        cols *= rows;
        rows = 1;
    }
    for (size_t i = 0; i < rows; i++) {
        char *row = at + i * v->ld * size;

        memcpy(put ? row : host, put ? host : row, cols * size);
        host += cols * size;
    }
    return 0;
}

static int
host_put(struct memory *m, const struct view *v, const void *from,
         struct err *e)
{
    (void)e;
    return copy_view(m, v, (void *)from, true);
}

static int
host_get(struct memory *m, const struct view *v, void *to, struct err *e)
{
    (void)e;
    return copy_view(m, v, to, false);
}

static int
host_batch(struct memory *m, const struct batch *b, const struct inputs *in,
           struct err *e)
{
    const int32_t *from[BATCH_ARRAYS] = { b->ids, b->target, b->pos,
                                          b->doc_first, b->head_row };
    size_t rows = m->p->rows, seqs = m->p->seqs;
    int32_t *cache_at = m->index + BATCH_ARRAYS * rows;

    (void)e;
    m->in = *in;
    for (size_t i = 0; i < BATCH_ARRAYS; i++)
        memcpy(m->index + i * rows, from[i], rows * sizeof(*m->index));
    memcpy(m->weight, b->weight, rows * sizeof(*m->weight));
    m->batch = (struct batch){ .ids = m->index, .target = m->index + rows,
                               .pos = m->index + 2 * rows,
                               .doc_first = m->index + 3 * rows,
                               .head_row = m->index + 4 * rows,
                               .weight = m->weight, .n = b->n };
    if (b->cache_at != NULL) {
        memcpy(cache_at, b->cache_at, seqs * sizeof(*cache_at));
        memcpy(cache_at + seqs, b->seq_n, seqs * sizeof(*cache_at));
        m->batch.cache_at = cache_at;
        m->batch.seq_n = cache_at + seqs;
    }
    return 0;
}

/* STASH and FETCH; in this process's memory nothing runs beside the ops, and
 * for a WAIT there is nothing to do. */
static void
copy_aside(struct run *run, const struct op *op)
{
    const struct view *x = &op->x[0];

    memcpy(view_at(run, &op->y[0]), view_at(run, x),
           (size_t)x->rows * x->cols
           * element_size(x->dtype, run->real_size));
}

static void
run_one(const struct host *h, struct run *run, const struct op *op)
{
    switch (op->kind) {
    case OP_STASH:
    case OP_FETCH:
        copy_aside(run, op);
        break;
    case OP_WAIT:
        break;
    default:
        h->op(h, run, op);
    }
}

static void
run_timed(const struct host *h, struct run *run, const struct op *op)
{
    uint64_t from = clock_ns();

    run_one(h, run, op);
    run->time->ns += clock_ns() - from;
    run->time->runs++;
}

int
host_run(const struct backend *b, struct run *run, const struct op *op,
         size_t n, struct err *e)
{
    const struct host *h = b->priv;

    for (size_t i = 0; i < n; i++) {
        if (op[i].kind >= OP_KINDS || !(b->kinds >> op[i].kind & 1))
            return err_set(e, ERR_IO, "%s: op %zu: unknown kind %u",
                           b->name, i, op[i].kind);
        run->time = run->times ? run->times + i : NULL;
        (run->time ? run_timed : run_one)(h, run, &op[i]);
    }
    return 0;
}

/* HEAD, chunk by chunk. */
static int
host_head(struct memory *m, const struct op *op, size_t n, struct err *e)
{
    int rc = 0;

    for (m->run.head_at = 0; m->run.head_at < m->in.n_head && rc == 0;
         m->run.head_at += m->p->head_chunk)
        rc = host_run(m->b, &m->run, op, n, e);
    return rc;
}

static int
host_range(struct memory *m, enum range r, struct err *e)
{
    const struct op_list *p = m->p;
    const struct op *op = p->op + p->range[r];
    size_t n = p->range[r + 1] - p->range[r];
    int rc;

    if (r == RANGE_START)
        m->out.loss_sum = m->out.z_sum = m->out.balance_sum = 0;
    m->run.times = m->times ? m->times + p->range[r] : NULL;
    rc = r == RANGE_HEAD ? host_head(m, op, n, e)
                         : host_run(m->b, &m->run, op, n, e);
    if (r == RANGE_UPDATE)
        m->out.updates += !m->out.skipped;
    return rc;
}

static int
host_results(struct memory *m, struct results *out, struct err *e)
{
    (void)e;
    *out = m->out;
    return 0;
}

static void
host_watch(struct memory *m, struct op_time *time)
{
    m->times = time;
}

struct run *
host_memory_run(struct memory *m)
{
    return &m->run;
}

void
host_backend(struct backend *b, struct host *h)
{
    b->kinds |= (uint64_t)1 << OP_STASH | (uint64_t)1 << OP_FETCH
                | (uint64_t)1 << OP_WAIT;
    b->activation = b->kept = DTYPE_REAL;
    b->operand = DTYPE_NONE;
    b->apart = false;
    b->head_dim = 0;
    b->ahead = 1;
    b->reserve = b->workspace = b->pinned = 0;
    b->prepare = host_prepare;
    b->release = host_release;
    b->put = host_put;
    b->get = host_get;
    b->batch = host_batch;
    b->run = host_range;
    b->results = host_results;
    b->watch = host_watch;
    b->watched = NULL;
    b->room = NULL;
    b->principal = NULL;
    b->principal_scratch = NULL;
    b->close = NULL;
    b->priv = h;
}
