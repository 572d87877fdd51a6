/* drops.c - records by their path, their lines and their message. */
#include "record/drops.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/lines.h"
#include "base/nearest.h"
#include "record/drops_parts.h"
#include "text/encoded.h"
#include "text/license.h"
#include "text/source_kind.h"

/* Limits are those of The Stack (Kocetkov et al. 2022) and StarCoder. */
static const struct {
    const char *name;
    double limit, most; /* 0: it has none */
    bool on;
} drop_row[DROPS] = {
    [DROP_VENDORED] = { .name = "vendored", .on = true },
    [DROP_LOCK] = { .name = "lock", .on = true },
    [DROP_MINIFIED] = { .name = "minified", .on = true },
    [DROP_GENERATED] = { .name = "generated", .on = true },
    [DROP_ENCODED] = { .name = "encoded", .on = true },
    [DROP_DOCUMENTATION] = { .name = "documentation" },
    [DROP_LICENSE] = { .name = "license" },
    [DROP_MAX_LINE_LENGTH] = { "max-line-length", 1000, 1e9 },
    [DROP_AVG_LINE_LENGTH] = { "avg-line-length", 100, 1e9 },
    [DROP_ALPHANUM_FRACTION] = { "alphanum-fraction", .25, 1 },
    [DROP_BOT] = { .name = "bot" },
    [DROP_REVERT] = { .name = "revert" },
    [DROP_BUMP] = { .name = "bump" },
    [DROP_COMMITPACKFT] = { .name = "commitpackft" },
};

const char *
drop_name(enum drop i)
{
    return drop_row[i].name;
}

void
drops_init(struct drops *d)
{
    memset(d, 0, sizeof(*d));
    for (int i = 0; i < DROPS; i++) {
        d->on[i] = drop_row[i].on;
        d->limit[i] = drop_row[i].limit;
    }
}

void
drops_release(struct drops *d)
{
    pattern_release(&d->bump);
}

void
drops_worker_init(struct drops_worker *w)
{
    pattern_search_init(&w->search);
    buf_init(&w->head);
    buf_init(&w->license);
}

void
drops_worker_release(struct drops_worker *w)
{
    pattern_search_release(&w->search);
    buf_release(&w->head);
    buf_release(&w->license);
}

/* ---- what is asked for ---- */

static int
set_limit(struct drops *d, int i, const char *text, const char *option,
          struct err *e)
{
    char *end;
    double v = strtod(text, &end);

    if (end == text || *end || !isdigit((unsigned char)*text)
        || !(v > 0 && v <= drop_row[i].most))
        return err_set(e, ERR_USAGE, "--%s: %s: bad limit \"%s\" (expected a "
                       "number over 0 and up to %g)", option,
                       drop_row[i].name, text, drop_row[i].most);
    d->limit[i] = v;
    return 0;
}

static int
set_item(struct drops *d, const char *item, bool on, const char *option,
         struct err *e)
{
    size_t n = strcspn(item, "=");
    struct nearest x = nearest_to(item, n, 3);
    int i;

    if (!on && strcmp(item, "all") == 0) {
        memset(d->on, 0, sizeof(d->on));
        return 0;
    }
    for (i = 0; i < DROPS; i++) {
        nearest_offer(&x, drop_row[i].name);
        if (strlen(drop_row[i].name) == n
            && memcmp(drop_row[i].name, item, n) == 0)
            break;
    }
    if (i == DROP_LICENSE)
        return err_set(e, ERR_USAGE, "--%s: license: name those that are "
                       "allowed with --license", option);
    if (i == DROPS)
        return err_set(e, ERR_USAGE, "--%s: unknown filter \"%.*s\"%s%s%s",
                       option, (int)n, item, x.name ? " (did you mean " : "",
                       x.name ? x.name : "", x.name ? "?)" : "");
    d->on[i] = on;
    if (item[n] == '\0')
        return 0;
    if (!on || drop_row[i].limit == 0)
        return err_set(e, ERR_USAGE, "--%s: %s takes no limit", option,
                       drop_row[i].name);
    return set_limit(d, i, item + n + 1, option, e);
}

int
drops_set(struct drops *d, const char *const *item, size_t n, bool on,
          const char *option, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        int rc = set_item(d, item[i], on, option, e);

        if (rc < 0)
            return rc;
    }
    if (!d->on[DROP_BUMP] || d->bump.code)
        return 0;
    return drops_open_bump(d, e);
}

int
drops_set_licenses(struct drops *d, const char *const *id, size_t n,
                   struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(id[i], "none") != 0
            && !license_allows(id[i], strlen(id[i]), &id[i], 1))
            return err_set(e, ERR_USAGE, "--license: \"%s\" is no SPDX id, as "
                           "MIT is, nor none", id[i]);
    d->license = id;
    d->n_licenses = n;
    d->on[DROP_LICENSE] = n > 0;
    return 0;
}

