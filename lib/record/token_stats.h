/* token_stats.h - what became of texts as tokens: how many a record, how many
 * bytes each stands for, what was left out, what of the vocabulary was never
 * used; in all and by language. schemas/tokenize-stats.schema.json has the
 * form. */
#ifndef RECORD_TOKEN_STATS_H
#define RECORD_TOKEN_STATS_H

#include "base/map.h"
#include "record/render.h"
#include "record/tokens.h"

/* Sums of records alike: render.h's, and of their tokens. */
struct token_sums {
    uint64_t texts, lost; /* text records; those that gave no tokens at all */
    struct render_count there, kept, left;
    uint64_t learned;     /* tokens that training takes the loss of */
    uint64_t text, bytes; /* tokens that are not special; what they spell */
};

struct token_stats {
    const struct tokenizer *t;
    uint32_t *length;     /* bytes of each token, 0 of a special one */
    uint64_t *used;       /* how often each token came */
    struct token_sums all, *lang;
    struct map langs;     /* a name's value is its place in lang */
    size_t cap_langs;
    bool nameless;        /* records without a language are in none[0] */
    struct token_sums none;
    struct render_count left[RENDER_REASONS];
    uint64_t lost;        /* bytes without a token */
    uint32_t *ids;
    size_t cap_ids;
};

/* t must live as long. */
void token_stats_init(struct token_stats *s, const struct tokenizer *t);
void token_stats_release(struct token_stats *s);

/* Adds what a record became, whose bytes must still be there, and of whose
 * tokens that is learned. */
void token_stats_add(struct token_stats *s, const struct render_result *r,
                     enum tokens_loss loss);

/* Appends the JSON. records: token records that were written, which are
 * fewer than the parts where files were put together. */
void token_stats_json(const struct token_stats *s, uint64_t records,
                      struct buf *b);

/* Appends the line for people. */
void token_stats_line(const struct token_stats *s, uint64_t records,
                      struct buf *b);

#endif
