/* reencode.h - a commit's message as UTF-8, as git log prints it.
 *
 * Private to lib/repo.
 */
#ifndef REPO_REENCODE_H
#define REPO_REENCODE_H

#include <stdbool.h>

#include "base/buf.h"
#include "repo/span.h"

/* Replaces *out by the message in UTF-8; encoding is what the commit calls
 * its own. False: there is nothing to be done, since it calls none or UTF-8,
 * or nothing that can be: an encoding unknown here, or bytes that are none of
 * it. */
bool reencode(struct buf *out, struct span encoding, struct span message);

#endif
