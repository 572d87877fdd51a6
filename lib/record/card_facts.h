/* card_facts.h - what a pass over the records of a set finds: sums by split,
 * language, repository and licence. */
#ifndef RECORD_CARD_FACTS_H
#define RECORD_CARD_FACTS_H

#include "base/map.h"
#include "record/text.h"
#include "record/tokens.h"
#include "stream/manifest.h"

#define CARD_NAMES 1000 /* of which records are told apart */
#define CARD_AUTHORS 1000000
#define CARD_LENGTHS 65

struct card_sums {
    uint64_t records, units; /* a unit: a commit, or a record without one */
    uint64_t last_unit;
    uint64_t tokens, learned;
    uint64_t bytes; /* of changes, texts and what is said */
    uint64_t authors;
    int64_t first, last; /* seconds, where timed */
    bool timed;
    char begin[65], end[65]; /* the ids of the first and the last commit */
};

/* Sums by name; records beyond CARD_NAMES, and those without one, are
 * apart. */
struct card_names {
    struct map map; /* a name's value is its place in sums */
    struct card_sums sums[CARD_NAMES], others, none;
};

struct card_facts {
    const struct manifest *m;
    bool tokens;
    enum tokens_loss loss;
    struct card_sums all, *split, unsplit;
    struct card_names langs, repos, licenses;
    struct map authors;
    bool many_authors; /* over CARD_AUTHORS: not counted any more */
    uint64_t kind[5];  /* by enum text_kind */
    uint64_t length[CARD_LENGTHS]; /* records of [2^(i-1), 2^i) tokens, or
                                      bytes */
    uint64_t shortest, longest;

    /* private */
    uint64_t index, unit;
    size_t *range; /* of each split: the one that the next record may be in */
    struct text_rec text;
    struct buf unit_key; /* of the record before */
    struct tokens_origin origin; /* of that; its names are gone */
};

/* Reads the set of text or tokens in dir, whose manifest is m, which lives on;
 * *f is to be released in any case. Memory does not grow with the records, but
 * for 30 bytes an author. */
int card_facts_read(struct card_facts *f, const struct manifest *m,
                    const char *dir, struct err *e);
void card_facts_release(struct card_facts *f);

/* From which day to which the sums are, with `between` between the two; without
 * times, `untimed`. */
void card_put_span(struct buf *b, const struct card_sums *s,
                   const char *between, const char *untimed);

/* A day, as in 2024-01-31 (UTC); @SECONDS for one that has no such name. */
void card_put_day(struct buf *b, int64_t seconds);

#endif
