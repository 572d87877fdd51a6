/* quantize_batch.c - the way of a tensor's elements: batches of items, which
 * all threads convert; beside them, the caller's own hashes and writes what
 * the batch before came to.
 *
 * An item is some rows, or a part of a row that begins with a block: it fills
 * its own part of the batch's data and of the tensor's side. Nothing depends
 * on who does it. A batch in which an item fails is told by the first such
 * item, converted once more.
 */
#include "weights/quantize_batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/par.h"
#include "base/progress.h"
#include "record/tensor.h"
#include "weights/quantize_error.h"

#define PIECE ((uint64_t)1 << 14) /* elements of an item: whole blocks */
#define ITEMS 64                  /* of a batch, at most */

/* Something to write: a tensor's begin, if it has a name, and data. */
struct job {
    struct tensor_desc d;
    char *name;
    const void *data;
    size_t n;
    void *owned; /* data that ends with the job, or NULL */
};

#define JOBS 2 /* of a batch: data and side */

struct quantize_work {
    struct job job[JOBS]; /* of the batch before */
    unsigned n_jobs;
    int rc;               /* of writing them */
    struct err e;
    struct buf half[2];   /* data of this batch and of the one before */
    float *scratch;       /* for each thread twice the elements of a run */
    unsigned turn;
};

/* A tensor on its way. */
struct batch {
    const struct quantize *q;
    const struct weight *t;
    const struct stored *s;
    uint64_t rows, cols;  /* all in one row where blocks don't matter */
    uint64_t height;      /* rows of an item; 1 where a row has several */
    uint64_t per_row;     /* items of a row, or 1 */
    uint64_t n_items;
    size_t run;           /* elements of a row that an item has, at most */
    uint64_t first, n;    /* items of this batch */
    uint8_t *data, *side; /* of this batch; of the tensor */
    bool failed[ITEMS];
    struct quantize_error sums[ITEMS];
};

/* Writing */

static void
job_add(struct quantize_work *w, const struct job *j)
{
    w->job[w->n_jobs++] = *j;
}

static int
job_write(struct quantize *q, const struct job *j, struct err *e)
{
    struct buf b;
    int rc = 0;

    buf_init(&b);
    if (j->name) {
        rc = tensor_encode(&b, &j->d, e);
        if (rc == 0)
            rc = stream_out_tensor(q->out, b.data, b.len, j->d.bytes, e);
        if (rc == 0)
            q->n_out += j->d.bytes;
    }
    if (rc == 0)
        rc = stream_out_data(q->out, j->data, j->n, e);
    buf_release(&b);
    return rc;
}

/* Writes and ends all that waits; w->rc tells. */
static void
write_jobs(struct quantize *q)
{
    struct quantize_work *w = q->work;

    for (unsigned i = 0; i < w->n_jobs; i++) {
        if (w->rc == 0)
            w->rc = job_write(q, &w->job[i], &w->e);
        free(w->job[i].name);
        free(w->job[i].owned);
    }
    w->n_jobs = 0;
}

static struct quantize_work *
work_of(struct quantize *q)
{
    if (q->work == NULL)
        q->work = mem_alloc(sizeof(*q->work));
    return q->work;
}

int
quantize_end(struct quantize *q, struct err *e)
{
    struct quantize_work *w = work_of(q);

    write_jobs(q);
    if (w->rc < 0)
        *e = w->e;
    return w->rc;
}

void
quantize_release(struct quantize *q)
{
    struct quantize_work *w = q->work;

    if (w == NULL)
        return;
    for (unsigned i = 0; i < w->n_jobs; i++) {
        free(w->job[i].name);
        free(w->job[i].owned);
    }
    buf_release(&w->half[0]);
    buf_release(&w->half[1]);
    free(w->scratch);
    free(w);
    q->work = NULL;
}

/* A job that begins tensor `name` of t's shape but the last dimension. */
static struct job
job_begin(const struct weight *t, char *name, unsigned dtype, uint64_t last,
          uint64_t bytes)
{
    struct job j = {
        .d = { .name = name, .dtype = (enum dtype)dtype,
               .n_dims = t->n_dims, .bytes = bytes },
        .name = name
    };

    memcpy(j.d.shape, t->shape, sizeof(j.d.shape));
    if (j.d.n_dims > 0)
        j.d.shape[j.d.n_dims - 1] = last;
    return j;
}

/* Converting */

