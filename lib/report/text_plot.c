/* text_plot.c - two dots a character. */
#include "report/text_plot.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/scale.h"

#define MARGIN 10 /* characters of numbers and the axis */

struct plane {
    char *cell; /* rows of `wide` characters */
    size_t wide;
    int rows;
    struct scale y;
    double last_step;
};

/* The cell of a point, and whether it is in the lower half; NULL outside. */
static char *
cell_at(const struct plane *p, double step, double value, bool *low)
{
    double x = step / p->last_step * (double)(p->wide - 1);
    double y = (1 - scale_at(&p->y, value)) * (2 * p->rows - 1);
    long half = lround(y);

    if (!(x >= 0 && x < (double)p->wide) || half < 0 || half >= 2 * p->rows)
        return NULL;
    *low = half % 2 == 1;
    return &p->cell[(size_t)(half / 2) * p->wide + (size_t)x];
}

static void
put_point(const struct plane *p, double step, double value)
{
    bool low;
    char *cell = cell_at(p, step, value, &low);
    char dot = low ? '.' : '\'';

    if (cell)
        *cell = *cell == ' ' || *cell == dot ? dot : ':';
}

static double
middle(const struct curve_bucket *k)
{
    return ((double)k->first + (double)k->last) / 2;
}

/* Each column between two means, too. */
static void
put_line(const struct plane *p, const struct curve *c)
{
    for (size_t i = 0; i < c->n; i++) {
        double x = middle(&c->bucket[i]), y = curve_mean(c, i), from, step;

        put_point(p, x, y);
        if (i == 0 || c->bucket[i].gap)
            continue;
        from = middle(&c->bucket[i - 1]);
        step = p->last_step / (double)(p->wide - 1);
        for (double at = x - step; at > from; at -= step)
            put_point(p, at, y + (curve_mean(c, i - 1) - y) * (x - at)
                             / (x - from));
    }
}

static void
put_marks(const struct plane *p, const struct curve *c)
{
    bool low;
    char *cell;

    for (size_t i = 0; i < c->n; i++) {
        cell = cell_at(p, middle(&c->bucket[i]), curve_mean(c, i), &low);
        if (cell)
            *cell = 'o';
    }
}

static void
print(struct buf *b, const struct plane *p)
{
    char last[32];
    int n;

    for (int row = 0; row < p->rows; row++) {
        const char *cell = p->cell + (size_t)row * p->wide;
        size_t wide = p->wide;
        double v = p->y.high - (p->y.high - p->y.low) * row / (p->rows - 1);

        while (wide > 0 && cell[wide - 1] == ' ')
            wide--;
        if (row % 4 == 0 || row == p->rows - 1)
            buf_addf(b, "%8.4g |", v);
        else
            buf_addf(b, "%8s |", "");
        buf_add(b, cell, wide);
        buf_addc(b, '\n');
    }
    buf_addf(b, "%8s +", "");
    for (size_t i = 0; i < p->wide; i++)
        buf_addc(b, '-');
    n = snprintf(last, sizeof(last), "step %.0f", p->last_step);
    buf_addf(b, "\n%8s  0%*s%s\n", "", (int)p->wide - 1 - n, "", last);
}

void
text_plot(struct buf *b, const struct curve *line,
          const struct curve *points, uint64_t last_step, size_t columns,
          int rows)
{
    const struct curve *both[] = { line, points };
    struct plane p = {
        .wide = columns > MARGIN + 24 ? columns - MARGIN : 24, .rows = rows,
        .last_step = last_step ? (double)last_step : 1
    };
    double low, high;

    if (!scale_range(both, 2, &low, &high))
        return;
    scale_set(&p.y, low, high, 4);
    p.cell = mem_alloc(p.wide * (size_t)rows);
    memset(p.cell, ' ', p.wide * (size_t)rows);
    if (line)
        put_line(&p, line);
    if (points)
        put_marks(&p, points);
    print(b, &p);
    free(p.cell);
}
