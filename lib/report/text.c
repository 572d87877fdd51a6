/* text.c - the report for a terminal. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/visible.h"
#include "report/report.h"
#include "report/text_plot.h"

#define ROWS 13
#define NAME_BYTES 120
#define LINES 8 /* of the time by op */

static void
put_name(struct buf *b, const char *name)
{
    visible_put(b, name, strlen(name), NAME_BYTES);
}

/* A row: what it is, and a number. */
static void
put_number(struct buf *b, const char *what, double v, int decimals,
           const char *unit)
{
    if (isfinite(v))
        buf_addf(b, "  %-24s %12.*f%s%s\n", what, decimals, v,
                 *unit ? " " : "", unit);
}

static void
put_steps(struct buf *b, const struct run_facts *run)
{
    const struct metrics *m = &run->metrics;

    buf_addf(b, "  %-24s %12llu of %llu%s\n", "steps",
             (unsigned long long)m->step,
             (unsigned long long)run_steps(run),
             run->manifest ? "" : ", not complete");
    put_number(b, "tokens", metrics_last(m, "tokens", NAN), 0, "");
    put_number(b, "time", m->lines ? m->seconds : NAN, 0, "s");
    if (m->seconds > 0)
        put_number(b, "tokens a second",
                   metrics_last(m, "tokens", NAN) / m->seconds, 0, "");
    put_number(b, "peak of memory",
               metrics_last(m, "peak_bytes", NAN) / (1 << 20), 1, "MiB");
}

static void
put_losses(struct buf *b, const struct metrics *m)
{
    const struct curve *train = metrics_curve(m, "loss");
    const struct curve *val = metrics_curve(m, "val_loss");

    if (train && train->points > 0)
        buf_addf(b, "  %-24s %12.4f from %.4f\n", "training loss",
                 train->last.value, train->first.value);
    if (train && train->lost > 0)
        buf_addf(b, "  %-24s %12llu from step %llu\n", "of it not finite",
                 (unsigned long long)train->lost,
                 (unsigned long long)train->lost_first.step);
    if (val && val->points > 0)
        buf_addf(b, "  %-24s %12.4f from %.4f\n", "validation loss",
                 val->last.value, val->first.value);
}

/* Where the time of the steps went, the longest first. */
static void
put_profile(struct buf *b, const struct run_facts *run)
{
    struct profile_line line[PROFILE_ROWS];
    size_t n = run_profile(line, run);

    if (n > 0)
        buf_addf(b, "  time by op%s\n", n > LINES ? ", the longest" : "");
    for (size_t i = 0; i < n && i < LINES; i++) {
        char name[40];

        snprintf(name, sizeof(name), "%.10s %.16s", line[i].phase,
                 line[i].op);
        buf_addstr(b, "    ");
        put_name(b, name);
        buf_addf(b, "%*s %11.3g s", strlen(name) < 22
                 ? 22 - (int)strlen(name) : 0, "", line[i].seconds);
        if (isfinite(line[i].share))
            buf_addf(b, " %5.1f%%", 100 * line[i].share);
        if (isfinite(line[i].of_peak))
            buf_addf(b, ", %.3g%% of the peak", 100 * line[i].of_peak);
        buf_addc(b, '\n');
    }
}

static void
put_score(struct buf *b, const cJSON *s)
{
    double d = score_number(s, "difference.loss");
    double half = score_number(s, "difference.half_width");

    put_number(b, "held out, base", score_number(s, "base.loss"), 4, "");
    put_number(b, "held out, adapter", score_number(s, "adapter.loss"), 4,
               "");
    put_number(b, "held out, other base", score_number(s, "compare.loss"), 4,
               "");
    if (isfinite(d) && isfinite(half))
        buf_addf(b, "  %-24s %12.4f +- %.4f\n", "difference", d, half);
    else
        put_number(b, "difference", d, 4, "");
    if (score_number(s, "prompts.checked") > 0) {
        put_number(b, "prompts with checks",
                   score_number(s, "prompts.checked"), 0, "");
        put_number(b, "passed by the base",
                   score_number(s, "prompts.base.passed"), 0, "");
        put_number(b, "passed by the adapter",
                   score_number(s, "prompts.adapter.passed"), 0, "");
    }
}

static void
put_run(struct buf *b, const struct run_facts *run, size_t columns)
{
    const struct metrics *m = &run->metrics;
    const struct curve *val = metrics_curve(m, "val_loss");

    put_name(b, run->name);
    buf_addstr(b, "\n\n");
    if (m->lines == 0)
        buf_addstr(b, "  no step was logged\n");
    text_plot(b, metrics_curve(m, "loss"), val, m->step, columns, ROWS);
    if (m->lines > 0)
        buf_addf(b, "%12s: training loss%s\n\n", "' .",
                 val && val->points ? ", o: validation loss" : "");
    put_steps(b, run);
    put_losses(b, m);
    put_profile(b, run);
    for (size_t i = 0; i < run->n_scores; i++)
        put_score(b, run->score[i]->summary);
}

void
report_text(const struct report *r, size_t columns, struct buf *b)
{
    for (size_t i = 0; i < r->n_runs; i++) {
        buf_addstr(b, i ? "\n" : "");
        put_run(b, &r->run[i], columns);
    }
    for (size_t i = 0; i < r->n_free; i++) {
        buf_addstr(b, i || r->n_runs ? "\n" : "");
        put_name(b, r->score[i].path);
        buf_addstr(b, "\n\n");
        put_score(b, r->score[i].summary);
    }
}
