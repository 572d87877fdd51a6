/* hold_out.c - taking groups while they cost little, from a table of where
 * the records of each group are.
 */
#include "record/hold_out.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"

#define MAX_ROUNDS 64   /* through all groups at one price */
#define MAX_TOGETHER 16 /* records of a commit whose groups are taken at once */

/* Records of one group in one unit. */
struct part {
    uint64_t unit;
    uint32_t n; /* 0: behind the last one of the group */
};

struct drawn {
    uint64_t key, size; /* order; kept records */
    uint32_t group;
};

struct work {
    const struct hold_out *h;
    struct part *part;    /* of all groups, group by group */
    size_t *first;        /* of each group's in part; and the end */
    uint32_t *held;       /* of each unit: records of groups held out */
    uint8_t *side;        /* of each group */
    struct drawn *order;
    uint64_t n_held, n_lost;
    double most; /* records that may be held out at one time */
};

static uint64_t
unit_size(const struct work *w, uint64_t u)
{
    return w->h->unit[u + 1] - w->h->unit[u];
}

/* The parts of every group, in the order of units. */
static void
find_parts(struct work *w)
{
    const struct hold_out *h = w->h;
    size_t *end = mem_array(h->n_groups + 1, sizeof(*end)), u, i, at;
    uint64_t r;

    w->first = mem_array(h->n_groups + 1, sizeof(*w->first));
    w->part = mem_array(h->n_records + 1, sizeof(*w->part));
    for (r = 0; r < h->n_records; r++)
        w->first[h->group[r] + 1]++;
    for (i = 0; i < h->n_groups; i++)
        w->first[i + 1] += w->first[i];
    for (i = 0; i < h->n_groups; i++)
        end[i] = w->first[i];
    for (u = 0; u < h->n_units; u++) {
        for (r = h->unit[u]; r < h->unit[u + 1]; r++) {
            i = h->group[r];
            at = end[i];
            if (at == w->first[i] || w->part[at - 1].unit != u)
                w->part[end[i]++] = (struct part){ u, 1 };
            else
                w->part[at - 1].n++;
        }
    }
    free(end);
}

/* Of a unit of n records, h of them in groups held out: how many it keeps
 * held out, and how many it loses. */
static void
settle(uint64_t n, uint64_t h, int64_t sign, int64_t *held, int64_t *lost)
{
    if (2 * h > n) {
        *held += sign * (int64_t)h;
        *lost += sign * (int64_t)(n - h);
    } else {
        *lost += sign * (int64_t)h;
    }
}

/* What holding out group g would add. */
static void
weigh(const struct work *w, uint32_t g, int64_t *held, int64_t *lost)
{
    const struct part *p = w->part + w->first[g];
    const struct part *end = w->part + w->first[g + 1];
    uint64_t n, h;

    *held = *lost = 0;
    for (; p < end && p->n > 0; p++) {
        n = unit_size(w, p->unit);
        h = w->held[p->unit];
        settle(n, h, -1, held, lost);
        settle(n, h + p->n, 1, held, lost);
    }
}

/* Adds the records of group g to those held out, or takes them off again. */
static void
mark(struct work *w, uint32_t g, bool out)
{
    const struct part *p = w->part + w->first[g];
    const struct part *end = w->part + w->first[g + 1];

    for (; p < end && p->n > 0; p++)
        w->held[p->unit] += out ? p->n : -p->n;
}

/* Holds out n groups together if that is worth its price. */
static bool
take(struct work *w, const uint32_t *g, size_t n, double price)
{
    const double want = (w->h->val + w->h->test) * (double)w->h->n_records;
    double lack = want - (double)w->n_held;
    int64_t held = 0, lost = 0, more_held, more_lost;
    size_t i;

    for (i = 0; i < n; i++) {
        weigh(w, g[i], &more_held, &more_lost);
        held += more_held;
        lost += more_lost;
        mark(w, g[i], true);
    }
    if (held <= 0 || (double)held > w->most
        || fabs(lack - (double)held) >= fabs(lack)
        || (double)lost > price * (double)held
        || ((int64_t)w->n_lost + lost) * HOLD_OUT_LOSS
           > (int64_t)w->h->n_records) {
        for (i = 0; i < n; i++)
            mark(w, g[i], false);
        return false;
    }
    for (i = 0; i < n; i++)
        w->side[g[i]] = SIDE_TEST;
    w->n_held += (uint64_t)held;
    w->n_lost = (uint64_t)((int64_t)w->n_lost + lost);
    return true;
}

/* Holds out, if that is worth it, all groups of the first commit of group g:
 * where every commit has several, no single one ever is. */
