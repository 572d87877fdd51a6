/* bases.c - painting from both ends, latest ordinal first: when a commit is
 * looked at, all that descend from it have been. What has both colours is a
 * common ancestor; all before it is stale.
 */
#include "repo/bases.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum paint { PAINT_ONE = 1, PAINT_OTHER = 2, PAINT_STALE = 4 };

#define PAINT_BOTH (PAINT_ONE | PAINT_OTHER)

void
bases_init(struct bases *b, const struct walk *w)
{
    size_t i;

    memset(b, 0, sizeof(*b));
    b->walk = w;
    b->ordinal = mem_array(w->index.n + 1, sizeof(*b->ordinal));
    b->paint = mem_array(w->n_order + 1, 1);
    for (i = 0; i < w->n_order; i++)
        b->ordinal[w->order[i]] = (uint32_t)i;
}

void
bases_release(struct bases *b)
{
    free(b->ordinal);
    free(b->paint);
    free(b->found);
    free(b->heap);
    memset(b, 0, sizeof(*b));
}

/* ---- a heap, the greatest ordinal on top ---- */

static void
heap_add(struct bases *b, uint32_t ordinal)
{
    size_t i = b->n_heap++, up;

    if (b->n_heap > b->heap_cap) {
        b->heap_cap = 2 * b->n_heap;
        b->heap = mem_grow(b->heap, b->heap_cap * sizeof(*b->heap));
    }
    for (; i > 0; i = up) {
        up = (i - 1) / 2;
        if (b->heap[up] >= ordinal)
            break;
        b->heap[i] = b->heap[up];
    }
    b->heap[i] = ordinal;
}

static uint32_t
heap_take(struct bases *b)
{
    uint32_t top = b->heap[0], last = b->heap[--b->n_heap];
    size_t i = 0, down;

    for (; (down = 2 * i + 1) < b->n_heap; i = down) {
        down += down + 1 < b->n_heap && b->heap[down + 1] > b->heap[down];
        if (b->heap[down] <= last)
            break;
        b->heap[i] = b->heap[down];
    }
    b->heap[i] = last;
    return top;
}

/* ---- painting ---- */

struct painting {
    struct bases *b;
    size_t n_fresh; /* in the heap and not stale */
    bool cut;       /* something before a fresh commit is unknown */
};

/* Adds colours to a commit, which waits in the heap if it has any. */
static void
add_paint(struct painting *p, uint32_t commit, uint8_t paint)
{
    uint32_t at = p->b->ordinal[commit];
    uint8_t *old = &p->b->paint[at];
    bool waits = *old != 0, stale = *old & PAINT_STALE;

    *old |= paint;
    if (!waits)
        heap_add(p->b, at);
    if (!waits && !(paint & PAINT_STALE))
        p->n_fresh++;
    if (waits && !stale && paint & PAINT_STALE)
        p->n_fresh--;
}

static void
add_found(struct bases *b, uint32_t commit)
{
    if (b->n == b->cap) {
        b->cap = b->cap ? 2 * b->cap : 8;
        b->found = mem_grow(b->found, b->cap * sizeof(*b->found));
    }
    b->found[b->n++] = commit;
}

/* Looks at the latest commit that waits, and paints its parents. */
static void
step(struct painting *p)
{
    struct bases *b = p->b;
    uint32_t at = heap_take(b), commit = b->walk->order[at], i;
    const struct walk_commit *c = &b->walk->commit[commit];
    uint8_t paint = b->paint[at];

    b->paint[at] = 0;
    if (!(paint & PAINT_STALE)) {
        p->n_fresh--;
        p->cut |= !(c->flags & WALK_TREE);
        if (paint == PAINT_BOTH) {
            add_found(b, commit);
            paint |= PAINT_STALE;
        }
    }
    for (i = 0; i < c->n_parents; i++)
        add_paint(p, b->walk->parent[c->parents + i], paint);
}

int
bases_find(struct bases *b, const uint32_t *one, size_t n, uint32_t other,
           struct err *e)
{
    struct painting p = { .b = b };
    size_t i;

    b->n = 0;
    for (i = 0; i < n; i++)
        add_paint(&p, one[i], PAINT_ONE);
    add_paint(&p, other, PAINT_OTHER);
    while (p.n_fresh > 0)
        step(&p);
    while (b->n_heap > 0)
        b->paint[b->heap[--b->n_heap]] = 0;
    if (p.cut && b->n == 0)
        return err_set(e, ERR_DATA, "where its parents' histories parted is "
                       "unknown");
    return 0;
}
