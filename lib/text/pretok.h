/* pretok.h - the pre-tokenizer: a text into the pieces that are encoded each
 * for itself.
 *
 * Steps in sequence, each cutting the pieces of the one before (or changing
 * them), as Hugging Face's tokenizers has them: a piece is a text of its own
 * to the next step.
 */
#ifndef TEXT_PRETOK_H
#define TEXT_PRETOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "text/regex.h"
#include "text/scan.h"

#define PRETOK_MAX 32

enum pretok_kind {
    PRETOK_SCAN,   /* matches are a scanner's pieces, all of the text */
    PRETOK_REGEX,  /* matches of an expression */
    PRETOK_STRING, /* matches are where that string stands */
    PRETOK_SPELL,  /* no cut: each byte as its character of alphabet.h */
    PRETOK_PREFIX  /* no cut: string before it, unless it begins so */
};

/* What becomes of matches and of what is between. */
enum pretok_behavior {
    PRETOK_ISOLATED, PRETOK_REMOVED, PRETOK_MERGED_WITH_PREVIOUS,
    PRETOK_MERGED_WITH_NEXT, PRETOK_CONTIGUOUS
};

struct pretok_step {
    enum pretok_kind kind;
    enum pretok_behavior behavior;
    bool invert; /* what is between the matches counts as matched */
    enum scan_kind scan;
    uint8_t *table; /* of scan_table */
    bool digits; /* a match is a UC_DIGIT, and comes out alone */
    struct regex *regex;
    struct buf string; /* of a PRETOK_REGEX how it was written: the expression,
                          or the name of the pre-tokenizer */
};

struct pretok {
    struct pretok_step step[PRETOK_MAX];
    size_t n;
    bool byte_level; /* the pieces' bytes are what is encoded */
    bool spelled;    /* and they come out of PRETOK_SPELL */
    bool changes;    /* the pieces are not all of the text, or more */
};

void pretok_release(struct pretok *t);

/* Whether both cut every text in the same way, as far as that can be told by
 * the steps alone. */
bool pretok_same(const struct pretok *a, const struct pretok *b);

/* Adds a step of that kind to fill in; NULL when there are PRETOK_MAX. */
struct pretok_step *pretok_add(struct pretok *t, enum pretok_kind kind);

/* Whether it is one scanner and nothing else. */
bool pretok_scans(const struct pretok *t);

/* What one thread needs to cut texts. */
struct pretok_run {
    const struct pretok *t;
    const uint8_t *uclass;
    struct pretok_level *level; /* one a step, and one for the text */
    size_t at;
    /* Of the last piece, what it has put before it and where the rest is in
     * the text, as bytes, not spelled. */
    size_t n_put, from, n_from;
};

void pretok_run_init(struct pretok_run *r, const struct pretok *t,
                     const uint8_t *uclass);
void pretok_run_release(struct pretok_run *r);

/* Begins with p[n]. */
void pretok_start(struct pretok_run *r, const uint8_t *p, size_t n);

/* The next piece, valid until the next call: 1; 0 when there is none left;
 * ERR_LIMIT as regex_search_next has it. */
int pretok_next(struct pretok_run *r, const uint8_t **p, size_t *n);

#endif
