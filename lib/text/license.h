/* license.h - licences by their SPDX ids: what a file says of itself, which
 * licence a text is, and whether an expression can be met.
 */
#ifndef TEXT_LICENSE_H
#define TEXT_LICENSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define LICENSE_HEAD_LINES 40   /* of a source file that are looked at */
#define LICENSE_HEAD_BYTES 4096 /* and no more than these */
#define LICENSE_FILE_BYTES (256u << 10)

/* Whether a file of that name holds a licence: LICENSE, COPYING.LIB,
 * UNLICENSE, LICENSE-MIT, ..., in any case. */
bool license_is_file(const char *name, size_t n);

/* Appends the SPDX id of the licence whose text or notice begins first in
 * text[n], by the sentences that only it has: false where there is none that
 * is known. Of marks of comments, case and white space nothing depends. Of the
 * GPL family a text without "any later version" about itself is -only. */
bool license_of_text(const char *text, size_t n, struct buf *out);

/* Appends what a source file's first lines say: the expression behind
 * SPDX-License-Identifier:, else as license_of_text. */
size_t license_head(const char *text, size_t n); /* bytes of these lines */
bool license_of_source(const char *text, size_t n, struct buf *out);

/* Whether the expression can be met with the licences of that list alone: AND,
 * OR, WITH and parentheses (SPDX 2.3, annex D), in any case; an exception takes
 * nothing away. False for what is none. */
bool license_allows(const char *text, size_t n, const char *const *allowed,
                    size_t n_allowed);

#endif
