/* page_scores.c - base against adapter, on held-out records and on prompts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/forest.h"
#include "report/page_parts.h"

/* ---- held-out records ---- */

/* The losses that a summary can have: what is measured, and on which side. */
static const struct {
    const char *prefix, *side, *label;
    size_t colour;
    bool next;
} losses[] = {
    { "", "base", "target, base", .colour = 7, .next = true },
    { "", "adapter", "target, adapter" },
    { "", "compare", "target, other base", .colour = 1 },
    { "all", "base", "all, base", .colour = 7, .next = true },
    { "all", "adapter", "all, adapter" },
    { "all", "compare", "all, other base", .colour = 1 },
    { "forgetting", "base", "other text, base", .colour = 7, .next = true },
    { "forgetting", "adapter", "other text, adapter" },
    { "forgetting", "compare", "other text, other base", .colour = 1 },
};

#define LOSSES (sizeof(losses) / sizeof(*losses))

static void
put_loss_figure(struct buf *b, const struct score_file *s)
{
    struct forest_row row[LOSSES];

    for (size_t i = 0; i < LOSSES; i++) {
        const cJSON *side = score_get(score_get(s->summary, losses[i].prefix),
                                      losses[i].side);
        double v = score_number(side, "loss");
        double half = score_number(side, "half_width");

        row[i] = (struct forest_row){
            losses[i].label, v, .low = v - half, .high = v + half,
            .colour = losses[i].colour, .next = losses[i].next && i > 0
        };
    }
    forest_put(b, "Loss on held-out records",
               "nats a token, with 95% intervals over commits", row, LOSSES,
               false, 3);
}

static void
put_loss_row(struct buf *b, const cJSON *part, const char *side,
             const char *label)
{
    const cJSON *v = score_get(part, side);

    if (!v)
        return;
    buf_addf(b, "<tr><th>%s", label);
    html_td_number(b, score_number(v, "loss"), 4);
    html_td_number(b, score_number(v, "half_width"), 4);
    buf_addstr(b, "<td class=n>");
    if (score_get(v, "perplexity"))
        html_number(b, score_number(v, "perplexity"), 2);
    buf_addstr(b, "</tr>\n");
}

static void
put_loss_table(struct buf *b, const struct score_file *s)
{
    static const struct {
        const char *prefix, *title;
    } part[] = {{"", "of the target"}, {"all", "of all tokens"},
                {"forgetting", "of other text"}};

    buf_addstr(b, "<div class=wide><table>\n");
    for (size_t i = 0; i < sizeof(part) / sizeof(*part); i++) {
        const cJSON *v = score_get(s->summary, part[i].prefix);

        if (!score_get(v, "base"))
            continue;
        buf_addf(b, "<thead><tr><th>%s<th class=n>loss<th class=n>\u00b1"
                 "<th class=n>perplexity</tr></thead>\n<tbody>\n",
                 part[i].title);
        put_loss_row(b, v, "base", "base");
        put_loss_row(b, v, "adapter", "adapter");
        put_loss_row(b, v, "compare", "other base");
        put_loss_row(b, v, "difference", "difference");
        buf_addstr(b, "</tbody>\n");
    }
    buf_addstr(b, "</table></div>\n");
}

/* What a difference says, in words. */
static void
put_verdict(struct buf *b, const cJSON *part, const char *of)
{
    double d = score_number(part, "difference.loss");
    double half = score_number(part, "difference.half_width");
    const char *who = score_get(part, "adapter") ? "adapter" : "other base";

    if (!score_get(part, "difference"))
        return;
    buf_addstr(b, "<p>");
    if (!isfinite(d)) {
        buf_addf(b, "The loss%s of the base or the %s is no number.", of,
                 who);
    } else if (!isfinite(half)) {
        buf_addf(b, "One commit gives no interval: of the loss%s nothing can "
                 "be said.", of);
    } else if (fabs(d) <= half) {
        buf_addf(b, "No difference%s can be told between base and %s: the "
                 "95%% interval of ", of, who);
        html_number(b, d, 4);
        buf_addstr(b, " \u00b1 ");
        html_number(b, half, 4);
        buf_addstr(b, " includes zero.");
    } else {
        buf_addf(b, "The %s %s the loss%s by ", who,
                 d < 0 ? "lowers" : "raises", of);
        html_number(b, fabs(d), 4);
        buf_addstr(b, " \u00b1 ");
        html_number(b, half, 4);
        buf_addstr(b, " (95% interval of the difference, which excludes "
                   "zero).");
    }
    buf_addstr(b, "</p>\n");
}

static void
put_measured(struct buf *b, const struct score_file *s)
{
    const cJSON *split = score_get(s->summary, "split");

    buf_addstr(b, "<p class=sub>");
    if (cJSON_IsString(split)) {
        buf_addstr(b, "Split ");
        html_text(b, split->valuestring);
        buf_addstr(b, ": ");
    }
    html_number(b, score_number(s->summary, "records"), 0);
    buf_addstr(b, " records of ");
    html_number(b, score_number(s->summary, "clusters"), 0);
    buf_addstr(b, " commits or documents, ");
    html_number(b, score_number(s->summary, "tokens"), 0);
    buf_addstr(b, " tokens of the target");
    if (score_number(s->summary, "cut") > 0) {
        buf_addstr(b, "; cut to pieces: ");
        html_number(b, score_number(s->summary, "cut"), 0);
        buf_addstr(b, " records");
    }
    buf_addstr(b, ".</p>\n");
}

