/* plot.c - a plane of 1000 units that is stretched to what the page is wide,
 * with lines that keep their width; letters stand beside it at percentages.
 */
#include "report/plot.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "report/html.h"
#include "report/scale.h"

#define WIDE 1000.0
#define LABEL 15    /* pixels between two labels' lines */
#define X_TICKS 4
#define PIXELS_A_TICK 38
#define DOTS 60     /* more points than that are a line */
#define PAD 0.04    /* of the range, above and below */

struct drawing {
    const struct plot *p;
    struct buf *b;
    struct scale x, y;
    double scale;
    size_t above; /* points that are out of the plane */
};

static double
x_of(const struct drawing *d, double step)
{
    return WIDE * scale_at(&d->x, step);
}

static double
y_of(const struct drawing *d, double value)
{
    return d->p->height * (1 - scale_at(&d->y, value * d->scale));
}

/* What is out of the plane is drawn at its edge, or a little beyond. */
static double
y_in(const struct drawing *d, double value)
{
    return fmin(fmax(y_of(d, value), -2), d->p->height + 2);
}

/* ---- axes ---- */

static bool
set_scales(struct drawing *d)
{
    const struct plot *p = d->p;
    const struct curve **curve = mem_array(p->n, sizeof(*curve));
    double low, high, pad;
    int ticks;
    bool any;

    for (size_t i = 0; i < p->n; i++)
        curve[i] = p->curve[i].curve;
    any = scale_range(curve, p->n, &low, &high);
    free(curve);
    if (!any)
        return false;
    low *= d->scale;
    high *= d->scale;
    if (p->mark_label) {
        low = fmin(low, p->mark);
        high = fmax(high, p->mark);
    }
    pad = PAD * (high - low);
    ticks = (int)fmax(2, p->height / PIXELS_A_TICK);
    if (p->from_zero)
        scale_set_round(&d->y, fmin(0, low), high, ticks);
    else
        scale_set(&d->y, low - pad, high + pad, ticks);
    scale_set(&d->x, 0, p->last_step ? (double)p->last_step : 1, X_TICKS);
    if (d->y.decimals > 6)
        d->y.decimals = 6;
    return true;
}

static void
put_axes(const struct drawing *d)
{
    struct buf *b = d->b;
    int h = d->p->height;

    for (size_t i = 0; i < d->y.n; i++) {
        double y = h * (1 - scale_at(&d->y, d->y.tick[i]));

        buf_addf(b, "<line class=grid x1=0 x2=\"100%%\" y1=\"%.1f\" "
                 "y2=\"%.1f\"/><text x=-7 y=\"%.1f\" class=e>", y, y,
                 y + 4);
        html_number(b, d->y.tick[i], d->y.decimals);
        buf_addstr(b, "</text>");
    }
    buf_addf(b, "<line class=axis x1=0 x2=\"100%%\" y1=%d y2=%d />", h, h);
    for (size_t i = 0; i < d->x.n; i++) {
        double x = 100 * scale_at(&d->x, d->x.tick[i]);

        if (d->x.tick[i] != floor(d->x.tick[i]))
            continue; /* half a step */
        buf_addf(b, "<line class=axis x1=\"%.2f%%\" x2=\"%.2f%%\" y1=%d "
                 "y2=%d /><text x=\"%.2f%%\" y=%d class=m>", x, x, h, h + 4,
                 x, h + 18);
        html_number(b, d->x.tick[i], 0);
        buf_addstr(b, "</text>");
    }
}

static void
put_mark(const struct drawing *d)
{
    double y = d->p->height * (1 - scale_at(&d->y, d->p->mark));

    if (!d->p->mark_label)
        return;
    buf_addf(d->b, "<line class=mark x1=0 x2=\"100%%\" y1=\"%.1f\" "
             "y2=\"%.1f\"/><text class=mark x=\"100%%\" dx=7 y=\"%.1f\">",
             y, y, y + 4);
    html_text(d->b, d->p->mark_label);
    buf_addstr(d->b, "</text>");
}

/* ---- curves ---- */

