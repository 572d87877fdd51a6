/* keywords.h - where any of many words occurs in a text, found in one pass
 * (Aho and Corasick's automaton, as a table).
 *
 * ASCII letters are equal in both cases, and every digit is equal to every
 * other one: so "0.0.0" stands for what an address might begin with, and a hit
 * is a place to look closer, not a finding.
 */
#ifndef TEXT_KEYWORDS_H
#define TEXT_KEYWORDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define KEYWORDS_TABLE_MAX (512u << 20) /* bytes */

struct keywords {
    struct buf words;            /* as folded */
    struct keyword *word;
    size_t n, cap;
    uint8_t class_of[256];
    uint32_t n_classes;
    uint32_t *next; /* [state][class]: 2 * the state's place, + 1: hits */
    uint32_t *first;  /* [state]: 1 + a word that ends there, or 0 */
    uint32_t *suffix; /* [state]: the nearest that is its end and has hits */
    uint32_t n_states;
};

void keywords_init(struct keywords *k);
void keywords_release(struct keywords *k);

/* A word of n > 0 bytes without newline; value is what a hit gives. */
void keywords_add(struct keywords *k, const char *p, size_t n,
                  uint32_t value);

/* After the last word. ERR_LIMIT where the table would be too large. */
int keywords_build(struct keywords *k, struct err *e);

/* What a hit is told to: the word ends before p[end]. Negative ends the
 * search. */
typedef int keywords_hit(void *ctx, uint32_t value, size_t end);

/* Each place of each word in p[n], by their ends; 0, or what hit gave. */
int keywords_find(const struct keywords *k, const char *p, size_t n,
                  keywords_hit *hit, void *ctx);

#endif
