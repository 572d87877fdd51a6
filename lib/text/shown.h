/* shown.h - a laid-out record as text, and where in it each of its ids
 * stands: for people and programs that look at what a model is given.
 *
 * Tokens of the layout are in the text as they are spelled. An id that no
 * text stands for, as one that begins every record, has an empty range.
 */
#ifndef TEXT_SHOWN_H
#define TEXT_SHOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "text/changes.h"
#include "text/spans.h"
#include "text/tokenizer.h"

/* One record's; used again and again. */
struct shown {
    bool wanted;         /* set by the caller; if not, nothing is kept */
    struct buf text;
    struct text_run *at; /* bytes of the text, for each id */
    size_t n, cap;
};

void shown_init(struct shown *s);
void shown_release(struct shown *s);
void shown_reset(struct shown *s);

/* The next id is one that no text stands for; a token as it is spelled. */
void shown_empty(struct shown *s);
void shown_token(struct shown *s, const struct tokenizer *t, uint32_t id);

/* The next ids are *ids from `from` on, those of the text in *spans. */
void shown_spans(struct shown *s, struct spans *spans, const struct ids *ids,
                 size_t from);

/* The first id is none of the record's. */
void shown_drop_first(struct shown *s);

#endif