static bool
take_commit(struct work *w, uint32_t g, double price)
{
    uint64_t u = w->part[w->first[g]].unit, r;
    uint32_t together[MAX_TOGETHER], other;
    size_t n = 0, i;

    if (unit_size(w, u) > MAX_TOGETHER)
        return false;
    for (r = w->h->unit[u]; r < w->h->unit[u + 1]; r++) {
        other = w->h->group[r];
        for (i = 0; i < n && together[i] != other; i++)
            ;
        if (i == n && w->side[other] == SIDE_TRAIN)
            together[n++] = other;
    }
    return take(w, together, n, price);
}

/* A round through the groups that are not held out; whether it changed
 * anything. */
static bool
go_round(struct work *w, double price, bool commits)
{
    bool any = false;
    uint32_t g;
    size_t i;

    for (i = 0; i < w->h->n_groups; i++) {
        g = w->order[i].group;
        if (w->side[g] == SIDE_TRAIN)
            any |= commits ? take_commit(w, g, price)
                           : take(w, &g, 1, price);
    }
    return any;
}

static void
choose(struct work *w)
{
    static const double price[] = {0.125, 0.25, 0.5, 1, INFINITY};
    size_t k;
    int round;

    for (k = 0; k < sizeof(price) / sizeof(*price); k++) {
        for (round = 0; round < MAX_ROUNDS; round++) {
            if (!go_round(w, price[k], false)
                && !go_round(w, price[k], true))
                break;
        }
    }
}

/* What is larger than a part should be would leave the other one empty, so
 * it is held out only where the rest does not suffice. */
static void
choose_all(struct work *w)
{
    const struct hold_out *h = w->h;

    w->most = fmax(h->val, h->test) * (double)h->n_records;
    choose(w);
    w->most = INFINITY;
    choose(w);
}

/* ---- order ---- */

static int
by_key(const void *a, const void *b)
{
    const struct drawn *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->group < y->group ? -1 : x->group > y->group;
}

static int
by_size(const void *a, const void *b)
{
    const struct drawn *x = a, *y = b;

    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return by_key(a, b);
}

static void
draw(struct work *w)
{
    const uint64_t seed = w->h->seed;
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)}, out[4];
    size_t i;

    w->order = mem_array(w->h->n_groups + 1, sizeof(*w->order));
    for (i = 0; i < w->h->n_groups; i++) {
        uint64_t name = w->h->name[i];
        uint32_t counter[4] = {(uint32_t)name, (uint32_t)(name >> 32), 0, 0};

        philox(out, counter, key);
        w->order[i].key = (uint64_t)out[0] << 32 | out[1];
        w->order[i].group = (uint32_t)i;
    }
    qsort(w->order, w->h->n_groups, sizeof(*w->order), by_key);
}

/* ---- val or test ---- */

/* How many records of a group held out its commits keep. */
static uint64_t
kept(const struct work *w, uint32_t g)
{
    const struct part *p = w->part + w->first[g];
    const struct part *end = w->part + w->first[g + 1];
    uint64_t n = 0;

    for (; p < end && p->n > 0; p++) {
        if (2 * (uint64_t)w->held[p->unit] > unit_size(w, p->unit))
            n += p->n;
    }
    return n;
}

static void
part_val_from_test(struct work *w)
{
    double got_val = 0, got_test = 0;
    struct drawn *d;
    size_t i;

    for (i = 0; i < w->h->n_groups; i++) {
        d = &w->order[i];
        d->size = w->side[d->group] == SIDE_TRAIN ? 0 : kept(w, d->group);
    }
    qsort(w->order, w->h->n_groups, sizeof(*w->order), by_size);
    for (i = 0; i < w->h->n_groups && w->order[i].size > 0; i++) {
        d = &w->order[i];
        if (got_val * w->h->test < got_test * w->h->val
            || w->h->test == 0) {
            w->side[d->group] = SIDE_VAL;
            got_val += (double)d->size;
        } else {
            got_test += (double)d->size;
        }
    }
}

static void
set_sides(const struct work *w, uint8_t *side)
{
    const struct hold_out *h = w->h;
    uint64_t r;
    size_t u;
    bool kept_held;

    for (u = 0; u < h->n_units; u++) {
        kept_held = 2 * (uint64_t)w->held[u] > unit_size(w, u);
        for (r = h->unit[u]; r < h->unit[u + 1]; r++) {
            side[r] = w->side[h->group[r]];
            if ((side[r] != SIDE_TRAIN) != kept_held)
                side[r] = SIDE_NONE;
        }
    }
}

void
hold_out(const struct hold_out *h, uint8_t *side)
{
    struct work w = { .h = h };

    w.held = mem_array(h->n_units + 1, sizeof(*w.held));
    w.side = mem_array(h->n_groups + 1, 1);
    find_parts(&w);
    draw(&w);
    choose_all(&w);
    part_val_from_test(&w);
    set_sides(&w, side);
    free(w.part);
    free(w.first);
    free(w.held);
    free(w.side);
    free(w.order);
}
