/* complete.c - what a new token does to a completion: ends it, or adds to
 * what is told. */
#include "eval/complete.h"

#include <string.h>

int
completing_begin(struct completing *c, struct generator *g, uint32_t i,
                 const struct ids *prompt, const struct completing_opts *o,
                 struct err *e)
{
    int rc = generator_begin(g, i, (const int32_t *)prompt->id, prompt->n,
                             o->keep, e);

    memset(c, 0, sizeof(*c));
    if (rc < 0)
        return rc;
    c->o = *o;
    c->n_prompt = g->text[i].n;
    c->n_kept = g->text[i].fed;
    buf_init(&c->text);
    buf_init(&c->token);
    telling_begin(&c->telling, o->stop, o->n_stop, o->as);
    return 0;
}

void
completing_release(struct completing *c)
{
    telling_release(&c->telling);
    buf_release(&c->text);
    buf_release(&c->token);
    memset(c, 0, sizeof(*c));
}

void
completing_end(struct completing *c, enum finish finish)
{
    c->done = true;
    c->finish = finish;
    telling_end(&c->telling, &c->text);
}

/* Whether a special token, which isn't told, is spelt as a stop string. */
static bool
is_stop(const struct completing *c)
{
    for (size_t i = 0; i < c->o.n_stop; i++) {
        if (buf_is(&c->token, c->o.stop[i]))
            return true;
    }
    return false;
}

/* Adds the token's bytes to what is told; whether a stop string came up. */
static bool
tell_token(struct completing *c, const struct text_codec *codec, uint32_t id)
{
    size_t blank = 0;

    buf_reset(&c->token);
    text_codec_decode(codec, id, &c->token);
    if (!c->o.special && id < codec->tokenizer.n
        && tokenizer_special(&codec->tokenizer, id))
        return is_stop(c);
    if (c->o.answer && c->n_tokens == 1 && id < codec->tokenizer.n)
        blank = tokenizer_prepended(&codec->tokenizer, &id, 1);
    return telling_add(&c->telling, c->token.data + blank,
                       c->token.len - blank, &c->text);
}

void
completing_step(struct completing *c, struct generator *g, uint32_t i,
                const struct text_codec *codec)
{
    const struct generator_text *t = &g->text[i];
    int32_t id = generator_next(g, i, &c->o.sampling);

    c->n_tokens++;
    if (text_codec_ends(codec, (uint32_t)id)) {
        completing_end(c, FINISH_END);
    } else if (tell_token(c, codec, (uint32_t)id)) {
        completing_end(c, FINISH_STOP);
    } else {
        c->full = !generator_add(g, i, id) || t->n == g->context;
        if (c->full || c->n_tokens == c->o.sampling.max_tokens)
            completing_end(c, FINISH_LENGTH);
    }
}
