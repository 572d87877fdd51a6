/* bpe_pairs.h - the pairs of neighbouring tokens in a training text: how often
 * each occurs, in which words, and which occurs most; private to lib/text.
 */
#ifndef TEXT_BPE_PAIRS_H
#define TEXT_BPE_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BPE_NO_WORD UINT32_MAX

struct bpe_pair {
    uint32_t left, right;
    int64_t count;
    uint32_t *word; /* where it is */
    size_t n, cap;
    bool touched; /* in bpe_pairs.touched */
};

struct bpe_pairs {
    struct bpe_pair *pair;
    size_t n, cap;
    uint32_t *slot; /* pair + 1 by hash of its tokens; 0: free */
    size_t mask;
    struct bpe_pair_entry *heap;
    size_t n_heap, cap_heap;
    uint32_t *touched; /* pairs to enter in the heap */
    size_t n_touched, cap_touched;
};

void bpe_pairs_init(struct bpe_pairs *s);
void bpe_pairs_release(struct bpe_pairs *s);

/* Adds by to the count of the pair. Where the pair is new to a word, that is
 * the word's number; else BPE_NO_WORD. */
void bpe_pairs_add(struct bpe_pairs *s, uint32_t left, uint32_t right,
                   int64_t by, uint32_t word);

/* Lets the pairs that came to new words be found: to be called after each
 * merge, and after the first count. */
void bpe_pairs_settle(struct bpe_pairs *s);

/* The pair that counts most, at least min, of equal ones the one with the
 * smallest left token, then the smallest right one; or NULL. It is given
 * once, and again only when it has come to a new word. Lives until
 * bpe_pairs_add. */
struct bpe_pair *bpe_pairs_top(struct bpe_pairs *s, int64_t min);

/* Hands over the list of *n words that hold the pair, or once did; the caller
 * frees it. */
uint32_t *bpe_pair_take_words(struct bpe_pair *p, size_t *n);

#endif
