/* page_training.c - what a run logged, as curves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/page_parts.h"
#include "report/plot.h"

#define HIGH 260 /* pixels: of the figure of losses */
#define LOW 130
#define LABEL_BYTES 48
#define LABEL_ROWS 15 /* pixels a label of a run takes */

static uint64_t
last_step(const struct report *r)
{
    uint64_t last = 1;

    for (size_t i = 0; i < r->n_runs; i++)
        if (r->run[i].metrics.step > last)
            last = r->run[i].metrics.step;
    return last;
}

/* The texts at the ends of a run's two curves. */
struct labels {
    char train[LABEL_BYTES], val[LABEL_BYTES], half[LABEL_BYTES];
};

static void
set_label(char out[LABEL_BYTES], const char *what, const struct curve *c)
{
    if (c && c->points > 0)
        snprintf(out, LABEL_BYTES, "%.20s%s%.3f", what, *what ? " " : "",
                 c->last.value);
}

/* Training in the run's colour; validation too, or of a single run in the
 * next one. */
static void
set_curves(struct plot_curve out[2], struct labels *l,
           const struct run_facts *run, size_t i, bool alone)
{
    const struct metrics *m = &run->metrics;
    const struct curve *train = metrics_curve(m, "loss");
    const struct curve *val = metrics_curve(m, "val_loss");
    const struct curve *half = metrics_curve(m, "val_half_width");

    set_label(l->train, alone ? "training" : run->name, train);
    set_label(l->val, "validation", val);
    set_label(l->half, " \u00b1", half);
    out[0] = (struct plot_curve){ train, .label = l->train, .colour = i,
                                  .band = alone };
    out[1] = (struct plot_curve){
        val, half, alone ? l->val : NULL, .more = l->half,
        .colour = i + alone, .points = true
    };
}

static void
put_losses(struct buf *b, const struct report *r)
{
    struct plot_curve *curve = mem_array(2 * r->n_runs, sizeof(*curve));
    struct labels *label = mem_array(r->n_runs, sizeof(*label));
    struct plot p = {
        "Loss", "nats a token", curve, .n = 2 * r->n_runs,
        .last_step = last_step(r), .height = HIGH
    };

    if (r->n_runs * LABEL_ROWS > HIGH)
        p.height = (int)r->n_runs * LABEL_ROWS;
    for (size_t i = 0; i < r->n_runs; i++)
        set_curves(curve + 2 * i, &label[i], &r->run[i], i, r->n_runs == 1);
    plot_put(b, &p);
    free(label);
    free(curve);
}

/* One number of every run. */
struct small {
    const char *name, *title, *unit;
    double scale;
    bool from_zero;
};

#define MIB (1.0 / (1 << 20))

/* What has a figure of its own; the rate is put before them. */
static const struct small small[] = {
    { "tok_s", "Throughput", "tokens a second", .from_zero = true },
    { "loss_at_end", "Loss after the last step", "nats a token, by the trend"
    },
    { "z_loss", "z-loss", "nats a token", .from_zero = true },
    { "router_aux_loss", "Load-balancing loss", "nats a token",
      .from_zero = true },
    { "grad_norm", "Norm of the gradient", "before clipping",
      .from_zero = true },
    { "peak_bytes", "Peak of memory", "MiB", .scale = MIB,
      .from_zero = true },
    { "machine.temperature", "Temperature", "degrees Celsius" },
    { "machine.load", "Load", "runnable processes a processor",
      .from_zero = true },
    { "machine.free_bytes", "Memory that is free", "MiB", .scale = MIB,
      .from_zero = true },
    { "machine.throttled", "Slowed down for heat", "times", .scale = 1 },
};

#define SMALL (sizeof(small) / sizeof(*small))

static double
largest(const struct report *r, const char *name)
{
    double most = 0;

    for (size_t i = 0; i < r->n_runs; i++) {
        const struct curve *c = metrics_curve(&r->run[i].metrics, name);

        if (c && c->points > 0)
            most = fmax(most, c->most.value);
    }
    return most;
}

static bool
has(const struct report *r, const char *name)
{
    for (size_t i = 0; i < r->n_runs; i++) {
        const struct curve *c = metrics_curve(&r->run[i].metrics, name);

        if (c && c->points > 0)
            return true;
    }
    return false;
}

static void
put_small(struct buf *b, const struct report *r, const struct small *s)
{
    struct plot_curve *curve = mem_array(r->n_runs, sizeof(*curve));
    struct plot p = {
        s->title, s->unit, curve, .n = r->n_runs,
        .last_step = last_step(r), .scale = s->scale, .height = LOW,
        .from_zero = s->from_zero
    };

    for (size_t i = 0; i < r->n_runs; i++)
        curve[i] = (struct plot_curve){
            metrics_curve(&r->run[i].metrics, s->name), .colour = i,
            .band = r->n_runs == 1
        };
    plot_put(b, &p);
    free(curve);
}

