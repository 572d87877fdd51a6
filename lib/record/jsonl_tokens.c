/* jsonl_tokens.c - lines to token records. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "record/jsonl_line.h"
#include "record/tokens.h"

/* Adds v, a number that stands at `at` in the line, to ids or mask. */
typedef int add_fn(struct jsonl_state *s, const struct json *at, uint64_t v,
                   struct err *e);

static int
read_numbers(struct jsonl_state *s, struct entry *t, add_fn *add,
             struct err *e)
{
    struct json v = line_value(s, t), at;
    uint64_t number;
    int rc = json_enter_array(&v, e);

    while (rc == 0 && json_next_item(&v)) {
        at = v;
        rc = json_u64(&v, &number, e);
        if (rc == 0)
            rc = add(s, &at, number, e);
    }
    return rc;
}

static int
add_id(struct jsonl_state *s, const struct json *at, uint64_t v,
       struct err *e)
{
    if (v > UINT32_MAX)
        return json_error(at, e, "token id over 2^32 - 1");
    if (s->n_ids == s->cap_ids) {
        s->cap_ids = s->cap_ids ? s->cap_ids * 2 : 1024;
        s->ids = mem_grow(s->ids, s->cap_ids * sizeof(*s->ids));
    }
    s->ids[s->n_ids++] = (uint32_t)v;
    return 0;
}

static int
add_flag(struct jsonl_state *s, const struct json *at, uint64_t v,
         struct err *e)
{
    if (v > 1)
        return json_error(at, e, "bad mask (found %llu, expected 0 or 1)",
                          (unsigned long long)v);
    if (s->n_mask == s->cap_mask) {
        s->cap_mask = s->cap_mask ? s->cap_mask * 2 : 4096;
        s->mask = mem_grow(s->mask, s->cap_mask);
    }
    s->mask[s->n_mask++] = (uint8_t)v;
    return 0;
}

static int
read_ids(struct jsonl_state *s, struct entry *t, struct err *e)
{
    s->n_ids = 0;
    return read_numbers(s, t, add_id, e);
}

static int
read_mask(struct jsonl_state *s, struct entry *t, struct err *e)
{
    struct json start = line_value(s, t);
    int rc;

    s->n_mask = 0;
    rc = read_numbers(s, t, add_flag, e);
    if (rc == 0 && s->n_mask != s->n_ids)
        rc = json_error(&start, e, "mask and ids differ in length (found "
                        "%zu, expected %zu)", s->n_mask, s->n_ids);
    return rc;
}

/* A signed integer of that many bits. */
static int
read_signed(struct jsonl_state *s, const char *key, int bits, int64_t *out,
            struct err *e)
{
    struct entry *t = line_take(s, key);
    uint64_t v, max = ((uint64_t)1 << (bits - 1)) - 1;
    struct json j, start;
    bool minus;
    int rc;

    if (!t)
        return 0;
    j = start = line_value(s, t);
    minus = *j.p == '-';
    j.p += minus;
    rc = json_u64(&j, &v, e);
    if (rc < 0)
        return rc;
    if (v > max)
        return json_error(&start, e, "\"%s\" out of range", key);
    *out = minus ? -(int64_t)v : (int64_t)v;
    return 0;
}

/* A group, say: sixteen hex digits, or a number. */
static int
read_hex(struct jsonl_state *s, const char *key, uint64_t *out,
         struct err *e)
{
    struct entry *t = line_take(s, key);
    struct json v, start;
    char *end;
    int rc;

    if (!t)
        return 0;
    v = start = line_value(s, t);
    if (json_kind(&v) != JSON_STRING)
        return json_u64(&v, out, e);
    rc = json_string(&v, &s->scratch, e);
    if (rc < 0)
        return rc;
    if (s->scratch.len != 16
        || strspn(s->scratch.data, "0123456789abcdef") != 16)
        return json_error(&start, e, "bad %s (expected 16 hex digits)", key);
    *out = strtoull(s->scratch.data, &end, 16);
    return 0;
}

/* A name, into b; what can be none is left to be counted as a key that nobody
 * takes. */
