/* text.c - text records to bytes and back. */
#include "record/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"

void
text_init(struct text_rec *r)
{
    memset(r, 0, sizeof(*r));
}

void
text_release(struct text_rec *r)
{
    free(r->field);
    text_init(r);
}

void
text_begin(struct text_rec *r, enum text_kind kind)
{
    r->kind = kind;
    r->n = 0;
}

void
text_add(struct text_rec *r, const char *name, const void *data, size_t len)
{
    if (!data)
        return;
    if (r->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 16;
        r->field = mem_grow(r->field, r->cap * sizeof(*r->field));
    }
    r->field[r->n++] = (struct text_field){name, data, len};
}

void
text_add_str(struct text_rec *r, const char *name, const char *s)
{
    text_add(r, name, s, s ? strlen(s) : 0);
}

const struct text_field *
text_get(const struct text_rec *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->field[i].name, name) == 0)
            return &r->field[i];
    return NULL;
}

int
text_i64(const struct text_rec *r, const char *name, int64_t missing,
         int64_t *out, struct err *e)
{
    const struct text_field *f = text_get(r, name);
    bool minus = f && f->len > 0 && f->data[0] == '-';
    uint64_t v = 0, most = minus ? UINT64_C(1) << 63 : INT64_MAX;
    size_t i = minus;
    unsigned digit;

    if (!f) {
        *out = missing;
        return 0;
    }
    for (; i < f->len; i++) {
        digit = (unsigned)(unsigned char)f->data[i] - '0';
        if (digit > 9 || v > (most - digit) / 10)
            break;
        v = v * 10 + digit;
    }
    if (i < f->len || f->len == minus)
        return err_set(e, ERR_DATA, "field %s (found %.*s, expected a "
                       "number)", name, (int)(f->len < 40 ? f->len : 40),
                       f->data);
    *out = minus ? (int64_t)-v : (int64_t)v;
    return 0;
}

/* ---- chats ---- */

static bool
is_named(const struct text_rec *r, size_t i, const char *name)
{
    return i < r->n && strcmp(r->field[i].name, name) == 0;
}

/* Where the messages begin; the number of fields when there is none. */
static size_t
first_message(const struct text_rec *r)
{
    size_t i = 0;

    while (i < r->n && !is_named(r, i, "role"))
        i++;
    return i;
}

bool
text_next_message(const struct text_rec *r, size_t *at,
                  struct text_message *m)
{
    size_t i = *at > 0 ? *at : first_message(r);

    if (r->kind != TEXT_CHAT || !is_named(r, i, "role")
        || !is_named(r, i + 1, "content"))
        return false;
    m->role = &r->field[i];
    m->content = &r->field[i + 1];
    m->json = is_named(r, i + 2, "message_json") ? &r->field[i + 2] : NULL;
    *at = i + 2 + (m->json != NULL);
    return true;
}

/* ---- what a record may be ---- */

static bool
name_ok(const char *s, size_t n)
{
    if (n == 0 || n > TEXT_MAX_NAME || s[0] < 'a' || s[0] > 'z')
        return false;
    for (size_t i = 1; i < n; i++)
        if (!(s[i] >= 'a' && s[i] <= 'z') && !(s[i] >= '0' && s[i] <= '9')
            && s[i] != '_')
            return false;
    return true;
}

static bool
same_name(const struct text_rec *r, size_t i, size_t k)
{
    return strcmp(r->field[i].name, r->field[k].name) == 0;
}

/* No name twice, and outside of a chat's messages, which are the fields from
 * `at` to end, none of theirs. */
static int
check_names(const struct text_rec *r, size_t at, size_t end, struct err *e)
{
    bool twice = false;

    for (size_t i = 0; i < r->n; i++) {
        if (i == at)
            i = end;
        if (i == r->n)
            break;
        for (size_t k = 0; k < i && !twice; k++) {
            if (k >= at && k < end)
                k = end;
            twice = k < i && same_name(r, i, k);
        }
        if (at < end)
            twice |= is_named(r, i, "role") || is_named(r, i, "content")
                     || is_named(r, i, "message_json");
        if (twice)
            return err_set(e, ERR_DATA, "field %s twice", r->field[i].name);
    }
    return 0;
}

static int
check(const struct text_rec *r, struct err *e)
{
    size_t at = r->n, end = 0, n = 0;
    struct text_message m;

    if (!text_kind_name(r->kind))
        return err_set(e, ERR_DATA, "record kind (found %u, expected 1 to "
                       "4)", (unsigned)r->kind);
    if (r->kind == TEXT_CHAT) {
        at = first_message(r);
        while (text_next_message(r, &end, &m))
            n++;
        if (n == 0)
            return err_set(e, ERR_DATA, "a chat without messages");
        if (n > TEXT_MAX_MESSAGES)
            return err_set(e, ERR_LIMIT, "a chat of %zu messages (limit %d)",
                           n, TEXT_MAX_MESSAGES);
    }
    if (n == 0)
        end = r->n;
    if (r->n - (end - at) > TEXT_MAX_FIELDS)
        return err_set(e, ERR_LIMIT, "a record of %zu fields (limit %d)",
                       r->n - (end - at), TEXT_MAX_FIELDS);
    return check_names(r, at, end, e);
}

