/* added.h - added tokens: words that are found in a text before it is cut
 * into pieces.
 *
 * Matches are leftmost and, of those, longest. A match that single_word
 * forbids (a \w beside it) is passed over, nothing inside it is looked at.
 * lstrip takes the \s before, as far as the end of the match before; rstrip
 * the \s after. All as Hugging Face's tokenizers does it.
 */
#ifndef TEXT_ADDED_H
#define TEXT_ADDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
};

void added_set_init(struct added_set *s, const struct added_token *token);
void added_set_release(struct added_set *s);

/* Puts token[i] in the set, spelled p[n], n > 0. */
void added_set_put(struct added_set *s, size_t i, const void *p, size_t n);

/* A match: the bytes it covers, strips included, and where the search goes
 * on. */
struct added_match {
    size_t start, end;
    size_t token;
};

/* The first match in p[n] that begins at *at or behind it; *at moves to
 * where the next search begins. done: end of the match before (0 at first).
 * False: none is left. */
bool added_find(const struct added_set *s, const uint8_t *uclass,
                const uint8_t *p, size_t n, size_t *at, size_t done,
                struct added_match *m);

#endif
