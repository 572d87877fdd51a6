/* added.h - added tokens: words that are found in a text before it is cut
 * into pieces.
 *
 * Matches are leftmost and, of those, longest. A match that single_word
 * forbids (a \w beside it) is passed over, nothing inside it is looked at.
 * lstrip takes the \s before, as far as the end of the match before; rstrip
 * the \s after. All as Hugging Face's tokenizers does it.
 *
 * A token that is special, or is taken from the text before that is
 * normalised, is a mark; the others are words. What people wrote is searched
 * for words only, so a search may be told where marks are looked for.
 */
#ifndef TEXT_ADDED_H
#define TEXT_ADDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/changes.h"

struct added_token {
    char *content; /* bytes */
    size_t len;
    uint32_t id;
    bool special, normalized, single_word, lstrip, rstrip;
};

/* A set of added tokens to look for: a trie. */
struct added_set {
    const struct added_token *token;
    struct added_node *node;
    size_t n_nodes, cap_nodes;
    uint32_t first[256]; /* by first byte; 0: none */
    size_t n_tokens;     /* in the set */
    bool words;          /* not all of them are marks */
};

void added_set_init(struct added_set *s, const struct added_token *token);
void added_set_release(struct added_set *s);

/* Puts token[i] in the set, spelled p[n], n > 0. */
void added_set_put(struct added_set *s, size_t i, const void *p, size_t n);

/* A search for the tokens of a set in p[n]. */
struct added_search {
    const struct added_set *set;
    const uint8_t *uclass, *p;
    size_t n;
    /* Marks are found inside these runs, which are in order and do not
     * touch; marks NULL: everywhere. */
    const struct text_run *marks;
    size_t n_marks;
    size_t at, done, run_at; /* private; 0 at first */
};

/* A match: the bytes it covers, strips included. */
struct added_match {
    size_t start, end;
    size_t token;
};

/* The next match; false: none is left. */
bool added_next(struct added_search *s, struct added_match *m);

#endif
