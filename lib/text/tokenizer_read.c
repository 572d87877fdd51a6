/* tokenizer_read.c - reads a tokenizer.json as hostile input.
 *
 * The text is checked as JSON first, then read with the pull reader. Of the
 * parts that need others (merges need the vocabulary, added tokens its size)
 * the place is kept and they are read in their turn, as the order of keys
 * means nothing.
 */
#include "text/tokenizer_read.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "text/alphabet.h"
#include "text/nfc.h"
#include "text/uclass.h"

/* Where the parts of the file are; start NULL: absent. */
struct parts {
    struct json added, normalizer, pre, decoder, model, vocab, merges;
    bool unk;
};

static bool
is(const struct buf *b, const char *s)
{
    return b->len == strlen(s) && memcmp(b->data, s, b->len) == 0;
}

static int
find_parts(struct parts *p, struct json *j, struct err *e)
{
    struct buf key;
    int rc;

    buf_init(&key);
    rc = json_enter_object(j, e);
    while (rc == 0 && json_next_key(j, &key)) {
        if (is(&key, "added_tokens"))
            p->added = *j;
        else if (is(&key, "normalizer"))
            p->normalizer = *j;
        else if (is(&key, "pre_tokenizer"))
            p->pre = *j;
        else if (is(&key, "decoder"))
            p->decoder = *j;
        else if (is(&key, "model"))
            p->model = *j;
        json_skip(j);
    }
    buf_release(&key);
    if (rc == 0 && (!p->model.start || !p->pre.start))
        rc = json_error(j, e, "no %s: not a tokenizer.json",
                        p->model.start ? "pre_tokenizer" : "model");
    return rc;
}

/* ERR_DATA unless the value is null, false, 0 or "": what asks for nothing. */
static int
want_nothing(struct json *j, const char *name, struct err *e)
{
    struct buf text;
    double number = 0;
    int rc = 0;

    buf_init(&text);
    switch (json_kind(j)) {
    case JSON_NULL: case JSON_FALSE:
        json_skip(j);
        break;
    case JSON_NUMBER:
        rc = json_double(j, &number, e);
        break;
    case JSON_STRING:
        rc = json_string(j, &text, e);
        break;
    default:
        number = 1;
    }
    if (rc == 0 && (number < 0 || number > 0 || text.len > 0))
        rc = json_error(j, e, "model setting \"%s\" is not supported", name);
    buf_release(&text);
    return rc;
}

static int
read_model_key(struct tokenizer *t, struct parts *p, const struct buf *key,
               struct json *j, struct err *e)
{
    struct buf type;
    int rc = 0;

    if (is(key, "type")) {
        buf_init(&type);
        rc = json_string(j, &type, e);
        if (rc == 0 && !is(&type, "BPE"))
            rc = json_error(j, e, "model \"%.100s\" is not supported",
                            type.data);
        buf_release(&type);
        return rc;
    }
    if (is(key, "ignore_merges"))
        return json_bool(j, &t->ignore_merges, e);
    if (is(key, "dropout") || is(key, "continuing_subword_prefix")
        || is(key, "end_of_word_suffix") || is(key, "byte_fallback"))
        return want_nothing(j, key->data, e);
    if (is(key, "vocab"))
        p->vocab = *j;
    else if (is(key, "merges"))
        p->merges = *j;
    else if (is(key, "unk_token"))
        p->unk = json_kind(j) != JSON_NULL;
    else if (!is(key, "fuse_unk"))
        return json_error(j, e, "model setting \"%.100s\" is not supported",
                          key->data);
    json_skip(j);
    return 0;
}

static int
read_model(struct tokenizer *t, struct parts *p, struct err *e)
{
    struct json *j = &p->model;
    struct buf key;
    int rc;

    buf_init(&key);
    rc = json_enter_object(j, e);
    while (rc == 0 && json_next_key(j, &key))
        rc = read_model_key(t, p, &key, j, e);
    buf_release(&key);
    if (rc == 0 && (!p->vocab.start || !p->merges.start))
        rc = json_error(j, e, "the model has no %s",
                        p->vocab.start ? "merges" : "vocab");
    return rc;
}

