/* page_summary.c - what can be said in a few sentences and numbers. */
#include <stdlib.h>
#include <string.h>

#include "report/page_parts.h"
#include "report/plot.h"

/* ---- one run ---- */

static void
put_parameters(struct buf *b, const struct run_facts *r)
{
    double all = run_number(r, "plan", "parameters", 0);
    double some = run_number(r, "plan", "trainable", 0);

    if (!(all > 0 && some > 0))
        return;
    buf_addstr(b, ", ");
    html_number(b, some, 0);
    buf_addstr(b, " trainable parameters beside ");
    html_number(b, all, 0);
    buf_addstr(b, " of the base");
}

static void
put_learned_from(struct buf *b, const struct report *r,
                 const struct run_facts *run)
{
    const struct set_split *train;
    const struct set_facts *s;

    if (run->data == NO_SET) {
        buf_addstr(b, "data that are not at hand");
        return;
    }
    s = &r->set[run->data];
    train = manifest_split(&s->manifest, "train");
    if (train) {
        html_count(b, train->records);
        buf_addstr(b, " records (");
        html_count(b, train->tokens);
        buf_addstr(b, " tokens) of ");
    }
    buf_addstr(b, "<b>");
    page_set_name(b, s);
    buf_addstr(b, "</b>");
}

static void
put_done(struct buf *b, const struct run_facts *run)
{
    const struct metrics *m = &run->metrics;
    uint64_t steps = run_steps(run);

    if (!run->manifest)
        buf_addstr(b, " <em>The run is not complete.</em>");
    if (m->lines == 0) {
        buf_addstr(b, " No step was logged.");
        return;
    }
    buf_addstr(b, " It took ");
    html_count(b, m->step);
    if (steps > 0) {
        buf_addstr(b, " of ");
        html_count(b, steps);
    }
    buf_addstr(b, " steps, ");
    html_number(b, metrics_last(m, "tokens", NAN), 0);
    buf_addstr(b, " tokens, in ");
    html_time(b, m->seconds);
    buf_addstr(b, " of training.");
}

/* Which step's the result is, and why the run ended where it did. */
static void
put_result(struct buf *b, const struct run_facts *run)
{
    const cJSON *ended = cJSON_GetObjectItemCaseSensitive(run->manifest,
                                                          "ended");
    double step = score_number(run->manifest, "best.step");

    if (cJSON_IsString(ended) && strcmp(ended->valuestring, "patience") == 0)
        buf_addstr(b, " It was ended early, as validation had not become "
                   "better for as long as it was to be waited.");
    else if (cJSON_IsString(ended)) {
        buf_addstr(b, " It was ended early: ");
        html_text(b, ended->valuestring);
        buf_addstr(b, ".");
    }
    if (!isfinite(step))
        return;
    buf_addstr(b, " The result is that of step ");
    html_number(b, step, 0);
    buf_addstr(b, ", whose validation loss was the least: ");
    html_number(b, score_number(run->manifest, "best.val_loss"), 3);
    buf_addstr(b, ".");
}

static void
put_sentences(struct buf *b, const struct report *r,
              const struct run_facts *run)
{
    buf_addstr(b, "<p class=lead>");
    page_method(b, run);
    put_parameters(b, run);
    buf_addstr(b, ", trained on ");
    put_learned_from(b, r, run);
    buf_addstr(b, ".");
    put_done(b, run);
    put_result(b, run);
    buf_addstr(b, "</p>\n");
}

/* A number that is looked at first, and what it is. */
static void
begin_figure(struct buf *b, const char *what)
{
    buf_addf(b, "<div><dt>%s</dt><dd><b>", what);
}

static void
put_difference(struct buf *b, const struct score_file *s)
{
    double d = score_number(s->summary, "difference.loss");
    double half = score_number(s->summary, "difference.half_width");

    html_number(b, d, 3);
    if (isfinite(half)) {
        buf_addstr(b, "</b> \u00b1 ");
        html_number(b, half, 3);
    } else {
        buf_addstr(b, "</b>");
    }
}

