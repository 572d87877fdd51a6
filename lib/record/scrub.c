/* scrub.c - the fields of a record, one after another, with placeholders in
 * the place of what was found in them.
 */
#include "record/scrub.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "record/scrub_parts.h"

void
scrub_worker_init(struct scrub_worker *w, const struct scrub_rules *rules)
{
    memset(w, 0, sizeof(*w));
    scrub_finder_init(&w->finder, rules);
    text_init(&w->rec);
    change_init(&w->change);
    map_init(&w->number);
    map_init(&w->last);
    buf_init(&w->room);
    buf_init(&w->view);
    buf_init(&w->key);
    buf_init(&w->string);
}

void
scrub_worker_release(struct scrub_worker *w)
{
    scrub_finder_release(&w->finder);
    text_release(&w->rec);
    change_release(&w->change);
    map_release(&w->number);
    map_release(&w->last);
    buf_release(&w->room);
    buf_release(&w->view);
    buf_release(&w->key);
    buf_release(&w->string);
    free(w->field);
    free(w->line);
    free(w->place);
}

int
scrub_decode(struct scrub_worker *w, const void *p, size_t n, struct err *e)
{
    const struct text_field *f;
    int rc = text_decode(&w->rec, p, n, e);

    w->p = p;
    w->n = n;
    w->n_places = 0;
    w->change.n_hunks = w->change.n_lines = 0;
    if (rc < 0)
        return rc;
    f = text_get(&w->rec, "change");
    return f ? change_decode(&w->change, f->data, f->len, e) : 0;
}

/* ---- placeholders ---- */

/* The largest number of a placeholder of that type in the record. */
static uint64_t
largest_there(const struct scrub_worker *w, const char *type)
{
    const char *p = w->p, *end = w->p + w->n;
    char mark[40];
    size_t len;
    uint64_t most = 0, v;

    len = (size_t)snprintf(mark, sizeof(mark), "<%s_", type);
    while ((p = memmem(p, (size_t)(end - p), mark, len)) != NULL) {
        p += len;
        for (v = 0; p < end && *p >= '0' && *p <= '9' && v < 100000000; p++)
            v = 10 * v + (uint64_t)(*p - '0');
        if (v > most)
            most = v;
    }
    return most;
}

/* Of the secret p[n]: the one it has, or the next. */
static uint32_t
number_of(struct scrub_worker *w, const char *type, const char *p, size_t n)
{
    struct map_entry *last, *entry;
    bool added;

    last = map_get(&w->last, type, strlen(type));
    if (!last)
        last = map_put(&w->last, type, strlen(type), largest_there(w, type),
                       NULL);
    buf_reset(&w->key);
    buf_add(&w->key, type, strlen(type) + 1);
    buf_add(&w->key, p, n);
    entry = map_put(&w->number, w->key.data, w->key.len, last->value + 1,
                    &added);
    last->value += added;
    return (uint32_t)entry->value;
}

static void
note_place(struct scrub_worker *w, size_t field, size_t at, uint32_t rule,
           uint32_t number)
{
    struct scrub_place *place;

    if (w->n_places == w->places_cap) {
        w->places_cap = w->places_cap ? 2 * w->places_cap : 64;
        w->place = mem_grow(w->place, w->places_cap * sizeof(*w->place));
    }
    place = &w->place[w->n_places++];
    *place = (struct scrub_place){ .field = field, .rule = rule,
                                   .number = number, .side = ' ' };
    scrub_locate(w, at, place);
}

/* Appends p[n] with the finder's spans replaced. at: of p in its field. */
static void
replace(struct scrub_worker *w, size_t field, const char *p, size_t n,
        size_t at, struct buf *out)
{
    const struct scrub_finder *f = &w->finder;
    size_t done = 0;

    for (size_t i = 0; i < f->n; i++) {
        const struct scrub_span *s = &f->span[i];
        const char *type = f->rules->rule[s->rule].type;
        uint32_t number = number_of(w, type, p + s->at, s->end - s->at);

        buf_add(out, p + done, s->at - done);
        buf_addf(out, "<%s_%" PRIu32 ">", type, number);
        note_place(w, field, at + s->at, s->rule, number);
        done = s->end;
    }
    buf_add(out, p + done, n - done);
}