static int
read_name(struct jsonl_state *s, const char *key, struct buf *b,
          struct tokens_name *out, struct err *e)
{
    struct entry *t = line_take(s, key);
    struct json v;
    int rc;

    if (!t)
        return 0;
    v = line_value(s, t);
    t->used = false;
    if (json_kind(&v) != JSON_STRING)
        return 0;
    rc = json_string(&v, b, e);
    if (rc == 0)
        *out = tokens_name_of(b->data, b->len);
    t->used = out->n > 0;
    return rc;
}

/* By what it is known, and where it is from. */
static int
read_same(struct jsonl_state *s, struct tokens_origin *o, struct err *e)
{
    int rc = read_hex(s, "edit_id", &o->same.edit, e);

    if (rc == 0)
        rc = read_hex(s, "content_id", &o->same.content, e);
    if (rc == 0)
        rc = read_hex(s, "commit_id", &o->same.commit, e);
    if (rc == 0)
        rc = read_name(s, "repo", &s->repo, &o->repo, e);
    if (rc == 0)
        rc = read_name(s, "lang", &s->lang, &o->lang, e);
    if (rc == 0)
        rc = read_name(s, "path", &s->path, &o->path, e);
    return rc;
}

int
jsonl_read_origin(struct jsonl *j, struct tokens_origin *o, struct err *e)
{
    struct jsonl_state *s = j->state;
    int64_t quality = 0;
    struct entry *t;
    struct json v, start;
    int rc;

    memset(o, 0, sizeof(*o));
    o->ordinal = o->group = j->ordinal;
    t = line_take(s, "ordinal");
    if (t) {
        v = line_value(s, t);
        rc = json_u64(&v, &o->ordinal, e);
        if (rc < 0)
            return rc;
        o->group = o->ordinal;
    }
    rc = read_signed(s, "time", 64, &o->time, e);
    if (rc == 0)
        rc = read_signed(s, "quality", 32, &quality, e);
    if (rc == 0)
        rc = read_hex(s, "group", &o->group, e);
    if (rc == 0)
        rc = read_same(s, o, e);
    o->quality = (int32_t)quality;
    t = rc == 0 ? line_take(s, "text_id") : NULL;
    if (!t)
        return rc;
    v = start = line_value(s, t);
    rc = json_string(&v, &s->scratch, e);
    if (rc == 0 && !id_parse(&o->text, s->scratch.data, s->scratch.len))
        rc = json_error(&start, e, "bad text_id (expected 64 hex digits)");
    return rc;
}

/* The ids that were read, with that loss (NULL: all of them), as a record.
 * Keys that nobody takes are counted. */
static int
finish_tokens(struct jsonl *j, const uint8_t *loss, struct err *e)
{
    struct jsonl_state *s = j->state;
    struct tokens_origin origin;
    size_t i;
    int rc = jsonl_read_origin(j, &origin, e);

    if (rc < 0)
        return rc;
    for (i = 0; i < s->n; i++)
        if (!s->entry[i].used)
            line_ignore(j, &s->entry[i]);
    j->kind = JSONL_TOKENS;
    rc = (j->wide ? tokens_encode_wide : tokens_encode)(
        &j->record, &origin, s->ids, loss, s->n_ids, j->vocab, e);
    if (rc < 0)
        return err_prefix(e, "%s", s->line.where);
    return 0;
}

/* The labels of the ids: each is the id, or -100 where it has no loss. They
 * become a mask. */
static int
read_labels(struct jsonl_state *s, struct entry *t, struct err *e)
{
    struct json v = line_value(s, t), start = v, at;
    uint64_t label = 0;
    int rc = json_enter_array(&v, e);

    for (s->n_mask = 0; rc == 0 && json_next_item(&v);) {
        bool none = strncmp(v.p, "-100", 4) == 0
                 && !(v.p[4] && strchr("0123456789.eE", v.p[4]));

        at = v;
        if (none)
            json_skip(&v);
        else
            rc = json_u64(&v, &label, e);
        if (rc == 0 && !none
            && (s->n_mask >= s->n_ids || label != s->ids[s->n_mask]))
            rc = json_error(&at, e, "label %zu is neither -100 nor the id",
                            s->n_mask);
        if (rc == 0)
            rc = add_flag(s, &at, !none, e);
    }
    if (rc == 0 && s->n_mask != s->n_ids)
        rc = json_error(&start, e, "labels and input_ids differ in length "
                        "(found %zu, expected %zu)", s->n_mask, s->n_ids);
    return rc;
}

