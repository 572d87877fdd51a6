/* head_text.c - a header as text: written and read by the same rules.
 *
 * What can't be in a header is refused when it is written, and the reader
 * takes no other text than the writer makes: lines in their order, each name
 * once.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "stream/frame.h"
#include "stream/lines.h"

#define MAGIC "graft stream "
#define KEYS_MAX 1024 /* looked up one after the other */
#define END 5         /* the last of the kinds of lines */

/* [a-z][a-z0-9_.-]*, at most STREAM_NAME_MAX bytes. */
static bool
name_ok(const char *s, size_t n)
{
    if (n == 0 || n > STREAM_NAME_MAX || s[0] < 'a' || s[0] > 'z')
        return false;
    for (size_t i = 1; i < n; i++)
        if (!(s[i] >= 'a' && s[i] <= 'z') && !(s[i] >= '0' && s[i] <= '9')
            && s[i] != '_' && s[i] != '.' && s[i] != '-')
            return false;
    return true;
}

/* One or more bytes of UTF-8 without control characters. */
static bool
value_ok(const char *s, size_t n)
{
    return n > 0 && utf8_is_line(s, n);
}

/* An OID is a value without spaces. */
static bool
oid_ok(const char *s, size_t n)
{
    return value_ok(s, n) && !memchr(s, ' ', n);
}

int
head_allowed(const struct stream_head *h, struct err *e)
{
    const struct stream_key *k = h->key;

    if (!name_ok(h->type, strlen(h->type)))
        return err_set(e, ERR_USAGE, "header: bad type '%s'", h->type);
    if (h->n_keys > KEYS_MAX)
        return err_set(e, ERR_LIMIT, "header: %zu keys (limit %d)",
                       h->n_keys, KEYS_MAX);
    for (size_t i = 0; i < h->n_keys; i++)
        if (!name_ok(k[i].name, strlen(k[i].name))
            || !value_ok(k[i].value, strlen(k[i].value)))
            return err_set(e, ERR_USAGE, "header: key %s can't be '%s' "
                           "(expected one line of UTF-8)", k[i].name,
                           k[i].value);
    if (h->after_oid && !oid_ok(h->after_oid, strlen(h->after_oid)))
        return err_set(e, ERR_USAGE, "header: bad id '%s'", h->after_oid);
    for (size_t i = 0; i < h->n_prov; i++)
        if (!value_ok(h->prov[i], strlen(h->prov[i])))
            return err_set(e, ERR_USAGE, "header: provenance '%s' (expected "
                           "one line of UTF-8)", h->prov[i]);
    return 0;
}

/* The lines that are part of the content id. */
static void
format_content(struct buf *b, const struct stream_head *h)
{
    buf_addf(b, "type %s\n", h->type);
    for (size_t i = 0; i < h->n_keys; i++)
        buf_addf(b, "key %s %s\n", h->key[i].name, h->key[i].value);
    if (h->after_oid)
        buf_addf(b, "after %" PRIu64 " %s\n", h->after, h->after_oid);
}

int
stream_head_format(struct buf *b, const struct stream_head *h, struct err *e)
{
    size_t start = b->len, line = start;
    int rc = head_allowed(h, e);

    if (rc < 0)
        return rc;
    buf_addf(b, MAGIC "%d\n", h->version);
    format_content(b, h);
    if (h->is_part)
        buf_addf(b, "part %" PRIu64 "\n", h->part);
    for (size_t i = 0; i < h->n_prov; i++)
        buf_addf(b, "prov %s\n", h->prov[i]);
    buf_addstr(b, "end\n");
    for (size_t i = start; i < b->len; i++) {
        if (i - line > STREAM_LINE_MAX)
            break;
        if (b->data[i] == '\n')
            line = i + 1;
    }
    if (line == b->len && b->len - start <= STREAM_HEAD_MAX)
        return 0;
    b->len = start;
    b->data[start] = '\0';
    return err_set(e, ERR_LIMIT, "header: over %u bytes, or a line over %u",
                   STREAM_HEAD_MAX, STREAM_LINE_MAX);
}

void
head_content(struct hash *content, const struct stream_head *h)
{
    struct buf b;

    buf_init(&b);
    format_content(&b, h);
    buf_addc(&b, 0);
    hash_add(content, b.data, b.len);
    buf_release(&b);
}

