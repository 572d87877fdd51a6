/* host.h - what the back ends that compute in this process's memory share.
 *
 * They differ in how they run one op. Memory, batches, copies and the order
 * of ops are the same for all, and here; the addresses of views are known to
 * nobody else.
 */
#ifndef KERNELS_HOST_H
#define KERNELS_HOST_H

#include "kernels/ops.h"

/* What a function that runs an op gets. */
struct run {
    void *zone[ZONE_COUNT]; /* STATE, ARENA and HOST */
    const struct tensor_buf *buf;
    size_t real_size;       /* 4 or 8 */
    const struct inputs *in;
    uint32_t head_at;       /* first k of the HEAD chunk to run */
    struct results *out;
    const struct batch *batch;
    struct op_time *times;  /* of the ops that host_run is given */
    struct op_time *time;   /* of the one that runs; NULL: nobody asks */
};

/* The priv of a host back end begins with this. */
struct host {
    /* Runs an op of a kind that the back end has. */
    void (*op)(const struct host *h, struct run *run, const struct op *op);
};

/* Sets what all host back ends have in common, and adds to b->kinds what they
 * all can; h has to outlive b. */
void host_backend(struct backend *b, struct host *h);

/* Runs ops [0, n) one after the other; ERR_IO for a kind that b lacks. */
int host_run(const struct backend *b, struct run *run, const struct op *op,
             size_t n, struct err *e);

/* What a host back end's memory runs with: for tests. */
struct run *host_memory_run(struct memory *m);

/* The address of element (0, 0) of a view; NULL for an absent one. */
static inline void *
view_at(const struct run *r, const struct view *v)
{
    const struct tensor_buf *b = &r->buf[v->buf];
    size_t size = element_size(v->dtype, r->real_size);

    if (v->buf == 0)
        return NULL;
    if (b->zone == ZONE_BASE)
        return (char *)b->source + v->off * size;
    return (char *)r->zone[b->zone] + b->at + v->off * size;
}

/* The first of n rising ids that is not less than id; n: none. */
static inline uint32_t
first_token(const int32_t *ids, uint32_t n, int64_t id)
{
    uint32_t low = 0;

    while (low < n) {
        uint32_t mid = low + (n - low) / 2;

        if (ids[mid] < id)
            low = mid + 1;
        else
            n = mid;
    }
    return low;
}

/* The k of ids, [1, n] of a view, that is id; -1: none. */
static inline int64_t
token_at(const struct run *r, const struct view *ids, int32_t id)
{
    const int32_t *p = view_at(r, ids);
    uint32_t k = p ? first_token(p, ids->cols, id) : 0;

    return p && k < ids->cols && p[k] == id ? (int64_t)k : -1;
}

/* The scales of a quantised weight, from its first row on; NULL for none. */
static inline const void *
view_side(const struct run *r, const struct view *v)
{
    const struct view side = { .buf = v->side, .dtype = DTYPE_U8 };

    return view_at(r, &side);
}

#endif
