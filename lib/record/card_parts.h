/* card_parts.h - what the files of the card share; private to lib/record. */
#ifndef RECORD_CARD_PARTS_H
#define RECORD_CARD_PARTS_H

#include "record/card_facts.h"

/* ---- card_put.c: text that Markdown takes for nothing else ---- */

/* Appends p[n], which may be anything, as words of a paragraph or a cell of a
 * table: what Markdown or HTML would obey is escaped, what can't be seen is
 * shown as \xHH or \u{H}. After 160 bytes it is cut, and ends in an ellipsis.
 */
void card_put(struct buf *b, const char *p, size_t n);
void card_puts(struct buf *b, const char *s);

/* The same as a quoted string of YAML. */
void card_put_yaml(struct buf *b, const char *p, size_t n);

/* n in the singular or the plural: "1 record", "2 records". */
void card_put_count(struct buf *b, uint64_t n, const char *one,
                    const char *many);

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
