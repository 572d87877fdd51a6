/* vocab_json.c - the parts of a tokenizer.json, one after the other; whatever
 * doesn't fit the rest is found when it is written. */
#include "text/vocab_json.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/map.h"
#include "base/utf8.h"
#include "text/tokenizer_read.h"

#define BYTES(prefix, regex)                                                \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":" prefix                  \
    ",\"trim_offsets\":true,\"use_regex\":" regex "}"

#define SPLIT(regex)                                                        \
    "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" regex                   \
    "\"},\"behavior\":\"Isolated\",\"invert\":false},"

#define DIGITS "{\"type\":\"Digits\",\"individual_digits\":true},"

/* Steps of pre-tokenizers before ByteLevel that no scanner stands for. */
static const char deepseek_coder[] =
    SPLIT("[\\r\\n]") SPLIT("\\\\s?\\\\p{L}+") SPLIT("\\\\s?\\\\p{P}+")
    SPLIT("[一-龥ࠀ-一가-퟿]+") DIGITS;

static const char deepseek_v3[] =
    SPLIT("\\\\p{N}{1,3}") SPLIT("[一-龥぀-ゟ゠-ヿ]+")
    SPLIT("[!\\\"#$%&'()*+,\\\\-./:;<=>?@\\\\[\\\\\\\\\\\\]^_`{|}~][A-Za-z]+|"
          "[^\\r\\n\\\\p{L}\\\\p{P}\\\\p{S}]?[\\\\p{L}\\\\p{M}]+|"
          " ?[\\\\p{P}\\\\p{S}]+[\\r\\n]*|\\\\s*[\\r\\n]+|\\\\s+(?!\\\\S)|"
          "\\\\s+");

/* Architectures of models that all have one tokenizer are names, too: old
 * files name no pre-tokenizer. */
static const struct pre {
    const char *name;
    enum scan_kind scan;
    const char *steps; /* instead of scan */
    bool nfc, ignore_merges;
    bool begins;       /* with a token, if the file doesn't say */
} known[] = {
    { "gpt-2", SCAN_GPT2, NULL },
    { "gpt2", SCAN_GPT2, NULL },
    { "phi-2", SCAN_GPT2, NULL },
    { "phi2", SCAN_GPT2, NULL },
    { "starcoder", SCAN_DIGITS, NULL },
    { "starcoder2", SCAN_DIGITS, NULL },
    { "refact", SCAN_DIGITS, NULL },
    { "codeshell", SCAN_DIGITS, NULL },
    { "smollm", SCAN_DIGITS, NULL },
    { "qwen2", SCAN_QWEN2, NULL, .nfc = true },
    { "qwen3", SCAN_QWEN2, NULL, .nfc = true },
    { "qwen35", SCAN_QWEN35, NULL, .nfc = true },
    { "llama-bpe", SCAN_LLAMA3, NULL, .ignore_merges = true, .begins = true },
    { "llama3", SCAN_LLAMA3, NULL, .ignore_merges = true, .begins = true },
    { "llama-v3", SCAN_LLAMA3, NULL, .ignore_merges = true, .begins = true },
    { "falcon3", SCAN_LLAMA3, NULL, .ignore_merges = true, .begins = true },
    { "dbrx", SCAN_LLAMA3, NULL },
    { "smaug-bpe", SCAN_LLAMA3, NULL },
    { "gpt-4o", SCAN_O200K, NULL },
    { "llama4", SCAN_O200K, NULL },
    { "tekken", SCAN_TEKKEN, NULL, .ignore_merges = true, .begins = true },
    { "deepseek-coder", .steps = deepseek_coder },
    { "deepseek-v3", .steps = deepseek_v3 },
};

#define N_KNOWN (sizeof(known) / sizeof(known[0]))

/* NULL: it is not known. */
static const struct pre *
find_pre(const char *name)
{
    for (size_t i = 0; i < N_KNOWN; i++)
        if (strcmp(known[i].name, name) == 0)
            return &known[i];
    return NULL;
}

/* Whether n bytes, at least one of them, are nothing but white space. */
static bool
is_blank(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strchr(" \t\n\r", p[i]) || p[i] == '\0')
            return false;
    return n > 0;
}

