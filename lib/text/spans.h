/* spans.h - a text that comes in pieces, of which some are learned: encoded
 * as one, and what is learned laid over its ids.
 *
 * A token is learned if a byte of it lies in a learned piece, so what is
 * learned never changes the ids.
 */
#ifndef TEXT_SPANS_H
#define TEXT_SPANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "text/changes.h"
#include "text/offsets.h"
#include "text/tokenizer.h"

/* Bytes of the text up to `end`, from the end of the span before. */
struct text_span {
    size_t end;
    bool learned, marks;
};

/* The text so far; for one thread, used again and again. */
struct spans {
    struct text_span *span; /* neighbours differ */
    size_t n, cap;
    bool behind; /* set by the caller: a token stands before the text */
    bool within; /* and: it goes on, nothing is put before it */

    /* private */
    const char *first;  /* the text while it is one piece, where it lies */
    struct buf joined;  /* else */
    struct text_run *run;
    size_t cap_runs;
    struct offsets offsets;
};

void spans_init(struct spans *s, const struct tokenizer *t);
void spans_release(struct spans *s);

/* Appends p[n]. marks: special tokens spelled there are the tokens. What was
 * appended must stay where it is until the text is encoded. */
void spans_add(struct spans *s, const char *p, size_t n, bool learned,
               bool marks);

/* Appends the text's ids to *ids. */
void spans_encode(struct spans *s, struct encoder *en, struct ids *ids);

/* The text so far, until more is appended. */
const char *spans_text(const struct spans *s, size_t *n);

/* The bytes of the text that each of its n ids stands for, until the next
 * call; NULL if these are not its ids. */
const struct text_run *spans_offsets(struct spans *s, const uint32_t *id,
                                     size_t n);

/* Which of the text's n ids are learned: 0 or 1 for each. */
void spans_mask(struct spans *s, const uint32_t *id, size_t n, uint8_t *mask);

/* Empties it for the next text. */
void spans_reset(struct spans *s);

#endif
