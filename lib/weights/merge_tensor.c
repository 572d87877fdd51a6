/* merge_tensor.c - the way of a tensor's elements: items of some rows, which
 * all threads take; beside them, the caller writes the batch before.
 *
 * An item fills its own part of the batch and depends on nothing else. A
 * batch in which an item fails is told by the first such item, done again.
 */
#include "weights/merge_tensor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/par.h"
#include "base/progress.h"
#include "tensor/lowrank.h"

#define PIECE ((size_t)1 << 14) /* elements of an item, about */
#define BATCH ((size_t)1 << 20) /* elements of a batch, about */
#define ROWS 8  /* of an item, at least, where something is added */
#define COLS 256 /* for which a panel of the adapter stays in the cache */
#define ITEMS 64 /* of a batch, at most */

/* A tensor on its way. */
struct way {
    const struct merge_tensor *m;
    const struct weight *t;
    uint64_t rows, cols;
    unsigned dtype;       /* that rows are converted to */
    size_t row_bytes;     /* of one then */
    bool gathered;        /* all rows are in memory before one is written */
    uint64_t height;      /* rows of an item */
    uint64_t n_items;
    const float *panel;   /* [rank, cols]: B or A, so that a stored row is
                             that of W plus coefficients times this */
    float *turned;        /* a copy for it, or NULL */
    float *factor;        /* DoRA's m / norm of each output; NULL: none */
    float *scratch;       /* of each thread */
    size_t n_scratch, n_coef; /* its floats; those for coefficients */
    uint8_t *data;        /* of this batch, or of all where that is whole */
    uint8_t *half[2];
    uint64_t first, n;    /* items of this batch */
    bool failed[ITEMS];
    struct merge_counts counts[ITEMS];
    const struct merge_sink *out;
    const uint8_t *before; /* the batch before, which waits to be written */
    size_t n_before;
    int rc;               /* of writing it */
    struct err e;
};

static uint64_t
least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Rows */

/* y[n] = x[n], elements [col, col + n) of a row, and s times what the adapter
 * adds to them; coef is room for its rank. Returns how many were to change. */
static uint64_t
add(const struct way *w, float *y, const float *x, float *coef, uint64_t row,
    uint64_t col, size_t n)
{
    const struct adapter_module *a = w->m->add;
    uint32_t rank = a->rank;

    for (uint32_t k = 0; k < rank; k++)
        coef[k] = w->m->in_out ? a->a[(uint64_t)k * a->in + row]
                               : a->b[row * rank + k];
    return lowrank_add(y, x, (float)w->m->scale, coef, w->panel + col,
                       (size_t)w->cols, rank, n);
}

/* y[n] times DoRA's factor of its output; how many are another number than
 * x[n]. */
static uint64_t
rescale(const struct way *w, float *y, const float *x, uint64_t row,
        uint64_t col, size_t n)
{
    uint64_t changed = 0;

    for (size_t i = 0; i < n; i++) {
        y[i] *= w->factor[w->m->in_out ? col + i : row];
        changed += y[i] != x[i];
    }
    return changed;
}

/* y = rows [row, row + n), x, with what is added to them, in panels. */
static uint64_t
add_rows(const struct way *w, float *y, const float *x, float *coef,
         uint64_t row, uint64_t n)
{
    size_t cols = (size_t)w->cols;
    uint64_t deltas = 0;

    for (size_t col = 0; col < cols; col += COLS) {
        size_t len = (size_t)least(COLS, cols - col);

        for (uint64_t r = 0; r < n; r++) {
            size_t at = (size_t)r * cols + col;
            uint64_t n_added = add(w, y + at, x + at, coef, row + r, col,
                                   len);

            deltas += w->factor == NULL
                      ? n_added
                      : rescale(w, y + at, x + at, row + r, col, len);
        }
    }
    return deltas;
}

/* Items */

static float *
scratch_of(const struct way *w, int worker)
{
    return w->scratch + w->n_scratch * (size_t)worker;
}

static int
not_finite(const struct way *w, uint64_t at, double v, const char *what,
           struct err *e)
{
    return err_set(e, ERR_DATA, "tensor %s: element %llu is %g%s", w->t->name,
                   (unsigned long long)at, v, what);
}

/* y[n], elements from `at` on, in the type that is written. */
static int
store(const struct way *w, void *to, const float *y, uint64_t at, size_t n,
      struct err *e)
{
    char what[64];
    size_t bad;

    if (stored_of(w->dtype)->encode(to, NULL, y, n, &bad))
        return 0;
    snprintf(what, sizeof(what), ", which %s can't hold",
             dtype_name(w->dtype));
    return not_finite(w, at + bad, (double)y[bad],
                      isfinite(y[bad]) ? what : "", e);
}

