/* likeness.h - what of a record is compared with others, and with a benchmark.
 *
 * A commit is its added and its removed lines, a file or document its text, a
 * conversation its roles and messages. Records of one kind are compared with
 * each other. Lines that were added and lines that were removed are texts of
 * their own, with shingles of their own, so an edit and its reversal are not
 * alike. Nothing is there to compare where a commit edits no line (a rename).
 */
#ifndef RECORD_LIKENESS_H
#define RECORD_LIKENESS_H

#include "record/texts.h"
#include "text/kept.h"

/* Below so many tokens a record has no sketch: it is compared as it is. */
#define LIKENESS_TOKENS 5

/* Memory that is reused from record to record. */
struct likeness {
    struct texts texts;
    struct buf side[2];
    struct minhash sketch;
    uint64_t tokens;
};

void likeness_init(struct likeness *l);
void likeness_release(struct likeness *l);

/* Of the encoded record p[n]: what is compared, for that banding; *there is
 * false where nothing is. ERR_DATA. */
int likeness_of(struct likeness *l, const void *p, size_t n,
                struct banding banding, struct kept_look *look, bool *there,
                struct err *e);

/* Gives all that can be learned of the record that likeness_of has just had:
 * a commit's message and both its sides, the texts of the others. */
void likeness_texts(struct likeness *l, text_taker *take, void *ctx);

#endif
