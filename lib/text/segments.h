/* segments.h - a text, parted by its added tokens and normalised: what comes
 * before the cutting into pieces, and what offsets go back through.
 */
#ifndef TEXT_SEGMENTS_H
#define TEXT_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "text/changes.h"

struct tokenizer;

/* A stretch of text without added tokens, or one added token. */
struct segment {
    uint32_t token;   /* TOKEN_NONE: text */
    const uint8_t *p; /* of text: the normalised bytes */
    size_t n;
    struct text_run normal; /* where it is in the normalised text */
    /* The given text that `normal` is of begins at its byte `from`; changes
     * NULL: nothing was changed. */
    const struct text_changes *changes;
    size_t from;
    /* From the normalised bytes to p[n], where Metaspace changed them. */
    const struct text_changes *blanks;
};

/* The given bytes that [start, end) of the segment's own bytes stands for;
 * of an added token 0 and n, for all. */
struct text_run segment_given(const struct segment *s, size_t start,
                              size_t end);

/* A walk, and its memory. */
struct segments {
    const struct tokenizer *t;
    /* Set by the caller: what is called, whether it will ask for given
     * bytes, and what it knows of the text. */
    void (*found)(void *ctx, const struct segment *s);
    void *ctx;
    bool want_changes;
    bool behind; /* a token stands before the text: it does not begin here */
    bool within; /* it goes on: the normaliser puts nothing before it */

    /* private */
    struct buf normal, blank;
    struct text_changes changes, blanks;
    struct text_run *run; /* of marks, in a normalised text */
    size_t cap, mark_at;
};

void segments_init(struct segments *g, const struct tokenizer *t);
void segments_release(struct segments *g);

/* Calls found for each segment of p[n], in order. Special tokens that are
 * spelled inside the runs marks[n_marks], which are in order and do not
 * touch, are tokens; marks NULL: everywhere. */
void segments_walk(struct segments *g, const void *p, size_t n,
                   const struct text_run *marks, size_t n_marks);

#endif