/* ANDs what was read as a mask to that in `all`. */
static void
and_mask(const struct jsonl_state *s, uint8_t *all, bool *any)
{
    for (size_t i = 0; i < s->n_ids; i++)
        all[i] = s->mask[i] && (all[i] || !*any);
    *any = true;
}

/* What labels and the masks of TRL and verl leave: *loss is NULL without any,
 * else of n_ids flags for the caller to free. */
static int
read_loss(struct jsonl_state *s, uint8_t **loss, struct err *e)
{
    static const char *const mask[] = { "completion_mask", "assistant_masks",
                                        "loss_mask" };
    struct entry *t = line_take(s, "labels");
    uint8_t *all = mem_alloc(s->n_ids);
    bool any = false;
    int rc = t ? read_labels(s, t, e) : 0;

    if (t && rc == 0)
        and_mask(s, all, &any);
    for (size_t i = 0; i < sizeof(mask) / sizeof(mask[0]) && rc == 0; i++) {
        t = line_take(s, mask[i]);
        rc = t ? read_mask(s, t, e) : 0;
        if (t && rc == 0)
            and_mask(s, all, &any);
    }
    *loss = rc == 0 && any ? all : NULL;
    if (!*loss)
        free(all);
    return rc;
}

/* Takes the padding, which attention_mask has as zeros at the ends, off the
 * ids and the loss (NULL: none was told); *padding is how many it was. A zero
 * between ones is no padding, and nothing else here could obey it. */
static int
drop_padding(struct jsonl_state *s, uint8_t *loss, uint64_t *padding,
             struct err *e)
{
    struct entry *t = line_take(s, "attention_mask");
    size_t first = 0, end = s->n_ids;
    struct json start;
    int rc;

    if (!t)
        return 0;
    start = line_value(s, t);
    rc = read_mask(s, t, e);
    if (rc < 0)
        return rc;
    while (first < end && !s->mask[first])
        first++;
    while (end > first && !s->mask[end - 1])
        end--;
    for (size_t i = first; i < end; i++)
        if (!s->mask[i])
            return json_error(&start, e, "attention_mask: token %zu (found "
                              "0 amid ones, expected padding at the ends "
                              "alone)", i);
    *padding = s->n_ids - (end - first);
    if (*padding == 0)
        return 0;
    s->n_ids = end - first;
    memmove(s->ids, s->ids + first, s->n_ids * sizeof(*s->ids));
    if (loss)
        memmove(loss, loss + first, s->n_ids);
    return 0;
}

int
jsonl_read_input_ids(struct jsonl *j, struct entry *ids, struct err *e)
{
    struct jsonl_state *s = j->state;
    uint8_t *loss = NULL;
    uint64_t padding = 0;
    int rc = read_ids(s, ids, e);

    if (rc == 0)
        rc = read_loss(s, &loss, e);
    if (rc == 0)
        rc = drop_padding(s, loss, &padding, e);
    if (rc == 0)
        rc = finish_tokens(j, loss, e);
    if (rc == 0)
        j->n_padding += padding;
    free(loss);
    return rc;
}

int
jsonl_read_tokens(struct jsonl *j, bool strict, struct err *e)
{
    struct jsonl_state *s = j->state;
    struct entry *ids, *mask;
    int rc;

    ids = line_need(s, "ids", e);
    rc = ids ? read_ids(s, ids, e) : ERR_DATA;
    if (rc < 0)
        return rc;
    mask = line_take(s, "mask");
    rc = mask ? read_mask(s, mask, e) : 0;
    if (rc == 0)
        rc = finish_tokens(j, mask ? s->mask : NULL, e);
    if (rc == 0 && strict && line_unused(s))
        return err_set(e, ERR_DATA, "%s: unknown key \"%s\"", s->line.where,
                       line_unused(s));
    return rc;
}
