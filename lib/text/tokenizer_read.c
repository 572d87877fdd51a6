/* tokenizer_read.c - reads a tokenizer.json as hostile input.
 *
 * The text is checked as JSON first, then read with the pull reader; the keys
 * of the vocabulary, in which the check looks for one that is there twice, are
 * its table afterwards. Of the
 * parts that need others (merges need the vocabulary, added tokens its size)
 * the place is kept and they are read in their turn, as the order of keys
 * means nothing.
 */
#include "text/tokenizer_read.h"

#include <string.h>

#include "base/mem.h"
#include "text/alphabet.h"
#include "text/uclass.h"

/* Where the parts of the file are; start NULL: absent. */
struct parts {
    struct json added, normalizer, pre, post, decoder, model;
};

int
tokenizer_limit(const struct json *j, const char *what, size_t n,
                const char *unit, unsigned most, struct err *e)
{
    if (n <= most)
        return 0;
    json_error(j, e, "%s of %zu %s, limit %u", what, n, unit, most);
    e->code = ERR_LIMIT;
    return ERR_LIMIT;
}

static int
find_parts(struct parts *p, struct json *j, struct err *e)
{
    struct buf key;
    int rc;

    buf_init(&key);
    rc = json_enter_object(j, e);
    while (rc == 0 && json_next_key(j, &key)) {
        if (buf_is(&key, "added_tokens"))
            p->added = *j;
        else if (buf_is(&key, "normalizer"))
            p->normalizer = *j;
        else if (buf_is(&key, "pre_tokenizer"))
            p->pre = *j;
        else if (buf_is(&key, "post_processor"))
            p->post = *j;
        else if (buf_is(&key, "decoder"))
            p->decoder = *j;
        else if (buf_is(&key, "model"))
            p->model = *j;
        json_skip(j);
    }
    buf_release(&key);
    if (rc == 0 && (!p->model.start || !p->pre.start))
        rc = json_error(j, e, "no %s: not a tokenizer.json",
                        p->model.start ? "pre_tokenizer" : "model");
    return rc;
}

static int
read_parts(struct tokenizer *t, struct parts *p, struct map *names,
           struct err *e)
{
    struct tokenizer_model m = { .names = names };
    int rc;

    rc = tokenizer_read_model(t, &m, &p->model, e);
    if (rc == 0 && p->normalizer.start)
        rc = tokenizer_read_normalizer(t, &p->normalizer, e);
    if (rc == 0)
        rc = tokenizer_read_pre(t, &p->pre, e);
    if (rc == 0)
        rc = tokenizer_settle_blank(t, &p->pre, e);
    if (rc == 0 && p->decoder.start)
        rc = tokenizer_read_decoder(t, &p->decoder, e);
    if (rc == 0)
        rc = tokenizer_read_vocab(t, &m, e);
    if (rc == 0)
        rc = tokenizer_read_added(t, &p->added, e);
    t->begin = TOKEN_NONE;
    if (rc == 0 && p->post.start)
        rc = tokenizer_read_post(t, &p->post, e);
    return rc;
}

/* ---- what follows from all that ---- */

/* A blank that stands for another character is none to strip. */
static void
make_normal_uclass(struct tokenizer *t)
{
    bool any = false;

    t->normal_uclass = t->uclass;
    for (size_t i = 0; i < t->n_added; i++)
        any |= t->added[i].normalized;
    if (!t->chars.normal_blank || !any)
        return;
    t->normal_uclass = uclass_new();
    t->normal_uclass[' '] = 0;
}

/* Of the tokens of a set, one that takes white space in, and one that begins
 * with it. */
struct strips {
    const struct added_token *takes, *begins;
};

static void
note_strips(struct strips *s, const uint8_t *uclass,
            const struct added_token *a, const void *p, size_t n)
{
    uint32_t code;

    uclass_char(p, n, &code);
    if (uclass[code] & UC_SPACE)
        s->begins = a;
    if (a->rstrip)
        s->takes = a;
}

/* In white space that one has taken in tokenizers finds the other, and tells
 * of the text between them twice, or panics. */