static uint64_t
least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* x[n] = elements from `at` on of t, all of them finite unless allowed. */
static int
load(const struct batch *b, float *x, uint64_t at, size_t n, struct err *e)
{
    const struct weight *t = b->t;
    bool may = b->q->allow_bad;
    size_t bad;

    weight_floats(x, t, at, n);
    bad = may && dtype_is_float(b->s->dtype) ? n : floats_bad(x, n);
    if (bad == n)
        return 0;
    return err_set(e, ERR_DATA, "tensor %s: element %llu is %g%s%s%s",
                   t->name, (unsigned long long)(at + bad), (double)x[bad],
                   may ? ", which " : "", may ? b->s->name : "",
                   may ? " can't hold" : "");
}

/* x[n], elements from `at` on, as b->s has them. */
static int
store(const struct batch *b, void *data, void *side, const float *x,
      uint64_t at, size_t n, struct err *e)
{
    const struct stored *s = b->s;
    size_t bad;

    if (dtype_is_float(s->dtype) && s->dtype == b->t->dtype) {
        size_t size = dtype_size(s->dtype);

        memcpy(data, (const char *)b->t->data + at * size, n * size);
        return 0;
    }
    if (b->q->allow_bad && dtype_is_float(s->dtype)) {
        floats_store(data, s->dtype, x, n);
        return 0;
    }
    if (s->encode(data, side, x, n, &bad))
        return 0;
    if (s->side_dtype != DTYPE_NONE)
        return err_set(e, ERR_DATA, "tensor %s: the group of element %llu is "
                       "too large for %s", b->t->name,
                       (unsigned long long)(at + bad), s->name);
    return err_set(e, ERR_DATA, "tensor %s: element %llu is %g, which %s "
                   "can't hold", b->t->name, (unsigned long long)(at + bad),
                   (double)x[bad], dtype_name(s->dtype));
}

/* Bytes of the tensor's data before an element of a row. */
static uint64_t
data_at(const struct batch *b, uint64_t row, uint64_t col)
{
    return row * stored_row_bytes(b->s, b->cols)
           + stored_row_bytes(b->s, col);
}

/* Where item i begins; i = n_items: the end. */
static void
place(const struct batch *b, uint64_t i, uint64_t *row, uint64_t *col)
{
    *row = least(i / b->per_row * b->height, b->rows);
    *col = i % b->per_row * PIECE;
}

/* n elements of a row from col on; x and y have room for them. */
static int
convert_run(const struct batch *b, uint64_t row, uint64_t col, size_t n,
            float *x, float *y, struct quantize_error *sums, struct err *e)
{
    const struct stored *s = b->s;
    uint64_t row0, col0, at = row * b->cols + col;
    uint8_t *data, *side = NULL;
    int rc;

    place(b, b->first, &row0, &col0);
    data = b->data + (data_at(b, row, col) - data_at(b, row0, col0));
    if (b->side)
        side = b->side + (row * stored_blocks(s, b->cols)
                          + stored_blocks(s, col))
                         * dtype_size(s->side_dtype);
    rc = load(b, x, at, n, e);
    if (rc == 0)
        rc = store(b, data, side, x, at, n, e);
    if (rc < 0 || b->q->report == NULL)
        return rc;
    s->widen(y, data, side, 0, n);
    quantize_error_add(sums, x, y, n);
    return 0;
}

static int
convert_item(const struct batch *b, uint64_t i, int worker,
             struct quantize_error *sums, struct err *e)
{
    float *x = b->q->work->scratch + 2 * b->run * (size_t)worker;
    uint64_t row, col, end;
    size_t n;
    int rc = 0;

    place(b, i, &row, &col);
    end = least(row + b->height, b->rows);
    n = (size_t)(b->per_row == 1 ? b->cols : least(PIECE, b->cols - col));
    for (; row < end && rc == 0; row++)
        rc = convert_run(b, row, col, n, x, x + b->run, sums, e);
    return rc;
}

/* Of t's bytes, those before the share of item i. */
static uint64_t
share_at(const struct batch *b, uint64_t i)
{
    return i == b->n_items ? b->t->bytes : b->t->bytes / b->n_items * i;
}

static void
run_item(void *ctx, size_t i, int worker)
{
    struct batch *b = ctx;
    struct err e = { 0 };

    b->failed[i] = convert_item(b, b->first + i, worker, &b->sums[i], &e) < 0;
}

static void
write_before(void *ctx)
{
    const struct batch *b = ctx;

    write_jobs((struct quantize *)b->q);
}

/* Converts the batch's items and writes what waits, at once. */
static int
run_batch(struct quantize *q, struct batch *b, struct quantize_error *sums,
          struct err *e)
{
    struct quantize_error again = { 0 };

    memset(b->sums, 0, sizeof(b->sums));
    par_for_beside((size_t)b->n, run_item, write_before, b);
    if (q->work->rc < 0) {
        *e = q->work->e;
        return q->work->rc;
    }
    for (uint64_t i = 0; i < b->n; i++) {
        if (b->failed[i])
            return convert_item(b, b->first + i, 0, &again, e);
        quantize_error_merge(sums, &b->sums[i]);
    }
    progress_add(share_at(b, b->first + b->n) - share_at(b, b->first));
    return 0;
}