/* ---- vocabulary ---- */

/* ERR_LIMIT, as json_error words it. */
static int
limit(const struct json *j, struct err *e, const char *what, size_t n,
      unsigned most)
{
    json_error(j, e, "%s of %zu bytes, limit %u", what, n, most);
    e->code = ERR_LIMIT;
    return ERR_LIMIT;
}

static int
check_token(const struct json *j, const struct buf *token, struct err *e)
{
    if (token->len <= TOKENIZER_MAX_TOKEN)
        return 0;
    return limit(j, e, "a token", token->len, TOKENIZER_MAX_TOKEN);
}

static int
read_vocab(struct tokenizer *t, struct json *j, struct err *e)
{
    struct buf key;
    uint64_t id;
    int rc;

    buf_init(&key);
    rc = json_enter_object(j, e);
    while (rc == 0 && json_next_key(j, &key)) {
        rc = check_token(j, &key, e);
        if (rc == 0)
            rc = json_u64(j, &id, e);
        if (rc == 0 && id >= INT32_MAX)
            rc = json_error(j, e, "id %llu is not below 2^31 - 1",
                            (unsigned long long)id);
        if (rc == 0)
            map_put(&t->name, key.data, key.len, id, NULL);
    }
    t->n_vocab = t->name.n;
    if (rc == 0 && t->n_vocab == 0)
        rc = json_error(j, e, "an empty vocabulary");
    buf_release(&key);
    return rc;
}

/* The ids are 0 to n - 1, each once. */
static int
check_ids(const struct tokenizer *t, const struct json *j, struct err *e)
{
    uint8_t *seen = mem_alloc(t->n_vocab);
    int rc = 0;
    size_t i;

    for (i = 0; i < t->n_vocab && rc == 0; i++) {
        uint64_t id = t->name.entry[i].value;

        if (id >= t->n_vocab)
            rc = json_error(j, e, "a vocabulary of %zu tokens with id %llu",
                            t->n_vocab, (unsigned long long)id);
        else if (seen[id]++)
            rc = json_error(j, e, "id %llu twice in the vocabulary",
                            (unsigned long long)id);
    }
    free(seen);
    return rc;
}

static void
find_bytes(struct tokenizer *t)
{
    char utf8[4];
    int i;

    for (i = 0; i < 256; i++) {
        t->byte[i] = tokenizer_find(t, utf8, utf8_encode(
                                    alphabet_code((uint8_t)i), utf8));
        if (t->byte[i] == TOKEN_NONE)
            t->lacks_bytes = true;
    }
}

/* ---- merges ---- */

/* The two names of a merge: "a b", or ["a", "b"]. */
static int
read_pair(struct buf *left, struct buf *right, size_t i, struct json *j,
          struct err *e)
{
    const char *space;
    int rc;

    if (json_kind(j) == JSON_ARRAY) {
        rc = json_enter_array(j, e);
        if (rc == 0 && json_next_item(j))
            rc = json_string(j, left, e);
        if (rc == 0 && json_next_item(j))
            rc = json_string(j, right, e);
        if (rc == 0 && json_next_item(j))
            rc = json_error(j, e, "merge %zu is not of two tokens", i);
        return rc;
    }
    rc = json_string(j, left, e);
    if (rc < 0)
        return rc;
    space = memchr(left->data, ' ', left->len);
    if (!space || memchr(space + 1, ' ', left->len - 1 -
                         (size_t)(space - left->data)))
        return json_error(j, e, "merge %zu is not two tokens with one space "
                          "between", i);
    buf_add(right, space + 1, left->len - 1 - (size_t)(space - left->data));
    left->len = (size_t)(space - left->data);
    left->data[left->len] = 0;
    return 0;
}

