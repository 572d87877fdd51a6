/* json.c - the checker, the pull reader and the writer.
 *
 * The checker is a loop with a stack of open containers, the reader a
 * pointer into a checked text: after `[`, `{` or a value, what comes next
 * tells whether there is another member, so it needs no stack at all.
 * Duplicate keys are found with one hash table per open object, so checking
 * is linear in the text.
 */
#include "base/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/utf8.h"

struct check {
    struct json j;
    struct err *e;
    bool nul_ok; /* a NUL in a string value is accepted */
    int depth;
    char open[JSON_MAX_DEPTH]; /* '[' or '{' */
    struct map keys[JSON_MAX_DEPTH]; /* of the object open at that depth */
    int n_keys; /* of them initialised: small texts take few */
    struct buf key;
};

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

static void
skip_space(struct json *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\n'
                             || *j->p == '\t' || *j->p == '\r'))
        j->p++;
}

/* The next character after white space, 0 at the end. */
static int
next_char(struct json *j)
{
    skip_space(j);
    return j->p < j->end ? (unsigned char)*j->p : 0;
}

static bool
is_digit(const struct json *j)
{
    return j->p < j->end && *j->p >= '0' && *j->p <= '9';
}

/* Four hex digits at p, or -1. */
static int
hex4(const char *p, const char *end)
{
    int v = 0, i, c;

    if (end - p < 4)
        return -1;
    for (i = 0; i < 4; i++) {
        c = p[i];
        if (c >= '0' && c <= '9')
            c -= '0';
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            c = (c | 32) - 'a' + 10;
        else
            return -1;
        v = v << 4 | c;
    }
    return v;
}

/* The code point of the \u escape whose digits are at *p; moves *p behind
 * it (and its second half). -1 for bad digits, -2 for a lone surrogate. */