/* Where row r stands of a matrix whose rows of the halves of each head take
 * turns. */
static uint64_t
paired_row(const struct way *w, uint64_t r)
{
    uint64_t head = w->rows / w->m->heads, j = r % head;

    return r - j + (j < head / 2 ? 2 * j : 2 * (j - head / 2) + 1);
}

/* n rows to their places. */
static void
scatter(const struct way *w, const uint8_t *from, uint64_t row, uint64_t n)
{
    size_t size = dtype_size(w->dtype);

    for (uint64_t r = 0; r < n && !w->m->turn; r++)
        memcpy(w->data + paired_row(w, row + r) * w->row_bytes,
               from + r * w->row_bytes, w->row_bytes);
    for (uint64_t c = 0; c < w->cols && w->m->turn; c++)
        for (uint64_t r = 0; r < n; r++)
            memcpy(w->data + (c * w->rows + row + r) * size,
                   from + (r * w->cols + c) * size, size);
}

/* y = rows [row, row + n), x, but for those of tokens. Returns how many
 * elements were to change. */
static uint64_t
replace_rows(const struct way *w, float *y, const float *x, uint64_t row,
             uint64_t n)
{
    const struct adapter_tokens *t = w->m->tokens;
    size_t cols = (size_t)w->cols;
    uint64_t changed = 0;

    memcpy(y, x, (size_t)n * cols * sizeof(*y));
    for (uint32_t k = 0; k < t->n; k++) {
        const float *from = t->rows + (size_t)k * cols;
        uint64_t at = ((uint64_t)t->id[k] - row) * cols;

        if ((uint64_t)t->id[k] < row || (uint64_t)t->id[k] >= row + n)
            continue;
        memcpy(y + at, from, cols * sizeof(*y));
        for (size_t i = 0; i < cols; i++)
            changed += x[at + i] < from[i] || x[at + i] > from[i];
    }
    return changed;
}

/* y = rows [row, row + n), x, with what is added to them; or those that take
 * their place. Returns how many were to change. */
static uint64_t
change_rows(const struct way *w, const float **to, float *y, const float *x,
            float *coef, uint64_t row, uint64_t n)
{
    uint64_t len = n * w->cols, changed = 0;

    *to = y;
    if (w->m->tokens != NULL)
        return replace_rows(w, y, x, row, n);
    if (w->m->whole == NULL)
        return add_rows(w, y, x, coef, row, n);
    *to = w->m->whole + row * w->cols;
    for (uint64_t i = 0; i < len; i++)
        changed += x[i] < (*to)[i] || x[i] > (*to)[i];
    return changed;
}

/* Of n elements, x and y with what is added, those that stand for other
 * numbers as they are stored. In a block an element may do so for another's
 * sake: it has nothing added to it. */
static uint64_t
count_other(const struct way *w, const void *was, const void *to,
            const float *x, const float *y, size_t n)
{
    const struct stored *s = stored_of(w->dtype);
    uint64_t other = 0;
    float a[COLS], b[COLS];

    if (dtype_is_float(w->dtype))
        return floats_differ(was, to, w->dtype, n);
    for (size_t at = 0; at < n; at += COLS) {
        size_t len = (size_t)least(COLS, n - at);

        s->widen(a, was, NULL, at, len);
        s->widen(b, to, NULL, at, len);
        for (size_t i = 0; i < len; i++)
            other += a[i] != b[i] && x[at + i] != y[at + i];
    }
    return other;
}

/* Rows [row, row + n) to `to`, of which x is the floats, y and z room for as
 * many. */
static int
convert(const struct way *w, uint8_t *to, float *x, float *y, float *z,
        uint64_t row, uint64_t n, struct merge_counts *counts, struct err *e)
{
    const struct weight *t = w->t;
    size_t len = (size_t)(n * w->cols);
    uint64_t at = row * w->cols;
    bool same = t->dtype == w->dtype;
    const void *was = (const uint8_t *)t->data + row * w->row_bytes;
    const float *now;
    int rc;

    if (w->m->add == NULL && w->m->whole == NULL && w->m->tokens == NULL) {
        if (!same)
            return store(w, to, x, at, len, e);
        memcpy(to, was, (size_t)n * w->row_bytes);
        return 0;
    }
    counts->deltas += change_rows(w, &now, y, x, z, row, n);
    rc = store(w, to, now, at, len, e);
    if (rc < 0)
        return rc;
    if (!same) {
        rc = store(w, z, x, at, len, e);
        was = z;
    }
    counts->changed += rc < 0 ? 0 : count_other(w, was, to, x, now, len);
    return rc;
}

