/* telling.h - what of a text that is being made can be told already.
 *
 * Bytes that may begin a stop string are held back until it is plain that
 * they don't, and for readers of text so are those of a character that isn't
 * whole. What is no UTF-8 is told as U+FFFD, one for each of its longest
 * beginnings of a character, as Python's decode has it.
 */
#ifndef EVAL_TELLING_H
#define EVAL_TELLING_H

#include "base/buf.h"

enum tell_as { TELL_BYTES, TELL_TEXT };

struct telling {
    const char *const *stop; /* the caller's; none of them is empty */
    size_t n_stop;
    uint8_t as;        /* enum tell_as */
    struct buf held;   /* may begin a stop string */
    struct buf bytes;  /* may begin a character */
};

/* Begins a text. */
void telling_begin(struct telling *t, const char *const *stop, size_t n_stop,
                   enum tell_as as);
void telling_release(struct telling *t);

/* p[n] comes next; what can be told is appended to *out. True when a stop
 * string came up: all before the first of them is told then, and nothing
 * else. */
bool telling_add(struct telling *t, const char *p, size_t n,
                 struct buf *out);

/* Appends text[n] as a terminal may have it: control characters but newlines
 * and tabs are \xHH. */
void telling_put_safe(struct buf *out, const char *text, size_t n);

/* Nothing comes after it: tells the rest, unless a stop string came up. */
void telling_end(struct telling *t, struct buf *out);

#endif