/* ---- files ---- */

/* What is looked at of a file. */
struct seen {
    const struct text_rec *r;
    const struct change *c; /* of a commit, or NULL */
    const char *path, *text;
    size_t n_path, n;
    const struct text_field *attributes, *generated;
    bool begins, whole; /* the text begins as the file, and is all of it */
};

/* 1: the words of the field have the attribute, -1: they take it back. */
static int
attribute(const struct seen *s, const char *name, struct drop_found *found)
{
    const char *p, *end;
    size_t len = strlen(name);

    if (!s->attributes)
        return 0;
    p = s->attributes->data;
    for (end = p + s->attributes->len; p < end; p++) {
        bool off = *p == '-';
        const char *word = p + off;

        p = memchr(p, ' ', (size_t)(end - p));
        p = p ? p : end;
        if ((size_t)(p - word) != len || memcmp(word, name, len) != 0)
            continue;
        found->why = word;
        found->n_why = len;
        return off ? -1 : 1;
    }
    return 0;
}

static bool
because(struct drop_found *found, const char *why)
{
    if (!why)
        return false;
    found->why = why;
    found->n_why = strlen(why);
    return true;
}

static bool
says_minified(const struct seen *s)
{
    return s->generated && s->generated->len == 8
           && memcmp(s->generated->data, "minified", 8) == 0;
}

static bool
is_minified(const struct seen *s, struct drop_found *found)
{
    if (because(found, source_minified(s->path, s->n_path)))
        return true;
    if (says_minified(s))
        return because(found, "lines");
    if (s->generated || !s->whole || s->n == 0)
        return false;
    return source_minified_lines(s->path, s->n_path, s->n,
                                 lines_count(s->text, s->n))
           && because(found, "lines");
}

static bool
is_generated(const struct seen *s, struct drop_found *found)
{
    if (s->generated && !says_minified(s)) {
        found->why = s->generated->data;
        found->n_why = s->generated->len;
        return true;
    }
    return because(found, source_generated_name(s->path, s->n_path))
           || (s->begins
               && because(found, source_generated_mark(s->path, s->n_path,
                                                       s->text, s->n)));
}

/* Of a commit the lines that it edits are looked at. */
static bool
is_encoded(const struct seen *s)
{
    size_t encoded = 0, shown = 0, n;

    if (!s->c)
        encoded = encoded_bytes(s->text, s->n, &shown);
    for (size_t i = 0; s->c && i < s->c->n_lines; i++) {
        const struct change_line *line = &s->c->line[i];

        if (line->kind == ' ')
            continue;
        encoded += encoded_bytes(line->p, line->n, &n);
        shown += n;
    }
    return encoded_is_data(encoded, shown);
}

/* By the field, else by what the file's first lines say. */
static bool
by_license(const struct drops *d, const struct seen *s, struct buf *room,
           struct drop_found *found)
{
    const struct text_field *f = text_get(s->r, "license");

    if (!d->on[DROP_LICENSE])
        return false;
    buf_reset(room);
    if (f)
        buf_add(room, f->data, f->len);
    else if (!s->begins || !license_of_source(s->text, s->n, room))
        buf_addstr(room, "none");
    found->drop = DROP_LICENSE;
    found->why = room->data;
    found->n_why = room->len;
    return !license_allows(room->data, room->len, d->license, d->n_licenses);
}

/* A character is a byte and its continuation bytes (UTF-8). */
static void
measure(const struct seen *s, uint64_t *longest, double *mean, double *letters)
{
    uint64_t lines = 0, length = 0, chars = 0, known = 0;

    *longest = 0;
    for (size_t i = 0; i < s->n; i++) {
        uint8_t c = (uint8_t)s->text[i];

        chars += (c & 0xC0) != 0x80;
        known += isalnum(c) != 0 || c >= 0xC0;
        if (c == '\n') {
            lines++;
            length = 0;
        } else if ((c & 0xC0) != 0x80 && ++length > *longest) {
            *longest = length;
        }
    }
    lines += length > 0;
    *mean = lines ? (double)(chars - (lines - (length > 0))) / (double)lines
                  : 0;
    *letters = chars >= DROPS_ALPHANUM_CHARS ?
                   (double)known / (double)chars : 1;
}

static bool
by_lines(const struct drops *d, const struct seen *s,
         struct drop_found *found)
{
    double mean, letters;
    uint64_t longest;