static int
add_merge(struct tokenizer *t, struct buf *left, const struct buf *right,
          size_t i, const struct json *j, struct err *e)
{
    uint32_t a = tokenizer_find(t, left->data, left->len);
    uint32_t b = tokenizer_find(t, right->data, right->len), id;

    if (a == TOKEN_NONE || b == TOKEN_NONE)
        return json_error(j, e, "merge %zu: \"%.100s\" is not in the "
                          "vocabulary", i, a == TOKEN_NONE ? left->data :
                          right->data);
    buf_add(left, right->data, right->len);
    id = tokenizer_find(t, left->data, left->len);
    if (id == TOKEN_NONE)
        return json_error(j, e, "merge %zu gives \"%.100s\", which is not "
                          "in the vocabulary", i, left->data);
    merges_put(&t->merges, a, b, (uint32_t)i, id);
    return 0;
}

static int
count_items(struct json j, size_t *n, struct err *e)
{
    int rc = json_enter_array(&j, e);

    *n = 0;
    while (rc == 0 && json_next_item(&j)) {
        json_skip(&j);
        (*n)++;
    }
    return rc;
}

static int
read_merges(struct tokenizer *t, struct json *j, struct err *e)
{
    struct buf left, right;
    size_t n, i;
    int rc;

    rc = count_items(*j, &n, e);
    if (rc < 0)
        return rc;
    merges_init(&t->merges, n);
    buf_init(&left);
    buf_init(&right);
    rc = json_enter_array(j, e);
    for (i = 0; rc == 0 && json_next_item(j); i++) {
        buf_reset(&left);
        buf_reset(&right);
        rc = read_pair(&left, &right, i, j, e);
        if (rc == 0)
            rc = add_merge(t, &left, &right, i, j, e);
    }
    buf_release(&left);
    buf_release(&right);
    return rc;
}

/* ---- added tokens ---- */

static int
read_added_key(struct added_token *a, struct buf *content, uint64_t *id,
               const struct buf *key, struct json *j, struct err *e)
{
    if (is(key, "content"))
        return json_string(j, content, e);
    if (is(key, "id"))
        return json_u64(j, id, e);
    if (is(key, "special"))
        return json_bool(j, &a->special, e);
    if (is(key, "normalized"))
        return json_bool(j, &a->normalized, e);
    if (is(key, "single_word"))
        return json_bool(j, &a->single_word, e);
    if (is(key, "lstrip"))
        return json_bool(j, &a->lstrip, e);
    if (is(key, "rstrip"))
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
        rc = check_token(j, &content, e);
    if (rc == 0 && (content.len == 0 || id >= INT32_MAX))
        rc = json_error(j, e, "an added token without %s",
                        content.len ? "a usable id" : "content");
    if (rc == 0)
        rc = place_added(t, &a, &content, id, j, e);
    *total += content.len;
    if (rc == 0 && *total > TOKENIZER_MAX_ADDED)
        rc = limit(j, e, "added tokens", *total, TOKENIZER_MAX_ADDED);
    buf_release(&key);
    buf_release(&content);
    return rc;
}

static int
read_added(struct tokenizer *t, struct json *j, struct err *e)
{
    size_t n, total = 0;
    int rc;

    t->n = (uint32_t)t->n_vocab;
    if (!j->start || json_kind(j) == JSON_NULL)
        return 0;
    rc = count_items(*j, &n, e);
    if (rc < 0)
        return rc;
    t->added = mem_array(n, sizeof(t->added[0]));
    t->added_at = mem_array(t->n_vocab + n, sizeof(t->added_at[0]));
    rc = json_enter_array(j, e);
    while (rc == 0 && json_next_item(j))
        rc = read_added_token(t, &total, j, e);
    return rc;
}

/* ---- what follows from all that ---- */

