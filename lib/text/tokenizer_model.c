/* tokenizer_model.c - the model of a tokenizer.json: BPE, its settings,
 * vocabulary and merges.
 *
 * The order of keys means nothing, and merges need the vocabulary: so the
 * settings are read first, and of the big parts the place is kept.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "text/alphabet.h"
#include "text/tokenizer_read.h"

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
read_setting(struct tokenizer *t, struct tokenizer_model *m,
             const struct buf *key, struct json *j, struct err *e)
{
    struct buf type;
    int rc = 0;

    if (buf_is(key, "type")) {
        buf_init(&type);
        rc = json_string(j, &type, e);
        if (rc == 0 && !buf_is(&type, "BPE"))
            rc = json_error(j, e, "model \"%.100s\" is not supported",
                            type.data);
        buf_release(&type);
        return rc;
    }
    if (buf_is(key, "ignore_merges"))
        return json_bool(j, &t->ignore_merges, e);
    if (buf_is(key, "dropout") || buf_is(key, "continuing_subword_prefix")
        || buf_is(key, "end_of_word_suffix"))
        return want_nothing(j, key->data, e);
    if (buf_is(key, "byte_fallback"))
        return json_bool(j, &t->chars.byte_fallback, e);
    if (buf_is(key, "fuse_unk"))
        return json_bool(j, &t->chars.fuse_unk, e);
    if (buf_is(key, "vocab"))
        m->vocab = *j;
    else if (buf_is(key, "merges"))
        m->merges = *j;
    else if (buf_is(key, "unk_token") && json_kind(j) != JSON_NULL)
        m->unk = *j;
    else if (!buf_is(key, "unk_token"))
        return json_error(j, e, "model setting \"%.100s\" is not supported",
                          key->data);
    json_skip(j);
    return 0;
}

int
tokenizer_read_model(struct tokenizer *t, struct tokenizer_model *m,
                     struct json *j, struct err *e)
{
    struct buf key;
    int rc;

    buf_init(&key);
    rc = json_enter_object(j, e);
    while (rc == 0 && json_next_key(j, &key))
        rc = read_setting(t, m, &key, j, e);
    buf_release(&key);
    if (rc == 0 && (!m->vocab.start || !m->merges.start))
        rc = json_error(j, e, "the model has no %s",
                        m->vocab.start ? "merges" : "vocab");
    return rc;
}

/* ---- vocabulary ---- */

/* names: those of *j, which becomes t->name. */
static int
read_vocab(struct tokenizer *t, struct map *names, struct json *j,
           struct err *e)
{
    struct map_entry *name;
    struct json behind = *j;
    int rc = json_enter_object(j, e);
    size_t i;

    if (rc < 0)
        return rc;
    json_skip(&behind);
    t->name = *names;
    map_init(names);
    t->n_vocab = t->name.n;
    rc = tokenizer_limit(&behind, "a vocabulary", t->n_vocab, "tokens",
                         MERGE_MOST_IDS, e);
    for (i = 0; i < t->n_vocab && rc == 0; i++) {
        name = &t->name.entry[i];
        j->p = j->start + name->value;
        rc = tokenizer_limit(j, "a token", name->len, "bytes",
                             TOKENIZER_MAX_TOKEN, e);
        if (rc == 0)
            rc = json_u64(j, &name->value, e);
        if (rc == 0 && name->value >= INT32_MAX)
            rc = json_error(j, e, "id %llu is not below 2^31 - 1",
                            (unsigned long long)name->value);
    }
    if (rc == 0 && t->n_vocab == 0)
        rc = json_error(&behind, e, "an empty vocabulary");
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
    char name[8];
    size_t n;
    int i;

    for (i = 0; i < 256; i++) {
        if (t->chars.on)
            n = (size_t)snprintf(name, sizeof(name), "<0x%02X>", i);
        else
            n = utf8_encode(alphabet_code((uint8_t)i), name);
        t->byte[i] = tokenizer_find(t, name, n);
        if (t->chars.on && !t->chars.byte_fallback)
            t->byte[i] = TOKEN_NONE;
        if (t->byte[i] == TOKEN_NONE)
            t->lacks_bytes = true;
    }
}

/* What becomes of a character that is no token. */
static int
read_unknown(struct tokenizer *t, const struct tokenizer_model *m,
             struct err *e)
{
    struct json j = m->unk;
    struct buf name;
    char blank[4];
    int rc = 0;

    t->chars.unk = TOKEN_NONE;
    if (!t->chars.on && t->lacks_bytes && (m->unk.start
                                           || t->chars.byte_fallback))
        return json_error(&m->vocab, e, "an unk_token or byte_fallback in a "
                          "vocabulary that lacks bytes is not supported");
    if (!t->chars.on)
        return 0;
    if (t->chars.blank != 0
        && tokenizer_find(t, blank, utf8_encode(t->chars.blank, blank)) ==
           TOKEN_NONE)
        return json_error(&m->vocab, e, "no token for what the blank is "
                          "replaced by");
    if (!j.start)
        return 0;
    buf_init(&name);
    rc = json_string(&j, &name, e);
    if (rc == 0)
        t->chars.unk = tokenizer_find(t, name.data, name.len);
    if (rc == 0 && t->chars.unk == TOKEN_NONE)
        rc = json_error(&j, e, "unk_token \"%.100s\" is not in the "
                        "vocabulary", name.data);
    buf_release(&name);
    return rc;
}

int
tokenizer_read_vocab(struct tokenizer *t, const struct tokenizer_model *m,
                     struct err *e)
{
    struct json vocab = m->vocab;
    int rc;

    rc = read_vocab(t, m->names, &vocab, e);
    if (rc == 0)
        rc = check_ids(t, &m->vocab, e);
    if (rc < 0)
        return rc;
    find_bytes(t);
    rc = read_unknown(t, m, e);
    return rc < 0 ? rc : tokenizer_read_merges(t, &m->merges, e);
}