/* ---- fields ---- */

/* Spans of a text without sides. */
static int
find_in_text(struct scrub_worker *w, const char *p, size_t n, struct err *e)
{
    struct scrub_finder *f = &w->finder;
    int rc = scrub_find(f, p, n, NULL, e);

    if (rc == 0 && (f->armour || f->multiline))
        rc = scrub_find_view(f, p, n, NULL, 0, false, e);
    if (rc == 0)
        scrub_settle(f);
    return rc;
}

static int
scrub_text(struct scrub_worker *w, size_t i, struct err *e)
{
    const struct text_field *f = &w->rec.field[i];
    int rc = find_in_text(w, f->data, f->len, e);

    if (rc < 0 || w->finder.n == 0)
        return rc;
    replace(w, i, f->data, f->len, 0, &w->room);
    return 1;
}

static int
scrub_change(struct scrub_worker *w, size_t i, struct err *e)
{
    const struct text_field *f = &w->rec.field[i];
    size_t at = w->room.len;
    int rc = scrub_find_in_change(w, f->data, f->len, e);

    if (rc < 0 || w->finder.n == 0)
        return rc;
    replace(w, i, f->data, f->len, 0, &w->room);
    scrub_clip_scopes(&w->room, at);
    return 1;
}

/* Of the JSON string that begins at p[*at], which becomes what is behind it:
 * appends it, its secrets replaced. */
static int
scrub_string(struct scrub_worker *w, size_t i, const char *p, size_t n,
             size_t *at, struct err *e)
{
    size_t begin = *at, end = begin + 1;
    struct json j;
    int rc;

    while (end < n && p[end] != '"')
        end += p[end] == '\\' ? 2 : 1;
    end = end < n ? end + 1 : n;
    *at = end;
    j = json_on(p + begin, end - begin, "JSON");
    buf_reset(&w->string);
    rc = json_string(&j, &w->string, e);
    if (rc == 0)
        rc = find_in_text(w, w->string.data, w->string.len, e);
    if (rc < 0)
        return rc;
    if (w->finder.n == 0) {
        buf_add(&w->room, p + begin, end - begin);
        return 0;
    }
    buf_reset(&w->view);
    replace(w, i, w->string.data, w->string.len, 0, &w->view);
    json_put_string(&w->room, w->view.data, w->view.len);
    return 1;
}

static int
scrub_json(struct scrub_worker *w, size_t i, struct err *e)
{
    const struct text_field *f = &w->rec.field[i];
    const char *quote;
    size_t at = 0, next;
    int rc = json_check(f->data, f->len, f->name, e), changed = 0;

    while (rc >= 0 && at < f->len) {
        quote = memchr(f->data + at, '"', f->len - at);
        next = quote ? (size_t)(quote - f->data) : f->len;
        buf_add(&w->room, f->data + at, next - at);
        at = next;
        if (quote)
            rc = scrub_string(w, i, f->data, f->len, &at, e);
        changed |= rc > 0;
    }
    return rc < 0 ? rc : changed;
}