static int
convert_item(const struct way *w, uint64_t i, int worker,
             struct merge_counts *counts, struct err *e)
{
    size_t most = (size_t)(w->height * w->cols), bad, len;
    float *x = scratch_of(w, worker), *y = x + most, *z = y + most;
    uint64_t row = i * w->height, n = least(w->height, w->rows - row);
    uint8_t *to = (uint8_t *)(z + most + w->n_coef);
    int rc;

    len = (size_t)(n * w->cols);
    if (!w->gathered)
        to = w->data + (i - w->first) * w->height * w->row_bytes;
    weight_floats(x, w->t, row * w->cols, len);
    bad = floats_bad(x, len);
    if (bad < len)
        return not_finite(w, row * w->cols + bad, (double)x[bad], "", e);
    rc = convert(w, to, x, y, z, row, n, counts, e);
    if (rc == 0 && w->gathered)
        scatter(w, to, row, n);
    return rc;
}

static void
run_item(void *ctx, size_t i, int worker)
{
    struct way *w = ctx;
    struct err e = { 0 };

    w->failed[i] = convert_item(w, w->first + i, worker, &w->counts[i], &e)
                   < 0;
}

static void
write_before(void *ctx)
{
    struct way *w = ctx;

    if (w->rc == 0 && w->n_before > 0)
        w->rc = w->out->write(w->out->ctx, w->before, w->n_before, &w->e);
    w->n_before = 0;
}

/* DoRA */

/* factor[i] becomes magnitude / sqrt(squares) of the output; 0 where these
 * are 0, as in struct part of kernels/ops.h. */
static void
norms_item(void *ctx, size_t i, int worker)
{
    const struct way *w = ctx;
    float *x = scratch_of(w, worker), *y = x + COLS, *coef = y + COLS;
    const struct merge_tensor *m = w->m;
    uint64_t first = m->in_out ? i * COLS : i;
    uint64_t rows = m->in_out ? w->rows : 1;
    double squares[COLS] = { 0 };
    size_t n = m->in_out ? (size_t)least(COLS, w->cols - first) : 1;

    for (uint64_t r = 0; r < rows; r++) {
        uint64_t row = m->in_out ? r : first;
        uint64_t end = m->in_out ? first + n : w->cols;

        for (uint64_t c = m->in_out ? first : 0; c < end; c += COLS) {
            size_t len = (size_t)least(COLS, end - c);

            weight_floats(x, w->t, row * w->cols + c, len);
            add(w, y, x, coef, row, c, len);
            for (size_t k = 0; k < len; k++)
                squares[m->in_out ? k : 0] += (double)y[k] * (double)y[k];
        }
    }
    for (size_t k = 0; k < n; k++)
        w->factor[first + k] = squares[k] > 0
                               ? (float)(m->add->magnitude[first + k]
                                         / sqrt(squares[k])) : 0;
}

/* Tensors */

/* Rows and columns as they are stored; what is no matrix is one of rows of
 * the last dimension. */
static void
way_init(struct way *w, const struct merge_tensor *m,
         const struct merge_sink *out)
{
    const struct adapter_module *a = m->add;
    const struct weight *t = m->t;
    uint64_t n = weight_elements(t), elements;

    *w = (struct way){ .m = m, .t = t, .out = out, .rows = 1, .cols = n };
    if (t->n_dims > 1 && n > 0) {
        w->cols = t->shape[t->n_dims - 1];
        w->rows = n / w->cols;
    } else if (m->heads > 0) {
        w->cols = 1;
        w->rows = n;
    }
    w->gathered = m->turn || m->heads > 0;
    w->dtype = m->turn && !dtype_is_float(m->dtype) ? DTYPE_F32 : m->dtype;
    w->row_bytes = (size_t)dtype_units(w->dtype, w->cols)
                   * dtype_size(w->dtype);
    w->height = w->cols > 0 && w->cols < PIECE ? PIECE / w->cols : 1;
    if (a != NULL && w->height < ROWS)
        w->height = ROWS;
    w->height = least(w->height, w->rows);
    w->n_items = n > 0 ? (w->rows + w->height - 1) / w->height : 0;
    elements = w->height * w->cols;
    w->n_coef = a != NULL ? a->rank : 0;
    w->n_scratch = (size_t)(5 * elements) + w->n_coef + 2 * COLS;
    w->scratch = mem_array(w->n_scratch * (size_t)par_threads() + 1,
                           sizeof(*w->scratch));
    if (a == NULL)
        return;
    w->panel = a->a;
    if (!m->in_out)
        return;
    w->turned = mem_array((size_t)a->rank * a->out + 1, sizeof(*w->turned));
    for (size_t i = 0; i < a->out; i++)
        for (size_t k = 0; k < a->rank; k++)
            w->turned[k * a->out + i] = a->b[i * a->rank + k];
    w->panel = w->turned;
}

