/* offload.c - what the backward needs of the forward waits in the host's
 * memory meanwhile.
 *
 * A buffer that the forward writes and the backward reads becomes two. The
 * first dies in the forward, when its copy has gone (STASH, WAIT); the other
 * is born in the backward, when the copy comes back (FETCH, WAIT). Copies run
 * beside the ops and have the time of a layer: the forward waits for one
 * where the next layer has come as far as the op that wrote the buffer, and
 * the backward begins one where the layer before has come as far as the op
 * that will read it. So the arena holds about one layer's buffers in the
 * place of all. The last layer's stay, for the backward begins with them, and
 * so does what is small.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/build.h"
#include "model/op_info.h"

#define SMALL 8 /* below this part of a hidden state */

/* By buffer of the arena: ops that touch it, -1 for none. barred: used in
 * another way. */
struct kept {
    int32_t written, used; /* last in FWD */
    int32_t read;          /* first in BWD */
    bool barred;
};

/* An op that goes before op `at` of the program. */
struct insert {
    size_t at;
    int32_t whom;          /* the op that wrote, or will read, the buffer */
    struct op op;
};

struct offloader {
    struct build *b;
    size_t at;             /* the op that is walked */
    struct kept *kept;
    uint32_t *to;          /* by buffer: its successor, 0 for none */
    struct insert *insert; /* four for each buffer that goes */
    size_t n_inserts;
};

static void
note_use(void *ctx, const struct view *v, enum view_use use)
{
    const struct offloader *f = ctx;
    const struct prog *p = f->b->p;
    struct kept *k = &f->kept[v->buf];
    int32_t at = (int32_t)f->at;

    if (f->at >= p->range[RANGE_FWD] && f->at < p->range[RANGE_HEAD]) {
        k->used = at;
        if (use != VIEW_READ)
            k->written = at;
    } else if (f->at < p->range[RANGE_BWD] || f->at >= p->range[RANGE_UPDATE]
               || use != VIEW_READ) {
        k->barred = true;
    } else if (k->read < 0) {
        k->read = at;
    }
}

/* The first op, from `from` on, of those around op i that are of its layer. */
static size_t
layer_first(const struct prog *p, size_t from, size_t i)
{
    while (i > from && p->op[i - 1].layer == p->op[i].layer)
        i--;
    return i;
}

static size_t
layer_end(const struct prog *p, size_t i, size_t end)
{
    size_t k = i;

    while (k < end && p->op[k].layer == p->op[i].layer)
        k++;
    return k;
}

/* The op of the next layer that is as far in it as op i in its own; the
 * range's end where there is none. */
static size_t
layer_on(const struct prog *p, enum range r, size_t i)
{
    size_t end = p->range[r + 1], next = layer_end(p, i, end);
    size_t at = next + i - layer_first(p, p->range[r], i);
    size_t last = next < end ? layer_end(p, next, end) - 1 : end;

    return at < last ? at : last;
}

/* The same of the layer before; the range's first where there is none, or
 * none before that. */
static size_t
layer_back(const struct prog *p, enum range r, size_t i)
{
    size_t from = p->range[r], own = layer_first(p, from, i);
    size_t first = own > from ? layer_first(p, from, own - 1) : from;
    size_t at = first + i - own;

    if (first == from)
        return from;
    return at < own ? at : own - 1;
}

static bool
goes(const struct build *b, uint32_t buf, const struct kept *k)
{
    const struct prog *p = b->p;
    const struct tensor_buf *t = &p->buf[buf];
    uint64_t hidden = (uint64_t)p->rows * b->d->dim
                      * build_bytes(b, b->backend->activation);

    return t->zone == ZONE_ARENA && !b->mark[buf].pinned && !k->barred
           && k->written >= 0 && k->read >= 0 && t->bytes % p->rows == 0
           && t->bytes >= hidden / SMALL
           && layer_on(p, RANGE_FWD, (size_t)k->written)
              < p->range[RANGE_HEAD]
           && layer_back(p, RANGE_BWD, (size_t)k->read)
              > p->range[RANGE_BWD];
}

/* All of a buffer, in bytes. */
static struct view
whole(const struct prog *p, uint32_t buf)
{
    uint32_t cols = (uint32_t)(p->buf[buf].bytes / p->rows);

    return (struct view){ buf, p->rows, cols, cols, 0, DTYPE_U8, 0 };
}

static struct view
new_buffer(struct build *b, enum zone zone, uint64_t bytes)
{
    uint32_t buf = build_view(b, zone, 0, 0, DTYPE_U8).buf;

    b->p->buf[buf].bytes = bytes;
    return whole(b->p, buf);
}

