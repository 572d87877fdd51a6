/* scrub_parts.h - what scrub.c has of scrub_change.c; private to them. */
#ifndef RECORD_SCRUB_PARTS_H
#define RECORD_SCRUB_PARTS_H

#include "record/scrub.h"

/* Sets the finder's spans to what is to go of w->change, decoded from p[n]:
 * of its lines, of both sides of each hunk, and of scopes. */
int scrub_find_in_change(struct scrub_worker *w, const char *p, size_t n,
                         struct err *e);

/* Cuts the scopes of the encoded change out->data[at..], which may have grown
 * over what a scope can be. */
void scrub_clip_scopes(struct buf *out, size_t at);

/* Sets side and line of the byte at of the place's field; the places of a
 * field come in order. */
void scrub_locate(struct scrub_worker *w, size_t at,
                  struct scrub_place *place);

#endif
