/* drops_parts.h - what drops.c has of drops_commit.c, and that of
 * commitpackft.c; private to them. */
#ifndef RECORD_DROPS_PARTS_H
#define RECORD_DROPS_PARTS_H

#include "record/drops.h"

/* Makes d->bump. */
int drops_open_bump(struct drops *d, struct err *e);

/* As drops_find, by who made the commit and by its message. */
bool drops_of_commit(const struct drops *d, struct drops_worker *w,
                     const struct text_rec *r, const struct change *c,
                     struct drop_found *found);

/* Which of CommitPackFT's rules takes the commit; NULL: none. Rules about whole
 * files are about what the hunks show. */
const char *drops_commitpackft(const struct text_rec *r,
                               const struct change *c);

#endif
