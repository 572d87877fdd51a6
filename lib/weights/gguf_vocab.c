/* gguf_vocab.c - a tokenizer.json, and what is beside it, as the keys of a
 * GGUF file: those that gguf_tokenizer.c reads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "text/chat.h"
#include "text/vocab_json.h"
#include "weights/gguf_tokenizer.h"

#define MAX_NAME 64

struct writer {
    struct gguf_out *g;
    const struct weights *w;
    struct tokenizer t;
    struct chat_template chat;
    uint32_t rows;
    struct err *e;
};

/* ---- tokens ---- */

/* name[t->n] = the spellings. */
static struct gguf_text *
list_names(const struct tokenizer *t)
{
    struct gguf_text *name = mem_array((size_t)t->n + 1, sizeof(*name));

    for (size_t i = 0; i < t->name.n; i++)
        name[t->name.entry[i].value] = (struct gguf_text){
            map_key(&t->name, i), t->name.entry[i].len
        };
    return name;
}

static int32_t
kind_of(const struct tokenizer *t, uint32_t id)
{
    uint32_t at = t->added_at ? t->added_at[id] : 0;

    if (at == 0)
        return VOCAB_NORMAL;
    return t->added[at - 1].special ? VOCAB_CONTROL : VOCAB_USER;
}

/* Every row's spelling and kind. */
static void
put_tokens(struct writer *w, const struct gguf_text *name)
{
    struct gguf_text *all = mem_array(w->rows, sizeof(*all));
    int32_t *kind = mem_array(w->rows, sizeof(*kind));
    char (*none)[24] = mem_array(w->rows - w->t.n + 1, sizeof(*none));

    for (uint32_t i = 0; i < w->rows; i++) {
        if (i < w->t.n) {
            all[i] = name[i];
            kind[i] = kind_of(&w->t, i);
            continue;
        }
        snprintf(none[i - w->t.n], sizeof(*none), "[PAD%u]", i);
        all[i] = (struct gguf_text){ none[i - w->t.n],
                                     strlen(none[i - w->t.n]) };
        kind[i] = VOCAB_UNUSED;
    }
    gguf_out_strings(w->g, GGUF_TOKENS, all, w->rows);
    gguf_out_numbers(w->g, GGUF_TYPES, GGUF_I32, kind, w->rows);
    free(all);
    free(kind);
    free(none);
}

/* "LEFT RIGHT" of each, in the order of their ranks. */
static void
put_merges(struct writer *w, const struct gguf_text *name)
{
    const struct merges *m = &w->t.merges;
    uint32_t (*pair)[2] = mem_array(m->most + 1, sizeof(*pair)), rank;
    struct gguf_text *text = mem_array(m->n + 1, sizeof(*text));
    bool *is = mem_array(m->most + 1, sizeof(*is));
    struct buf all;
    size_t n = 0, at = 0;

    for (size_t i = 0; i <= m->mask; i++) {
        uint32_t left, right;

        if (!merges_at(m, i, &left, &right, &rank))
            continue;
        pair[rank][0] = left;
        pair[rank][1] = right;
        is[rank] = true;
    }
    buf_init(&all);
    for (size_t i = 0; i < m->most; i++) {
        const struct gguf_text *l = &name[pair[i][0]];
        const struct gguf_text *r = &name[pair[i][1]];

        if (!is[i])
            continue; /* the pair was there again */
        buf_add(&all, l->p, l->n);
        buf_addc(&all, ' ');
        buf_add(&all, r->p, r->n);
        text[n++].n = l->n + 1 + r->n;
    }
    for (size_t i = 0; i < n; at += text[i++].n)
        text[i].p = all.data + at;
    gguf_out_strings(w->g, GGUF_MERGES, text, n);
    buf_release(&all);
    free(pair);
    free(text);
    free(is);
}

/* ---- tokens by name ---- */

/* eos_token_id, the first where there are several; TOKEN_NONE: none. */
static uint32_t
end_of(const struct weights *w, const char *file, uint32_t rows)
{
    const struct weight_asset *a = weights_asset(w, file);
    const cJSON *v;
    cJSON *root = NULL;
    struct err e;
    uint32_t id = TOKEN_NONE;

    if (a == NULL || json_user(&root, a->data, a->n, file, &e) < 0)
        return TOKEN_NONE;
    v = cJSON_GetObjectItemCaseSensitive(root, "eos_token_id");
    if (cJSON_IsArray(v))
        v = cJSON_GetArrayItem(v, 0);
    if (cJSON_IsNumber(v) && v->valuedouble >= 0 && v->valuedouble < rows)
        id = (uint32_t)v->valuedouble;
    cJSON_Delete(root);
    return id;
}

/* The id of a token that tokenizer_config.json names; or what stands for it
 * where that doesn't. */
static uint32_t
named(const struct writer *w, const char *name)
{
    const char *text = cJSON_GetStringValue(
        cJSON_GetObjectItemCaseSensitive(w->chat.tokens, name));
    uint32_t id = text ? tokenizer_find(&w->t, text, strlen(text))
                       : TOKEN_NONE;

    if (strcmp(name, "bos_token") == 0
        && tokenizer_begin(&w->t) != TOKEN_NONE)
        return tokenizer_begin(&w->t);
    if (strcmp(name, "eos_token") != 0)
        return id;
    if (id == TOKEN_NONE)
        id = end_of(w->w, "generation_config.json", w->rows);
    if (id == TOKEN_NONE)
        id = end_of(w->w, "config.json", w->rows);
    return id == TOKEN_NONE ? tokenizer_end(&w->t) : id;
}

