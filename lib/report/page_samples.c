/* page_samples.c - what base and adapter wrote, side by side. */
#include <string.h>

#include "report/page_parts.h"

#define SAMPLES 12 /* of a file */

static void
put_side(struct buf *b, const char *name, const struct score_side *s)
{
    buf_addf(b, "<div><h4>%s", name);
    if (s->passed == 'y')
        buf_addstr(b, " <span class=yes>passed</span>");
    else if (s->passed == 'n')
        buf_addstr(b, " <span class=no>failed</span>");
    if (s->why) {
        buf_addstr(b, " <span class=why>");
        html_text(b, s->why);
        buf_addstr(b, "</span>");
    }
    buf_addstr(b, "</h4>");
    if (!s->text) {
        page_note(b, "Not completed.");
    } else {
        buf_addstr(b, "<pre>");
        html_pre(b, s->text, s->n);
        buf_addstr(b, "</pre>");
    }
    if (s->left_out > 0)
        buf_addf(b, "<p class=note>%zu bytes more.</p>", s->left_out);
    buf_addstr(b, "</div>\n");
}

static void
put_sample(struct buf *b, const struct score_sample *s)
{
    size_t n = s->prompt ? strlen(s->prompt) : 0;

    buf_addstr(b, "<div class=sample><h3>");
    html_text(b, s->id);
    buf_addstr(b, "</h3>\n");
    if (n > 0) {
        buf_addf(b, "<pre class=prompt>%s", s->prompt_cut ? "\u2026" : "");
        html_pre(b, s->prompt, n);
        buf_addstr(b, "</pre>");
    }
    buf_addstr(b, "<div class=two>\n");
    put_side(b, "base", &s->base);
    put_side(b, "adapter", &s->adapter);
    buf_addstr(b, "</div></div>\n");
}

static void
put_file(struct buf *b, const struct score_file *s)
{
    size_t n = s->n_samples < SAMPLES ? s->n_samples : SAMPLES;

    buf_addf(b, "<p class=sub>%zu of %zu prompts of ", n, s->n_samples);
    html_text(b, page_base_name(s->path));
    buf_addstr(b, ", first those that one side alone passed.");
    if (s->more > 0)
        buf_addf(b, " Prompts beyond the first %d were not looked at.",
                 SCORE_PROMPTS);
    buf_addstr(b, "</p>\n");
    for (size_t i = 0; i < n; i++)
        put_sample(b, &s->sample[i]);
}

void
page_samples(struct buf *b, const struct report *r)
{
    bool any = false;

    for (size_t i = 0; i < r->n_scores; i++)
        any = any || r->score[i].n_samples > 0;
    if (!any)
        return;
    buf_addstr(b, "<section>\n<h2>Completions</h2>\n");
    for (size_t i = 0; i < r->n_scores; i++)
        if (r->score[i].n_samples > 0)
            put_file(b, &r->score[i]);
    buf_addstr(b, "</section>\n");
}
