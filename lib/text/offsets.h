/* offsets.h - which bytes of a text each of its ids stands for.
 *
 * The text is the one that was given: a token made of normalised characters
 * stands for all the bytes that these came from, an added token also for the
 * blanks that it strips. Ranges are in order and do not overlap, save that
 * tokens which share a normalised character share its bytes, and one that is
 * but a blank which the pre-tokenizer put there has an empty range. Bytes that
 * the tokenizer has no token for are in no range.
 */
#ifndef TEXT_OFFSETS_H
#define TEXT_OFFSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/changes.h"
#include "text/segments.h"
#include "text/tokenizer.h"

/* The ranges of the last text; for one thread, used again and again. */
struct offsets {
    struct text_run *at; /* one for each id */
    size_t n;

    /* private */
    size_t cap, n_ids;
    const uint32_t *id;
    size_t late;  /* unk_tokens that are still to come */
    bool strange; /* the ids are not the text's */
    struct segments segments;
    struct pretok_run pre;
};

void offsets_init(struct offsets *o, const struct tokenizer *t);
void offsets_release(struct offsets *o);

/* Replaces o->at by the ranges of the n_ids ids that encoder_add_marked gave
 * for p[n] with these marks (encoder_add's `marks` false: marks not NULL,
 * n_marks 0). False when these are not its ids. */
bool offsets_find(struct offsets *o, const void *p, size_t n,
                  const struct text_run *marks, size_t n_marks,
                  const uint32_t *id, size_t n_ids);

#endif