static void
put_class(const struct drawing *d, const struct plot_curve *c,
          const char *kind)
{
    buf_addf(d->b, " class=\"%s c%zu%s\"", kind, c->colour % PLOT_COLOURS,
             c->colour >= PLOT_COLOURS ? " dash" : "");
}

/* From the least to the greatest of each bucket. */
static void
put_band(const struct drawing *d, const struct plot_curve *pc)
{
    const struct curve *c = pc->curve;

    if (c->points == c->n || c->n < 2 || !pc->band)
        return;
    buf_addstr(d->b, "<path");
    put_class(d, pc, "band");
    for (size_t i = 0; i < c->n; i++)
        buf_addf(d->b, "%s%.1f %.1f", i ? "L" : " d=\"M",
                 x_of(d, (double)c->bucket[i].first),
                 y_in(d, c->bucket[i].max));
    for (size_t i = c->n; i-- > 0;)
        buf_addf(d->b, "L%.1f %.1f", x_of(d, (double)c->bucket[i].first),
                 y_in(d, c->bucket[i].min));
    buf_addstr(d->b, "Z\"/>");
}

/* The middle of a bucket's steps. */
static double
middle(const struct curve_bucket *k)
{
    return ((double)k->first + (double)k->last) / 2;
}

static void
put_line(struct drawing *d, const struct plot_curve *pc)
{
    const struct curve *c = pc->curve;

    buf_addstr(d->b, "<path");
    put_class(d, pc, pc->points ? "thin" : "line");
    buf_addstr(d->b, " d=\"");
    for (size_t i = 0; i < c->n; i++) {
        double y = curve_mean(c, i);

        d->above += y * d->scale > d->y.high;
        buf_addf(d->b, "%s%.1f %.1f", i == 0 || c->bucket[i].gap ? "M" : "L",
                 x_of(d, middle(&c->bucket[i])), y_in(d, y));
        if (i + 1 == c->n || c->bucket[i + 1].gap)
            buf_addstr(d->b, "h.1"); /* a point alone is seen, too */
    }
    buf_addstr(d->b, "\"/>");
}

/* Half of the interval at a step; NAN where there is none. */
static double
half_at(const struct curve *half, uint64_t step)
{
    for (size_t i = 0; half && i < half->n; i++)
        if (half->bucket[i].first == step && half->bucket[i].n == 1)
            return half->bucket[i].sum;
    return NAN;
}

/* Dots, and intervals around them. */
static void
put_dots(const struct drawing *d, const struct plot_curve *pc)
{
    const struct curve *c = pc->curve;

    if (c->n > DOTS)
        return;
    buf_addstr(d->b, "<path");
    put_class(d, pc, "bars");
    buf_addstr(d->b, " d=\"");
    for (size_t i = 0; i < c->n; i++) {
        double half = half_at(pc->half, c->bucket[i].first);
        double v = curve_mean(c, i);

        if (isfinite(half))
            buf_addf(d->b, "M%.1f %.1fV%.1f", x_of(d, middle(&c->bucket[i])),
                     y_in(d, v + half), y_in(d, v - half));
    }
    buf_addstr(d->b, "\"/><path");
    put_class(d, pc, "dots");
    buf_addstr(d->b, " d=\"");
    for (size_t i = 0; i < c->n; i++)
        buf_addf(d->b, "M%.1f %.1fh.01", x_of(d, middle(&c->bucket[i])),
                 y_in(d, curve_mean(c, i)));
    buf_addstr(d->b, "\"/>");
}

/* ---- labels ---- */

struct label {
    const struct plot_curve *curve;
    double y, at; /* where it should stand, and where there is room */
};

static int
by_height(const void *pa, const void *pb)
{
    const struct label *p = pa, *q = pb;

    if (p->y != q->y)
        return (p->y > q->y) - (p->y < q->y);
    return (p->curve > q->curve) - (p->curve < q->curve);
}

/* Downwards until none touches the one above, then up from the foot. */
static void
part_labels(struct label *l, size_t n, double height)
{
    double at = -height;

    for (size_t i = 0; i < n; i++) {
        l[i].at = fmax(l[i].y, at + LABEL);
        at = l[i].at;
    }
    at = height + LABEL;
    for (size_t i = n; i-- > 0;) {
        l[i].at = fmin(l[i].at, at - LABEL);
        at = l[i].at;
    }
}

