/* page_strata.c - a score in parts: by kind of record, by kind of check. */
#include "report/page_parts.h"

#define SHOWN 20 /* strata of a kind, kinds of checks, k of pass@k */

/* ---- kinds of records ---- */

/* What a stratum is called: its name, or the days that it is of. */
static void
put_name(struct buf *b, const cJSON *v)
{
    const cJSON *name = score_get(v, "name");
    double from = score_number(v, "from"), to = score_number(v, "to");

    if (cJSON_IsString(name))
        html_text(b, name->valuestring);
    else
        buf_addstr(b, "not known");
    if (!(fabs(from) < 1e15 && fabs(to) < 1e15))
        return;
    buf_addstr(b, ", ");
    card_put_day(b, (int64_t)from);
    buf_addstr(b, " to ");
    card_put_day(b, (int64_t)to);
}

/* Which member is held against the base. */
static const char *
side_of(const cJSON *v)
{
    return score_get(v, "compare") ? "compare" : "adapter";
}

static void
stratum_row(struct buf *b, const cJSON *v)
{
    double half = score_number(v, "difference.half_width");

    buf_addstr(b, "<tr><th>");
    put_name(b, v);
    html_td_number(b, score_number(v, "records"), 0);
    html_td_number(b, score_number(v, "clusters"), 0);
    html_td_number(b, score_number(v, "tokens"), 0);
    html_td_number(b, score_number(v, "base.loss"), 3);
    html_td_number(b, score_number(score_get(v, side_of(v)), "loss"), 3);
    html_td_number(b, score_number(v, "difference.loss"), 3);
    buf_addstr(b, "<td class=n>");
    if (isfinite(half)) {
        buf_addstr(b, "\u00b1 ");
        html_number(b, half, 3);
    }
    buf_addstr(b, "</tr>\n");
}

static void
put_kind(struct buf *b, const cJSON *kind)
{
    const cJSON *v;
    int told = 0, all = cJSON_GetArraySize(kind);

    if (all == 0 || !kind->string)
        return;
    buf_addstr(b, "<div class=wide><table>\n<thead><tr><th>");
    html_text(b, kind->string);
    buf_addf(b, "<th class=n>records<th class=n>commits<th class=n>tokens"
             "<th class=n>base<th class=n>%s<th class=n>difference"
             "<th></tr></thead>\n<tbody>\n",
             score_get(kind->child, "compare") ? "other base" : "adapter");
    cJSON_ArrayForEach(v, kind) {
        if (told++ < SHOWN)
            stratum_row(b, v);
    }
    buf_addstr(b, "</tbody></table></div>\n");
    if (all > SHOWN)
        buf_addf(b, "<p class=sub>The first %d of %d.</p>\n", SHOWN, all);
}

void
page_strata(struct buf *b, const cJSON *summary)
{
    const cJSON *strata = score_get(summary, "strata"), *kind;
    int told = 0;

    if (cJSON_GetArraySize(strata) == 0)
        return;
    buf_addstr(b, "<h3>Loss of the target, by kind of record</h3>\n");
    cJSON_ArrayForEach(kind, strata) {
        if (told++ < SHOWN)
            put_kind(b, kind);
    }
}

/* ---- kinds of checks ---- */

/* [held, given] of a kind of check. */
static void
put_held(struct buf *b, const cJSON *v)
{
    const cJSON *held = cJSON_GetArrayItem(v, 0);
    const cJSON *given = cJSON_GetArrayItem(v, 1);

    buf_addstr(b, "<td class=n>");
    if (!cJSON_IsNumber(held) || !cJSON_IsNumber(given)) {
        html_text(b, NULL);
        return;
    }
    html_number(b, held->valuedouble, 0);
    buf_addstr(b, " of ");
    html_number(b, given->valuedouble, 0);
}

