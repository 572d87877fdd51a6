/* page_memory.c - the memory that was planned, and what it came to. */
#include <stdlib.h>
#include <string.h>

#include "report/page_parts.h"

/* The parts of a plan, as train --dry-run has them. */
static const struct {
    const char *key, *label;
} parts[] = {
    { "base_bytes", "base" },
    { "state_bytes", "what is trained, gradients, moments" },
    { "arena_bytes", "activations and scratch" },
    { "batch_bytes", "tokens of a step, lengths of records" },
    { "total_bytes", "planned" },
};

#define PARTS (sizeof(parts) / sizeof(*parts))

static void
put_bar(struct buf *b, double part, double most)
{
    buf_addf(b, "<td class=share><i style=\"width:%.1f%%\"></i></tr>\n",
             most > 0 && part >= 0 ? 100 * part / most : 0);
}

static void
put_row(struct buf *b, const char *label, double bytes, double most)
{
    buf_addstr(b, "<tr><th>");
    html_text(b, label);
    buf_addstr(b, "<td class=n>");
    html_bytes(b, bytes);
    put_bar(b, bytes, most);
}

static void
put_run(struct buf *b, const struct report *r, const struct run_facts *run)
{
    double peak = metrics_last(&run->metrics, "peak_bytes", NAN);
    double total = run_number(run, "plan", "total_bytes", NAN);
    double most = fmax(isfinite(peak) ? peak : 0,
                       isfinite(total) ? total : 0);

    if (r->n_runs > 1) {
        buf_addstr(b, "<h3>");
        html_text(b, run->name);
        buf_addstr(b, "</h3>\n");
    }
    if (!isfinite(total))
        page_note(b, "The plan of memory is not recorded.");
    buf_addstr(b, "<div class=wide><table>\n<tbody>\n");
    for (size_t i = 0; i < PARTS && isfinite(total); i++) {
        double v = run_number(run, "plan", parts[i].key, NAN);

        if (i + 1 == PARTS)
            buf_addstr(b, "</tbody><tbody class=sum>\n");
        if (isfinite(v))
            put_row(b, parts[i].label, v, most);
    }
    put_row(b, "peak of the process", peak, most);
    buf_addstr(b, "</tbody></table></div>\n");
    if (isfinite(total) && isfinite(peak)) {
        buf_addstr(b, "<p class=sub>The peak is ");
        html_bytes(b, fabs(peak - total));
        buf_addf(b, " %s the plan, beside which programs and libraries have "
                 "64 MiB", peak > total ? "over" : "below");
        if (run_number(run, "plan", "workspace_bytes", -1) >= 0)
            buf_addstr(b, "; the plan is of the card, the peak of this "
                       "machine");
        buf_addstr(b, ".</p>\n");
    }
}

void
page_memory(struct buf *b, const struct report *r)
{
    if (r->n_runs == 0)
        return;
    buf_addstr(b, "<section>\n<h2>Memory</h2>\n");
    for (size_t i = 0; i < r->n_runs; i++)
        put_run(b, r, &r->run[i]);
    buf_addstr(b, "</section>\n");
}