static void
put_labels(const struct drawing *d)
{
    const struct plot *p = d->p;
    struct label *l = mem_array(p->n, sizeof(*l));
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++) {
        const struct curve *c = p->curve[i].curve;

        if (p->curve[i].label && c && c->n > 0)
            l[n++] = (struct label){
                &p->curve[i], y_in(d, curve_mean(c, c->n - 1))
            };
    }
    qsort(l, n, sizeof(*l), by_height);
    part_labels(l, n, p->height);
    for (size_t i = 0; i < n; i++) {
        buf_addf(d->b, "<text x=\"100%%\" dx=7 y=\"%.1f\" class=\"c%zu\">",
                 l[i].at + 4, l[i].curve->colour % PLOT_COLOURS);
        html_text(d->b, l[i].curve->label);
        if (l[i].curve->more) {
            buf_addstr(d->b, "<tspan class=more>");
            html_text(d->b, l[i].curve->more);
            buf_addstr(d->b, "</tspan>");
        }
        buf_addstr(d->b, "</text>");
    }
    free(l);
}

/* ---- all of it ---- */

/* What the plane does not show. */
static void
put_notes(const struct drawing *d)
{
    uint64_t lost = 0, first = UINT64_MAX;

    for (size_t i = 0; i < d->p->n; i++) {
        const struct curve *c = d->p->curve[i].curve;

        if (!c || c->lost == 0)
            continue;
        lost += c->lost;
        first = c->lost_first.step < first ? c->lost_first.step : first;
    }
    if (d->above == 0 && lost == 0)
        return;
    buf_addstr(d->b, "<p class=note>");
    if (lost > 0)
        buf_addf(d->b, "Not finite: %" PRIu64 " value%s, the first at step %"
                 PRIu64 "; the line is broken there. ", lost,
                 lost == 1 ? "" : "s", first);
    if (d->above > 0)
        buf_addf(d->b, "Higher than the figure: %zu point%s, drawn at its "
                 "edge.", d->above, d->above == 1 ? "" : "s");
    buf_addstr(d->b, "</p>");
}

static void
put_curves(struct drawing *d)
{
    const struct plot *p = d->p;

    buf_addf(d->b, "<svg class=plane width=\"100%%\" height=%d "
             "viewBox=\"0 0 1000 %d\" preserveAspectRatio=none>", p->height,
             p->height);
    for (size_t i = 0; i < p->n; i++)
        if (p->curve[i].curve && !p->curve[i].points)
            put_band(d, &p->curve[i]);
    for (size_t i = 0; i < p->n; i++)
        if (p->curve[i].curve && p->curve[i].curve->n > 0)
            put_line(d, &p->curve[i]);
    for (size_t i = 0; i < p->n; i++)
        if (p->curve[i].curve && p->curve[i].points)
            put_dots(d, &p->curve[i]);
    buf_addstr(d->b, "</svg>");
}

void
plot_put(struct buf *b, const struct plot *p)
{
    struct drawing d = { .p = p, .b = b, .scale = p->scale ? p->scale : 1 };

    buf_addstr(b, "<figure class=plot><figcaption><b>");
    html_text(b, p->title);
    buf_addstr(b, "</b> ");
    if (p->unit)
        html_text(b, p->unit);
    buf_addstr(b, "</figcaption>");
    if (!set_scales(&d)) {
        buf_addstr(b, "<p class=note>Nothing was measured.</p></figure>\n");
        return;
    }
    buf_addf(b, "<svg class=fig width=\"100%%\" height=%d role=img "
             "aria-label=\"", p->height + 24);
    html_text(b, p->title);
    buf_addstr(b, " by step\">");
    put_axes(&d);
    put_mark(&d);
    put_curves(&d);
    put_labels(&d);
    buf_addstr(b, "</svg>");
    put_notes(&d);
    buf_addstr(b, "</figure>\n");
}
