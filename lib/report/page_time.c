/* page_time.c - where the time of a run's steps went, by kind of op. */
#include <stdlib.h>
#include <string.h>

#include "report/page_parts.h"

static void
put_share(struct buf *b, double share)
{
    if (!isfinite(share)) {
        buf_addstr(b, "<td class=n>\u2013");
        return;
    }
    buf_addstr(b, "<td class=n>");
    html_number(b, 100 * share, share < 0.0995 ? 1 : 0);
    buf_addstr(b, " %");
}

static void
put_rate(struct buf *b, double v)
{
    if (v > 0)
        html_td_number(b, v * 1e-9, 1);
    else
        buf_addstr(b, "<td class=n>\u2013");
}

static void
put_line(struct buf *b, const struct profile_line *l, double most)
{
    buf_addstr(b, "<tr><th>");
    html_text(b, l->phase);
    buf_addstr(b, "<td>");
    html_text(b, l->op);
    html_td_number(b, l->runs, 0);
    html_td_number(b, l->seconds, 3);
    put_share(b, l->share);
    put_rate(b, l->flops);
    put_rate(b, l->bytes);
    put_share(b, l->of_peak);
    buf_addf(b, "<td class=share><i style=\"width:%.1f%%\"></i></tr>\n",
             l->seconds >= 0 && l->seconds <= most && most > 0
             ? 100 * l->seconds / most : 0);
}

static void
put_head(struct buf *b, const struct run_facts *run)
{
    double threads = run_profile_number(run, "threads");

    buf_addstr(b, "<p class=sub>Steps ");
    html_number(b, run_profile_number(run, "first_step"), 0);
    buf_addstr(b, " to ");
    html_number(b, run_profile_number(run, "last_step"), 0);
    buf_addstr(b, " took ");
    html_time(b, run_profile_number(run, "seconds"));
    if (isfinite(threads)) {
        buf_addstr(b, " by ");
        html_number(b, threads, 0);
        buf_addstr(b, " threads; the machine does ");
    } else {
        buf_addstr(b, " on a card, which does ");
    }
    html_number(b, run_profile_number(run, "peak_flops") * 1e-9, 1);
    buf_addstr(b, " GFLOP/s in a large product and moves ");
    html_number(b, run_profile_number(run, "peak_bytes") * 1e-9, 1);
    buf_addstr(b, " GB/s in a large copy, as measured before the first of "
               "them.</p>\n");
}

static void
put_run(struct buf *b, const struct report *r, const struct run_facts *run)
{
    struct profile_line line[PROFILE_ROWS];
    size_t n = run_profile(line, run);
    double most = 0;

    for (size_t i = 0; i < n; i++)
        if (line[i].seconds > most && isfinite(line[i].seconds))
            most = line[i].seconds;
    if (r->n_runs > 1) {
        buf_addstr(b, "<h3>");
        html_text(b, run->name);
        buf_addstr(b, "</h3>\n");
    }
    put_head(b, run);
    buf_addstr(b, "<div class=wide><table>\n<thead><tr><th>phase<th>op"
               "<th class=n>runs<th class=n>seconds<th class=n>share"
               "<th class=n>GFLOP/s<th class=n>GB/s<th class=n>of the peak"
               "<th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < n; i++)
        put_line(b, &line[i], most);
    buf_addstr(b, "</tbody></table></div>\n");
}

void
page_time(struct buf *b, const struct report *r)
{
    bool any = false;

    for (size_t i = 0; i < r->n_runs; i++) {
        if (r->run[i].profile == NULL)
            continue;
        if (!any)
            buf_addstr(b, "<section>\n<h2>Time by op</h2>\n");
        any = true;
        put_run(b, r, &r->run[i]);
    }
    if (any)
        buf_addstr(b, "</section>\n");
}
