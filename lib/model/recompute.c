/* recompute.c - ops of a layer, or all of them, once more for its backward.
 *
 * They are emitted again as they were recorded, whatever they are: every
 * buffer of the arena that they write gets a successor, which stands for it
 * in the copies. Ops that write the output are not run again, since
 * nobody makes it again: they go to the tape, so that they get their
 * gradient, as they were first run, and what else they wrote (the small
 * rank-r products of a LINEAR) is kept for that.
 */
#include <stdlib.h>
#include <string.h>

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
    if (op.kind == OP_COPY)
        build_pair(b, &op);
    if (b->mark[op.y[0].buf].need)
        build_tape(b, &op);
}

/* Ops [first, end) of FWD, which make y; or, with no y, those on tape. */
struct stretch {
    size_t first, end;
    struct view y;
    struct op *tape;
    size_t n;
};

static struct stretch *
add_stretch(struct build *b)
{
    size_t n = b->n_stretches++;

    b->stretch = mem_grow(b->stretch, (n + 1) * sizeof(*b->stretch));
    memset(&b->stretch[n], 0, sizeof(*b->stretch));
    return &b->stretch[n];
}

void
build_again_from(struct build *b)
{
    struct stretch *s = add_stretch(b);

    s->tape = mem_dup(b->tape, b->n_tape * sizeof(*b->tape));
    s->n = b->n_tape;
    b->n_tape = 0;
    add_stretch(b)->first = b->p->n_ops;
}

void
build_again_to(struct build *b, struct view y)
{
    struct stretch *s = &b->stretch[b->n_stretches - 1];

    s->end = b->p->n_ops;
    s->y = y;
    b->n_tape = 0;
}

/* Its tape, as the ops that are emitted once more make it, if they do. */
static void
take_tape(struct build *b, const struct stretch *s)
{
    struct successors next = { b, mem_array(b->p->n_bufs,
                                            sizeof(*next.to)) };

    for (size_t i = 0; i < s->n; i++)
        build_tape(b, &s->tape[i]);
    for (size_t i = s->first; i < s->end && build_needs(b, s->y); i++)
        emit_again(&next, b->p->op[i], s->y.buf);
    free(next.to);
}

void
build_stretches(struct build *b)
{
    build_backward(b);
    for (size_t i = b->n_stretches; i-- > 0;) {
        take_tape(b, &b->stretch[i]);
        build_backward(b);
        free(b->stretch[i].tape);
    }
    free(b->stretch);
    b->stretch = NULL;
    b->n_stretches = 0;
}

const char *
recompute_name(unsigned recompute)
{
    static const char *const name[] = {
        [RECOMPUTE_NONE] = "none", [RECOMPUTE_ATTENTION] = "attention",
        [RECOMPUTE_BLOCK] = "block"
    };

    return name[recompute];
}
