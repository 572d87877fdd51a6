/* gguf_tokenizer.c - the keys below tokenizer. of a GGUF file. */
#include "weights/gguf_tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/vocab_json.h"

#define KEY GGUF_KEY
#define TOKENS GGUF_TOKENS
#define TYPES GGUF_TYPES
#define MERGES GGUF_MERGES
#define TEMPLATE GGUF_TEMPLATE

const char *const gguf_named[][2] = {
    { "bos_token", KEY "bos_token_id" },
    { "eos_token", KEY "eos_token_id" },
    { "unk_token", KEY "unknown_token_id" },
    { "pad_token", KEY "padding_token_id" },
    { NULL, NULL }
};

void
gguf_made_of(char hex[ID_HEX + 1], const struct gguf *g)
{
    const struct gguf_key *k = gguf_find(g, GGUF_MADE_OF);
    struct gguf_text text;
    struct id id;

    hex[0] = '\0';
    if (k != NULL && gguf_string(k, &text) && id_parse(&id, text.p, text.n))
        id_hex(&id, hex);
}

bool
gguf_has_tokenizer(const struct gguf *g)
{
    return gguf_find(g, TOKENS) != NULL;
}

/* ---- keys ---- */

/* An array, of strings or of whole numbers. */
static int
find_array(const struct gguf_key **k, const struct gguf *g, const char *name,
           bool strings, struct err *e)
{
    *k = gguf_find(g, name);
    if (*k == NULL)
        return err_set(e, ERR_DATA, "%s: %s is missing", g->path, name);
    if (!(*k)->is_array
        || (strings ? (*k)->type != GGUF_STRING
                    : !gguf_type_is_whole((*k)->type)))
        return err_set(e, ERR_DATA, "%s: %s: found %s%s, expected an array "
                       "of %s", g->path, name,
                       (*k)->is_array ? "an array of " : "",
                       gguf_type_name((*k)->type),
                       strings ? "strings" : "whole numbers");
    if ((*k)->n > GGUF_MAX_TOKENS)
        return err_set(e, ERR_LIMIT, "%s: %s: %llu elements, limit %u",
                       g->path, name, (unsigned long long)(*k)->n,
                       GGUF_MAX_TOKENS);
    return 0;
}

/* A whole number or a bool from 0 on; -1 where the key is not there. */
static int
find_whole(int64_t *out, const struct gguf *g, const char *name,
           struct err *e)
{
    const struct gguf_key *k = gguf_find(g, name);

    *out = -1;
    if (k == NULL)
        return 0;
    if (k->is_array || !gguf_whole(k, 0, out) || *out < 0)
        return err_set(e, ERR_DATA, "%s: %s: expected a whole number from 0 "
                       "on", g->path, name);
    return 0;
}

/* A string of at most 63 bytes; "" where the key is not there. */
static int
find_name(char out[64], const struct gguf *g, const char *name,
          struct err *e)
{
    const struct gguf_key *k = gguf_find(g, name);
    struct gguf_text text = { "", 0 };

    if (k != NULL && (!gguf_string(k, &text) || text.n > 63
                      || utf8_valid(text.p, text.n) != text.n))
        return err_set(e, ERR_DATA, "%s: %s: expected a string of at most 63 "
                       "bytes", g->path, name);
    memcpy(out, text.p, text.n);
    out[text.n] = '\0';
    return 0;
}

/* ---- tokenizer.json ---- */

static int
read_types(struct vocab *v, const struct gguf *g, struct err *e)
{
    const struct gguf_key *k;
    int64_t kind;
    int rc;

    if (gguf_find(g, TYPES) == NULL)
        return 0;
    rc = find_array(&k, g, TYPES, false, e);
    if (rc == 0 && k->n != v->n_tokens)
        rc = err_set(e, ERR_DATA, "%s: " TYPES ": found %llu elements, "
                     "expected %zu, one a token", g->path,
                     (unsigned long long)k->n, v->n_tokens);
    for (size_t i = 0; i < v->n_tokens && rc == 0; i++) {
        if (!gguf_whole(k, i, &kind) || kind < VOCAB_NORMAL
            || kind > VOCAB_BYTE)
            rc = err_set(e, ERR_DATA, "%s: " TYPES ": token %zu is of a kind "
                         "that is not known (expected 1 to 6)", g->path, i);
        else
            v->token[i].kind = (uint8_t)kind;
    }
    return rc;
}

