/* plan.c - lifetimes of buffers, and their places.
 *
 * A buffer of ARENA or HOST lives from the first op that names it to the last;
 * two whose lives don't meet may share memory. Placement takes the largest
 * first, at the lowest 256-byte boundary that is free for all its life.
 * Quadratic in the buffers that live at one time: some hundreds.
 */
#include "model/build.h"

#include <stdlib.h>

#include "base/mem.h"
#include "model/op_info.h"

#define PLACE_ALIGN 256

struct toucher {
    struct prog *p;
    int32_t at;
};

static void
touch(void *ctx, const struct view *v, enum view_use use)
{
    const struct toucher *t = ctx;
    struct tensor_buf *b = &t->p->buf[v->buf];

    (void)use;
    if (b->born < 0)
        b->born = t->at;
    b->dies = t->at;
}

int
plan_scratch(struct build *b)
{
    struct prog *p = b->p;

    for (size_t i = 0; i < p->n_ops; i++) {
        uint64_t n = b->backend->scratch(b->backend, &p->op[i]);

        if (n > UINT32_MAX)
            return err_set(b->e, ERR_LIMIT, "an op needs %llu bytes of "
                           "scratch: use a smaller batch",
                           (unsigned long long)n);
        if (n > 0)
            p->op[i].scratch = build_view(b, ZONE_ARENA, 1, (uint32_t)n,
                                          DTYPE_U8);
    }
    return 0;
}

/* By lifetime. */
static bool
is_reused(const struct tensor_buf *t)
{
    return t->zone == ZONE_ARENA || t->zone == ZONE_HOST;
}

void
plan_lifetimes(struct build *b)
{
    struct prog *p = b->p;

    for (size_t i = 0; i < p->n_bufs; i++)
        p->buf[i].born = p->buf[i].dies = -1;
    for (size_t i = 0; i < p->n_ops; i++) {
        struct toucher t = { p, (int32_t)i };

        op_walk(&p->op[i], touch, &t);
    }
    for (size_t i = 1; i < p->n_bufs; i++) {
        if (b->mark[i].pinned || !is_reused(&p->buf[i])) {
            p->buf[i].born = 0;
            p->buf[i].dies = (int32_t)p->n_ops;
        }
    }
}

static bool
lives_meet(const struct tensor_buf *a, const struct tensor_buf *c)
{
    return a->born <= c->dies && c->born <= a->dies;
}

static int
by_size(const void *a, const void *c)
{
    const struct tensor_buf *x = *(struct tensor_buf *const *)a;
    const struct tensor_buf *y = *(struct tensor_buf *const *)c;

    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return (x > y) - (x < y); /* both lie in p->buf: the order made */
}

/* The lowest offset at which t fits among placed[n], which are in order of
 * offset. */
static uint64_t
lowest_gap(const struct tensor_buf *t, struct tensor_buf *const *placed,
           size_t n)
{
    uint64_t at = 0;

    for (size_t i = 0; i < n; i++) {
        const struct tensor_buf *q = placed[i];

        if (!lives_meet(t, q) || q->at + q->bytes <= at)
            continue;
        if (q->at >= at + t->bytes)
            return at;
        at = size_round(q->at + q->bytes, PLACE_ALIGN);
    }
    return at;
}

static void
insert_placed(struct tensor_buf **placed, size_t n, struct tensor_buf *t)
{
    size_t i = n;

    for (; i > 0 && placed[i - 1]->at > t->at; i--)
        placed[i] = placed[i - 1];
    placed[i] = t;
}

static void
place_zone(struct prog *p, enum zone zone)
{
    struct tensor_buf **order = mem_array(p->n_bufs, sizeof(*order));
    struct tensor_buf **placed = mem_array(p->n_bufs, sizeof(*placed));
    uint64_t top = 0;
    size_t n = 0;

    for (size_t i = 1; i < p->n_bufs; i++)
        if (p->buf[i].zone == zone && p->buf[i].born >= 0)
            order[n++] = &p->buf[i];
    qsort(order, n, sizeof(*order), by_size);
    for (size_t i = 0; i < n; i++) {
        struct tensor_buf *t = order[i];

        t->at = p->opts.no_reuse ? size_round(top, PLACE_ALIGN)
                                 : lowest_gap(t, placed, i);
        insert_placed(placed, i, t);
        if (t->at + t->bytes > top)
            top = t->at + t->bytes;
    }
    p->zone_bytes[zone] = size_round(top, PLACE_ALIGN);
    free(placed);
    free(order);
}

/* Where a buffer of the base that has no place yet ends, at end. */
static uint64_t
place_after(struct prog *p, uint32_t buf, uint64_t end, bool *placed)
{
    struct tensor_buf *t = &p->buf[buf];

    if (t->zone != ZONE_BASE || placed[buf])
        return end;
    placed[buf] = true;
    t->at = end;
    return size_round(end + t->bytes, PLACE_ALIGN);
}

/* The weights of one LINEAR side by side, so that they can be one matrix
 * (where they are multiples of the boundary); then the rest. */
static void
place_base(struct prog *p)
{
    bool *placed = mem_array(p->n_bufs, sizeof(*placed));
    uint64_t end = 0;

    for (size_t i = 0; i < p->n_ops; i++)
        for (uint32_t k = 0; p->op[i].kind == OP_LINEAR
                             && k < p->op[i].u.lin.n; k++)
            end = place_after(p, p->op[i].u.lin.part[k].w.buf, end, placed);
    for (uint32_t i = 1; i < p->n_bufs; i++)
        end = place_after(p, i, end, placed);
    p->zone_bytes[ZONE_BASE] = end;
    free(placed);
}

void
plan_place(struct build *b)
{
    struct prog *p = b->p;
    uint64_t end = 0;

    for (size_t i = 1; i < p->n_bufs; i++) {
        struct tensor_buf *t = &p->buf[i];

        if (t->zone != ZONE_STATE)
            continue;
        t->at = end;
        end = size_round(t->at + t->bytes, PLACE_ALIGN);
    }
    p->zone_bytes[ZONE_STATE] = end;
    place_base(p);
    place_zone(p, ZONE_ARENA);
    place_zone(p, ZONE_HOST);
}
