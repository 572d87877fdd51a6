/* text_codec.c - a tokenizer, and the chat template beside it, which are a
 * base's own files or others. */
#include "eval/text_codec.h"

#include <string.h>

#include "weights/tokenizer_file.h"

/* An asset of a base. */
static int
read_asset(const struct chat_files *f, const char *name, uint64_t max,
           struct buf *text, bool *found, struct err *e)
{
    const struct weights *w = f->ctx;
    const struct weight_asset *a = weights_asset(w, name);

    *found = a != NULL;
    if (a == NULL)
        return 0;
    if (a->n > max)
        return err_set(e, ERR_LIMIT, "%s: %s is longer than %llu bytes",
                       w->path, name, (unsigned long long)max);
    buf_add(text, a->data, a->n);
    return 0;
}

static int
open_tokenizer(struct text_codec *c, const struct weights *w,
               const char *path, struct err *e)
{
    const struct weight_asset *a = weights_asset(w, "tokenizer.json");

    if (path != NULL)
        return tokenizer_file_open(&c->tokenizer, path, e);
    if (a != NULL)
        return tokenizer_read(&c->tokenizer, a->data, a->n, a->name, e);
    return err_set(e, ERR_USAGE, "%s: has no tokenizer.json: name one with "
                   "--tokenizer", w->path);
}

static int
open_chat(struct text_codec *c, const struct weights *w,
          const struct text_codec_opts *o, struct err *e)
{
    struct chat_files files = { .where = w->path, .read = read_asset,
                                .ctx = w };

    if (o->date != NULL && chat_template_date(&c->of, o->date, e) < 0)
        return e->code;
    if (o->tokenizer != NULL)
        return tokenizer_file_chat(&c->of, o->tokenizer, &c->tokenizer,
                                   o->chat_template, e);
    return chat_template_read(&c->of, &files, &c->tokenizer,
                              o->chat_template, e);
}

int
text_codec_open(struct text_codec *c, const struct weights *w,
                uint32_t vocab, const struct text_codec_opts *o,
                struct err *e)
{
    int rc;

    memset(c, 0, sizeof(*c));
    rc = open_tokenizer(c, w, o->tokenizer, e);
    if (rc < 0)
        return rc;
    c->end = tokenizer_end(&c->tokenizer);
    encoder_init(&c->encoder, &c->tokenizer);
    spans_init(&c->spans, &c->tokenizer);
    chat_template_init(&c->of);
    chat_init(&c->chat);
    jsonl_init(&c->jsonl);
    text_init(&c->record);
    if (c->tokenizer.n > vocab)
        rc = err_set(e, ERR_DATA, "the tokenizer has %u tokens, the model "
                     "%u", c->tokenizer.n, vocab);
    if (rc == 0)
        rc = end_tokens_read(&c->ends, w, vocab, e);
    if (rc == 0)
        rc = open_chat(c, w, o, e);
    if (rc < 0)
        text_codec_release(c);
    return rc;
}

void
text_codec_release(struct text_codec *c)
{
    text_release(&c->record);
    spans_release(&c->spans);
    jsonl_release(&c->jsonl);
    chat_release(&c->chat);
    chat_template_release(&c->of);
    end_tokens_release(&c->ends);
    encoder_release(&c->encoder);
    tokenizer_release(&c->tokenizer);
    memset(c, 0, sizeof(*c));
}

int
text_codec_text(struct text_codec *c, const char *text, size_t n,
                struct ids *ids, struct err *e)
{
    uint32_t begin = tokenizer_begin(&c->tokenizer);
    size_t at = ids->n;

    encoder_add(&c->encoder, text, n, true, ids);
    if (begin != TOKEN_NONE && (ids->n == at || ids->id[at] != begin)) {
        ids_add(ids, begin);
        memmove(ids->id + at + 1, ids->id + at,
                (ids->n - 1 - at) * sizeof(ids->id[0]));
        ids->id[at] = begin;
    }
    return encoder_check(&c->encoder, e);
}

/* The record's conversation to c->chat. */
static int
lay_out(struct text_codec *c, struct err *e)
{
    const struct text_rec *r = &c->record;
    const struct text_field *tools = text_get(r, "tools");
    const struct text_field *more = text_get(r, "chat_template_kwargs");
    struct text_message m;
    size_t at = 0;
    int rc = 0;

    chat_begin(&c->chat, &c->of);
    if (tools)
        rc = chat_tools(&c->chat, tools->data, tools->len, e);
    if (rc == 0 && more)
        rc = chat_variables(&c->chat, more->data, more->len, e);
    while (rc == 0 && text_next_message(r, &at, &m))
        rc = chat_add(&c->chat, m.role->data, m.role->len, m.content->data,
                      m.content->len, m.json ? m.json->data : NULL,
                      m.json ? m.json->len : 0, e);
    return rc < 0 ? rc : chat_prompt(&c->chat, e);
}

int
text_codec_chat(struct text_codec *c, const char *json, size_t n,
                const char *where, struct ids *ids, struct err *e)
{
    int rc = chat_template_ok(&c->of, e);

    if (rc == 0)
        rc = jsonl_read(&c->jsonl, json, n, where, e);
    if (rc < 0)
        return rc;
    rc = text_decode(&c->record, c->jsonl.record.data, c->jsonl.record.len,
                     e);
    if (rc == 0)
        rc = lay_out(c, e);
    if (rc < 0)
        return err_prefix(e, "%s", where);
    spans_reset(&c->spans);
    for (size_t i = 0; i < c->chat.n; i++)
        spans_add(&c->spans, c->chat.piece[i].p, c->chat.piece[i].n, false,
                  c->chat.piece[i].marks);
    spans_encode(&c->spans, &c->encoder, ids);
    return encoder_check(&c->encoder, e);
}

bool
text_codec_ends(const struct text_codec *c, uint32_t id)
{
    return id == c->end || end_tokens_has(&c->ends, id);
}

void
text_codec_decode(const struct text_codec *c, uint32_t id, struct buf *out)
{
    if (id < c->tokenizer.n)
        tokenizer_decode(&c->tokenizer, &id, 1, out);
}
