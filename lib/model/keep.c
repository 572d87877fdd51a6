/* keep.c - what the backward reads of the forward, in less memory.
 *
 * Where a back end keeps narrower floats than it computes with (struct
 * backend's kept), an activation that the backward wants gets a rounded copy,
 * made as soon as the forward has its last word. The backward reads the copy,
 * and so do linears, which would round their input anyway; the activation
 * itself dies with its last reader in the forward. Its gradient is one, of
 * reals, whichever of both is asked for it. Sums of squares, log-sum-exps,
 * what goes through a router, and adapters' small h stay as they are.
 */
#include "model/build.h"

void
build_keep(struct build *b, uint32_t layer, struct view x)
{
    uint8_t dtype = b->backend->kept;
    struct view y;
    struct op *op;

    if (b->o->mode != PROG_TRAIN || dtype == b->backend->activation
        || b->mark[x.buf].kept != 0)
        return;
    y = build_view(b, ZONE_ARENA, x.rows, x.cols, dtype);
    op = build_op(b, OP_COPY, layer);
    op->x[0] = x;
    op->y[0] = y;
    build_pair(b, op);
}

void
build_pair(struct build *b, const struct op *copy)
{
    b->mark[copy->x[0].buf].kept = copy->y[0].buf;
    b->mark[copy->y[0].buf].wide = copy->x[0].buf;
}

struct view
build_kept(const struct build *b, struct view v)
{
    uint32_t kept = b->mark[v.buf].kept;

    if (kept != 0) {
        v.buf = kept;
        v.dtype = b->backend->kept;
    }
    return v;
}

struct view
build_wide(const struct build *b, struct view v)
{
    uint32_t wide = b->mark[v.buf].wide;

    if (wide != 0) {
        v.buf = wide;
        v.dtype = b->backend->activation;
    }
    return v;
}
