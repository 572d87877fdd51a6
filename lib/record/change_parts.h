/* change_parts.h - what a change is made of and how each part is written;
 * private to change*.c.
 */
#ifndef RECORD_CHANGE_PARTS_H
#define RECORD_CHANGE_PARTS_H

#include "record/change.h"

/* Whether a line of that kind stands on that side. */
static inline bool
change_on_side(char kind, int side)
{
    return kind == ' ' || kind == (side == CHANGE_BEFORE ? '-' : '+');
}

/* A change being built: without hunks; one hunk more, without lines; one
 * line more, which is not set, behind all there are. */
void change_clear(struct change *c);
struct change_hunk *change_add_hunk(struct change *c);
struct change_line *change_add_line(struct change *c);

/* The first line; a hunk. */
void change_put_sides(struct buf *b, const bool present[2],
                      const uint64_t total[2]);
void change_put_hunk(struct buf *b, const struct change *c,
                     const struct change_hunk *h);

#endif
