/* page_options.c - what the runs were told, and in what they differ. */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "report/page_parts.h"

#define NAMES 500 /* of options; train has 60 */

/* Options that say where things are, not what is done. */
static bool
is_place(const char *name)
{
    static const char *const places[] = {
        "data", "base", "out", "resume", "dry-run", "force"
    };

    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
        if (strcmp(places[i], name) == 0)
            return true;
    return false;
}

static void
put_value(struct buf *b, const cJSON *v)
{
    char *text = cJSON_IsString(v) || !v ? NULL : cJSON_PrintUnformatted(v);

    if (cJSON_IsArray(v) && cJSON_GetArraySize(v) == 0)
        html_text(b, NULL);
    else
        html_text(b, text ? text : v && !cJSON_IsNull(v) ? v->valuestring
                                                         : NULL);
    free(text);
}

static const cJSON *
value_of(const struct run_facts *r, const char *name)
{
    const cJSON *v = run_get(r, "options", name);

    return v ? v : run_get(r, "identity", name);
}

static bool
differ(const struct report *r, const char *name)
{
    const cJSON *first = value_of(&r->run[0], name);

    for (size_t i = 1; i < r->n_runs; i++) {
        const cJSON *v = value_of(&r->run[i], name);

        if (!v != !first || (v && !cJSON_Compare(v, first, true)))
            return true;
    }
    return false;
}

/* The names of all options and of what else decides a run, in the order of
 * the runs. */
static void
collect(struct map *names, const struct report *r)
{
    static const char *const part[] = { "options", "identity" };

    for (size_t i = 0; i < r->n_runs; i++) {
        for (size_t k = 0; k < 2; k++) {
            const cJSON *v;

            cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(
                                      r->run[i].config, part[k])) {
                if (v->string && !is_place(v->string) && names->n < NAMES)
                    map_put(names, v->string, strlen(v->string), 0, NULL);
            }
        }
    }
}

static char *
name_at(const struct map *names, size_t i, struct buf *b)
{
    buf_reset(b);
    buf_add(b, map_key(names, i), names->entry[i].len);
    return b->data;
}

static void
put_differing(struct buf *b, const struct report *r, const struct map *names)
{
    struct buf name;
    size_t told = 0;

    buf_init(&name);
    for (size_t i = 0; i < names->n; i++) {
        if (!differ(r, name_at(names, i, &name)))
            continue;
        if (told++ == 0) {
            buf_addstr(b, "<h3>In what they differ</h3>\n<div class=wide>"
                       "<table>\n<thead><tr><th>option");
            for (size_t k = 0; k < r->n_runs; k++) {
                buf_addstr(b, "<th>");
                html_text(b, r->run[k].name);
            }
            buf_addstr(b, "</tr></thead>\n<tbody>\n");
        }
        buf_addstr(b, "<tr><th>");
        html_text(b, name.data);
        for (size_t k = 0; k < r->n_runs; k++) {
            buf_addstr(b, "<td>");
            put_value(b, value_of(&r->run[k], name.data));
        }
        buf_addstr(b, "</tr>\n");
    }
    if (told > 0)
        buf_addstr(b, "</tbody></table></div>\n");
    else
        buf_addstr(b, "<p class=sub>They differ in none.</p>\n");
    buf_release(&name);
}

void
page_options(struct buf *b, const struct report *r)
{
    struct map names;
    struct buf name;

    if (r->n_runs == 0)
        return;
    map_init(&names);
    buf_init(&name);
    collect(&names, r);
    buf_addstr(b, "<section>\n<h2>Options</h2>\n");
    if (r->n_runs > 1) {
        put_differing(b, r, &names);
        buf_addstr(b, "<h3>Those that are the same</h3>\n");
    }
    buf_addstr(b, "<dl class=options>\n");
    for (size_t i = 0; i < names.n; i++) {
        if (differ(r, name_at(&names, i, &name)))
            continue;
        buf_addstr(b, "<div><dt>");
        html_text(b, name.data);
        buf_addstr(b, "</dt><dd>");
        put_value(b, value_of(&r->run[0], name.data));
        buf_addstr(b, "</dd></div>\n");
    }
    buf_addstr(b, "</dl>\n");
    if (names.n == NAMES)
        page_note(b, "There are more, which are not shown.");
    buf_addstr(b, "</section>\n");
    buf_release(&name);
    map_release(&names);
}