    if (!d->on[DROP_MAX_LINE_LENGTH] && !d->on[DROP_AVG_LINE_LENGTH]
        && !d->on[DROP_ALPHANUM_FRACTION])
        return false;
    measure(s, &longest, &mean, &letters);
    if (d->on[DROP_MAX_LINE_LENGTH]
        && (double)longest > d->limit[DROP_MAX_LINE_LENGTH])
        found->drop = DROP_MAX_LINE_LENGTH;
    else if (d->on[DROP_AVG_LINE_LENGTH]
             && mean > d->limit[DROP_AVG_LINE_LENGTH])
        found->drop = DROP_AVG_LINE_LENGTH;
    else if (d->on[DROP_ALPHANUM_FRACTION]
             && letters < d->limit[DROP_ALPHANUM_FRACTION])
        found->drop = DROP_ALPHANUM_FRACTION;
    else
        return false;
    found->why = NULL;
    return true;
}

/* Whether the file is of that kind: by its attribute where it has that, else
 * by what is seen. */
static bool
is_kind(const struct seen *s, enum drop kind, struct drop_found *found)
{
    static const char *const name[DROPS] = {
        [DROP_VENDORED] = "linguist-vendored",
        [DROP_GENERATED] = "linguist-generated",
        [DROP_MINIFIED] = "linguist-generated",
        [DROP_LOCK] = "linguist-generated",
        [DROP_ENCODED] = "linguist-generated",
        [DROP_DOCUMENTATION] = "linguist-documentation",
    };
    int said = attribute(s, name[kind], found);

    found->drop = kind;
    if (said < 0)
        return false;
    if (said > 0 && (kind == DROP_VENDORED || kind == DROP_GENERATED
                     || kind == DROP_DOCUMENTATION))
        return true;
    switch (kind) {
    case DROP_VENDORED:
        return because(found, source_vendored(s->path, s->n_path));
    case DROP_LOCK:
        return because(found, source_lock(s->path, s->n_path));
    case DROP_MINIFIED:
        return is_minified(s, found);
    case DROP_GENERATED:
        return is_generated(s, found);
    case DROP_ENCODED:
        return is_encoded(s) && because(found, "text");
    default:
        return because(found, source_documentation(s->path, s->n_path));
    }
}

/* The text that is seen of a commit; where no more than the beginning is
 * needed, no more of it. */
static void
show_change(struct seen *s, bool all, struct buf *head)
{
    const struct change *c = s->c;
    int side = c->present[CHANGE_AFTER] ? CHANGE_AFTER : CHANGE_BEFORE;

    s->begins = c->n_hunks > 0 && c->hunk[0].start[side] <= 1;
    s->whole = c->n_hunks > 0 && change_whole(c);
    buf_reset(head);
    for (size_t i = 0; i < c->n_lines; i++) {
        const struct change_line *line = &c->line[i];

        if (!all && (!s->begins || head->len > SOURCE_MARK_BYTES))
            break;
        if (line->kind == (side == CHANGE_AFTER ? '-' : '+'))
            continue;
        buf_add(head, line->p, line->n);
        if (!line->no_newline)
            buf_addc(head, '\n');
    }
    s->text = head->data;
    s->n = head->len;
}

static void
see(struct seen *s, const struct drops *d, const struct text_rec *r,
    const struct change *c, struct buf *head)
{
    const struct text_field *path = text_get(r, "path");
    const struct text_field *text = text_get(r, "text");
    bool all = d->on[DROP_MAX_LINE_LENGTH] || d->on[DROP_AVG_LINE_LENGTH]
               || d->on[DROP_ALPHANUM_FRACTION];

    memset(s, 0, sizeof(*s));
    s->r = r;
    s->path = path ? path->data : "";
    s->n_path = path ? path->len : 0;
    s->attributes = text_get(r, "attributes");
    s->generated = text_get(r, "generated");
    s->text = "";
    if (r->kind == TEXT_COMMIT) {
        s->c = c;
        all |= source_minified_lines(s->path, s->n_path, 0, 0);
        show_change(s, all, head);
    } else if (text) {
        s->text = text->data;
        s->n = text->len;
        s->begins = s->whole = true;
    }
}

static uint64_t
count_lines(const struct seen *s)
{
    uint64_t n = 0;

    if (s->c) {
        for (size_t i = 0; i < s->c->n_lines; i++)
            n += s->c->line[i].kind != ' ';
        return n;
    }
    return lines_count(s->text, s->n);
}

bool
drops_find(const struct drops *d, struct drops_worker *w,
           const struct text_rec *r, const struct change *c,
           struct drop_found *found)
{
    struct seen s;
    bool gone = false;

    if (r->kind != TEXT_COMMIT && r->kind != TEXT_FILE)
        return false;
    see(&s, d, r, c, &w->head);
    for (int i = 0; i <= DROP_DOCUMENTATION && !gone; i++)
        gone = d->on[i] && is_kind(&s, (enum drop)i, found);
    gone = gone || by_license(d, &s, &w->license, found)
           || by_lines(d, &s, found);
    if (!gone && r->kind == TEXT_COMMIT)
        gone = drops_of_commit(d, w, r, c, found);
    if (gone)
        found->lines = count_lines(&s);
    return gone;
}
