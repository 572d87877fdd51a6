/* json_read.c - the pull reader: a pointer into a checked text.
 *
 * After `[`, `{` or a value, what comes next tells whether there is another
 * member, so it needs no stack at all.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/mem.h"
#include "base/utf8.h"

struct json
json_on(const char *text, size_t n, const char *where)
{
    struct json j = {text, text, text + n, where};

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

/* Consumes a string of a checked text, decoded into *out. */
static void
read_string(struct json *j, struct buf *out)
{
    const char *run = ++j->p;
    char utf8[4];
    int32_t code;

    buf_reset(out);
    for (; j->p < j->end; run = j->p) {
        while (j->p < j->end && *j->p != '"' && *j->p != '\\')
            j->p++;
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

/* The length of the number at j->p. */
static size_t
number_length(const struct json *j)
{
    const char *p = j->p;

    while (p < j->end && (strchr("+-.eE", *p) || (*p >= '0' && *p <= '9'))
           && *p)
        p++;
    return (size_t)(p - j->p);
}

int
json_u64(struct json *j, uint64_t *out, struct err *e)
{
    uint64_t v = 0;
    size_t n, i;
    int rc;

    rc = want(j, JSON_NUMBER, e);
    if (rc < 0)
        return rc;
    n = number_length(j);
    for (i = 0; i < n; i++) {
        if (j->p[i] < '0' || j->p[i] > '9')
            return json_error(j, e, "not an unsigned integer");
        if (!size_mul(v, 10, &v) || !size_add(v, j->p[i] - '0', &v))
            return json_error(j, e, "integer over 2^64 - 1");
    }
    j->p += n;
    *out = v;
    return 0;
}

int
json_double(struct json *j, double *out, struct err *e)
{
    size_t n;
    char *copy;
    double v;
    int rc;

    rc = want(j, JSON_NUMBER, e);
    if (rc < 0)
        return rc;
    n = number_length(j);
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
    for (j->p++; j->p < j->end && *j->p != '"'; j->p++)
        if (*j->p == '\\' && j->p + 1 < j->end)
            j->p++;
    if (j->p < j->end)
        j->p++;
}

void
json_skip(struct json *j)
{
    size_t depth = 0;
    int c;

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
            while (j->p < j->end && !strchr(" \t\r\n,:]}", *j->p))
                j->p++;
        }
    } while (depth > 0);
}

int
json_count_items(struct json j, size_t *n, struct err *e)
{
    int rc = json_enter_array(&j, e);

    *n = 0;
    while (rc == 0 && json_next_item(&j)) {
        json_skip(&j);
        (*n)++;
    }
    return rc;
}
