/* bpe_words.h - the distinct pieces of a training text as rows of tokens,
 * which merges make shorter; private to lib/text.
 *
 * A merge goes to each place of its pair and looks at the two neighbours
 * there, so a piece of many MB costs no more than many short ones.
 */
#ifndef TEXT_BPE_WORDS_H
#define TEXT_BPE_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "text/bpe_pairs.h"

struct bpe_words {
    /* By place: the token that begins there. Pieces stand one behind
     * another, parted by a place that is none of theirs. */
    uint32_t *token;
    uint16_t *size; /* of a token, in places; at its first and last one */
    uint32_t *word; /* whose the place is */
    int64_t *count; /* by word: how often it occurs */
    size_t n;
};

/* Pieces, and how often each occurs; byte: their first tokens. ERR_LIMIT for
 * more than 2^32 - 3 bytes of them. */
int bpe_words_init(struct bpe_words *w, const struct map *piece,
                   const uint32_t byte[256], struct err *e);
void bpe_words_release(struct bpe_words *w);

/* Adds all pairs to s. */
void bpe_words_count(const struct bpe_words *w, struct bpe_pairs *s);

/* Makes pair number `pair` of s the token, everywhere, from left to right. */
void bpe_words_merge(struct bpe_words *w, struct bpe_pairs *s, uint32_t pair,
                     uint32_t token);

#endif
