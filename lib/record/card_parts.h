/* card_parts.h - what the files of the card share; private to lib/record. */
#ifndef RECORD_CARD_PARTS_H
#define RECORD_CARD_PARTS_H

#include "base/map.h"
#include "record/text.h"
#include "record/tokens.h"
#include "stream/manifest.h"

/* ---- card_put.c: text that Markdown takes for nothing else ---- */

/* Appends p[n], which may be anything, as words of a paragraph or a cell of a
 * table: what Markdown or HTML would obey is escaped, what can't be seen is
 * shown as \xHH or \u{H}. After 160 bytes it is cut, and ends in an ellipsis.
 */
void card_put(struct buf *b, const char *p, size_t n);
void card_puts(struct buf *b, const char *s);

/* The same as a quoted string of YAML. */
void card_put_yaml(struct buf *b, const char *p, size_t n);

/* A day, as in 2024-01-31 (UTC); @SECONDS for one that has no such name. */
void card_put_day(struct buf *b, int64_t seconds);

/* n in the singular or the plural: "1 record", "2 records". */
void card_put_count(struct buf *b, uint64_t n, const char *one,
                    const char *many);

/* ---- card_facts.c: what a pass over the records finds ---- */

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

/* card_put.c: from which day to which the sums are, with `between` between the
 * two; without times, `untimed`. */
void card_put_span(struct buf *b, const struct card_sums *s,
                   const char *between, const char *untimed);

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

/* Reads the set; *f is to be released in any case. */
int card_facts_read(struct card_facts *f, const struct manifest *m,
                    const char *dir, struct err *e);
void card_facts_release(struct card_facts *f);

/* ---- card_prov.c: the programs that the data came through ---- */

enum card_ran {
    CARD_UNKNOWN, /* the set does not tell */
    CARD_NOT,
    CARD_PARTLY,  /* of some of the sources alone */
    CARD_RAN
};

/* Whether all that is in the set went through a program; *line is the first
 * line of provenance that is its, NULL without one. */
enum card_ran card_ran(const struct manifest *m, const char *program,
                       const char **line);

/* ---- card_licenses.c: whose it is ---- */

/* The licences of the records, or, where they tell none, of the sources, as the
 * Hub calls them, a list of YAML: "other" stands for those that it has no name
 * for, "unknown" for what none is known of. */
void card_put_licenses(struct buf *b, const struct card_facts *f);
void card_licenses(struct buf *b, const struct card_facts *f);

/* ---- the sections ---- */

void card_head(struct buf *b, const struct card_facts *f);
void card_sources(struct buf *b, const struct card_facts *f);
void card_filters(struct buf *b, const struct card_facts *f);
void card_splits(struct buf *b, const struct card_facts *f);
void card_languages(struct buf *b, const struct card_facts *f);
void card_lengths(struct buf *b, const struct card_facts *f);
void card_layout(struct buf *b, const struct card_facts *f);
void card_personal(struct buf *b, const struct card_facts *f);
void card_before(struct buf *b, const struct card_facts *f);

#endif