/* A copy, begun before op `from` and waited for before op `to`. */
static void
insert_copy(struct offloader *f, enum op_kind kind, int32_t whom, size_t from,
            size_t to, struct view x, struct view y)
{
    struct insert *in = &f->insert[f->n_inserts];
    struct op op = { .kind = (uint16_t)kind, .x = { x }, .y = { y },
                     .layer = f->b->p->op[whom].layer,
                     .u.aside.number = (uint32_t)(f->n_inserts / 4) };

    in[0] = (struct insert){ from, whom, op };
    op.kind = OP_WAIT;
    in[1] = (struct insert){ to, whom, op };
    f->n_inserts += 2;
}

static void
offload_buffer(struct offloader *f, uint32_t buf)
{
    struct build *b = f->b;
    const struct prog *p = b->p;
    const struct kept *k = &f->kept[buf];
    struct view was = whole(p, buf);
    struct view host = new_buffer(b, ZONE_HOST, p->buf[buf].bytes);
    struct view back = new_buffer(b, ZONE_ARENA, p->buf[buf].bytes);
    size_t gone = layer_on(p, RANGE_FWD, (size_t)k->written);

    if (gone <= (size_t)k->used)
        gone = (size_t)k->used + 1;
    insert_copy(f, OP_STASH, k->written, (size_t)k->written + 1, gone, was,
                host);
    insert_copy(f, OP_FETCH, k->read,
                layer_back(p, RANGE_BWD, (size_t)k->read) + 1,
                (size_t)k->read, host, back);
    f->to[buf] = back.buf;
}

/* The backward reads the successors. */
static void
rename_backward(struct offloader *f)
{
    struct prog *p = f->b->p;

    for (size_t i = p->range[RANGE_BWD]; i < p->range[RANGE_UPDATE]; i++) {
        uint32_t n;

        op_parts(&p->op[i], &n);
        op_rename(&p->op[i], n > 0 ? build_parts(f->b, n) : NULL, f->to);
    }
}

/* What begins comes before what ends, and copies begin in the order of those
 * who wait for them. */
static int
by_place(const void *a, const void *c)
{
    const struct insert *x = a, *y = c;
    int x_ends = x->op.kind == OP_WAIT, y_ends = y->op.kind == OP_WAIT;

    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    if (x_ends != y_ends)
        return x_ends - y_ends;
    if (x->whom != y->whom)
        return x->whom < y->whom ? -1 : 1;
    return (x->op.u.aside.number > y->op.u.aside.number)
           - (x->op.u.aside.number < y->op.u.aside.number);
}

/* No range begins with an op that is put in. */
static void
merge(struct offloader *f)
{
    struct prog *p = f->b->p;
    size_t n_ops = p->n_ops, k = 0;
    size_t range[RANGE_COUNT + 1];
    struct op *op = p->op;

    qsort(f->insert, f->n_inserts, sizeof(*f->insert), by_place);
    p->op = mem_array(n_ops + f->n_inserts, sizeof(*op));
    for (size_t i = 0; i <= n_ops; i++) {
        for (; k < f->n_inserts && f->insert[k].at == i; k++)
            p->op[i + k] = f->insert[k].op;
        for (int r = 0; r <= RANGE_COUNT; r++)
            if (p->range[r] == i)
                range[r] = i + k;
        if (i < n_ops)
            p->op[i + k] = op[i];
    }
    p->n_ops = f->b->op_cap = n_ops + f->n_inserts;
    memcpy(p->range, range, sizeof(range));
    free(op);
}

void
build_offload(struct build *b)
{
    uint32_t n = (uint32_t)b->p->n_bufs;
    struct offloader f = { b, 0, mem_array(n, sizeof(*f.kept)), NULL,
                         mem_array(4 * (size_t)n, sizeof(*f.insert)), 0 };

    for (uint32_t i = 0; i < n; i++)
        f.kept[i] = (struct kept){ -1, -1, -1, false };
    for (; f.at < b->p->n_ops; f.at++)
        op_walk(&b->p->op[f.at], note_use, &f);
    f.to = mem_array(3 * (size_t)n, sizeof(*f.to));
    for (uint32_t i = 1; i < n; i++)
        if (goes(b, i, &f.kept[i]))
            offload_buffer(&f, i);
    rename_backward(&f);
    merge(&f);
    free(f.kept);
    free(f.to);
    free(f.insert);
}
