/* chat_config.c - the tokens that tokenizer_config.json and the files of its
 * kind name or add, as transformers 5 reads them.
 *
 * special_tokens_map.json and added_tokens.json count where
 * tokenizer_config.json has no added_tokens_decoder; what the former names
 * goes before what that does. A token that these files add to those of the
 * tokenizer.json, or have with other flags, is kept by its spelling: a
 * conversation with it would get other ids.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/chat_parts.h"

#define MAX_NAMED 64
#define END "<|endoftext|>"

static void
refuse(struct chat_template *c, const char *where, const char *key,
       const char *want)
{
    if (c->why.code == 0)
        err_set(&c->why, ERR_DATA, "%s: %.100s (expected %s)", where, key,
                want);
}

/* A token's spelling, of a string or of an object with content; or NULL. */
static const char *
spelling(const cJSON *v)
{
    if (cJSON_IsObject(v))
        v = cJSON_GetObjectItemCaseSensitive(v, "content");
    return cJSON_GetStringValue(v);
}

/* ---- tokens by name ---- */

/* One name more; null, which is kept, is no token. */
static void
name_token(struct chat_template *c, const cJSON *v, const char *where)
{
    const char *text = spelling(v);

    if (!text && !cJSON_IsNull(v)) {
        refuse(c, where, v->string, "a token or null");
        return;
    }
    cJSON_DeleteItemFromObjectCaseSensitive(c->tokens, v->string);
    if (cJSON_GetArraySize(c->tokens) == MAX_NAMED)
        refuse(c, where, v->string, "no more than 64 tokens by name");
    else if (text)
        cJSON_AddStringToObject(c->tokens, v->string, text);
    else
        cJSON_AddNullToObject(c->tokens, v->string);
}

/* bos_token and the other six, or one that a model has besides. */
static bool
is_name(const cJSON *v)
{
    static const char *const name[] = { "bos_token", "eos_token",
                                        "unk_token", "sep_token",
                                        "pad_token", "cls_token",
                                        "mask_token" };
    size_t n = strlen(v->string);

    for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++)
        if (strcmp(v->string, name[i]) == 0)
            return true;
    return n > 6 && strcmp(v->string + n - 6, "_token") == 0 && spelling(v);
}

static void
name_tokens(struct chat_template *c, const cJSON *o, const char *where)
{
    const cJSON *v, *own;

    cJSON_ArrayForEach(v, o) {
        if (is_name(v))
            name_token(c, v, where);
        if (cJSON_IsObject(v)
            && (strcmp(v->string, "extra_special_tokens") == 0
                || strcmp(v->string, "model_specific_special_tokens") == 0))
            cJSON_ArrayForEach(own, v)
                name_token(c, own, where);
    }
}

/* What a class of transformers names by itself, where no file does. */
static void
name_of_class(struct chat_template *c, const cJSON *class)
{
    static const char *const name[] = { "bos_token", "eos_token",
                                        "unk_token", "pad_token" };
    static const struct {
        const char *class, *token[4];
    } row[] = {
        { "GPT2Tokenizer", { END, END, END, NULL } },
        { "CodeGenTokenizer", { END, END, END, NULL } },
        { "GPTNeoXTokenizer", { END, END, END, "<|padding|>" } },
        { "Qwen2Tokenizer", { NULL, END, END, END } },
        { "CohereTokenizer", { "<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>",
                               "<UNK>", "<PAD>" } },
    };
    const char *is = cJSON_GetStringValue(class);
    size_t n;

    for (size_t i = 0; is && i < sizeof(row) / sizeof(row[0]); i++) {
        n = strlen(row[i].class);
        if (strncmp(is, row[i].class, n) != 0
            || (is[n] != '\0' && strcmp(is + n, "Fast") != 0))
            continue;
        for (int k = 0; k < 4; k++)
            if (row[i].token[k] && !cJSON_HasObjectItem(c->tokens, name[k]))
                cJSON_AddStringToObject(c->tokens, name[k],
                                        row[i].token[k]);
    }
}

/* ---- tokens that the tokenizer.json has not ---- */

static bool
flag(const cJSON *o, const char *name, bool absent)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

    return v ? cJSON_IsTrue(v) : absent;
}

static bool
same_flags(const struct tokenizer *t, const struct added_token *own,
           const cJSON *o)
{
    bool normalized = flag(o, "normalized", !flag(o, "special", false));

    return own->lstrip == flag(o, "lstrip", false)
           && own->rstrip == flag(o, "rstrip", false)
           && own->single_word == flag(o, "single_word", false)
           && (own->normalized == normalized || t->normal.n == 0);
}

