/* render_world.h - records rendered by a tokenizer of bytes, and what is in
 * the token records that they become. */
#ifndef RENDER_WORLD_H
#define RENDER_WORLD_H

#include <stdlib.h>

#include "base/mem.h"
#include "byte_tokenizer.h"
#include "record/render.h"
#include "record/tokens.h"

struct world {
    struct tokenizer t;
    struct render r;
    struct render_worker w;
    struct render_result out;
    struct buf rec;          /* the record, encoded */
    struct buf back, learnt; /* text of the token record taken last, and of
                                what of it is learnt */
};

/* With the tokenizer that w->t is. */
static inline void
world_begin(struct world *w)
{
    render_init(&w->r, &w->t, tokenizer_end(&w->t));
    render_worker_init(&w->w, &w->t);
    render_result_init(&w->out);
    buf_init(&w->rec);
    buf_init(&w->back);
    buf_init(&w->learnt);
}

static inline void
world_open(struct world *w, const char *const *special)
{
    memset(w, 0, sizeof(*w));
    byte_tokenizer(&w->t, special);
    world_begin(w);
}

static inline void
world_close(struct world *w)
{
    render_worker_release(&w->w);
    render_release(&w->r);
    render_result_release(&w->out);
    tokenizer_release(&w->t);
    buf_release(&w->rec);
    buf_release(&w->back);
    buf_release(&w->learnt);
}

/* The record is *r, which is released. */
static inline void
world_set(struct world *w, struct text_rec *r)
{
    struct err e;

    buf_reset(&w->rec);
    CHECK(text_encode(&w->rec, r, &e) == 0);
    text_release(r);
}

/* Renders it; w->out holds nothing else then. */
static inline void
world_render(struct world *w)
{
    struct err e;

    render_result_reset(&w->out);
    if (!CHECK(render_record(&w->r, &w->w, w->rec.data, w->rec.len, 3,
                             &w->out, &e) == 0))
        printf("  %s\n", e.text);
}

/* Takes token record i, which is within the limit; no tokens: there is
 * none. */
static inline struct tokens
world_take(struct world *w, size_t i)
{
    struct tokens t = { .n = 0 };
    struct err e;
    uint32_t *id;
    uint8_t *mask;
    size_t at, k;

    buf_reset(&w->back);
    buf_reset(&w->learnt);
    if (!CHECK(i < w->out.n))
        return t;
    at = i > 0 ? w->out.end[i - 1] : 0;
    if (!CHECK(tokens_decode(&t, w->out.tokens.data + at, w->out.end[i] - at,
                             w->t.n, &e) == 0))
        return t;
    CHECK(w->r.max_tokens == 0 || t.n <= w->r.max_tokens);
    id = mem_array(t.n, sizeof(id[0]));
    mask = mem_array(t.n, 1);
    tokens_ids(&t, id);
    tokens_mask(&t, mask);
    tokenizer_decode(&w->t, id, t.n, &w->back);
    for (k = 0; k < t.n; k++)
        if (mask[k])
            tokenizer_decode(&w->t, id + k, 1, &w->learnt);
    free(id);
    free(mask);
    return t;
}

#endif