static int
check_strips(const struct strips *s, const char *where, struct err *e)
{
    if (!s->takes || !s->begins)
        return 0;
    return err_set(e, ERR_DATA, "%s: rstrip of added token \"%.100s\" is not "
                   "supported beside added token \"%.100s\", which begins "
                   "with white space", where, s->takes->content,
                   s->begins->content);
}

static int
make_sets(struct tokenizer *t, const char *where, struct err *e)
{
    const struct added_token *a;
    struct strips raw = { 0 }, normalized = { 0 };
    struct buf normal;
    int rc = 0;
    size_t i, n;

    buf_init(&normal);
    added_set_init(&t->raw_set, t->added);
    added_set_init(&t->normal_set, t->added);
    added_set_init(&t->word_set, t->added);
    make_normal_uclass(t);
    for (i = 0; i < t->n_added && rc == 0; i++) {
        a = &t->added[i];
        if (!a->normalized) {
            added_set_put(&t->raw_set, i, a->content, a->len);
            note_strips(&raw, t->uclass, a, a->content, a->len);
            continue;
        }
        buf_reset(&normal);
        normal_add(&normal, &t->normal, t->uclass, a->content, a->len, NULL);
        if (normal.len == 0) {
            rc = err_set(e, ERR_DATA, "%s: added token \"%.100s\" is nothing "
                         "when normalized", where, a->content);
            break;
        }
        n = t->normal_set.n_tokens;
        added_set_put(&t->normal_set, i, normal.data, normal.len);
        if (t->normal_set.n_tokens == n) { /* tokenizers finds either */
            rc = err_set(e, ERR_DATA, "%s: added token \"%.100s\" is another "
                         "one when normalized", where, a->content);
            break;
        }
        note_strips(&normalized, t->normal_uclass, a, normal.data, normal.len);
        if (!a->special)
            added_set_put(&t->word_set, i, normal.data, normal.len);
    }
    buf_release(&normal);
    if (rc == 0)
        rc = check_strips(&raw, where, e);
    return rc < 0 ? rc : check_strips(&normalized, where, e);
}

/* The bytes of a token of the vocabulary, as they are in a text. */
static void
put_bytes(struct tokenizer *t, const char *name, size_t n, uint32_t id)
{
    struct buf *b = &t->bytes;

    if (!t->chars.on) {
        if (!alphabet_read(b, name, n))
            buf_add(b, name, n);
    } else if (!chars_put_byte(t, name, n, id, b)) {
        normal_add(b, &t->chars.fold, t->uclass, name, n, NULL);
    }
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
        if (i < t->n_vocab)
            put_bytes(t, name, m->len, (uint32_t)m->value);
        else
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

/* text[n] has passed the check that filled *ix. */
static int
read_checked(struct tokenizer *t, const char *text, size_t n,
             const char *where, struct json_index *ix, struct err *e)
{
    struct json j = json_on(text, n, where);
    struct parts p = { 0 };
    int rc;

    j.index = ix;
    rc = find_parts(&p, &j, e);
    if (rc == 0)
        rc = read_parts(t, &p, &ix->keys, e);
    if (rc < 0)
        return rc;
    t->id = id_of(text, n);
    t->uclass = uclass_new();
    make_spans(t);
    if (t->chars.on)
        chars_prepare(t);
    return make_sets(t, where, e);
}

int
tokenizer_read(struct tokenizer *t, const char *text, size_t n,
               const char *where, struct err *e)
{
    static const char *const vocab[] = { "model", "vocab", NULL };
    struct json_index ix;
    int rc;

    memset(t, 0, sizeof(*t));
    if (n > TOKENIZER_MAX_FILE)
        return err_set(e, ERR_LIMIT, "%s: %zu bytes, limit %u", where, n,
                       TOKENIZER_MAX_FILE);
    map_init(&t->name);
    map_init(&t->whole);
    buf_init(&t->bytes);
    rc = json_check_index(&ix, vocab, text, n, where, e);
    if (rc == 0)
        rc = read_checked(t, text, n, where, &ix, e);
    json_index_release(&ix);
    if (rc < 0)
        tokenizer_release(t);
    return rc;
}
