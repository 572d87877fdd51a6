/* lr_find.c - a step a rate; the mean over steps is what is looked at, for one
 * batch's loss says little. */
#include "train/lr_find.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/progress.h"

#define KEPT 0.98   /* of the mean, from a step to the next */
#define TOO_MUCH 4  /* times the least mean */
#define SETTLED 10  /* points before the mean says anything */

static void
smooth(struct lr_curve *c)
{
    double sum = 0, weight = 0, least = INFINITY;

    for (size_t i = 0; i < c->n; i++) {
        struct lr_point *p = &c->point[i];

        sum = KEPT * sum + (1 - KEPT) * p->loss;
        weight = KEPT * weight + (1 - KEPT);
        p->smooth = sum / weight;
        if (!isfinite(p->smooth)
            || (i >= SETTLED && p->smooth > TOO_MUCH * least)) {
            c->diverged = true;
            c->n = i;
            return;
        }
        least = fmin(least, p->smooth);
    }
}

void
lr_curve_read(struct lr_curve *c)
{
    double fall = 0;
    size_t low = 0;

    c->diverged = false;
    c->steepest = c->tenth = NAN;
    smooth(c);
    for (size_t i = SETTLED; i < c->n; i++) {
        const struct lr_point *a = &c->point[i - 1], *b = &c->point[i];
        double slope = (b->smooth - a->smooth) / log(b->lr / a->lr);

        if (slope < fall) {
            fall = slope;
            c->steepest = b->lr;
        }
        if (low == 0 || b->smooth < c->point[low].smooth)
            low = i;
    }
    if (fall < 0)
        c->tenth = c->point[low].lr / 10;
}

static void
add_point(struct lr_curve *c, double lr, double loss)
{
    if ((c->n & (c->n - 1)) == 0) /* 0, 1, 2, 4, ... are there */
        c->point = mem_grow(c->point, 2 * (c->n + 1) * sizeof(*c->point));
    c->point[c->n++] = (struct lr_point){ .lr = lr, .loss = loss };
}

int
lr_find(struct lr_curve *c, struct trainer *t, uint64_t steps,
        struct err *e)
{
    double ratio = LR_FIND_TO / LR_FIND_FROM;
    int rc = 0;

    memset(c, 0, sizeof(*c));
    t->opts.course = (struct course){ .kind = SCHEDULE_CONSTANT };
    t->opts.max_bad = 0;
    progress_begin("steps", 0, steps);
    for (uint64_t i = 0; i < steps && rc == 0; i++) {
        double part = steps > 1 ? (double)i / (double)(steps - 1) : 1;
        struct step_report r = { .loss = NAN };

        t->opts.course.peak = LR_FIND_FROM * pow(ratio, part);
        rc = trainer_step(t, e);
        if (rc == 0)
            rc = trainer_report(t, &r, e) < 0 ? e->code : 0;
        if (rc < 0 || (r.skipped && r.supervised == 0))
            continue;
        add_point(c, r.lr, r.skipped ? NAN : r.loss);
        if (!isfinite(c->point[c->n - 1].loss))
            break;
        progress_add(1);
    }
    progress_end();
    c->stopped = rc == ERR_AGAIN;
    if (rc == 0 || c->stopped)
        lr_curve_read(c);
    else
        lr_curve_release(c);
    return rc;
}

void
lr_curve_json(const struct lr_curve *c, struct buf *b)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct lr_point *p = &c->point[i];

        buf_addf(b, "{\"step\": %zu", i + 1);
        json_put_number(b, "lr", p->lr);
        json_put_number(b, "loss", p->loss);
        json_put_number(b, "smooth", p->smooth);
        buf_addstr(b, "}\n");
    }
    if (c->stopped) /* what is there advises nothing */
        return;
    buf_addf(b, "{\"diverged\": %s", c->diverged ? "true" : "false");
    json_put_number(b, "steepest", c->steepest);
    json_put_number(b, "tenth", c->tenth);
    buf_addstr(b, "}\n");
}

void
lr_curve_release(struct lr_curve *c)
{
    free(c->point);
    memset(c, 0, sizeof(*c));
}
