/* forest.c - dots and bars on one axis, at percentages of its width. */
#include "report/forest.h"

#include <math.h>

#include "report/curve.h"
#include "report/html.h"
#include "report/scale.h"

#define ROW 24   /* pixels */
#define GROUP 12
#define TOP 6
#define TICKS 4

/* What can be drawn. */
static bool
is_drawn(const struct forest_row *r)
{
    return fabs(r->value) <= CURVE_LARGEST;
}

static bool
has_bar(const struct forest_row *r)
{
    return fabs(r->low) <= CURVE_LARGEST && fabs(r->high) <= CURVE_LARGEST;
}

static bool
set_scale(struct scale *s, const struct forest_row *row, size_t n, bool zero)
{
    double low = zero ? 0 : INFINITY, high = zero ? 0 : -INFINITY;

    for (size_t i = 0; i < n; i++) {
        if (!is_drawn(&row[i]))
            continue;
        low = fmin(low, row[i].value);
        high = fmax(high, row[i].value);
        if (has_bar(&row[i])) {
            low = fmin(low, row[i].low);
            high = fmax(high, row[i].high);
        }
    }
    if (!(low <= high))
        return false;
    scale_set(s, low - 0.05 * (high - low), high + 0.05 * (high - low),
              TICKS);
    return true;
}

static double
at(const struct scale *s, double v)
{
    return 100 * scale_at(s, v);
}

static void
put_row(struct buf *b, const struct scale *s, const struct forest_row *r,
        int y, int decimals)
{
    size_t colour = r->colour % 8;

    buf_addf(b, "<text x=-10 y=%d class=e>", y + 4);
    html_text(b, r->label);
    buf_addstr(b, "</text>");
    if (has_bar(r))
        buf_addf(b, "<line class=\"bar c%zu\" x1=\"%.2f%%\" x2=\"%.2f%%\" "
                 "y1=%d y2=%d />", colour, at(s, r->low), at(s, r->high), y,
                 y);
    buf_addf(b, "<circle class=\"dot c%zu\" cx=\"%.2f%%\" cy=%d r=4 />"
             "<text x=\"100%%\" dx=10 y=%d>", colour, at(s, r->value), y,
             y + 4);
    html_number(b, r->value, decimals);
    buf_addstr(b, "</text>");
}

static void
put_axis(struct buf *b, const struct scale *s, bool zero, int height)
{
    for (size_t i = 0; i < s->n; i++) {
        double x = at(s, s->tick[i]);

        buf_addf(b, "<line class=grid x1=\"%.2f%%\" x2=\"%.2f%%\" y1=0 "
                 "y2=%d /><text class=m x=\"%.2f%%\" y=%d>", x, x, height, x,
                 height + 15);
        html_number(b, s->tick[i], s->decimals);
        buf_addstr(b, "</text>");
    }
    if (zero)
        buf_addf(b, "<line class=axis x1=\"%.2f%%\" x2=\"%.2f%%\" y1=0 "
                 "y2=%d />", at(s, 0), at(s, 0), height);
}

void
forest_put(struct buf *b, const char *title, const char *unit,
           const struct forest_row *row, size_t n, bool zero, int decimals)
{
    int height = TOP, y;
    struct scale s;

    if (!set_scale(&s, row, n, zero))
        return;
    for (size_t i = 0; i < n; i++)
        if (is_drawn(&row[i]))
            height += ROW + (row[i].next ? GROUP : 0);
    buf_addstr(b, "<figure class=forest><figcaption><b>");
    html_text(b, title);
    buf_addstr(b, "</b> ");
    html_text(b, unit);
    buf_addf(b, "</figcaption><svg class=fig width=\"100%%\" height=%d "
             "role=img aria-label=\"", height + 20);
    html_text(b, title);
    buf_addstr(b, "\">");
    put_axis(b, &s, zero, height);
    y = TOP + ROW / 2;
    for (size_t i = 0; i < n; i++) {
        if (!is_drawn(&row[i]))
            continue;
        y += row[i].next ? GROUP : 0;
        put_row(b, &s, &row[i], y, decimals);
        y += ROW;
    }
    buf_addstr(b, "</svg></figure>\n");
}
