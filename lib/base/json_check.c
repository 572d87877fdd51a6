/* json_check.c - whether a text is JSON, and such as an honest file holds.
 *
 * A loop with a stack of open containers. Duplicate keys are found with one
 * hash table per open object, so checking is linear in the text. Of UTF-8
 * strings are checked alone: outside of them nothing but ASCII is right.
 */
#include <limits.h>
#include <string.h>

#include "base/json_index.h"
#include "base/json_text.h"
#include "base/utf8.h"

struct check {
    struct json j;
    struct err *e;
    bool nul_ok; /* a NUL in a string value is accepted */
    bool escapes; /* the string that was checked last has some */
    int depth;
    char open[JSON_MAX_DEPTH]; /* '[' or '{' */
    size_t n_members[JSON_MAX_DEPTH]; /* of what is open, so far */
    struct map keys[JSON_MAX_DEPTH]; /* of the object open at that depth */
    int n_keys; /* of them initialised: small texts take few */
    struct buf key; /* with escapes */
    struct json_index *index; /* or NULL */
};

static bool
is_digit(const struct json *j)
{
    return j->p < j->end && *j->p >= '0' && *j->p <= '9';
}

/* Checks what the backslash at j->p begins. */
static int
check_escape(struct check *c, const char *what, bool nul_ok)
{
    struct json *j = &c->j;
    int32_t code;

    if (++j->p == j->end)
        return 0;
    if (*j->p != 'u') {
        if (json_escape_char(*j->p) == 0)
            return json_error(j, c->e, "unknown escape in a string");
        j->p++;
        return 0;
    }
    j->p++;
    code = json_escape_code(&j->p, j->end);
    if (code < 0)
        return json_error(j, c->e, code == -1 ?
                          "bad digits in a \\u escape" :
                          "half of a surrogate pair");
    if (code == 0 && !nul_ok)
        return json_error(j, c->e, "NUL character in a %s", what);
    return 0;
}

/* Moves behind the characters at p that are no ASCII, as far as they are
 * UTF-8; those of two bytes are nearly all that byte-level tokens have. */
static const char *
behind_wide(const char *p, const char *end)
{
    size_t n;

    while (p < end && (unsigned char)*p >= 0x80) {
        n = utf8_is_two(p, (size_t)(end - p)) ? 2 :
            utf8_length(p, (size_t)(end - p));
        if (n == 0)
            break;
        p += n;
    }
    return p;
}

/* Checks the string at its opening quote. */
static int
check_string(struct check *c, const char *what, bool nul_ok)
{
    struct json *j = &c->j;
    const char *p;
    int rc;

    j->p++;
    c->escapes = false;
    for (;;) {
        p = json_run_end(j->p, j->end, false);
        j->p = behind_wide(p, j->end);
        if (j->p == j->end)
            return json_error(j, c->e, "unterminated string");
        if (*j->p == '"') {
            j->p++;
            return 0;
        }
        if (*j->p == '\\') {
            c->escapes = true;
            rc = check_escape(c, what, nul_ok);
            if (rc < 0)
                return rc;
        } else if (j->p == p) {
            return json_error(j, c->e, "control character in a string "
                              "(found 0x%02x)", (unsigned char)*p);
        }
    }
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

/* Where the keys go of the object that is open. */
static struct map *
keys_of(struct check *c)
{
    return c->index && json_index_keeps(c->index, c->depth) ?
           &c->index->keys : &c->keys[c->depth - 1];
}

/* A key; the reader stands at its quote. */
static int
read_key(struct check *c, struct json_text *key)
{
    struct json at = c->j;
    int rc = check_string(c, "key", false);

    if (rc < 0)
        return rc;
    *key = (struct json_text){ at.p + 1, (size_t)(c->j.p - at.p) - 2 };
    if (c->escapes) {
        buf_reset(&c->key);
        json_take_string(&at, key, &c->key);
    }
    return 0;
}

/* A key and its colon; the reader stands at the quote, or should. */
static int
check_key(struct check *c)
{
    struct json *j = &c->j;
    struct json at;
    struct json_text key;
    struct map_entry *entry;
    bool added;
    int rc;

    if (json_next_char(j) != '"')
        return json_error(j, c->e, "a key was expected");
    at = *j;
    rc = read_key(c, &key);
    if (rc < 0)
        return rc;
    entry = map_put(keys_of(c), key.p, key.n, 0, &added);
    if (!added)
        return json_error(&at, c->e, "duplicate key \"%.*s\"",
                          key.n < INT_MAX ? (int)key.n : INT_MAX, key.p);
    if (json_next_char(j) != ':')
        return json_error(j, c->e, "':' was expected after a key");
    j->p++;
    entry->value = (uint64_t)(j->p - j->start);
    if (c->index)
        json_index_key(c->index, c->depth, &key);
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
    c->open[c->depth++] = kind;
    if (c->index)
        json_index_open(c->index, c->depth, (size_t)(j->p - j->start));
    j->p++;
    *more = json_next_char(j) != (kind == '[' ? ']' : '}');
    c->n_members[c->depth - 1] = *more;
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

    for (*more = false; c->depth > 0; c->depth--) {
        kind = c->open[c->depth - 1];
        if (json_next_char(j) == ',') {
            j->p++;
            *more = true;
            c->n_members[c->depth - 1]++;
            return kind == '{' ? check_key(c) : 0;
        }
        if (json_next_char(j) != (kind == '[' ? ']' : '}'))
            return json_error(j, c->e, "',' or '%c' was expected",
                              kind == '[' ? ']' : '}');
        j->p++;
        if (c->index)
            json_index_close(c->index, c->depth, (size_t)(j->p - j->start),
                             c->n_members[c->depth - 1]);
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
            rc = check_string(c, "string", c->nul_ok);
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

/* The check, but for the precedence of UTF-8. */
static int
check_all(struct json_index *index, const char *text, size_t n,
          const char *where, bool nul_ok, struct err *e)
{
    struct check c;
    int rc, i;

    c.j = json_on(text, n, where);
    c.e = e;
    c.nul_ok = nul_ok;
    c.depth = 0;
    c.n_keys = 0;
    c.index = index;
    buf_init(&c.key);
    rc = check_text(&c);
    for (i = 0; i < c.n_keys; i++)
        map_release(&c.keys[i]);
    buf_release(&c.key);
    if (rc < 0) {
        /* Whatever else is wrong, that comes first. */
        c.j = json_on(text, n, where);
        c.j.p += utf8_valid(text, n);
        if (c.j.p < c.j.end)
            json_error(&c.j, e, "invalid UTF-8");
    }
    return rc;
}

int
json_check_text(const char *text, size_t n, const char *where, bool nul_ok,
                struct err *e)
{
    return check_all(NULL, text, n, where, nul_ok, e);
}

int
json_check(const char *text, size_t n, const char *where, struct err *e)
{
    return check_all(NULL, text, n, where, true, e);
}

int
json_check_index(struct json_index *ix, const char *const *path,
                 const char *text, size_t n, const char *where,
                 struct err *e)
{
    memset(ix, 0, sizeof(*ix));
    map_init(&ix->keys);
    ix->path = path;
    return check_all(ix, text, n, where, true, e);
}