static void
put_named(struct writer *w)
{
    for (size_t i = 0; gguf_named[i][0] != NULL; i++) {
        uint32_t id = named(w, gguf_named[i][0]);

        if (id != TOKEN_NONE)
            gguf_out_u32(w->g, gguf_named[i][1], id);
        else if (strcmp(gguf_named[i][0], "eos_token") == 0)
            log_warn("%s: names no token that ends a text: llama.cpp takes "
                     "token 11 for one", w->w->path);
    }
    gguf_out_bool(w->g, GGUF_KEY "add_bos_token",
                  tokenizer_begin(&w->t) != TOKEN_NONE);
}

/* ---- the chat template ---- */

/* One of several by name; "default" is the one that llama.cpp takes. */
static void
put_template(struct writer *w, const char *name, const char *text)
{
    char key[MAX_NAME + sizeof(GGUF_TEMPLATE) + 1];

    if (name == NULL || text == NULL)
        return;
    if (strcmp(name, "default") == 0)
        snprintf(key, sizeof(key), "%s", GGUF_TEMPLATE);
    else if (strlen(name) <= MAX_NAME)
        snprintf(key, sizeof(key), GGUF_TEMPLATE ".%s", name);
    else
        return;
    gguf_out_string(w->g, key, text);
}

static const char *
text_of(const cJSON *o, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));
}

static void
put_templates(struct writer *w)
{
    const struct weight_asset *a = weights_asset(w->w, "chat_template.jinja");
    const cJSON *all, *v;
    cJSON *root = NULL;
    struct err e;

    if (a != NULL) {
        put_template(w, "default", a->data);
        return;
    }
    a = weights_asset(w->w, "tokenizer_config.json");
    if (a == NULL || json_user(&root, a->data, a->n, a->name, &e) < 0)
        return;
    all = cJSON_GetObjectItemCaseSensitive(root, "chat_template");
    put_template(w, "default", cJSON_GetStringValue(all));
    cJSON_ArrayForEach(v, all) { /* of a string there are none */
        if (cJSON_IsObject(all))
            put_template(w, v->string, cJSON_GetStringValue(v));
        else
            put_template(w, text_of(v, "name"), text_of(v, "template"));
    }
    cJSON_Delete(root);
}

/* ---- all of it ---- */

static int
read_asset(const struct chat_files *f, const char *name, uint64_t max,
           struct buf *text, bool *found, struct err *e)
{
    const struct weight_asset *a = weights_asset(f->ctx, name);

    *found = a != NULL;
    if (a != NULL && a->n > max)
        return err_set(e, ERR_LIMIT, "%s: %s is longer than %llu bytes",
                       f->where, name, (unsigned long long)max);
    if (a != NULL)
        buf_add(text, a->data, a->n);
    return 0;
}

/* What a GGUF file says of added tokens is nothing but their text. */
static void
tell_strips(const struct writer *w)
{
    for (size_t i = 0; i < w->t.n_added; i++) {
        const struct added_token *a = &w->t.added[i];

        if (a->lstrip || a->rstrip || a->single_word)
            log_warn("%s: token %u, \"%.60s\": a GGUF file doesn't say that "
                     "it %s", w->w->path, a->id, a->content,
                     a->single_word ? "is a word of its own"
                                    : "takes the blanks beside it");
    }
}

static int
put_all(struct writer *w)
{
    const char *pre = vocab_json_pre(&w->t);
    struct gguf_text *name;

    if (w->t.chars.on)
        return err_set(w->e, ERR_DATA, "%s: tokenizer.json: is no byte-level "
                       "BPE: others are not written as GGUF", w->w->path);
    if (pre == NULL)
        return err_set(w->e, ERR_DATA, "%s: tokenizer.json: llama.cpp has no "
                       "name for its normalizer and pre_tokenizer that is "
                       "known here", w->w->path);
    if (w->t.n > w->rows)
        return err_set(w->e, ERR_DATA, "%s: tokenizer.json has %u tokens, "
                       "the model %u", w->w->path, w->t.n, w->rows);
    name = list_names(&w->t);
    gguf_out_string(w->g, GGUF_KEY "model", "gpt2");
    gguf_out_string(w->g, GGUF_KEY "pre", pre);
    put_tokens(w, name);
    put_merges(w, name);
    put_named(w);
    put_templates(w);
    tell_strips(w);
    free(name);
    return 0;
}

int
gguf_put_tokenizer(struct gguf_out *g, const struct weights *w,
                   uint32_t rows, struct err *e)
{
    const struct chat_files files = { .where = w->path, .read = read_asset,
                                      .ctx = w };
    const struct weight_asset *a = weights_asset(w, "tokenizer.json");
    struct writer x = { .g = g, .w = w, .rows = rows, .e = e };
    char hex[ID_HEX + 1];
    struct id id;
    int rc;

    if (a == NULL)
        return err_set(e, ERR_USAGE, "%s: has no tokenizer.json, which a GGUF "
                       "file needs", w->path);
    rc = tokenizer_read(&x.t, a->data, a->n, a->name, e);
    if (rc < 0)
        return err_prefix(e, "%s", w->path);
    chat_template_init(&x.chat);
    rc = chat_template_read(&x.chat, &files, &x.t, NULL, e);
    if (rc == 0)
        rc = put_all(&x);
    id = id_of(a->data, a->n);
    gguf_out_string(g, GGUF_MADE_OF, id_hex(&id, hex));
    chat_template_release(&x.chat);
    tokenizer_release(&x.t);
    return rc;
}
