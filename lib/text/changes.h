/* changes.h - where a normalised text differs from the text it was made of,
 * and so which bytes of either stand for which of the other.
 *
 * Only the differences are listed, in order: between two of them the texts
 * are the same, byte for byte.
 */
#ifndef TEXT_CHANGES_H
#define TEXT_CHANGES_H

#include <stddef.h>

/* Bytes [start, end) of a text. */
struct text_run {
    size_t start, end;
};

/* normal[at, at + n) stands for given[from, from + len). */
struct text_change {
    size_t at, n, from, len;
};

struct text_changes {
    struct text_change *change;
    size_t n, cap;
};

void text_changes_init(struct text_changes *c);
void text_changes_release(struct text_changes *c);
void text_changes_reset(struct text_changes *c);
void text_changes_add(struct text_changes *c, const struct text_change *one);

/* Makes *c, from a given text to one that was changed, lead on to the text
 * that `next` leads to from there. */
void text_changes_then(struct text_changes *c,
                       const struct text_changes *next);

/* The given bytes that normal[start, end) stands for; a change of which it
 * has a byte counts whole. */
struct text_run text_changes_given(const struct text_changes *c,
                                   struct text_run normal);

/* The normal bytes that stand for given[start, end) and for nothing else: a
 * change that begins before or ends behind it does not count. */
struct text_run text_changes_normal(const struct text_changes *c,
                                    struct text_run given);

#endif
