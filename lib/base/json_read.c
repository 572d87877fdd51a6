/* json_read.c - the pull reader: a pointer into a checked text.
 *
 * After `[`, `{` or a value, what comes next tells whether there is another
 * member, so it needs no stack at all.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_index.h"
#include "base/json_text.h"
#include "base/mem.h"
#include "base/utf8.h"

struct json
json_on(const char *text, size_t n, const char *where)
{
    struct json j = {text, text, text + n, where, NULL};

    return j;
}

int
json_error(const struct json *j, struct err *e, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return err_set(e, ERR_DATA, "%s: byte %zu: %s", j->where,
                   (size_t)(j->p - j->start), text);
}

enum json_kind
json_kind(struct json *j)
{
    switch (json_next_char(j)) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n': case 0:
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

/* ERR_DATA unless the next value is of that kind. */
static int
want(struct json *j, enum json_kind kind, struct err *e)
{
    static const char *const name[] = {
        "null", "false", "true", "a number", "a string", "an array",
        "an object"
    };
    enum json_kind found = json_kind(j);

    if (found == kind)
        return 0;
    return json_error(j, e, "found %s, expected %s", name[found],
                      name[kind]);
}

/* Steps over the bracket that opens a container of that kind. */
static int
enter(struct json *j, enum json_kind kind, struct err *e)
{
    int rc = want(j, kind, e);

    if (rc == 0)
        j->p++;
    return rc;
}

int
json_enter_array(struct json *j, struct err *e)
{
    return enter(j, JSON_ARRAY, e);
}

int
json_enter_object(struct json *j, struct err *e)
{
    return enter(j, JSON_OBJECT, e);
}

bool
json_next_item(struct json *j)
{
    int c = json_next_char(j);

    if (c == ']' || c == ',')
        j->p++;
    return c != ']' && c != 0;
}

/* Appends what the string means that goes on at j->p, and moves behind it. */
static void
decode(struct json *j, struct buf *out)
{
    const char *run = j->p;
    char utf8[4];
    int32_t code;

    for (; j->p < j->end; run = j->p) {
        j->p = json_run_end(run, j->end, true);
        buf_add(out, run, (size_t)(j->p - run));
        if (j->end - j->p < 2 || *j->p == '"')
            break;
        j->p += 2;
        code = j->p[-1] == 'u' ? json_escape_code(&j->p, j->end) :
                                 json_escape_char(j->p[-1]);
        buf_add(out, utf8, utf8_encode((uint32_t)code, utf8));
    }
    if (j->p < j->end)
        j->p++;
}

void
json_take_string(struct json *j, struct json_text *out, struct buf *room)
{
    const char *p = j->p + 1, *stop = json_run_end(p, j->end, true);
    size_t from = room->len;

    if (stop < j->end && *stop == '"') {
        *out = (struct json_text){ p, (size_t)(stop - p) };
        j->p = stop + 1;
        return;
    }
    j->p = p;
    decode(j, room);
    *out = (struct json_text){ room->data + from, room->len - from };
}

/* Consumes a string of a checked text, decoded into *out. */
static void
read_string(struct json *j, struct buf *out)
{
    buf_reset(out);
    j->p++;
    decode(j, out);
}

bool
json_next_key(struct json *j, struct buf *key)
{
    int c = json_next_char(j);

    if (c == '}' || c == ',')
        j->p++;
    if (c == '}' || c == 0)
        return false;
    json_next_char(j);
    read_string(j, key);
    if (json_next_char(j) == ':')
        j->p++;
    return true;
}

int
json_string(struct json *j, struct buf *out, struct err *e)
{
    int rc = want(j, JSON_STRING, e);

    if (rc == 0)
        read_string(j, out);
    return rc;
}

int
json_view(struct json *j, struct json_text *out, struct buf *room,
          struct err *e)
{
    int rc = want(j, JSON_STRING, e);

    if (rc == 0)
        json_take_string(j, out, room);
    return rc;
}

static bool
in_number(int c)
{
    return (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+'
           || (c | 32) == 'e';
}

int
json_u64(struct json *j, uint64_t *out, struct err *e)
{
    const char *p;
    unsigned digit;
    uint64_t v = 0;
    int rc;

    rc = want(j, JSON_NUMBER, e);
    if (rc < 0)
        return rc;
    for (p = j->p; p < j->end && in_number(*p); p++) {
        if (*p < '0' || *p > '9')
            return json_error(j, e, "not an unsigned integer");
        digit = (unsigned)(*p - '0');
        if (v > UINT64_MAX / 10 || v * 10 > UINT64_MAX - digit)
            return json_error(j, e, "integer over 2^64 - 1");
        v = v * 10 + digit;
    }
    j->p = p;
    *out = v;
    return 0;
}

int
json_double(struct json *j, double *out, struct err *e)
{
    size_t n = 0;
    char *copy;
    double v;
    int rc;

    rc = want(j, JSON_NUMBER, e);
    if (rc < 0)
        return rc;
    while (j->p + n < j->end && in_number(j->p[n]))
        n++;
    copy = mem_dup(j->p, n);
    v = strtod(copy, NULL);
    free(copy);
    if (!isfinite(v))
        return json_error(j, e, "number out of range");
    j->p += n;
    *out = v;
    return 0;
}

int
json_bool(struct json *j, bool *out, struct err *e)
{
    enum json_kind kind = json_kind(j);

    if (kind != JSON_TRUE && kind != JSON_FALSE)
        return json_error(j, e, "expected true or false");
    j->p += kind == JSON_TRUE ? 4 : 5;
    *out = kind == JSON_TRUE;
    return 0;
}

/* Moves behind the string that opens at j->p. */
static void
skip_string(struct json *j)
{
    const char *p = json_run_end(j->p + 1, j->end, true);

    while (p < j->end && *p == '\\')
        p = json_run_end(j->end - p < 2 ? j->end : p + 2, j->end, true);
    j->p = p < j->end ? p + 1 : p;
}

static bool
ends_word(int c)
{
    return c == ',' || c == ']' || c == '}' || c == ' ' || c == '\n'
           || c == '\r' || c == '\t';
}

void
json_skip(struct json *j)
{
    const struct json_span *span;
    size_t depth = 0;
    int c = json_next_char(j);

    span = c == '[' || c == '{' ? json_index_find(j) : NULL;
    if (span) {
        j->p = j->start + span->end;
        return;
    }
    do {
        c = json_next_char(j);
        if (c == 0)
            return;
        if (c == '"') {
            skip_string(j);
        } else if (c == '[' || c == '{') {
            depth++;
            j->p++;
        } else if (c == ']' || c == '}') {
            depth--;
            j->p++;
        } else if (c == ',' || c == ':') {
            j->p++;
        } else {
            while (j->p < j->end && !ends_word(*j->p))
                j->p++;
        }
    } while (depth > 0);
}

int
json_count_items(struct json j, size_t *n, struct err *e)
{
    const struct json_span *span;
    int rc = want(&j, JSON_ARRAY, e);

    *n = 0;
    if (rc < 0)
        return rc;
    span = json_index_find(&j);
    if (span) {
        *n = span->n;
        return 0;
    }
    j.p++;
    while (json_next_item(&j)) {
        json_skip(&j);
        (*n)++;
    }
    return 0;
}