static void
put_added(struct buf *b, const struct vocab *v)
{
    const char *between = "";

    buf_addstr(b, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,"
               "\"added_tokens\":[");
    for (size_t i = 0; i < v->n_tokens; i++) {
        const struct vocab_token *t = &v->token[i];
        bool user = t->kind == VOCAB_USER;

        if (t->n == 0 || (t->kind != VOCAB_CONTROL && !user))
            continue;
        buf_addf(b, "%s\n{\"id\":%zu,\"content\":", between, i);
        json_put_string(b, t->p, t->n);
        buf_addf(b, ",\"single_word\":false,\"lstrip\":false,"
                 "\"rstrip\":false,\"normalized\":%s,\"special\":%s}",
                 user && is_blank(t->p, t->n) ? "true" : "false",
                 user ? "false" : "true");
        between = ",";
    }
    buf_addstr(b, "],\n");
}

static void
put_steps(struct buf *b, const struct pre *pre)
{
    const char *regex;

    buf_addf(b, "\"normalizer\":%s,\n\"pre_tokenizer\":",
             pre->nfc ? "{\"type\":\"NFC\"}" : "null");
    if (pre->steps) {
        buf_addf(b, "{\"type\":\"Sequence\",\"pretokenizers\":[%s"
                 BYTES("false", "false") "]}", pre->steps);
    } else if (pre->scan == SCAN_GPT2) {
        buf_addstr(b, BYTES("false", "true"));
    } else if (pre->scan == SCAN_DIGITS) {
        buf_addstr(b, "{\"type\":\"Sequence\",\"pretokenizers\":[" DIGITS
                   BYTES("false", "true") "]}");
    } else {
        regex = tokenizer_scan_regex(pre->scan);
        buf_addstr(b, "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":"
                   "\"Split\",\"pattern\":{\"Regex\":");
        json_put_string(b, regex, strlen(regex));
        buf_addstr(b, "},\"behavior\":\"Isolated\",\"invert\":false},"
                   BYTES("false", "false") "]}");
    }
}

/* The token that is put before a text, if there is to be one. */
static int
put_post(struct buf *b, const struct vocab *v, const struct pre *pre,
         struct err *e)
{
    bool begins = v->begins < 0 ? pre->begins : v->begins > 0;
    const struct vocab_token *t;

    buf_addstr(b, ",\n\"post_processor\":");
    if (!begins || (v->begin < 0 && v->begins < 0)) {
        buf_addstr(b, BYTES("true", "true"));
        return 0;
    }
    if (v->begin < 0 || v->begin >= (int64_t)v->n_tokens
        || v->token[v->begin].n == 0)
        return err_set(e, ERR_DATA, "%s: a text begins with token %lld, and "
                       "there is none (found %zu tokens)", v->where,
                       (long long)v->begin, v->n_tokens);
    t = &v->token[v->begin];
    buf_addstr(b, "{\"type\":\"TemplateProcessing\",\"single\":["
               "{\"SpecialToken\":{\"id\":");
    json_put_string(b, t->p, t->n);
    buf_addstr(b, ",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":"
               "0}}],\"pair\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},"
               "{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}],"
               "\"special_tokens\":{");
    json_put_string(b, t->p, t->n);
    buf_addstr(b, ":{\"id\":");
    json_put_string(b, t->p, t->n);
    buf_addf(b, ",\"ids\":[%lld],\"tokens\":[",
             (long long)v->begin);
    json_put_string(b, t->p, t->n);
    buf_addstr(b, "]}}}");
    return 0;
}

static int
check_size(const struct buf *b, const struct vocab *v, struct err *e)
{
    if (b->len <= TOKENIZER_MAX_FILE)
        return 0;
    return err_set(e, ERR_LIMIT, "%s: its tokenizer.json would have over %u "
                   "bytes", v->where, TOKENIZER_MAX_FILE);
}

/* Also fills *ids: tokens to ids. A token without a spelling gets one that
 * nothing is merged to. */
static int
put_vocab(struct buf *b, struct map *ids, const struct vocab *v,
          struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < v->n_tokens && rc == 0; i++) {
        const struct vocab_token *t = &v->token[i];
        const struct map_entry *entry;
        char none[32];
        int n = snprintf(none, sizeof(none), "[EMPTY_%zu]", i);
        const char *p = t->n > 0 ? t->p : none;
        size_t len = t->n > 0 ? t->n : (size_t)n;
        bool added;

        if (utf8_valid(p, len) != len)
            return err_set(e, ERR_DATA, "%s: token %zu: invalid UTF-8",
                           v->where, i);
        entry = map_put(ids, p, len, i, &added);
        if (!added)
            return err_set(e, ERR_DATA, "%s: tokens %llu and %zu are both "
                           "\"%.*s\"", v->where,
                           (unsigned long long)entry->value, i,
                           len < 100 ? (int)len : 100, p);
        buf_addstr(b, i > 0 ? ",\n" : "\n");
        json_put_string(b, p, len);
        buf_addf(b, ":%zu", i);
        rc = check_size(b, v, e);
    }
    return rc;
}