/* ---- bytes ---- */

int
text_encode(struct buf *b, const struct text_rec *r, struct err *e)
{
    const struct text_field *f;
    size_t i;
    int rc = check(r, e);

    for (i = 0; rc == 0 && i < r->n; i++)
        if (!name_ok(r->field[i].name, strlen(r->field[i].name)))
            rc = err_set(e, ERR_DATA, "field name '%s' (expected "
                         "[a-z][a-z0-9_]*)", r->field[i].name);
    if (rc < 0)
        return rc;
    buf_addc(b, r->kind);
    buf_varint(b, r->n);
    for (i = 0; i < r->n; i++) {
        f = &r->field[i];
        buf_add(b, f->name, strlen(f->name) + 1);
        buf_varint(b, f->len);
        buf_add(b, f->data, f->len);
    }
    return 0;
}

static bool
decode_field(struct text_rec *r, struct cursor *c)
{
    size_t most = c->left < TEXT_MAX_NAME + 1 ? c->left : TEXT_MAX_NAME + 1;
    const char *nul = most ? memchr(c->p, 0, most) : NULL;
    const char *name = (const char *)c->p;
    const void *data;
    uint64_t n;

    if (!nul || !name_ok(name, (size_t)(nul - name)))
        return false;
    cursor_bytes(c, (size_t)(nul - name) + 1);
    n = cursor_varint(c);
    if (!c->ok || n > c->left)
        return false;
    data = cursor_bytes(c, (size_t)n);
    text_add(r, name, data, (size_t)n);
    return true;
}

int
text_decode(struct text_rec *r, const void *p, size_t n, struct err *e)
{
    struct cursor c = cursor_on(p, n);
    unsigned kind = cursor_u8(&c);
    uint64_t n_fields = cursor_varint(&c);
    int rc = 0;

    text_begin(r, kind);
    if (!c.ok || n_fields > 3 * TEXT_MAX_MESSAGES + TEXT_MAX_FIELDS)
        rc = err_set(e, ERR_DATA, "text record: number of fields");
    for (uint64_t i = 0; rc == 0 && i < n_fields; i++)
        if (!decode_field(r, &c))
            rc = err_set(e, ERR_DATA, "text record: field %" PRIu64
                         " of %" PRIu64 ": bad name or length", i, n_fields);
    if (rc == 0 && c.left)
        rc = err_set(e, ERR_DATA, "text record: %zu bytes after the last "
                     "field", c.left);
    if (rc == 0 && check(r, e) < 0)
        rc = e->code = ERR_DATA;
    if (rc < 0)
        r->n = 0;
    return rc;
}

const struct id *
text_body(const struct text_rec *r, struct id *body)
{
    const struct text_field *f = text_get(r, "text");

    if (!f)
        return NULL;
    *body = id_of(f->data, f->len);
    return body;
}

struct id
text_id(const struct text_rec *r, const void *p, size_t n,
        const struct id *body)
{
    const struct text_field *f = body ? text_get(r, "text") : NULL;
    const char *at = p, *end = at + n;
    struct hash h;

    hash_init(&h);
    if (f) {
        hash_add(&h, at, (size_t)(f->data - at));
        hash_add(&h, body->b, ID_BYTES);
        at = f->data + f->len;
    }
    hash_add(&h, at, (size_t)(end - at));
    return hash_id(&h);
}

/* ---- names ---- */

static const char *const kinds[] = {
    [TEXT_COMMIT] = "commit", [TEXT_FILE] = "file", [TEXT_DOC] = "doc",
    [TEXT_CHAT] = "chat"
};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

const char *
text_kind_name(unsigned kind)
{
    return kind < N_KINDS ? kinds[kind] : NULL;
}

enum text_kind
text_kind_parse(const char *name, size_t n)
{
    for (unsigned i = 1; i < N_KINDS; i++)
        if (strlen(kinds[i]) == n && memcmp(kinds[i], name, n) == 0)
            return i;
    return 0;
}

bool
text_is_number(const char *name)
{
    return strcmp(name, "ordinal") == 0 || strcmp(name, "time") == 0;
}

bool
text_is_json(const char *name)
{
    return strcmp(name, "tools") == 0
           || strcmp(name, "chat_template_kwargs") == 0;
}

void
text_commit_message(struct buf *b, const struct text_rec *r)
{
    const struct text_field *subject = text_get(r, "subject");
    const struct text_field *body = text_get(r, "body");
    size_t begin = b->len;

    if (subject)
        buf_add(b, subject->data, subject->len);
    if (body && body->len > 0) {
        buf_addstr(b, "\n\n");
        buf_add(b, body->data, body->len);
    }
    while (b->len > begin && b->data[b->len - 1] == '\n')
        b->len--;
    b->data[b->len] = '\0';
}