static void
way_release(struct way *w)
{
    free(w->turned);
    free(w->factor);
    free(w->scratch);
    free(w->half[0]);
    free(w->half[1]);
    if (w->gathered)
        free(w->data);
}

/* The items of the next batch, and the writing of the one before. */
static int
run_batch(struct way *w, struct merge_counts *n, struct err *e)
{
    struct merge_counts again = { 0 };

    memset(w->counts, 0, sizeof(w->counts));
    par_for_beside((size_t)w->n, run_item, write_before, w);
    for (uint64_t i = 0; i < w->n; i++) {
        if (w->failed[i])
            return convert_item(w, w->first + i, 0, &again, e);
        n->deltas += w->counts[i].deltas;
        n->changed += w->counts[i].changed;
    }
    if (w->rc < 0)
        *e = w->e;
    return w->rc;
}

static int
run_batches(struct way *w, struct merge_counts *n, struct err *e)
{
    uint64_t elements = w->height * w->cols, most;
    unsigned turn = 0;
    int rc = 0;

    most = elements < BATCH ? BATCH / elements : 1;
    if (most < 2 * (uint64_t)par_threads())
        most = 2 * (uint64_t)par_threads();
    most = least(most, ITEMS);
    for (; w->first < w->n_items && rc == 0; w->first += w->n) {
        uint64_t end = least(w->first + most, w->n_items);
        uint64_t rows = least(end * w->height, w->rows)
                        - w->first * w->height;

        w->n = end - w->first;
        if (!w->gathered) {
            w->half[turn] = mem_grow(w->half[turn], (size_t)(most * w->height)
                                                    * w->row_bytes);
            w->data = w->half[turn];
        }
        rc = run_batch(w, n, e);
        progress_add(w->t->bytes / w->n_items * w->n);
        if (!w->gathered) {
            w->before = w->data;
            w->n_before = (size_t)rows * w->row_bytes;
        }
        turn ^= 1;
    }
    return rc;
}

/* Room for all of a matrix; DoRA's factors. */
static int
prepare(struct way *w, struct err *e)
{
    const struct merge_tensor *m = w->m;
    size_t n = (size_t)w->rows * w->row_bytes;

    if (w->gathered) {
        w->data = mem_try(n);
        if (w->data == NULL)
            return err_set(e, ERR_IO, "tensor %s: out of memory for %zu "
                           "bytes", w->t->name, n);
    }
    if (m->add == NULL || m->add->magnitude == NULL)
        return 0;
    w->factor = mem_array(m->add->out, sizeof(*w->factor));
    par_for(m->in_out ? (m->add->out + COLS - 1) / COLS : m->add->out,
            norms_item, w);
    return 0;
}

/* Writes a whole matrix; one that is turned has its rows in blocks only now. */
static int
write_whole(struct way *w, struct err *e)
{
    const struct merge_tensor *m = w->m;
    const struct stored *s = stored_of(m->dtype);
    size_t n = (size_t)w->rows, bad, bytes;
    int rc = 0;

    if (w->dtype == m->dtype)
        return w->out->write(w->out->ctx, w->data, n * w->row_bytes, e);
    bytes = (size_t)stored_row_bytes(s, n);
    w->half[0] = mem_grow(w->half[0], bytes);
    for (uint64_t c = 0; c < w->cols && rc == 0; c++) {
        const float *x = (const float *)w->data + c * n;

        if (!s->encode(w->half[0], NULL, x, n, &bad))
            return not_finite(w, bad * w->cols + c, (double)x[bad],
                              ", which its type can't hold", e);
        rc = w->out->write(w->out->ctx, w->half[0], bytes, e);
    }
    return rc;
}

int
merge_tensor_put(const struct merge_tensor *m, struct merge_counts *n,
                 const struct merge_sink *out, struct err *e)
{
    const struct weight *t = m->t;
    struct way w;
    int rc;

    if (!dtype_is_float(m->dtype) && dtype_unit(m->dtype) == 1) {
        progress_add(t->bytes);
        return out->write(out->ctx, t->data, (size_t)t->bytes, e);
    }
    way_init(&w, m, out);
    rc = prepare(&w, e);
    if (rc == 0)
        rc = run_batches(&w, n, e);
    if (rc == 0 && w.gathered)
        rc = write_whole(&w, e);
    if (rc == 0) {
        write_before(&w);
        rc = w.rc;
        if (rc < 0)
            *e = w.e;
    }
    way_release(&w);
    return rc;
}
