/* recompute.c - a layer's ops once more, for its backward.
 *
 * The layer is emitted again from its recorded ops, whatever they are: every
 * buffer of the arena that they write gets a successor, which stands for it
 * in the copies. Ops that write the layer's output are not run again, since
 * nobody reads it again: they go to the tape, so that they get their
 * gradient, as they were first run, and what else they wrote (the small
 * rank-r products of a LINEAR) is kept for that.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "model/build.h"
#include "model/op_info.h"

/* by buffer: its successor, 0 for none */
struct successors {
    struct build *b;
    uint32_t *to;
};

static void
succeed(void *ctx, const struct view *v, enum view_use use)
{
    const struct successors *s = ctx;
    struct build *b = s->b;
    uint32_t to;

    if (use != VIEW_WRITTEN || b->p->buf[v->buf].zone != ZONE_ARENA
        || s->to[v->buf] != 0)
        return;
    to = build_view(b, ZONE_ARENA, 0, 0, DTYPE_U8).buf;
    b->p->buf[to].bytes = b->p->buf[v->buf].bytes;
    b->mark[to].need = b->mark[v->buf].need;
    s->to[v->buf] = to;
}

static bool
writes(const struct op *op, uint32_t buf)
{
    for (int i = 0; i < OP_MAX_Y; i++)
        if (op->y[i].buf == buf)
            return true;
    return false;
}

/* The program grows meanwhile: op is a copy. */
static void
emit_again(struct successors *s, struct op op, uint32_t output)
{
    struct build *b = s->b;
    bool last = writes(&op, output);
    struct part *part = NULL;
    uint32_t n;

    if (!last)
        op_walk(&op, succeed, s);
    op_parts(&op, &n);
    if (n > 0)
        part = build_parts(b, n);
    op_rename(&op, part, s->to);
    if (!last)
        *build_op(b, op.kind, op.layer) = op;
    if (b->mark[op.y[0].buf].need)
        build_tape(b, &op);
}

void
build_again(struct build *b, const struct layer_ops *layer)
{
    struct successors s = { b, mem_array(b->p->n_bufs, sizeof(*s.to)) };

    for (size_t i = layer->first; i < layer->end; i++)
        emit_again(&s, b->p->op[i], layer->y.buf);
    free(s.to);
}