static void
make_sets(struct tokenizer *t)
{
    const struct added_token *a;
    struct buf normal;
    size_t i;

    buf_init(&normal);
    added_set_init(&t->raw_set, t->added);
    added_set_init(&t->normal_set, t->added);
    added_set_init(&t->word_set, t->added);
    for (i = 0; i < t->n_added; i++) {
        a = &t->added[i];
        if (!a->normalized) {
            added_set_put(&t->raw_set, i, a->content, a->len);
            continue;
        }
        buf_reset(&normal);
        if (t->nfc)
            nfc_add(&normal, t->uclass, a->content, a->len);
        else
            buf_add(&normal, a->content, a->len);
        added_set_put(&t->normal_set, i, normal.data, normal.len);
        if (!a->special)
            added_set_put(&t->word_set, i, normal.data, normal.len);
    }
    buf_release(&normal);
}

/* The bytes of every token. */
static void
make_spans(struct tokenizer *t)
{
    const struct map_entry *m;
    const char *name;
    size_t i, at;

    t->span = mem_array(t->n, sizeof(t->span[0]));
    for (i = 0; i < t->name.n; i++) {
        m = &t->name.entry[i];
        name = map_key(&t->name, i);
        at = t->bytes.len;
        if (i >= t->n_vocab || !alphabet_read(&t->bytes, name, m->len))
            buf_add(&t->bytes, name, m->len);
        t->span[m->value] = (struct token_span){
            (uint32_t)at, (uint32_t)(t->bytes.len - at)
        };
        if (t->ignore_merges && i < t->n_vocab)
            map_put(&t->whole, t->bytes.data + at, t->bytes.len - at,
                    m->value, NULL);
    }
    for (i = 0; i < t->n_added; i++) {
        at = t->bytes.len;
        buf_add(&t->bytes, t->added[i].content, t->added[i].len);
        t->span[t->added[i].id] = (struct token_span){
            (uint32_t)at, (uint32_t)t->added[i].len
        };
    }
}

static int
read_parts(struct tokenizer *t, struct parts *p, struct err *e)
{
    struct json vocab;
    int rc;

    rc = read_model(t, p, e);
    vocab = p->vocab;
    if (rc == 0 && p->normalizer.start)
        rc = tokenizer_read_normalizer(t, &p->normalizer, e);
    if (rc == 0)
        rc = tokenizer_read_pre(t, &p->pre, e);
    if (rc == 0 && p->decoder.start)
        rc = tokenizer_read_decoder(&p->decoder, e);
    if (rc == 0)
        rc = read_vocab(t, &p->vocab, e);
    if (rc == 0)
        rc = check_ids(t, &vocab, e);
    if (rc < 0)
        return rc;
    find_bytes(t);
    if (p->unk && t->lacks_bytes)
        return json_error(&vocab, e, "an unk_token in a vocabulary that "
                          "lacks bytes is not supported");
    rc = read_merges(t, &p->merges, e);
    if (rc == 0)
        rc = read_added(t, &p->added, e);
    return rc;
}

int
tokenizer_read(struct tokenizer *t, const char *text, size_t n,
               const char *where, struct err *e)
{
    struct parts p;
    struct json j;
    int rc;

    memset(t, 0, sizeof(*t));
    memset(&p, 0, sizeof(p));
    map_init(&t->name);
    map_init(&t->whole);
    buf_init(&t->bytes);
    if (n > TOKENIZER_MAX_FILE)
        rc = err_set(e, ERR_LIMIT, "%s: %zu bytes, limit %u", where, n,
                     TOKENIZER_MAX_FILE);
    else
        rc = json_check(text, n, where, e);
    if (rc < 0)
        goto out;
    j = json_on(text, n, where);
    rc = find_parts(&p, &j, e);
    if (rc == 0)
        rc = read_parts(t, &p, e);
    if (rc < 0)
        goto out;
    t->id = id_of(text, n);
    t->uclass = uclass_new();
    make_spans(t);
    make_sets(t);
out:
    if (rc < 0)
        tokenizer_release(t);
    return rc;
}