/* ---- reading ---- */

/* The rest of a line "key NAME VALUE". */
static bool
parse_key(struct stream_head *h, const char *p, size_t n)
{
    const char *word;
    char name[STREAM_NAME_MAX + 1];
    char *value;
    size_t len;

    if (!word_next(&p, &n, &word, &len) || !name_ok(word, len)
        || !value_ok(p, n) || h->n_keys == KEYS_MAX)
        return false;
    memcpy(name, word, len);
    name[len] = '\0';
    if (stream_head_get(h, name))
        return false;
    value = mem_dup(p, n);
    stream_head_set(h, name, value);
    free(value);
    return true;
}

static bool
parse_after(struct stream_head *h, const char *p, size_t n)
{
    const char *word;
    size_t len;
    uint64_t after;
    char *oid;

    if (h->after_oid || !word_next(&p, &n, &word, &len)
        || !decimal_parse(word, len, &after) || !oid_ok(p, n))
        return false;
    oid = mem_dup(p, n);
    stream_head_after(h, after, oid);
    free(oid);
    return true;
}

static bool
parse_prov(struct stream_head *h, const char *p, size_t n)
{
    char *prov;

    if (!value_ok(p, n))
        return false;
    prov = mem_dup(p, n);
    stream_head_prov(h, prov);
    free(prov);
    return true;
}

static bool
parse_part(struct stream_head *h, const char *p, size_t n)
{
    if (h->is_part || h->after_oid || !decimal_parse(p, n, &h->part))
        return false;
    h->is_part = true;
    return true;
}

/* The lines have an order: type, keys, after, part, prov, end. *stage is how
 * far it has come. */
static bool
parse_line(struct stream_head *h, const char *p, size_t n, int *stage)
{
    static const char *const words[] = {
        "type", "key", "after", "part", "prov", "end"
    };
    bool bare = n == strlen("end");
    const char *word;
    size_t len;
    int k = 0;

    if (!word_next(&p, &n, &word, &len))
        return false;
    while (k <= END && (strlen(words[k]) != len || memcmp(words[k], word, len)))
        k++;
    if (k > END || k < *stage || *stage == END
        || (k > 0) != (h->type[0] != 0))
        return false;
    *stage = k;
    if (k == END)
        return bare;
    if (k == 0) {
        if (!name_ok(p, n))
            return false;
        memcpy(h->type, p, n);
        h->type[n] = '\0';
        return true;
    }
    if (k == 1)
        return parse_key(h, p, n);
    if (k == 2)
        return parse_after(h, p, n);
    return k == 3 ? parse_part(h, p, n) : parse_prov(h, p, n);
}

/* "graft stream N" */
static int
parse_version(struct stream_head *h, const char *line, size_t n,
              const char *where, struct err *e)
{
    size_t magic = strlen(MAGIC);
    uint64_t version;

    if (n < magic || memcmp(line, MAGIC, magic) != 0
        || !decimal_parse(line + magic, n - magic, &version))
        return err_set(e, ERR_DATA, "%s: not a graft stream (expected "
                       "\"" MAGIC "%d\")", where, STREAM_VERSION);
    if (version < 1 || version > STREAM_VERSION)
        return err_set(e, ERR_DATA, "%s: stream version (found %" PRIu64
                       ", supported 1 to %d)", where, version,
                       STREAM_VERSION);
    h->version = (int)version;
    return 0;
}

int
stream_head_parse(struct stream_head *h, const char *text, size_t n,
                  const char *where, struct err *e)
{
    const char *p = text, *end = text + n, *line;
    struct stream_head got;
    size_t len;
    int stage = 0, row = 1, rc;

    stream_head_init(&got, "");
    if (!line_next(&p, end, &line, &len))
        len = 0;
    rc = parse_version(&got, text, len, where, e);
    while (rc == 0 && line_next(&p, end, &line, &len)) {
        row++;
        if (len > STREAM_LINE_MAX || !parse_line(&got, line, len, &stage))
            rc = err_set(e, ERR_DATA, "%s: header: line %d: not what a "
                         "header has there", where, row);
    }
    if (rc == 0 && (stage != END || p != end))
        rc = err_set(e, ERR_DATA, "%s: header: no line \"end\"", where);
    if (rc < 0) {
        stream_head_release(&got);
        return rc;
    }
    *h = got;
    return 0;
}