static void
put_held_out(struct buf *b, const struct report *r,
             const struct score_file *s)
{
    if (!score_get(s->summary, "base"))
        return;
    put_measured(b, s);
    if (r->n_runs < 2) /* else they are in one figure */
        put_loss_figure(b, s);
    put_verdict(b, s->summary, "");
    put_verdict(b, score_get(s->summary, "forgetting"),
                " on other text, which is not the repository's,");
    put_loss_table(b, s);
    page_strata(b, s->summary);
    page_exactness(b, score_get(s->summary, "exactness"));
}

/* ---- prompts ---- */

static void
put_prompts(struct buf *b, const struct score_file *s)
{
    static const char *const side[] = { "base", "adapter" };
    double samples = score_number(s->summary, "prompts.samples");
    struct forest_row row[2];

    if (!(score_number(s->summary, "prompts.checked") > 0))
        return;
    for (size_t i = 0; i < 2; i++) {
        const cJSON *v = score_get(score_get(s->summary, "prompts"), side[i]);

        row[i] = (struct forest_row){
            side[i], 100 * score_number(v, "share"),
            .low = 100 * score_number(v, "share_low"),
            .high = 100 * score_number(v, "share_high"),
            .colour = i ? 0 : 7
        };
    }
    forest_put(b, "Prompts that passed", "percent, with 95% intervals", row,
               2, true, 1);
    buf_addstr(b, "<p>Of ");
    html_number(b, score_number(s->summary, "prompts.checked"), 0);
    buf_addstr(b, " prompts with checks");
    if (samples > 1)
        buf_addf(b, ", of %.0f completions each,", samples);
    buf_addstr(b, " the base passes ");
    html_number(b, score_number(s->summary, "prompts.base.passed"), 0);
    if (score_get(s->summary, "prompts.adapter")) {
        buf_addstr(b, ", the adapter ");
        html_number(b, score_number(s->summary, "prompts.adapter.passed"), 0);
        buf_addstr(b, "; gained ");
        html_number(b, score_number(s->summary, "prompts.gained"), 0);
        buf_addstr(b, ", lost ");
        html_number(b, score_number(s->summary, "prompts.lost"), 0);
    }
    buf_addstr(b, ".</p>\n");
    page_checks(b, score_get(s->summary, "prompts"));
}

/* ---- several runs ---- */

static void
put_differences(struct buf *b, const struct report *r)
{
    struct forest_row *row = mem_array(r->n_runs, sizeof(*row));
    size_t n = 0;

    for (size_t i = 0; i < r->n_runs; i++) {
        const cJSON *all = r->run[i].n_scores ? r->run[i].score[0]->summary
                                              : NULL;
        double d = score_number(all, "difference.loss");
        double half = score_number(all, "difference.half_width");

        row[n++] = (struct forest_row){ r->run[i].name, d, .low = d - half,
                                        .high = d + half, .colour = i };
    }
    if (r->n_runs > 1)
        forest_put(b, "Loss on held-out records, adapter less base",
                   "nats a token of the target, with 95% intervals", row, n,
                   true, 3);
    free(row);
}

static void
put_score(struct buf *b, const struct report *r, const struct run_facts *run,
          const struct score_file *s)
{
    if (r->n_scores > 1 || !run) {
        buf_addstr(b, "<h3>");
        if (run)
            html_text(b, run->name);
        if (run)
            buf_addstr(b, ": ");
        html_text(b, page_base_name(s->path));
        buf_addstr(b, "</h3>\n");
    }
    if (!s->summary)
        page_note(b, "There is no summary: evalprompts did not come to its "
                  "end.");
    page_models(b, run, score_get(s->summary, "models"));
    put_held_out(b, r, s);
    put_prompts(b, s);
    if (s->others > 0)
        buf_addf(b, "<p class=note>Lines of a kind that is not known here: "
                 "%llu.</p>\n", (unsigned long long)s->others);
}

void
page_scores(struct buf *b, const struct report *r)
{
    buf_addstr(b, "<section>\n<h2>Evaluation</h2>\n");
    if (r->n_scores == 0)
        page_note(b, "Nothing was evaluated, or no score of evalprompts was "
                  "named.");
    put_differences(b, r);
    for (size_t i = 0; i < r->n_free; i++)
        put_score(b, r, NULL, &r->score[i]);
    for (size_t i = 0; i < r->n_runs; i++) {
        const struct run_facts *run = &r->run[i];

        for (size_t k = 0; k < run->n_scores; k++)
            put_score(b, r, run, run->score[k]);
    }
    buf_addstr(b, "</section>\n");
}