/* A member of both sides that is a list of two, or a share of pass@k. */
static void
check_row(struct buf *b, const cJSON *prompts, const char *name)
{
    buf_addstr(b, "<tr><th>");
    html_text(b, name);
    put_held(b, cJSON_GetObjectItemCaseSensitive(score_get(prompts, "base"),
                                                 name));
    put_held(b, cJSON_GetObjectItemCaseSensitive(
                    score_get(prompts, "adapter"), name));
    buf_addstr(b, "</tr>\n");
}

static void
pass_row(struct buf *b, const cJSON *prompts, const char *k)
{
    static const char *const side[] = { "base.pass_at", "adapter.pass_at" };

    buf_addstr(b, "<tr><th>pass@");
    html_text(b, k);
    for (size_t i = 0; i < 2; i++) {
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(
            score_get(prompts, side[i]), k);

        html_td_number(b, cJSON_IsNumber(v) ? 100 * v->valuedouble : NAN, 1);
        buf_addstr(b, cJSON_IsNumber(v) ? "%" : "");
    }
    buf_addstr(b, "</tr>\n");
}

void
page_checks(struct buf *b, const cJSON *prompts)
{
    const cJSON *base = score_get(prompts, "base"), *v;
    double d = score_number(prompts, "difference.share");
    double half = score_number(prompts, "difference.half_width");
    int told = 0;

    if (isfinite(d)) {
        buf_addstr(b, "<p>On the same prompts the adapter passes ");
        html_number(b, 100 * d, 1);
        if (isfinite(half)) {
            buf_addstr(b, " \u00b1 ");
            html_number(b, 100 * half, 1);
        }
        buf_addstr(b, " percent points more than the base.</p>\n");
    }
    buf_addstr(b, "<div class=wide><table>\n<thead><tr><th>check"
               "<th class=n>base<th class=n>adapter</tr></thead>\n<tbody>\n");
    cJSON_ArrayForEach(v, score_get(base, "pass_at")) {
        if (v->string && told++ < SHOWN)
            pass_row(b, prompts, v->string);
    }
    cJSON_ArrayForEach(v, base) {
        if (cJSON_IsArray(v) && v->string && told++ < 2 * SHOWN)
            check_row(b, prompts, v->string);
    }
    buf_addstr(b, "</tbody></table></div>\n");
}

/* ---- records that were completed ---- */

static void
percent(struct buf *b, double share, double half)
{
    buf_addstr(b, "<td class=n>");
    html_number(b, 100 * share, 1);
    if (isfinite(share))
        buf_addstr(b, "%");
    if (isfinite(half)) {
        buf_addstr(b, " \u00b1 ");
        html_number(b, 100 * half, 1);
    }
}

static void
exactness_row(struct buf *b, const cJSON *exactness, const char *name)
{
    const cJSON *v = score_get(exactness, name);

    if (!v)
        return;
    buf_addf(b, "<tr><th>%s", name);
    html_td_number(b, score_number(v, "exact"), 0);
    percent(b, score_number(v, "share"), score_number(v, "half_width"));
    percent(b, score_number(v, "right"),
            score_number(v, "right_half_width"));
    buf_addstr(b, "</tr>\n");
}

void
page_exactness(struct buf *b, const cJSON *exactness)
{
    if (!score_get(exactness, "base"))
        return;
    buf_addstr(b, "<h3>Records completed as they are</h3>\n<p class=sub>");
    html_number(b, score_number(exactness, "spans"), 0);
    buf_addstr(b, " spans of target in ");
    html_number(b, score_number(exactness, "records"), 0);
    buf_addstr(b, " records; records left out: ");
    html_number(b, score_number(exactness, "left_out"), 0);
    buf_addstr(b, ".</p>\n<div class=wide><table>\n<thead><tr><th>"
               "<th class=n>exact<th class=n>share<th class=n>tokens before "
               "the first wrong one</tr></thead>\n<tbody>\n");
    exactness_row(b, exactness, "base");
    exactness_row(b, exactness, "adapter");
    exactness_row(b, exactness, "difference");
    buf_addstr(b, "</tbody></table></div>\n");
}
