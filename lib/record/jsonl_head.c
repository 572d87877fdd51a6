/* jsonl_head.c - the lines about a segment, both ways: what is in its header
 * and, of its trailer, what it was made of and what was left out.
 */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "record/jsonl_line.h"

/* ---- writing ---- */

/* Values in headers are UTF-8. */
static void
put_value(struct buf *b, const char *s)
{
    json_put_string(b, s, strlen(s));
}

void
jsonl_put_head(struct buf *b, const struct stream_head *h)
{
    size_t i;

    buf_addf(b, "{\"graft\":%d,\"type\":", h->version);
    put_value(b, h->type);
    for (i = 0; i < h->n_keys; i++) {
        buf_addstr(b, i ? "," : ",\"keys\":{");
        put_value(b, h->key[i].name);
        buf_addc(b, ':');
        put_value(b, h->key[i].value);
    }
    if (h->n_keys > 0)
        buf_addc(b, '}');
    if (h->after_oid) {
        buf_addf(b, ",\"after\":{\"n\":%llu,\"oid\":",
                 (unsigned long long)h->after);
        put_value(b, h->after_oid);
        buf_addc(b, '}');
    }
    if (h->is_part)
        buf_addf(b, ",\"part\":%llu", (unsigned long long)h->part);
    for (i = 0; i < h->n_prov; i++) {
        buf_addstr(b, i ? "," : ",\"prov\":[");
        put_value(b, h->prov[i]);
    }
    buf_addstr(b, h->n_prov > 0 ? "]}" : "}");
}

void
jsonl_put_end(struct buf *b, int version, const struct stream_trailer *t)
{
    const struct ledger_line *l = t->ledger.line;
    char hex[ID_HEX + 1];
    size_t i;

    buf_addf(b, "{\"graft\":%d,\"inputs\":[", version);
    for (i = 0; i < t->n_inputs; i++)
        buf_addf(b, "%s\"%s\"", i ? "," : "", id_hex(&t->input[i], hex));
    buf_addstr(b, "],\"ledger\":[");
    for (i = 0; i < t->ledger.n; i++)
        buf_addf(b, "%s[\"%s\",\"%s\",%llu]", i ? "," : "", l[i].program,
                 l[i].reason, (unsigned long long)l[i].count);
    buf_addstr(b, "]}");
}

/* ---- reading ---- */

/* The keys of a header line, in their order. */
static int
read_head_keys(struct jsonl *j, struct entry *t, struct err *e)
{
    struct jsonl_state *s = j->state;
    struct json v = line_value(s, t);
    struct buf name;
    int rc;

    rc = json_enter_object(&v, e);
    buf_init(&name);
    while (rc == 0 && json_next_key(&v, &name)) {
        rc = line_cstring(s, &v, e);
        if (rc == 0)
            stream_head_set(&j->head, name.data, s->scratch.data);
    }
    buf_release(&name);
    return rc;
}

static int
read_head_after(struct jsonl *j, struct entry *t, struct err *e)
{
    struct jsonl_state *s = j->state;
    struct json v = line_value(s, t), start = v;
    uint64_t n = 0;
    bool n_seen = false;
    int rc;

    buf_reset(&s->bytes);
    rc = json_enter_object(&v, e);
    while (rc == 0 && json_next_key(&v, &s->scratch)) {
        if (strcmp(s->scratch.data, "oid") != 0
            && strcmp(s->scratch.data, "n") != 0)
            return json_error(&v, e, "unknown key \"%s\"", s->scratch.data);
        if (strcmp(s->scratch.data, "n") == 0) {
            rc = json_u64(&v, &n, e);
            n_seen = true;
        } else {
            rc = line_cstring(s, &v, e);
            if (rc == 0)
                buf_add(&s->bytes, s->scratch.data, s->scratch.len);
        }
    }
    if (rc < 0)
        return rc;
    if (!n_seen || s->bytes.len == 0)
        return json_error(&start, e, "\"after\" needs \"n\" and \"oid\"");
    stream_head_after(&j->head, n, s->bytes.data);
    return 0;
}

