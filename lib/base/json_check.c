/* json_check.c - whether a text is JSON, and such as an honest file holds.
 *
 * A loop with a stack of open containers. Duplicate keys are found with one
 * hash table per open object, so checking is linear in the text.
 */
#include <string.h>

#include "base/json_text.h"
#include "base/map.h"
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

static bool
is_digit(const struct json *j)
{
    return j->p < j->end && *j->p >= '0' && *j->p <= '9';
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
            code = json_escape_char(*j->p);
            if (code == 0)
                return json_error(j, c->e, "unknown escape in a string");
            j->p++;
        } else {
            j->p++;
            code = json_escape_code(&j->p, j->end);
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

    if (json_next_char(j) != '"')
        return json_error(j, c->e, "a key was expected");
    at = *j;
    buf_reset(&c->key);
    rc = check_string(c, &c->key, false);
    if (rc < 0)
        return rc;
    map_put(&c->keys[c->depth - 1], c->key.data, c->key.len, 0, &added);
    if (!added)
        return json_error(&at, c->e, "duplicate key \"%s\"", c->key.data);
    if (json_next_char(j) != ':')
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
    *more = json_next_char(j) != (kind == '[' ? ']' : '}');
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
        if (json_next_char(j) == ',') {
            j->p++;
            *more = true;
            return kind == '{' ? check_key(c) : 0;
        }
        if (json_next_char(j) != (kind == '[' ? ']' : '}'))
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
        next = json_next_char(j);
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
    json_skip_space(j);
    return j->p == j->end ? 0 : json_error(j, c->e, "trailing bytes");
}

int
json_check_text(const char *text, size_t n, const char *where, bool nul_ok,
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
    return json_check_text(text, n, where, true, e);
}
