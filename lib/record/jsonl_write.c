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
#include "record/vector.h"

void
jsonl_put_bytes(struct buf *b, const char *p, size_t n)
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
    jsonl_put_bytes(b, s, strlen(s));
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
        jsonl_put_bytes(b, f->data, f->len);
}

/* A field that holds JSON, as it is if that is an array or object which
 * reads back as the same text. */
void
jsonl_put_json_field(struct buf *b, const struct text_field *f)
{
    size_t at = b->len;
    struct err e;

    buf_addf(b, ",\"%s\":", f->name);
    if (f->len > 0 && (f->data[0] == '[' || f->data[0] == '{')
        && json_check(f->data, f->len, "", &e) == 0) {
        json_put_compact(b, f->data, f->len);
        if (b->len - at == f->len + strlen(f->name) + 4)
            return;
    }
    b->len = at;
    put_field(b, f);
}

static void
put_content(struct buf *b, const struct text_message *m)
{
    buf_addstr(b, ",\"content\":");
    jsonl_put_bytes(b, m->content->data, m->content->len);
}

/* The keys of message_json; a content, which stands for that of the record,
 * is the first of them. */
static int
put_message_json(struct buf *b, const struct text_message *m, struct err *e)
{
    struct json j = json_on(m->json->data, m->json->len, "message_json");
    struct json start;
    struct buf key;
    bool first = true;
    int rc;

    buf_init(&key);
    rc = json_check(m->json->data, m->json->len, "message_json", e);
    if (rc == 0)
        rc = json_enter_object(&j, e);
    for (; rc == 0 && json_next_key(&j, &key); first = false) {
        if (buf_is(&key, "role") || (buf_is(&key, "content") && !first))
            rc = json_error(&j, e, "a second \"%s\"", key.data);
        if (first && !buf_is(&key, "content"))
            put_content(b, m);
        buf_addc(b, ',');
        json_put_string(b, key.data, key.len);
        buf_addc(b, ':');
        start = j;
        json_skip(&j);
        json_put_compact(b, start.p, (size_t)(j.p - start.p));
    }
    buf_release(&key);
    return rc;
}

int
jsonl_put_messages(struct buf *b, const struct text_rec *r, size_t *end,
                   struct err *e)
{
    struct text_message m;
    bool first = true;
    int rc = 0;

    buf_addstr(b, "\"messages\":[");
    while (rc == 0 && text_next_message(r, end, &m)) {
        buf_addstr(b, first ? "{\"role\":" : ",{\"role\":");
        first = false;
        jsonl_put_bytes(b, m.role->data, m.role->len);
        if (m.json)
            rc = put_message_json(b, &m, e);
        else
            put_content(b, &m);
        buf_addc(b, '}');
    }
    buf_addc(b, ']');
    return rc;
}

static int
put_chat(struct buf *b, const struct text_rec *r, size_t *end,
         struct err *e)
{
    buf_addc(b, ',');
    return jsonl_put_messages(b, r, end, e);
}

static int
put_text(struct buf *b, const void *p, size_t n, struct err *e)
{
    struct text_rec r;
    size_t i = 0;
    bool chat;
    int rc;

    text_init(&r);
    rc = text_decode(&r, p, n, e);
    chat = r.kind == TEXT_CHAT;
    if (rc == 0)
        buf_addf(b, "{\"kind\":\"%s\"", text_kind_name(r.kind));
    while (rc == 0 && i < r.n) {
        if (chat && strcmp(r.field[i].name, "role") == 0)
            rc = put_chat(b, &r, &i, e);
        else if (chat && text_is_json(r.field[i].name))
            jsonl_put_json_field(b, &r.field[i++]);
        else
            put_field(b, &r.field[i++]);
    }
    buf_addc(b, '}');
    text_release(&r);
    return rc;
}

void
jsonl_put_ids(struct buf *b, const uint32_t *ids, size_t n)
{
    buf_addc(b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_addc(b, ',');
        json_put_u64(b, ids[i]);
    }
    buf_addc(b, ']');
}

void
jsonl_put_mask(struct buf *b, const uint8_t *mask, size_t n)
{
    buf_addc(b, '[');
    for (size_t i = 0; i < n; i++)
        buf_addstr(b, i == 0 ? mask[i] ? "1" : "0" : mask[i] ? ",1" : ",0");
    buf_addc(b, ']');
}

static void
put_ids_and_mask(struct buf *b, const struct tokens *t)
{
    uint32_t *ids = mem_array(t->n, sizeof(*ids));
    uint8_t *mask = mem_alloc(t->n);

    tokens_ids(t, ids);
    tokens_mask(t, mask);
    buf_addstr(b, "\"ids\":");
    jsonl_put_ids(b, ids, t->n);
    buf_addstr(b, ",\"mask\":");
    jsonl_put_mask(b, mask, t->n);
    free(ids);
    free(mask);
}

static void
put_same(struct buf *b, const char *key, uint64_t v)
{
    if (v > 0)
        buf_addf(b, ",\"%s\":\"%016llx\"", key, (unsigned long long)v);
}

static void
put_name(struct buf *b, const char *key, const struct tokens_name *name)
{
    if (name->n == 0)
        return;
    buf_addf(b, ",\"%s\":", key);
    jsonl_put_bytes(b, name->p, name->n);
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
    buf_addstr(b, "{\"kind\":\"tokens\",");
    put_ids_and_mask(b, &t);
    buf_addf(b, ",\"ordinal\":%llu,\"time\":%lld,\"group\":\"%016llx\","
             "\"quality\":%ld,\"text_id\":\"%s\"",
             (unsigned long long)t.origin.ordinal, (long long)t.origin.time,
             (unsigned long long)t.origin.group, (long)t.origin.quality,
             id_hex(&t.origin.text, hex));
    put_same(b, "edit_id", t.origin.same.edit);
    put_same(b, "content_id", t.origin.same.content);
    put_same(b, "commit_id", t.origin.same.commit);
    put_name(b, "repo", &t.origin.repo);
    put_name(b, "lang", &t.origin.lang);
    put_name(b, "path", &t.origin.path);
    buf_addc(b, '}');
    return 0;
}

/* Nine digits tell every float32 from every other one. */
static int
put_vector(struct buf *b, const void *p, size_t n, struct err *e)
{
    char hex[ID_HEX + 1];
    struct vector v;
    float *x;
    int rc;

    rc = vector_decode(&v, p, n, 0, e);
    if (rc < 0)
        return rc;
    x = mem_array(v.dim, sizeof(*x));
    vector_floats(&v, x);
    buf_addstr(b, "{\"kind\":\"vector\",\"vector\":[");
    for (size_t i = 0; i < v.dim; i++)
        buf_addf(b, "%s%.9g", i > 0 ? "," : "", (double)x[i]);
    free(x);
    buf_addf(b, "],\"ordinal\":%llu,\"time\":%lld,\"text_id\":\"%s\"",
             (unsigned long long)v.origin.ordinal, (long long)v.origin.time,
             id_hex(&v.origin.text, hex));
    put_name(b, "repo", &v.origin.repo);
    put_name(b, "lang", &v.origin.lang);
    buf_addc(b, '}');
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
    jsonl_put_bytes(b, a.data, a.n);
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
    if (strcmp(type, "vectors") == 0)
        return put_vector(b, p, n, e);
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