static int
read_head(struct jsonl *j, uint64_t version, struct err *e)
{
    struct jsonl_state *s = j->state;
    struct entry *t;
    struct json v;
    int rc = line_only_bytes(s, "type", e);

    if (rc < 0)
        return rc;
    if (strcmp(s->bytes.data, "text") != 0
        && strcmp(s->bytes.data, "tokens") != 0
        && strcmp(s->bytes.data, "vectors") != 0
        && strcmp(s->bytes.data, "weights") != 0)
        return err_set(e, ERR_DATA, "%s: unknown type \"%s\"",
                       s->line.where, s->bytes.data);
    stream_head_release(&j->head);
    stream_head_init(&j->head, s->bytes.data);
    j->head.version = (int)version;
    t = line_take(s, "keys");
    rc = t ? read_head_keys(j, t, e) : 0;
    t = line_take(s, "after");
    if (rc == 0 && t)
        rc = read_head_after(j, t, e);
    t = line_take(s, "part");
    if (rc == 0 && t) {
        v = line_value(s, t);
        rc = json_u64(&v, &j->head.part, e);
        j->head.is_part = true;
    }
    t = line_take(s, "prov");
    if (rc == 0 && line_unused(s))
        rc = err_set(e, ERR_DATA, "%s: unknown key \"%s\"", s->line.where,
                     line_unused(s));
    if (rc < 0 || !t)
        return rc;
    v = line_value(s, t);
    rc = json_enter_array(&v, e);
    while (rc == 0 && json_next_item(&v)) {
        rc = line_cstring(s, &v, e);
        if (rc == 0)
            stream_head_prov(&j->head, s->scratch.data);
    }
    return rc;
}

static int
read_inputs(struct jsonl *j, struct json v, struct err *e)
{
    struct jsonl_state *s = j->state;
    struct json start;
    struct id id;
    int rc = json_enter_array(&v, e);

    while (rc == 0 && json_next_item(&v)) {
        start = v;
        rc = json_string(&v, &s->scratch, e);
        if (rc == 0 && !id_parse(&id, s->scratch.data, s->scratch.len))
            rc = json_error(&start, e, "expected %d hex digits", ID_HEX);
        if (rc < 0)
            return rc;
        j->input = mem_grow(j->input, (j->n_inputs + 1) * sizeof(id));
        j->input[j->n_inputs++] = id;
    }
    return rc;
}

/* [PROGRAM, REASON, COUNT]: the words into s->bytes, one after the other. */
static int
read_ledger_line(struct jsonl *j, struct json *v, struct err *e)
{
    struct jsonl_state *s = j->state;
    struct json start = *v;
    size_t n = 0, reason = 0, lines = j->ledger.n;
    const struct ledger_line *last;
    uint64_t count = 0;
    int rc = json_enter_array(v, e);

    buf_reset(&s->bytes);
    while (rc == 0 && json_next_item(v)) {
        if (n == 2)
            rc = json_u64(v, &count, e);
        else if (n < 2 && (rc = line_cstring(s, v, e)) == 0) {
            reason = s->bytes.len;
            buf_add(&s->bytes, s->scratch.data, s->scratch.len + 1);
        } else if (rc == 0) {
            break;
        }
        n++;
    }
    if (rc < 0)
        return rc;
    if (n == 3)
        ledger_add(&j->ledger, s->bytes.data, s->bytes.data + reason, count);
    last = j->ledger.n > lines ? &j->ledger.line[lines] : NULL;
    if (!last || strcmp(last->program, s->bytes.data) != 0
        || strcmp(last->reason, s->bytes.data + reason) != 0)
        rc = json_error(&start, e, "not a line of a ledger (expected "
                        "[PROGRAM, REASON, COUNT], each once)");
    return rc;
}

static int
read_end(struct jsonl *j, struct err *e)
{
    struct jsonl_state *s = j->state;
    struct entry *inputs = line_need(s, "inputs", e);
    struct entry *ledger = line_need(s, "ledger", e);
    struct json v;
    int rc;

    if (!inputs || !ledger)
        return ERR_DATA;
    if (line_unused(s))
        return err_set(e, ERR_DATA, "%s: unknown key \"%s\"",
                       s->line.where, line_unused(s));
    ledger_release(&j->ledger);
    ledger_init(&j->ledger);
    j->n_inputs = 0;
    rc = read_inputs(j, line_value(s, inputs), e);
    v = line_value(s, ledger);
    if (rc == 0)
        rc = json_enter_array(&v, e);
    while (rc == 0 && json_next_item(&v))
        rc = read_ledger_line(j, &v, e);
    return rc;
}

int
jsonl_read_graft(struct jsonl *j, struct err *e)
{
    struct jsonl_state *s = j->state;
    struct json v = line_value(s, line_take(s, "graft"));
    uint64_t version;
    int rc = json_u64(&v, &version, e);

    if (rc < 0)
        return rc;
    if (version < 1 || version > STREAM_VERSION)
        return err_set(e, ERR_DATA, "%s: unknown version (found %llu, "
                       "expected 1 to %d)", s->line.where,
                       (unsigned long long)version, STREAM_VERSION);
    j->kind = line_take(s, "ledger") ? JSONL_END : JSONL_HEAD;
    return j->kind == JSONL_END ? read_end(j, e) : read_head(j, version, e);
}