/* What is of the structure, and not of people. */
static bool
is_left_alone(const char *name)
{
    static const char *const names[] = {
        "repo", "ordinal", "commit", "parent", "time", "lang", "status",
        "before_id", "after_id", "role", "generated", "attributes",
        "author_type", "license"
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool
is_main(const char *name)
{
    return strcmp(name, "change") == 0 || strcmp(name, "text") == 0;
}

/* 1: its new text is in w->field[i]. */
static int
scrub_field(struct scrub_worker *w, size_t i, struct err *e)
{
    const char *name = w->rec.field[i].name;
    struct scrub_field *f = &w->field[i];
    int rc;

    f->at = w->room.len;
    if (is_left_alone(name))
        return 0;
    if (strcmp(name, "change") == 0)
        rc = scrub_change(w, i, e);
    else if (strcmp(name, "message_json") == 0 || text_is_json(name))
        rc = scrub_json(w, i, e);
    else
        rc = scrub_text(w, i, e);
    f->len = w->room.len - f->at;
    f->changed = rc > 0;
    return rc;
}

static void
begin(struct scrub_worker *w)
{
    map_clear(&w->number);
    map_clear(&w->last);
    buf_reset(&w->room);
    w->n_places = 0;
    w->near.field = SIZE_MAX;
    if (w->fields_cap < w->rec.n) {
        w->fields_cap = w->rec.n;
        w->field = mem_grow(w->field, w->fields_cap * sizeof(*w->field));
    }
    if (w->rec.n > 0)
        memset(w->field, 0, w->rec.n * sizeof(*w->field));
}

int
scrub_record(struct scrub_worker *w, struct buf *out, struct err *e)
{
    int rc = 0, changed = 0;

    begin(w);
    for (int last = 0; last < 2; last++)
        for (size_t i = 0; i < w->rec.n && rc >= 0; i++) {
            if (is_main(w->rec.field[i].name) != !last)
                continue;
            rc = scrub_field(w, i, e);
            changed |= rc > 0;
        }
    if (rc < 0 || !changed)
        return rc < 0 ? rc : 0;
    for (size_t i = 0; i < w->rec.n; i++) {
        if (!w->field[i].changed)
            continue;
        w->rec.field[i].data = w->room.data + w->field[i].at;
        w->rec.field[i].len = w->field[i].len;
    }
    rc = text_encode(out, &w->rec, e);
    return rc < 0 ? rc : 1;
}

/* ---- the report ---- */

static void
put_bytes(struct buf *out, const char *name, const char *p, size_t n)
{
    buf_addf(out, ",\"%s\":", name);
    if (utf8_valid(p, n) == n) {
        json_put_string(out, p, n);
    } else {
        buf_addstr(out, "{\"b64\":\"");
        b64_put(out, p, n);
        buf_addstr(out, "\"}");
    }
}

static const char *const report_field[] = { "repo", "commit", "path" };

#define REPORT_FIELDS 3

/* Which record a line is about. */
static void
put_record(const struct scrub_worker *w, uint64_t index, struct buf *out)
{
    buf_addf(out, "{\"record\":%" PRIu64, index);
    for (int i = 0; i < REPORT_FIELDS; i++) {
        const struct text_field *f = text_get(&w->rec, report_field[i]);

        if (f)
            put_bytes(out, report_field[i], f->data, f->len);
    }
}

static const char *
side_name(char side)
{
    switch (side) {
    case '-':
        return "before";
    case '+':
        return "after";
    case '@':
        return "header";
    default:
        return "both";
    }
}

void
scrub_put_places(const struct scrub_worker *w, uint64_t index,
                 struct buf *out)
{
    for (size_t i = 0; i < w->n_places; i++) {
        const struct scrub_place *place = &w->place[i];
        const struct scrub_rule *rule =
            &w->finder.rules->rule[place->rule];
        const char *field = w->rec.field[place->field].name;

        put_record(w, index, out);
        buf_addf(out, ",\"field\":\"%s\"", field);
        if (strcmp(field, "change") == 0)
            buf_addf(out, ",\"side\":\"%s\"", side_name(place->side));
        if (place->line > 0)
            buf_addf(out, ",\"line\":%" PRIu64, place->line);
        buf_addf(out, ",\"rule\":\"%s\",\"placeholder\":\"<%s_%" PRIu32
                 ">\"}\n", rule->id, rule->type, place->number);
    }
}

/* The record has no other fields than those that a report names, less what is
 * secret in these. */
static void
cut_to_report(struct scrub_worker *w)
{
    struct err e;
    size_t n = 0;
    int rc;

    for (size_t i = 0; i < w->rec.n; i++)
        for (int k = 0; k < REPORT_FIELDS; k++)
            if (strcmp(w->rec.field[i].name, report_field[k]) == 0)
                w->rec.field[n++] = w->rec.field[i];
    w->rec.n = n;
    buf_reset(&w->view);
    rc = scrub_record(w, &w->view, &e);
    if (rc < 0)
        w->rec.n = 0;
}

void
scrub_put_drop(struct scrub_worker *w, uint64_t index,
               const struct drop_found *found, struct buf *out)
{
    cut_to_report(w);
    put_record(w, index, out);
    buf_addf(out, ",\"left_out\":\"%s\",\"lines\":%" PRIu64,
             drop_name(found->drop), found->lines);
    if (found->why)
        put_bytes(out, "why", found->why, found->n_why);
    buf_addstr(out, "}\n");
}