/* Tensors */

static void
batch_init(struct batch *b, struct quantize *q, const struct weight *t,
           const struct stored *s)
{
    uint64_t n = weight_elements(t);
    bool blocks = s->side_dtype != DTYPE_NONE || !dtype_is_float(s->dtype);

    *b = (struct batch){
        .q = q, .t = t, .s = s, .rows = 1, .cols = n, .height = 1,
        .per_row = 1
    };
    if (blocks) {
        b->rows = t->shape[0];
        b->cols = t->shape[1];
    }
    if (n == 0)
        b->rows = b->cols = 0;
    else if (b->cols <= PIECE)
        b->height = PIECE / b->cols;
    else if (s->block != STORED_ROW)
        b->per_row = (b->cols + PIECE - 1) / PIECE;
    b->run = (size_t)(b->per_row > 1 ? PIECE : b->cols);
    q->work->scratch = mem_grow(q->work->scratch,
                                2 * (b->run + 1) * (size_t)par_threads()
                                * sizeof(float));
    b->n_items = (b->rows + b->height - 1) / b->height * b->per_row;
    if (s->side_dtype != DTYPE_NONE)
        b->side = mem_array((size_t)(b->rows * stored_blocks(s, b->cols)) + 1,
                            dtype_size(s->side_dtype));
}

/* The side tensor of t, in format s, behind its data: that at `side`; owned:
 * it ends with the job. */
static void
add_side(struct quantize_work *w, const struct weight *t,
         const struct stored *s, const void *side, void *owned)
{
    uint64_t cols = t->shape[t->n_dims - 1], blocks = stored_blocks(s, cols);
    uint64_t rows = cols ? weight_elements(t) / cols : 0;
    struct buf name;
    struct job j;

    buf_init(&name);
    buf_addf(&name, "%s" SCALE_SUFFIX, t->name);
    j = job_begin(t, name.data, s->side_dtype, blocks,
                  rows * blocks * dtype_size(s->side_dtype));
    j.data = side;
    j.owned = owned;
    j.n = (size_t)j.d.bytes;
    job_add(w, &j);
}

/* The next batch, which waits to be written when this returns. */
static int
next_batch(struct quantize *q, struct batch *b, struct job *j,
           struct quantize_error *sums, struct err *e)
{
    struct quantize_work *w = q->work;
    struct buf *half = &w->half[w->turn ^= 1];
    uint64_t row, col, from, to;
    int rc;

    b->n = least(ITEMS, b->n_items - b->first);
    place(b, b->first, &row, &col);
    from = data_at(b, row, col);
    place(b, b->first + b->n, &row, &col);
    to = data_at(b, row, col);
    buf_reset(half);
    b->data = (uint8_t *)buf_room(half, (size_t)(to - from));
    rc = run_batch(q, b, sums, e);
    j->data = b->data;
    j->n = (size_t)(to - from);
    job_add(w, j);
    *j = (struct job){ .name = NULL };
    b->first += b->n;
    return rc;
}

int
quantize_floats(struct quantize *q, const struct weight *t,
                const struct stored *s, struct err *e)
{
    struct quantize_work *w = work_of(q);
    struct quantize_error sums = { 0 };
    struct batch b;
    struct job j;
    int rc;

    batch_init(&b, q, t, s);
    j = job_begin(t, mem_strdup(t->name), s->dtype,
                  t->n_dims ? t->shape[t->n_dims - 1] : 0,
                  b.rows * stored_row_bytes(s, b.cols));
    do
        rc = next_batch(q, &b, &j, &sums, e);
    while (rc == 0 && b.first < b.n_items);
    if (rc == 0 && b.side)
        add_side(w, t, s, b.side, b.side);
    else
        free(b.side);
    if (rc == 0 && q->report)
        quantize_error_line(q->report, &sums, t->name, t->dtype, s->dtype);
    return rc;
}

int
quantize_verbatim(struct quantize *q, const struct weight *t, struct err *e)
{
    struct quantize_work *w = work_of(q);
    struct job j = job_begin(t, mem_strdup(t->name), t->dtype,
                             t->n_dims ? t->shape[t->n_dims - 1] : 0,
                             t->bytes);

    j.data = t->data;
    j.n = (size_t)t->bytes;
    write_jobs(q);
    job_add(w, &j);
    if (t->scale)
        add_side(w, t, stored_of(t->dtype), t->scale, NULL);
    progress_add(t->bytes);
    if (w->rc < 0)
        *e = w->e;
    return w->rc;
}