static int
read_tokens(struct vocab *v, const struct gguf *g, struct err *e)
{
    const struct gguf_key *k;
    struct gguf_strings s;
    struct gguf_text text;
    int rc = find_array(&k, g, TOKENS, true, e);

    if (rc < 0)
        return rc;
    v->token = mem_array((size_t)k->n, sizeof(v->token[0]));
    for (s = gguf_strings(k); gguf_next(&s, &text);)
        v->token[v->n_tokens++] = (struct vocab_token){ text.p, text.n,
                                                        VOCAB_NORMAL };
    rc = read_types(v, g, e);
    if (rc == 0)
        rc = find_array(&k, g, MERGES, true, e);
    if (rc < 0)
        return rc;
    v->merge = mem_array((size_t)k->n, sizeof(v->merge[0]));
    for (s = gguf_strings(k); gguf_next(&s, &text);)
        v->merge[v->n_merges++] = (struct vocab_merge){ text.p, text.n };
    return 0;
}

/* What cuts a text. Where the file doesn't name it, the architecture may. */
static int
read_pre(char pre[64], const struct gguf *g, struct err *e)
{
    char model[64];
    int rc = find_name(model, g, KEY "model", e);

    if (rc == 0 && strcmp(model, "gpt2") != 0)
        rc = err_set(e, ERR_DATA, "%s: tokenizers of kind \"%s\" are not "
                     "supported (expected gpt2, byte-level BPE, as " KEY
                     "model)", g->path, model);
    if (rc == 0)
        rc = find_name(pre, g, KEY "pre", e);
    if (rc == 0 && (pre[0] == '\0' || strcmp(pre, "default") == 0))
        rc = find_name(pre, g, "general.architecture", e);
    return rc;
}

int
gguf_tokenizer(struct buf *json, const struct gguf *g, struct err *e)
{
    char pre[64];
    struct vocab v = { .where = g->path, .pre = pre };
    int64_t begins;
    int rc = read_pre(pre, g, e);

    if (rc == 0)
        rc = find_whole(&begins, g, KEY "add_bos_token", e);
    if (rc == 0)
        rc = find_whole(&v.begin, g, KEY "bos_token_id", e);
    if (rc == 0)
        rc = read_tokens(&v, g, e);
    if (rc == 0) {
        v.begins = begins < 0 ? -1 : begins > 0;
        rc = vocab_json_put(json, &v, e);
    }
    free(v.token);
    free(v.merge);
    return rc;
}

/* ---- tokenizer_config.json ---- */

static int
put_text(struct buf *json, const struct gguf *g, const char *name,
         struct gguf_text text, struct err *e)
{
    if (utf8_valid(text.p, text.n) != text.n)
        return err_set(e, ERR_DATA, "%s: %s: invalid UTF-8", g->path, name);
    json_put_string(json, text.p, text.n);
    return 0;
}

/* The token that a key has the id of, if it is there. */
static int
put_token(struct buf *json, const struct gguf *g, const char *name,
          const char *key, struct err *e)
{
    const struct gguf_key *k = gguf_find(g, TOKENS);
    struct gguf_text text = { NULL, 0 };
    int64_t id;
    int rc = find_whole(&id, g, key, e);

    if (rc < 0 || id < 0)
        return rc;
    for (struct gguf_strings s = gguf_strings(k); id >= 0; id--)
        if (!gguf_next(&s, &text))
            return err_set(e, ERR_DATA, "%s: %s: there is no such token",
                           g->path, key);
    buf_addf(json, ",\n\"%s\":", name);
    return put_text(json, g, key, text, e);
}

/* One template, or the usual one and one for tools. */
static int
put_template(struct buf *json, const struct gguf *g, struct err *e)
{
    static const char *const key[] = { TEMPLATE, TEMPLATE ".tool_use" };
    static const char *const name[] = { "default", "tool_use" };
    const char *between = "";
    int rc = 0;

    buf_addstr(json, "{\"chat_template\":");
    if (gguf_find(g, key[0]) == NULL) {
        buf_addstr(json, "null");
        return 0;
    }
    buf_addc(json, '{');
    for (int i = 0; i < 2 && rc == 0; i++) {
        const struct gguf_key *k = gguf_find(g, key[i]);
        struct gguf_text text;

        if (k == NULL)
            continue;
        if (!gguf_string(k, &text))
            return err_set(e, ERR_DATA, "%s: %s: found %s, expected a "
                           "string", g->path, key[i], gguf_type_name(k->type));
        buf_addf(json, "%s\"%s\":", between, name[i]);
        rc = put_text(json, g, key[i], text, e);
        between = ",";
    }
    buf_addc(json, '}');
    return rc;
}

int
gguf_tokenizer_config(struct buf *json, const struct gguf *g, struct err *e)
{
    int rc = put_template(json, g, e);

    for (size_t i = 0; gguf_named[i][0] != NULL && rc == 0; i++)
        rc = put_token(json, g, gguf_named[i][0], gguf_named[i][1], e);
    buf_addstr(json, "}\n");
    return rc;
}
