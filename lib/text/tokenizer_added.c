/* tokenizer_added.c - the added tokens of a tokenizer.json: their flags, and
 * ids that have to be those that they come to. */
#include <string.h>

#include "base/mem.h"
#include "text/tokenizer_read.h"

static int
read_added_key(struct added_token *a, struct buf *content, uint64_t *id,
               const struct buf *key, struct json *j, struct err *e)
{
    if (buf_is(key, "content"))
        return json_string(j, content, e);
    if (buf_is(key, "id"))
        return json_u64(j, id, e);
    if (buf_is(key, "special"))
        return json_bool(j, &a->special, e);
    if (buf_is(key, "normalized"))
        return json_bool(j, &a->normalized, e);
    if (buf_is(key, "single_word"))
        return json_bool(j, &a->single_word, e);
    if (buf_is(key, "lstrip"))
        return json_bool(j, &a->lstrip, e);
    if (buf_is(key, "rstrip"))
        return json_bool(j, &a->rstrip, e);
    return json_error(j, e, "setting \"%.100s\" of an added token is not "
                      "supported", key->data);
}

/* Gives the token its id: the vocabulary's if its content is there, else the
 * next free one. The file must say the same. */
static int
place_added(struct tokenizer *t, struct added_token *a,
            const struct buf *content, uint64_t id, const struct json *j,
            struct err *e)
{
    struct map_entry *old = map_get(&t->name, content->data, content->len);
    struct added_token *same;
    uint64_t want = old ? old->value : t->n;

    if (id != want)
        return json_error(j, e, "added token \"%.100s\" has id %llu, "
                          "expected %llu", content->data,
                          (unsigned long long)id, (unsigned long long)want);
    a->id = (uint32_t)id;
    if (!old) {
        map_put(&t->name, content->data, content->len, id, NULL);
        t->n++;
    }
    if (t->added_at[id] > 0) {
        /* Listed twice: the last flags hold, once special is special. */
        same = &t->added[t->added_at[id] - 1];
        a->special |= same->special;
        a->content = same->content;
        a->len = same->len;
        *same = *a;
        return 0;
    }
    a->content = mem_dup(content->data, content->len);
    a->len = content->len;
    t->added[t->n_added++] = *a;
    t->added_at[id] = (uint32_t)t->n_added;
    return 0;
}

/* total: bytes of added tokens so far. */
static int
read_added_token(struct tokenizer *t, size_t *total, struct json *j,
                 struct err *e)
{
    struct added_token a = { 0 };
    uint64_t id = UINT64_MAX;
    struct buf key, content;
    int rc;

    buf_init(&key);
    buf_init(&content);
    rc = json_enter_object(j, e);
    while (rc == 0 && json_next_key(j, &key))
        rc = read_added_key(&a, &content, &id, &key, j, e);
    if (rc == 0)
        rc = tokenizer_limit(j, "a token", content.len, "bytes",
                             TOKENIZER_MAX_TOKEN, e);
    if (rc == 0 && (content.len == 0 || id >= INT32_MAX))
        rc = json_error(j, e, "an added token without %s",
                        content.len ? "a usable id" : "content");
    if (rc == 0)
        rc = place_added(t, &a, &content, id, j, e);
    *total += content.len;
    if (rc == 0)
        rc = tokenizer_limit(j, "added tokens", *total, "bytes",
                             TOKENIZER_MAX_ADDED, e);
    buf_release(&key);
    buf_release(&content);
    return rc;
}

int
tokenizer_read_added(struct tokenizer *t, struct json *j, struct err *e)
{
    size_t n, total = 0;
    int rc;

    t->n = (uint32_t)t->n_vocab;
    if (!j->start || json_kind(j) == JSON_NULL)
        return 0;
    rc = json_count_items(*j, &n, e);
    if (rc < 0)
        return rc;
    t->added = mem_array(n, sizeof(t->added[0]));
    t->added_at = mem_array(t->n_vocab + n, sizeof(t->added_at[0]));
    rc = json_enter_array(j, e);
    while (rc == 0 && json_next_item(j))
        rc = read_added_token(t, &total, j, e);
    return rc;
}