/* A merge of two tokens to a third. */
static int
put_merge(struct buf *b, const struct map *ids, const struct vocab *v,
          size_t i, struct buf *both, struct err *e)
{
    const struct vocab_merge *m = &v->merge[i];
    const char *space = m->n > 2 ? memchr(m->p + 1, ' ', m->n - 2) : NULL;
    size_t left = space ? (size_t)(space - m->p) : 0;
    const char *right = m->p + left + 1;

    buf_reset(both);
    if (space != NULL) {
        buf_add(both, m->p, left);
        buf_add(both, right, m->n - left - 1);
    }
    if (space == NULL || map_get(ids, m->p, left) == NULL
        || map_get(ids, right, m->n - left - 1) == NULL
        || map_get(ids, both->data, both->len) == NULL)
        return err_set(e, ERR_DATA, "%s: merge %zu makes no token of two "
                       "others", v->where, i);
    buf_addstr(b, i > 0 ? ",\n[" : "\n[");
    json_put_string(b, m->p, left);
    buf_addc(b, ',');
    json_put_string(b, right, m->n - left - 1);
    buf_addc(b, ']');
    return check_size(b, v, e);
}

static int
put_model(struct buf *b, const struct vocab *v, const struct pre *pre,
          struct err *e)
{
    struct buf both;
    struct map ids;
    int rc;

    map_init(&ids);
    buf_init(&both);
    buf_addf(b, ",\n\"decoder\":" BYTES("true", "true") ",\n\"model\":"
             "{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,"
             "\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,"
             "\"fuse_unk\":false,\"byte_fallback\":false,"
             "\"ignore_merges\":%s,\n\"vocab\":{",
             pre->ignore_merges ? "true" : "false");
    rc = put_vocab(b, &ids, v, e);
    buf_addstr(b, "},\n\"merges\":[");
    for (size_t i = 0; i < v->n_merges && rc == 0; i++)
        rc = put_merge(b, &ids, v, i, &both, e);
    buf_addstr(b, "]}}\n");
    buf_release(&both);
    map_release(&ids);
    return rc;
}

int
vocab_json_put(struct buf *b, const struct vocab *v, struct err *e)
{
    const struct pre *pre = find_pre(v->pre);
    int rc;

    if (pre == NULL)
        return err_set(e, ERR_DATA, "%s: pre-tokenizer \"%.100s\" is not "
                       "supported", v->where, v->pre);
    put_added(b, v);
    put_steps(b, pre);
    rc = put_post(b, v, pre, e);
    return rc < 0 ? rc : put_model(b, v, pre, e);
}

/* ---- back ---- */

/* Whether a tokenizer with that row's steps cuts texts as t does. */
static bool
is_named(const struct tokenizer *t, const struct pre *pre)
{
    struct vocab_token token = { "a", 1, VOCAB_NORMAL };
    struct vocab v = { .where = pre->name, .pre = pre->name, .token = &token,
                       .n_tokens = 1, .begins = 0, .begin = -1 };
    struct tokenizer other;
    struct buf json;
    struct err e;
    bool same;

    if (t->ignore_merges != pre->ignore_merges
        || t->normal.n != (pre->nfc ? 1 : 0)
        || (pre->nfc && (t->normal.step[0].kind != NORMAL_FORM
                         || t->normal.step[0].form != FORM_NFC)))
        return false;
    buf_init(&json);
    same = vocab_json_put(&json, &v, &e) == 0
           && tokenizer_read(&other, json.data, json.len, v.where, &e) == 0;
    if (same) {
        same = pretok_same(&t->pre, &other.pre);
        tokenizer_release(&other);
    }
    buf_release(&json);
    return same;
}

const char *
vocab_json_pre(const struct tokenizer *t)
{
    for (size_t i = 0; i < N_KNOWN && !t->chars.on; i++)
        if (is_named(t, &known[i]))
            return known[i].name;
    return NULL;
}
