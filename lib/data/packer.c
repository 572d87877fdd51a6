/* packer.c - one window at a time: its records cut into slices, the slices
 * sorted and put first-fit into rows, the rows shuffled. No more than that
 * window is ever held. */
#include "data/packer.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

/* A row being filled, as a list of slices. */
struct open_row {
    uint32_t left;
    size_t first, last; /* indices of slices; next[] links them */
};

void
packer_init(struct packer *p, const uint32_t *len, uint64_t n_records,
            const struct draws *draws, uint32_t seq_len, uint64_t seed)
{
    memset(p, 0, sizeof(*p));
    p->len = len;
    p->n_records = n_records;
    p->draws = draws;
    p->seq_len = seq_len;
    p->seed = seed;
}

void
packer_release(struct packer *p)
{
    free(p->slice);
    free(p->row_start);
    memset(p, 0, sizeof(*p));
}

/* Whether the epoch is drawn in the order of the line. */
static bool
is_staged(const struct packer *p, uint64_t epoch)
{
    return p->draws && p->draws->staged && epoch == 0;
}

/* Records in a window, but for the last. */
static uint64_t
window_size(const struct packer *p, uint64_t epoch)
{
    uint64_t n = p->n_records / PACK_STAGES;

    if (!is_staged(p, epoch) || n > PACK_WINDOW)
        return PACK_WINDOW;
    return n > PACK_STAGE ? n : PACK_STAGE;
}

static uint64_t
n_windows(const struct packer *p, uint64_t epoch)
{
    uint64_t size = window_size(p, epoch);

    return (p->n_records + size - 1) / size;
}

static void
add_slices(struct packer *p, uint64_t record)
{
    uint32_t left = p->len[record] > 0 ? p->len[record] - 1 : 0, at = 0;

    while (left > 0) {
        uint32_t n = left < p->seq_len ? left : p->seq_len;
        struct slice *q;

        if (p->n_slices == p->cap_slices) {
            p->cap_slices = 2 * p->cap_slices + PACK_WINDOW;
            p->slice = mem_grow(p->slice,
                                p->cap_slices * sizeof(*p->slice));
        }
        q = &p->slice[p->n_slices++];
        q->record = record;
        q->at = at;
        q->n = n;
        at += n;
        left -= n;
    }
}

static int
by_length(const void *a, const void *b)
{
    const struct slice *x = a, *y = b;

    if (x->n != y->n)
        return x->n > y->n ? -1 : 1;
    if (x->record != y->record)
        return x->record < y->record ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* Links the sorted slices into rows; returns how many. row[] has room for
 * one a slice. */
static size_t
first_fit(const struct packer *p, struct open_row *row, size_t *next)
{
    size_t n_rows = 0, from = 0;

    for (size_t i = 0; i < p->n_slices; i++) {
        size_t r = from;

        while (r < n_rows && row[r].left < p->slice[i].n)
            r++;
        if (r == n_rows) {
            row[n_rows].left = p->seq_len;
            row[n_rows++].first = i;
        } else {
            next[row[r].last] = i;
        }
        row[r].last = i;
        row[r].left -= p->slice[i].n;
        next[i] = SIZE_MAX;
        while (from < n_rows && row[from].left == 0)
            from++;
    }
    return n_rows;
}

/* Replaces the sorted slices by the same slices row after row, the rows in
 * a seeded order. */
static void
order_rows(struct packer *p, uint64_t epoch, uint64_t window)
{
    size_t n = p->n_slices, k = 0;
    struct open_row *row = mem_array(n, sizeof(*row));
    size_t *next = mem_array(n, sizeof(*next));
    struct slice *out = mem_array(n, sizeof(*out));

    p->n_rows = first_fit(p, row, next);
    if (p->n_rows + 1 > p->cap_rows) {
        p->cap_rows = p->n_rows + PACK_WINDOW;
        p->row_start = mem_grow(p->row_start,
                                p->cap_rows * sizeof(*p->row_start));
    }
    for (size_t r = 0; r < p->n_rows; r++) {
        uint64_t from = rng_permute(r, p->n_rows, p->seed ^ ~window, epoch);

        p->row_start[r] = k;
        for (size_t i = row[from].first; i != SIZE_MAX; i = next[i])
            out[k++] = p->slice[i];
    }
    p->row_start[p->n_rows] = k;
    memcpy(p->slice, out, n * sizeof(*out));
    free(row);
    free(next);
    free(out);
}

/* The epoch's shift, in 2^-32. */
static uint32_t
shift_of(const struct packer *p, uint64_t epoch)
{
    struct rng r;

    rng_init(&r, p->seed ^ rng_site("draws"), epoch);
    return rng_u32(&r);
}

/* The record at that place of the line of draws: the first to end behind. */
static uint64_t
drawn(const struct packer *p, uint64_t i, uint32_t shift)
{
    uint64_t at = i << 32 | shift, low = 0, high = p->n_records - 1, mid;

    if (p->draws->end == NULL)
        low = high = i;
    while (low < high) {
        mid = low + (high - low) / 2;
        if (p->draws->end[mid] > at)
            high = mid;
        else
            low = mid + 1;
    }
    return p->draws->record ? p->draws->record[low] : low;
}

/* Draw i of the epoch. */
static uint64_t
draw(const struct packer *p, uint64_t i, uint64_t epoch, uint32_t shift)
{
    if (!is_staged(p, epoch))
        i = rng_permute(i, p->n_records, p->seed, epoch);
    return p->draws ? drawn(p, i, shift) : i;
}

static void
load_window(struct packer *p, uint64_t epoch, uint64_t window)
{
    uint64_t size = window_size(p, epoch), from = window * size;
    uint32_t shift = p->draws ? shift_of(p, epoch) : 0;

    p->n_slices = 0;
    p->n_rows = 0;
    for (uint64_t i = from; i < from + size && i < p->n_records; i++)
        add_slices(p, draw(p, i, epoch, shift));
    if (p->n_slices == 0)
        return;
    qsort(p->slice, p->n_slices, sizeof(*p->slice), by_length);
    order_rows(p, epoch, window);
}

void
packer_seek(struct packer *p, struct cursor_row c)
{
    p->at = c;
    load_window(p, c.epoch, c.window);
}

const struct slice *
packer_row(struct packer *p, size_t *n)
{
    const struct slice *row;
    uint64_t empty = 0;

    *n = 0;
    if (p->n_records == 0)
        return NULL;
    if (p->row_start == NULL)
        packer_seek(p, p->at);
    while (p->at.row >= p->n_rows) {
        p->at.row = 0;
        if (++p->at.window == n_windows(p, p->at.epoch)) {
            p->at.window = 0;
            p->at.epoch++;
        }
        load_window(p, p->at.epoch, p->at.window);
        if (p->n_rows == 0 && ++empty > n_windows(p, 0))
            return NULL;
    }
    row = p->slice + p->row_start[p->at.row];
    *n = p->row_start[p->at.row + 1] - p->row_start[p->at.row];
    p->at.row++;
    return row;
}

uint64_t
packer_count(const uint32_t *len, uint64_t n_records,
             const struct draws *draws, uint32_t seq_len, uint64_t seed,
             uint64_t epoch)
{
    struct packer p;
    uint64_t rows = 0;

    packer_init(&p, len, n_records, draws, seq_len, seed);
    for (uint64_t w = 0; w < n_windows(&p, epoch); w++) {
        load_window(&p, epoch, w);
        rows += p.n_rows;
    }
    packer_release(&p);
    return rows;
}
