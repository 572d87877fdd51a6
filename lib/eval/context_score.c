/* context_score.c - what is found for each record is kept by number; the
 * records themselves come when they are packed.
 */
#include "eval/context_score.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"

/* The split's records, each behind its context. */
struct behind {
    struct context_set *c;
    struct data_split *split;
    const struct context_size *size;
    uint32_t *found; /* [records of the split, c->o.records] */
    uint32_t *len, seq_len;
    uint32_t *ids;
    uint8_t *learn;
    size_t cap;
};

/* The tokens that fit before record i, if it is not to be divided. */
static uint32_t
room_of(const struct behind *b, uint64_t i)
{
    uint64_t whole = (uint64_t)b->seq_len + 1;
    uint32_t len = b->split->len[i];

    return whole > len ? (uint32_t)(whole - len) : 0;
}

/* token_source's get. */
static int
get_behind(void *ctx, uint64_t i, struct record_tokens *out, struct err *e)
{
    struct behind *b = ctx;
    uint32_t n = b->size[i].tokens;
    int rc = b->split->source.get(b->split->source.ctx, i, out, e);

    if (rc < 0)
        return rc;
    if (b->len[i] > b->cap) {
        b->cap = b->len[i];
        b->ids = mem_grow(b->ids, b->cap * sizeof(*b->ids));
        b->learn = mem_grow(b->learn, b->cap);
    }
    rc = context_put(b->c, b->found + i * b->c->o.records, room_of(b, i),
                     b->ids, e);
    memset(b->learn, 0, n);
    memcpy(b->ids + n, out->ids, out->n * sizeof(*out->ids));
    memcpy(b->learn + n, out->learn, out->n);
    if (out->n > 0)
        b->learn[n] = 0; /* without context nothing predicts it */
    *out = (struct record_tokens){ b->ids, b->learn, b->len[i] };
    return rc;
}

/* A record that waits to be looked for: what stands before its target. */
struct beginning {
    struct tokens_origin origin;
    char repo[TOKENS_NAME_MAX];
    uint32_t *ids;
};

static int
read_beginning(struct beginning *at, struct context_text *text,
               struct data_split *split, uint64_t i, struct err *e)
{
    struct tokens t;
    uint8_t *learn;
    int rc = data_split_tokens(split, i, &t, e);

    if (rc < 0)
        return rc;
    at->origin = t.origin;
    if (t.origin.repo.n > 0)
        memcpy(at->repo, t.origin.repo.p, t.origin.repo.n);
    at->origin.repo.p = at->repo;
    at->origin.lang = at->origin.path = (struct tokens_name){ .n = 0 };
    at->ids = mem_grow(at->ids, (t.n + 1) * sizeof(*at->ids));
    tokens_ids(&t, at->ids);
    learn = mem_array(t.n + 1, 1);
    tokens_mask(&t, learn);
    *text = (struct context_text){ .ids = at->ids, .origin = &at->origin };
    while (text->n < t.n && !learn[text->n])
        text->n++;
    free(learn);
    return 0;
}

/* Finds the context of all records. */
static int
find_all(struct behind *b, uint64_t n, struct err *e)
{
    struct beginning *at = mem_array(CONTEXT_TEXTS, sizeof(*at));
    struct context_text text[CONTEXT_TEXTS];
    int rc = 0;

    progress_begin("contexts", 0, n);
    for (uint64_t i = 0; i < n && rc == 0; ) {
        size_t some = n - i < CONTEXT_TEXTS ? (size_t)(n - i) : CONTEXT_TEXTS;

        for (size_t k = 0; k < some && rc == 0; k++)
            rc = read_beginning(&at[k], &text[k], b->split, i + k, e);
        if (rc == 0)
            rc = context_find(b->c, text, some, b->found
                              + i * b->c->o.records, e);
        progress_add(some);
        i += some;
    }
    progress_end();
    context_found(b->c);
    for (size_t k = 0; k < CONTEXT_TEXTS; k++)
        free(at[k].ids);
    free(at);
    return rc;
}

static int
measure_both(struct context_scores *c, struct behind *b,
             const struct model *m, const struct score_opts *o,
             struct err *e)
{
    struct token_source s = b->split->source;
    int rc;

    s.get = get_behind;
    s.ctx = b;
    s.len = b->len;
    progress_begin("models with context", 0, m->with != NULL ? 2 : 1);
    rc = score_measure(m, o, NULL, &s, c->base, NULL, e);
    progress_add(rc == 0);
    if (rc == 0 && m->with != NULL) {
        rc = score_measure(m, o, m->with, &s, c->adapter, NULL, e);
        progress_add(rc == 0);
    }
    progress_end();
    return rc;
}

int
context_score(struct context_scores *c, const struct scores *s,
              const struct model *m, const struct score_opts *o,
              struct err *e)
{
    uint64_t n = s->n, k = o->context_set->o.records;
    struct behind b = { .c = o->context_set, .split = s->split,
                        .seq_len = o->seq_len };
    int rc;

    memset(c, 0, sizeof(*c));
    c->size = mem_array(n, sizeof(*c->size));
    c->base = mem_array(n, sizeof(*c->base));
    c->adapter = m->with ? mem_array(n, sizeof(*c->adapter)) : NULL;
    b.size = c->size;
    b.found = mem_array(n * k, sizeof(*b.found));
    b.len = mem_array(n, sizeof(*b.len));
    rc = find_all(&b, n, e);
    for (uint64_t i = 0; i < n && rc == 0; i++) {
        c->size[i] = context_fit(b.c, b.found + i * k, room_of(&b, i));
        b.len[i] = s->split->len[i] + c->size[i].tokens;
        context_count(&c->counts, &c->size[i], b.found + i * k);
    }
    if (rc == 0)
        rc = measure_both(c, &b, m, o, e);
    free(b.found);
    free(b.len);
    free(b.ids);
    free(b.learn);
    if (rc < 0)
        context_scores_release(c);
    return rc;
}

void
context_scores_release(struct context_scores *c)
{
    free(c->size);
    free(c->base);
    free(c->adapter);
    memset(c, 0, sizeof(*c));
}