/* Keeps the token, unless the tokenizer has it added, and with the flags that
 * v has if they are asked for. */
static void
add_token(struct chat_template *c, const struct tokenizer *t, const cJSON *v,
          const char *text, bool flags, const char *where)
{
    uint32_t id = tokenizer_find(t, text, strlen(text));
    uint32_t at = id == TOKEN_NONE || !t->added_at ? 0 : t->added_at[id];

    if (*text == '\0'
        || (at > 0 && (!flags || same_flags(t, &t->added[at - 1], v))))
        return;
    if (c->n_foreign == CHAT_MAX_FOREIGN) {
        refuse(c, where, text, "fewer tokens that tokenizer.json hasn't");
        return;
    }
    if (!c->foreign)
        c->foreign = mem_array(CHAT_MAX_FOREIGN, sizeof(c->foreign[0]));
    c->foreign[c->n_foreign++] = (struct chat_foreign){
        mem_dup(text, strlen(text)), strlen(text),
        flags && !flag(v, "special", false) && flag(v, "normalized", true)
    };
}

/* Those of a list or, with their flags, of an added_tokens_decoder. */
static void
add_tokens(struct chat_template *c, const struct tokenizer *t,
           const cJSON *list, bool flags, const char *where)
{
    const cJSON *v;
    const char *text;

    cJSON_ArrayForEach(v, list) {
        text = spelling(v);
        if (text)
            add_token(c, t, v, text, flags, where);
        else
            refuse(c, where, flags ? "added_tokens_decoder" :
                   "a special token", "a token");
    }
}

static void
add_extra(struct chat_template *c, const struct tokenizer *t, const cJSON *o,
          const char *where)
{
    static const char *const name[] = { "extra_special_tokens",
                                        "additional_special_tokens" };
    const cJSON *v;

    for (size_t i = 0; i < 2; i++) {
        v = cJSON_GetObjectItemCaseSensitive(o, name[i]);
        if (cJSON_IsArray(v))
            add_tokens(c, t, v, false, where);
    }
}

/* ---- the files ---- */

void
chat_config_read(struct chat_template *c, const struct tokenizer *t,
                 const cJSON *o, const char *where)
{
    name_tokens(c, o, where);
    if (flag(o, "split_special_tokens", false))
        refuse(c, where, "split_special_tokens", "false");
    add_tokens(c, t, cJSON_GetObjectItemCaseSensitive(
        o, "added_tokens_decoder"), true, where);
    add_extra(c, t, o, where);
}

void
chat_config_added(struct chat_template *c, const struct tokenizer *t,
                  const cJSON *o, const char *where)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, o)
        add_token(c, t, v, v->string, false, where);
}

void
chat_config_end(struct chat_template *c, const struct tokenizer *t,
                const cJSON *o, const char *where)
{
    const cJSON *v;

    name_of_class(c, cJSON_GetObjectItemCaseSensitive(o, "tokenizer_class"));
    cJSON_ArrayForEach(v, c->tokens)
        if (cJSON_IsString(v))
            add_token(c, t, v, v->valuestring, false, where);
}

/* ---- a conversation ---- */

/* The bytes from piece *i on that may hold special tokens, or all may. */
static size_t
marks_from(const struct chat *c, size_t *i, const char **p)
{
    size_t n = 0;

    while (*i < c->n && !c->piece[*i].marks)
        ++*i;
    *p = *i < c->n ? c->piece[*i].p : "";
    for (; *i < c->n && c->piece[*i].marks; ++*i)
        n += c->piece[*i].n;
    return n;
}

static int
find_foreign(const struct chat_template *of, const char *p, size_t n,
             bool words, struct err *e)
{
    const struct chat_foreign *f = of->foreign;

    for (size_t i = 0; i < of->n_foreign; i++, f++)
        if (f->word == words && memmem(p, n, f->text, f->len))
            return err_set(e, ERR_DATA, "\"%.100s\", which the chat template "
                           "writes, is a token by the files beside "
                           "tokenizer.json, but not that one by itself",
                           f->text);
    return 0;
}

int
chat_config_check(const struct chat *c, struct err *e)
{
    const struct chat_template *of = c->of;
    const char *p;
    size_t n;
    int rc = 0;

    if (of->n_foreign == 0)
        return 0;
    for (size_t i = 0; rc == 0 && (n = marks_from(c, &i, &p)) > 0;)
        rc = find_foreign(of, p, n, false, e);
    return rc < 0 ? rc :
           find_foreign(of, c->text.text.data, c->text.text.len, true, e);
}
