/* manifest_check.h - what the members of a manifest say together; private to
 * lib/stream. */
#ifndef STREAM_MANIFEST_CHECK_H
#define STREAM_MANIFEST_CHECK_H

#include "stream/manifest.h"

/* What was read from text, against its sums, its id and its one form as text:
 * ERR_DATA. Finishes *m. */
int manifest_check(struct manifest *m, const struct buf *text,
                   const char *path, struct err *e);

#endif
