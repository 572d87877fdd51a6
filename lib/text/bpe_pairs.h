/* bpe_pairs.h - the pairs of neighbouring tokens in a training text: how often
 * each occurs, at which places, and which occurs most; private to lib/text.
 */
#ifndef TEXT_BPE_PAIRS_H
#define TEXT_BPE_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpe_pair {
    uint32_t left, right;
    int64_t count;
    uint32_t *place; /* where it is, or once was */
    size_t n, cap;
    bool touched;  /* in bpe_pairs.touched */
    bool unsorted; /* the places are not in order */
};

struct bpe_pairs {
    struct bpe_pair *pair;
    size_t n, cap;
    uint32_t *slot; /* pair + 1 by hash of its tokens; 0: free */
    size_t mask;
    uint64_t key;   /* of the hash */
    struct bpe_pair_entry *heap;
    size_t n_heap, cap_heap;
    uint32_t *touched; /* pairs to enter in the heap */
    size_t n_touched, cap_touched;
};

void bpe_pairs_init(struct bpe_pairs *s);
void bpe_pairs_release(struct bpe_pairs *s);

/* The pair is at one place more, which counts so often. */
void bpe_pairs_add(struct bpe_pairs *s, uint32_t left, uint32_t right,
                   int64_t count, uint32_t place);

/* The pair, which was added, is gone from a place that counts so often. */
void bpe_pairs_drop(struct bpe_pairs *s, uint32_t left, uint32_t right,
                    int64_t count);

/* Lets the pairs that came to new places be found: to be called after each
 * merge, and after the first count. */
void bpe_pairs_settle(struct bpe_pairs *s);

/* The pair that counts most, at least min, of equal ones the one with the
 * smallest left token, then the smallest right one; or NULL. It is given
 * once, and again only when it has come to a new place. Lives until
 * bpe_pairs_add. */
struct bpe_pair *bpe_pairs_top(struct bpe_pairs *s, int64_t min);

/* Hands over the list, in order, of *n places where pair number `pair` is or
 * once was; the caller frees it. */
uint32_t *bpe_pairs_take_places(struct bpe_pairs *s, uint32_t pair,
                                size_t *n);

#endif