static void
put_figures(struct buf *b, const struct run_facts *run)
{
    const struct metrics *m = &run->metrics;
    const struct curve *val = metrics_curve(m, "val_loss");

    buf_addstr(b, "<dl class=figures>\n");
    if (val && val->points > 0) {
        begin_figure(b, "validation loss");
        html_number(b, val->last.value, 3);
        buf_addstr(b, "</b> from ");
        html_number(b, val->first.value, 3);
        buf_addstr(b, "</dd></div>\n");
    }
    for (size_t i = 0; i < run->n_scores && i < 1; i++) {
        if (!isfinite(score_number(run->score[i]->summary, "difference.loss")))
            continue;
        begin_figure(b, "held out, adapter less base");
        put_difference(b, run->score[i]);
        buf_addstr(b, "</dd></div>\n");
    }
    begin_figure(b, "tokens a second");
    html_number(b, m->seconds > 0 ?
                metrics_last(m, "tokens", NAN) / m->seconds : NAN, 0);
    buf_addstr(b, "</b></dd></div>\n");
    begin_figure(b, "peak of memory");
    html_bytes(b, metrics_last(m, "peak_bytes", NAN));
    buf_addstr(b, "</b></dd></div>\n</dl>\n");
}

/* ---- several ---- */

static void
put_state(struct buf *b, const struct run_facts *r)
{
    uint64_t steps = run_steps(r);

    if (!r->manifest)
        buf_addstr(b, "<em>");
    html_count(b, r->metrics.step);
    if (!r->manifest && steps > 0) {
        buf_addstr(b, " of ");
        html_count(b, steps);
    }
    if (!r->manifest)
        buf_addstr(b, "</em>");
}

static void
put_compared(struct buf *b, const struct run_facts *r, size_t i)
{
    const struct metrics *m = &r->metrics;
    const struct curve *val = metrics_curve(m, "val_loss");
    const struct score_file *s = r->n_scores > 0 ? r->score[0] : NULL;

    buf_addf(b, "<tr><th class=\"c%zu%s\"><i></i>", i % PLOT_COLOURS,
             i >= PLOT_COLOURS ? " dash" : "");
    html_text(b, r->name);
    buf_addstr(b, "</th><td class=n>");
    put_state(b, r);
    html_td_number(b, metrics_last(m, "tokens", NAN), 0);
    buf_addstr(b, "<td class=n>");
    html_time(b, m->lines > 0 ? m->seconds : NAN);
    html_td_number(b, metrics_last(m, "loss", NAN), 3);
    html_td_number(b, val && val->points ? val->first.value : NAN, 3);
    html_td_number(b, val && val->points ? val->last.value : NAN, 3);
    html_td_number(b, val && val->points ? val->least.value : NAN, 3);
    buf_addstr(b, "<td class=n>");
    if (s && isfinite(score_number(s->summary, "difference.loss"))) {
        html_number(b, score_number(s->summary, "difference.loss"), 3);
        buf_addstr(b, " \u00b1 ");
        html_number(b, score_number(s->summary, "difference.half_width"), 3);
    } else {
        html_text(b, NULL);
    }
    html_td_number(b, m->seconds > 0 ?
                   metrics_last(m, "tokens", NAN) / m->seconds : NAN, 0);
    buf_addstr(b, "<td class=n>");
    html_bytes(b, metrics_last(m, "peak_bytes", NAN));
    buf_addstr(b, "</tr>\n");
}

static void
put_table(struct buf *b, const struct report *r)
{
    buf_addstr(b, "<div class=wide><table>\n<thead><tr><th>run<th class=n>"
               "steps<th class=n>tokens<th class=n>time<th class=n>"
               "training loss<th class=n>validation, first<th class=n>last"
               "<th class=n>least<th class=n>held out, adapter less base"
               "<th class=n>tokens/s<th class=n>memory</tr></thead>\n"
               "<tbody>\n");
    for (size_t i = 0; i < r->n_runs; i++)
        put_compared(b, &r->run[i], i);
    buf_addstr(b, "</tbody></table></div>\n");
}

void
page_summary(struct buf *b, const struct report *r)
{
    size_t open = 0;

    if (r->n_runs == 1) {
        put_sentences(b, r, &r->run[0]);
        put_figures(b, &r->run[0]);
    } else if (r->n_runs > 1) {
        buf_addf(b, "<p class=lead>%zu runs compared.", r->n_runs);
        for (size_t i = 0; i < r->n_runs; i++)
            open += !r->run[i].manifest;
        if (open > 0)
            buf_addf(b, " <em>Not complete: %zu.</em>", open);
        buf_addstr(b, "</p>\n");
        put_table(b, r);
    }
}
