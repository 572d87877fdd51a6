/* jsonl_write.c - records to lines of JSON. */
#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "record/jsonl.h"
#include "record/tensor.h"
#include "record/tokens.h"

static void
put_bytes(struct buf *b, const char *p, size_t n)
{
    if (utf8_valid(p, n) == n) {
        json_put_string(b, p, n);
        return;
    }
    buf_addstr(b, "{\"b64\":\"");
    b64_put(b, p, n);
    buf_addstr(b, "\"}");
}

static void
put_str(struct buf *b, const char *s)
{
    put_bytes(b, s, strlen(s));
}

/* Whether the text is a number as JSON writes it, of at most 18 digits. */
static bool
is_plain_number(const char *p, size_t n)
{
    size_t i;

    if (n > 0 && p[0] == '-') {
        p++;
        n--;
        if (n > 0 && p[0] == '0')
            return false;
    }
    if (n == 0 || n > 18 || (p[0] == '0' && n > 1))
        return false;
    for (i = 0; i < n; i++)
        if (p[i] < '0' || p[i] > '9')
            return false;
    return true;
}

static void
put_field(struct buf *b, const struct text_field *f)
{
    buf_addc(b, ',');
    put_str(b, f->name);
    buf_addc(b, ':');
    if (text_is_number(f->name) && is_plain_number(f->data, f->len))
        buf_add(b, f->data, f->len);
    else
        put_bytes(b, f->data, f->len);
}

static void
put_messages(struct buf *b, const struct text_rec *r, size_t n)
{
    const struct text_field *role, *content;
    size_t i;

    buf_addstr(b, ",\"messages\":[");
    for (i = 0; i < n; i++) {
        text_message(r, i, &role, &content);
        buf_addstr(b, i ? ",{\"role\":" : "{\"role\":");
        put_bytes(b, role->data, role->len);
        buf_addstr(b, ",\"content\":");
        put_bytes(b, content->data, content->len);
        buf_addc(b, '}');
    }
    buf_addc(b, ']');
}

static int
put_text(struct buf *b, const void *p, size_t n, struct err *e)
{
    struct text_rec r;
    size_t i, messages;
    int rc;

    text_init(&r);
    rc = text_decode(&r, p, n, e);
    if (rc < 0)
        goto out;
    messages = text_n_messages(&r);
    buf_addf(b, "{\"kind\":\"%s\"", text_kind_name(r.kind));
    for (i = 0; i < r.n; i++) {
        if (messages > 0 && strcmp(r.field[i].name, "role") == 0) {
            put_messages(b, &r, messages);
            i += 2 * messages - 1;
        } else {
            put_field(b, &r.field[i]);
        }
    }
    buf_addc(b, '}');
out:
    text_release(&r);
    return rc;
}

/* Appends v in decimal: buf_addf would take most of the time of a line. */
static void
put_u32(struct buf *b, uint32_t v)
{
    char digits[10];
    size_t n = 0;
    char *to;

    do
        digits[n++] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    to = buf_room(b, n);
    b->len += n;
    while (n > 0)
        *to++ = digits[--n];
    *to = '\0';
}

static void
put_ids(struct buf *b, const struct tokens *t)
{
    uint32_t *ids = mem_array(t->n, sizeof(*ids));
    size_t i;

    tokens_ids(t, ids);
    buf_addstr(b, "{\"kind\":\"tokens\",\"ids\":[");
    for (i = 0; i < t->n; i++) {
        if (i > 0)
            buf_addc(b, ',');
        put_u32(b, ids[i]);
    }
    free(ids);
}

static void
put_mask(struct buf *b, const struct tokens *t)
{
    uint8_t *mask = mem_alloc(t->n);
    size_t i;

    tokens_mask(t, mask);
    buf_addstr(b, "],\"mask\":[");
    for (i = 0; i < t->n; i++)
        buf_addstr(b, i == 0 ? mask[i] ? "1" : "0" : mask[i] ? ",1" : ",0");
    buf_addc(b, ']');
    free(mask);
}

static int
put_tokens(struct buf *b, const void *p, size_t n, struct err *e)
{
    char hex[ID_HEX + 1];
    struct tokens t;
    int rc;

    rc = tokens_decode(&t, p, n, 0, e);
    if (rc < 0)
        return rc;
    put_ids(b, &t);
    put_mask(b, &t);
    buf_addf(b, ",\"ordinal\":%llu,\"time\":%lld,\"group\":\"%016llx\","
             "\"quality\":%ld,\"text_id\":\"%s\"}",
             (unsigned long long)t.origin.ordinal, (long long)t.origin.time,
             (unsigned long long)t.origin.group, (long)t.origin.quality,
             id_hex(&t.origin.text, hex));
    return 0;
}

static int
put_asset(struct buf *b, const void *p, size_t n, struct err *e)
{
    struct asset a;
    int rc;

    rc = asset_decode(&a, p, n, e);
    if (rc < 0)
        return rc;
    buf_addstr(b, "{\"kind\":\"asset\",\"name\":");
    put_str(b, a.name);
    buf_addstr(b, ",\"data\":");
    put_bytes(b, a.data, a.n);
    buf_addc(b, '}');
    return 0;
}

int
jsonl_put_record(struct buf *b, const char *type, const void *p, size_t n,
                 struct err *e)
{
    if (strcmp(type, "text") == 0)
        return put_text(b, p, n, e);
    if (strcmp(type, "tokens") == 0)
        return put_tokens(b, p, n, e);
    if (strcmp(type, "weights") == 0)
        return put_asset(b, p, n, e);
    return err_set(e, ERR_DATA, "records of type \"%s\" have no JSON form",
                   type);
}

int
jsonl_put_tensor(struct buf *b, const void *desc, size_t n, uint64_t n_data,
                 const struct id *id, struct err *e)
{
    struct tensor_desc d;
    char hex[ID_HEX + 1];
    uint32_t i;
    int rc;

    rc = tensor_decode(&d, desc, n, n_data, e);
    if (rc < 0)
        return rc;
    buf_addstr(b, "{\"kind\":\"tensor\",\"name\":");
    put_str(b, d.name);
    buf_addf(b, ",\"dtype\":\"%s\",\"shape\":[", dtype_name(d.dtype));
    for (i = 0; i < d.n_dims; i++)
        buf_addf(b, "%s%llu", i ? "," : "", (unsigned long long)d.shape[i]);
    buf_addc(b, ']');
    if (id)
        buf_addf(b, ",\"id\":\"%s\"", id_hex(id, hex));
    buf_addc(b, '}');
    return 0;
}

void
jsonl_put_data(struct buf *b, const void *p, size_t n)
{
    buf_addstr(b, "{\"kind\":\"data\",\"b64\":\"");
    b64_put(b, p, n);
    buf_addstr(b, "\"}");
}
