/* effort.c - an upper bound of xdiff's work, as close as it is cheap. */
#include "repo/effort.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

#define LEAST_CAP 256

/* Lines as numbers: equal lines have equal ones. */
struct numbered {
    uint32_t *line[2];
    size_t n[2];
    size_t n_shared; /* of both sides: lines that the other one has, too */
};

/* xdiff's cap is the power of two above the root of the lines. */
static bool
cheap(uint64_t lines)
{
    uint64_t cap = LEAST_CAP;

    while (cap * cap <= lines + 3)
        cap *= 2;
    return lines * cap <= EFFORT_MAX;
}

static void
number_side(struct numbered *d, int side, const struct effort_text *t,
            struct map *lines)
{
    const char *p = t->p, *end = p + t->n, *eol;

    d->line[side] = mem_array(t->n_lines + 1, sizeof(*d->line[side]));
    d->n[side] = 0;
    for (; p < end; p = eol) {
        eol = memchr(p, '\n', (size_t)(end - p));
        eol = eol ? eol + 1 : end;
        d->line[side][d->n[side]++] = (uint32_t)
            map_put(lines, p, (size_t)(eol - p), lines->n, NULL)->value;
    }
}

static void
count_shared(struct numbered *d, size_t n_different)
{
    unsigned char *sides = mem_alloc(n_different + 1);
    size_t i;
    int s;

    for (s = 0; s < 2; s++) {
        for (i = 0; i < d->n[s]; i++)
            sides[d->line[s][i]] |= (unsigned char)(1 << s);
    }
    d->n_shared = 0;
    for (s = 0; s < 2; s++) {
        for (i = 0; i < d->n[s]; i++)
            d->n_shared += sides[d->line[s][i]] == 3;
    }
    free(sides);
}

/* Whether at most max lines removed and added turn one side into the other:
 * E. Myers' greedy search, furthest points by diagonal. */
static bool
near(const struct numbered *d, size_t max)
{
    const ptrdiff_t n = (ptrdiff_t)d->n[0], m = (ptrdiff_t)d->n[1];
    const uint32_t *a = d->line[0], *b = d->line[1];
    ptrdiff_t *points = mem_array(2 * max + 3, sizeof(*points));
    ptrdiff_t *far = points + max + 1;
    ptrdiff_t i, x, k;
    bool met = false;

    for (i = 0; !met && i <= (ptrdiff_t)max; i++) {
        for (k = -i; !met && k <= i; k += 2) {
            if (k == -i || (k != i && far[k - 1] < far[k + 1]))
                x = far[k + 1];
            else
                x = far[k - 1] + 1;
            while (x < n && x - k < m && a[x] == b[x - k])
                x++;
            far[k] = x;
            met = x >= n && x - k >= m;
        }
    }
    free(points);
    return met;
}

bool
effort_bearable(const struct effort_text side[2])
{
    struct numbered d;
    struct map lines;
    bool yes;

    if (cheap(side[0].n_lines + side[1].n_lines))
        return true;
    map_init(&lines);
    number_side(&d, 0, &side[0], &lines);
    number_side(&d, 1, &side[1], &lines);
    count_shared(&d, lines.n);
    map_release(&lines);
    yes = cheap(d.n_shared) || near(&d, EFFORT_MAX / d.n_shared);
    free(d.line[0]);
    free(d.line[1]);
    return yes;
}
