/* page.c - the page: its head, and the order of its sections. */
#include <stdlib.h>
#include <string.h>

#include "record/prov.h"
#include "report/page_parts.h"
#include "report/plot.h"

#define TITLE_NAMES 3

void
page_note(struct buf *b, const char *text)
{
    buf_addf(b, "<p class=note>%s</p>\n", text);
}

const char *
page_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash && slash[1] ? slash + 1 : path;
}

void
page_key(struct buf *b, const struct report *r)
{
    if (r->n_runs < 2)
        return;
    buf_addstr(b, "<p class=key>");
    for (size_t i = 0; i < r->n_runs; i++) {
        buf_addf(b, "<span class=\"c%zu%s\"><i></i>", i % PLOT_COLOURS,
                 i >= PLOT_COLOURS ? " dash" : "");
        html_text(b, r->run[i].name);
        buf_addstr(b, "</span> ");
    }
    buf_addstr(b, "</p>\n");
}

void
page_method(struct buf *b, const struct run_facts *r)
{
    double rank = run_number(r, "identity", "rank", 0);
    const cJSON *dora = run_get(r, "identity", "dora");

    if (strcmp(run_text(r, "identity", "method", "lora"), "full") == 0) {
        buf_addstr(b, "every weight");
        return;
    }
    buf_addstr(b, cJSON_IsTrue(dora) ? "DoRA" : "LoRA");
    if (rank >= 1) {
        buf_addstr(b, " of rank ");
        html_number(b, rank, 0);
    }
}

void
page_set_name(struct buf *b, const struct set_facts *s)
{
    const struct map *map = &s->facts->repos.map;

    for (size_t i = 0; i < map->n && i < TITLE_NAMES; i++) {
        buf_addstr(b, i ? ", " : "");
        html_cut(b, map_key(map, i), map->entry[i].len, 80);
    }
    if (map->n > TITLE_NAMES)
        buf_addstr(b, ", \u2026");
}

/* What was learned from, else what the first run is called. */
static void
put_title(struct buf *b, const struct report *r)
{
    size_t before = b->len;

    for (size_t i = 0; i < r->n_sets && i < TITLE_NAMES; i++) {
        if (i > 0 && b->len > before)
            buf_addstr(b, " and ");
        page_set_name(b, &r->set[i]);
    }
    if (b->len == before && r->n_runs > 0)
        html_text(b, r->run[0].name);
    else if (b->len == before)
        html_text(b, page_base_name(r->score[0].path));
}

static void
put_head(const struct report *r, struct buf *b)
{
    buf_addstr(b, "<!DOCTYPE html>\n<html lang=en>\n<head>\n"
               "<meta charset=utf-8>\n<meta name=viewport "
               "content=\"width=device-width,initial-scale=1\">\n"
               "<meta name=color-scheme content=\"light dark\">\n"
               "<meta http-equiv=Content-Security-Policy "
               "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
               "<title>");
    put_title(b, r);
    buf_addstr(b, ": training report</title>\n<style>\n");
    buf_addstr(b, page_style);
    buf_addstr(b, "</style>\n</head>\n<body>\n<header><p class=over>"
               "Training report</p>\n<h1>");
    put_title(b, r);
    buf_addstr(b, "</h1>\n");
}

void
report_page(const struct report *r, struct buf *b)
{
    put_head(r, b);
    page_summary(b, r);
    buf_addstr(b, "</header>\n");
    page_training(b, r);
    page_scores(b, r);
    page_samples(b, r);
    page_data(b, r);
    page_time(b, r);
    page_memory(b, r);
    page_provenance(b, r);
    page_options(b, r);
    buf_addstr(b, "</body>\n</html>\n");
}