static int32_t
escape_code(const char **p, const char *end)
{
    int high = hex4(*p, end), low;

    if (high < 0)
        return -1;
    *p += 4;
    if (high < 0xd800 || high > 0xdfff)
        return high;
    if (high > 0xdbff || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
        return -2;
    low = hex4(*p + 2, end);
    if (low < 0xdc00 || low > 0xdfff)
        return -2;
    *p += 6;
    return 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
}

/* What \c stands for, 0 when there is no such escape. */
static int
escape_char(int c)
{
    switch (c) {
    case '"': case '\\': case '/':
        return c;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return 0;
    }
}

/* Checks the string at its opening quote, appends what it means to *out
 * unless that is NULL. */
static int
check_string(struct check *c, struct buf *out, bool nul_ok)
{
    struct json *j = &c->j;
    const char *run = ++j->p;
    char utf8[4];
    int32_t code;

    for (; j->p < j->end; run = j->p) {
        while (j->p < j->end && *j->p != '"' && *j->p != '\\'
               && (unsigned char)*j->p >= 0x20)
            j->p++;
        if (out)
            buf_add(out, run, (size_t)(j->p - run));
        if (j->p == j->end)
            break;
        if (*j->p == '"') {
            j->p++;
            return 0;
        }
        if (*j->p != '\\')
            return json_error(j, c->e, "control character in a string "
                              "(found 0x%02x)", (unsigned char)*j->p);
        if (++j->p == j->end)
            break;
        if (*j->p != 'u') {
            code = escape_char(*j->p);
            if (code == 0)
                return json_error(j, c->e, "unknown escape in a string");
            j->p++;
        } else {
            j->p++;
            code = escape_code(&j->p, j->end);
            if (code < 0)
                return json_error(j, c->e, code == -1 ?
                                  "bad digits in a \\u escape" :
                                  "half of a surrogate pair");
            if (code == 0 && !nul_ok)
                return json_error(j, c->e, "NUL character in a %s",
                                  out ? "key" : "string");
        }
        if (out)
            buf_add(out, utf8, utf8_encode((uint32_t)code, utf8));
    }
    return json_error(j, c->e, "unterminated string");
}

static int
check_number(struct check *c)
{
    struct json *j = &c->j;

    if (*j->p == '-')
        j->p++;
    if (!is_digit(j))
        return json_error(j, c->e, "bad number");
    if (*j->p++ == '0') {
        if (is_digit(j))
            return json_error(j, c->e, "number with a leading zero");
    }
    while (is_digit(j))
        j->p++;
    if (j->p < j->end && *j->p == '.') {
        j->p++;
        if (!is_digit(j))
            return json_error(j, c->e, "bad number");
        while (is_digit(j))
            j->p++;
    }
    if (j->p < j->end && (*j->p | 32) == 'e') {
        j->p++;
        if (j->p < j->end && (*j->p == '+' || *j->p == '-'))
            j->p++;
        if (!is_digit(j))
            return json_error(j, c->e, "bad number");
        while (is_digit(j))
            j->p++;
    }
    return 0;
}

static int
check_word(struct check *c)
{
    static const char *const word[] = {"null", "false", "true"};
    struct json *j = &c->j;
    size_t i, len;

    for (i = 0; i < 3; i++) {
        len = strlen(word[i]);
        if ((size_t)(j->end - j->p) >= len
            && memcmp(j->p, word[i], len) == 0) {
            j->p += len;
            return 0;
        }
    }
    return json_error(j, c->e, "not a JSON value");
}

/* A key and its colon; the reader stands at the quote, or should. */
static int
check_key(struct check *c)
{
    struct json *j = &c->j;
    struct json at;
    bool added;
    int rc;

    if (next_char(j) != '"')
        return json_error(j, c->e, "a key was expected");
    at = *j;
    buf_reset(&c->key);
    rc = check_string(c, &c->key, false);
    if (rc < 0)
        return rc;
    map_put(&c->keys[c->depth - 1], c->key.data, c->key.len, 0, &added);
    if (!added)
        return json_error(&at, c->e, "duplicate key \"%s\"", c->key.data);
    if (next_char(j) != ':')
        return json_error(j, c->e, "':' was expected after a key");
    j->p++;
    return 0;
}

/* Opens a container. *more: a value has to follow. */
static int
check_open(struct check *c, bool *more)
{
    struct json *j = &c->j;
    char kind = *j->p;

    if (c->depth == JSON_MAX_DEPTH)
        return json_error(j, c->e, "nested more than %d deep",
                          JSON_MAX_DEPTH);
    j->p++;
    c->open[c->depth++] = kind;
    *more = next_char(j) != (kind == '[' ? ']' : '}');
    if (!*more || kind == '[')
        return 0;
    while (c->n_keys < c->depth)
        map_init(&c->keys[c->n_keys++]);
    map_clear(&c->keys[c->depth - 1]);
    return check_key(c);
}

/* After a complete value: closes containers up to the next comma, behind
 * which a value has to follow (*more), or up to the end of the text. */
static int
check_after(struct check *c, bool *more)
{
    struct json *j = &c->j;
    char kind;

    for (*more = false; c->depth > 0; c->depth--, j->p++) {
        kind = c->open[c->depth - 1];
        if (next_char(j) == ',') {
            j->p++;
            *more = true;
            return kind == '{' ? check_key(c) : 0;
        }
        if (next_char(j) != (kind == '[' ? ']' : '}'))
            return json_error(j, c->e, "',' or '%c' was expected",
                              kind == '[' ? ']' : '}');
    }
    return 0;
}

static int
check_text(struct check *c)
{
    struct json *j = &c->j;
    bool more = true;
    int rc, next;

    while (more) {
        next = next_char(j);
        if (next == 0 && j->p == j->end)
            return json_error(j, c->e, "unexpected end");
        if (next == '[' || next == '{') {
            rc = check_open(c, &more);
            if (rc == 0 && more)
                continue;
        } else if (next == '"') {
            rc = check_string(c, NULL, c->nul_ok);
        } else if (next == '-' || is_digit(j)) {
            rc = check_number(c);
        } else {
            rc = check_word(c);
        }
        if (rc == 0)
            rc = check_after(c, &more);
        if (rc < 0)
            return rc;
    }
    skip_space(j);
    return j->p == j->end ? 0 : json_error(j, c->e, "trailing bytes");
}

static int
check(const char *text, size_t n, const char *where, bool nul_ok,
      struct err *e)
{
    struct check c;
    size_t valid = utf8_valid(text, n);
    int rc, i;

    c.j = json_on(text, n, where);
    if (valid < n) {
        c.j.p += valid;
        return json_error(&c.j, e, "invalid UTF-8");
    }
    c.e = e;
    c.nul_ok = nul_ok;
    c.depth = 0;
    c.n_keys = 0;
    buf_init(&c.key);
    rc = check_text(&c);
    for (i = 0; i < c.n_keys; i++)
        map_release(&c.keys[i]);
    buf_release(&c.key);
    return rc;
}

int
json_check(const char *text, size_t n, const char *where, struct err *e)
{
    return check(text, n, where, true, e);
}

int
json_user(cJSON **out, const char *text, size_t n, const char *where,
          struct err *e)
{
    cJSON *tree;
    int rc;

    rc = check(text, n, where, false, e);
    if (rc < 0)
        return rc;
    tree = cJSON_ParseWithLength(text, n);
    if (!tree)
        return err_set(e, ERR_IO, "%s: out of memory", where);
    *out = tree;
    return 0;
}

int
json_user_file(cJSON **out, const char *path, uint64_t max, struct err *e)
{
    struct buf text;
    int rc;

    buf_init(&text);
    rc = file_read_regular(&text, path, max, e);
    if (rc == 0)
        rc = json_user(out, text.data, text.len, path, e);
    buf_release(&text);
    return rc;
}

enum json_kind
json_kind(struct json *j)
{
    switch (next_char(j)) {
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

int
json_enter_array(struct json *j, struct err *e)
{
    int rc = want(j, JSON_ARRAY, e);

    if (rc == 0)
        j->p++;
    return rc;
}

int
json_enter_object(struct json *j, struct err *e)
{
    int rc = want(j, JSON_OBJECT, e);

    if (rc == 0)
        j->p++;
    return rc;
}

bool
json_next_item(struct json *j)
{
    int c = next_char(j);

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
        code = j->p[-1] == 'u' ? escape_code(&j->p, j->end) :
                                 escape_char(j->p[-1]);
        buf_add(out, utf8, utf8_encode((uint32_t)code, utf8));
    }
    if (j->p < j->end)
        j->p++;
}

bool
json_next_key(struct json *j, struct buf *key)
{
    int c = next_char(j);

    if (c == '}' || c == ',')
        j->p++;
    if (c == '}' || c == 0)
        return false;
    next_char(j);
    read_string(j, key);
    if (next_char(j) == ':')
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
        c = next_char(j);
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

void
json_put_string(struct buf *b, const char *s, size_t n)
{
    static const char letter[32] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'
    };
    size_t i, run = 0;
    unsigned char c;

    buf_addc(b, '"');
    for (i = 0; i < n; i++) {
        c = (unsigned char)s[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_add(b, s + run, i - run);
        run = i + 1;
        if (c >= 0x20)
            buf_addf(b, "\\%c", c);
        else if (letter[c])
            buf_addf(b, "\\%c", letter[c]);
        else
            buf_addf(b, "\\u%04x", c);
    }
    buf_add(b, s + run, n - run);
    buf_addc(b, '"');
}

void
json_put_double(struct buf *b, double v)
{
    char text[32];
    int digits;

    if (!isfinite(v)) {
        buf_addstr(b, "null");
        return;
    }
    for (digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    buf_addstr(b, text);
}