/* The rate in a unit that leaves few zeros. */
static void
put_rate(struct buf *b, const struct report *r)
{
    static const char *const raised[] = {
        "\u2070", "\u00b9", "\u00b2", "\u00b3", "\u2074", "\u2075",
        "\u2076", "\u2077", "\u2078", "\u2079"
    };
    double most = largest(r, "lr");
    int power = most > 0 ? (int)floor(log10(most) + 1e-9) : 0;
    char unit[32];
    struct small s = { "lr", "Learning rate", unit, .from_zero = true };

    if (power < -12 || power >= 0)
        power = 0;
    s.scale = pow(10, -power);
    unit[0] = '\0';
    if (power != 0)
        snprintf(unit, sizeof(unit), "\u00d7 10\u207b%s%s",
                 -power >= 10 ? raised[1] : "", raised[-power % 10]);
    put_small(b, r, &s);
}

/* Numbers that are in the lines besides those that have a figure of their
 * own. */
static void
put_others(struct buf *b, const struct report *r)
{
    static const char *const shown[] = {
        "loss", "lr", "tokens", "supervised", "skipped", "val_loss",
        "val_half_width", "val_tokens", "val_records", "val_clusters",
    };

    for (size_t i = 0; i < r->n_runs; i++) {
        const struct metrics *m = &r->run[i].metrics;

        for (size_t k = 0; k < m->n; k++) {
            struct small s = { m->series[k].name, m->series[k].name, "" };
            bool known = m->series[k].curve.points == 0;

            for (size_t n = 0; n < sizeof(shown) / sizeof(*shown); n++)
                known = known || strcmp(shown[n], s.name) == 0;
            for (size_t n = 0; n < SMALL; n++)
                known = known || strcmp(small[n].name, s.name) == 0;
            for (size_t n = 0; n < i && !known; n++)
                known = metrics_curve(&r->run[n].metrics, s.name) != NULL;
            if (!known)
                put_small(b, r, &s);
        }
    }
}

/* ---- what is not as it should be ---- */

static void
put_damage(struct buf *b, const struct report *r, const struct run_facts *run)
{
    const struct metrics *m = &run->metrics;
    const struct curve *loss = metrics_curve(m, "loss");
    double skipped = metrics_last(m, "skipped", 0);
    size_t before;

    buf_addstr(b, "<p class=note>");
    before = b->len;
    if (m->missing)
        buf_addstr(b, "There is no metrics.jsonl: nothing was logged. ");
    else if (m->lines == 0)
        buf_addstr(b, "No step was logged yet. ");
    if (m->cut)
        buf_addstr(b, "The last line of metrics.jsonl is cut off, and left "
                   "out: the run was ended while it wrote, or writes. ");
    if (m->bad > 0)
        buf_addf(b, "Lines of metrics.jsonl that are none, and left out: "
                 "%llu, the first is line %llu. ", (unsigned long long)m->bad,
                 (unsigned long long)m->first_bad);
    if (loss && loss->behind > 0)
        buf_addf(b, "Lines that go back to an earlier step, and left out: "
                 "%llu. ", (unsigned long long)loss->behind);
    if (skipped > 0)
        buf_addf(b, "Steps that were left out, for a loss or gradient that "
                 "was not finite or nothing to learn: %.0f. ", skipped);
    if (m->unnamed > 0)
        buf_addf(b, "Numbers of more than %d names: %llu are not shown. ",
                 METRICS_SERIES, (unsigned long long)m->unnamed);
    if (b->len > before && r->n_runs > 1) {
        buf_addstr(b, "(");
        html_text(b, run->name);
        buf_addstr(b, ")");
    }
    if (b->len > before)
        buf_addstr(b, "</p>\n");
    else
        b->len = before - strlen("<p class=note>");
    b->data[b->len] = '\0';
}

void
page_training(struct buf *b, const struct report *r)
{
    if (r->n_runs == 0)
        return;
    buf_addstr(b, "<section>\n<h2>Training</h2>\n");
    page_key(b, r);
    for (size_t i = 0; i < r->n_runs; i++)
        put_damage(b, r, &r->run[i]);
    if (has(r, "loss") || has(r, "val_loss"))
        put_losses(b, r);
    if (r->n_runs > 1 && has(r, "val_loss"))
        buf_addstr(b, "<p class=sub>Lines: training; dots: validation.</p>\n");
    buf_addstr(b, "<div class=small>\n");
    if (has(r, "lr"))
        put_rate(b, r);
    for (size_t i = 0; i < SMALL; i++)
        if (has(r, small[i].name))
            put_small(b, r, &small[i]);
    put_others(b, r);
    buf_addstr(b, "</div>\n</section>\n");
}
