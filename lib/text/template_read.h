/* template_read.h - the parser of layout files, for those that are built in
 * and for the user's own.
 */
#ifndef TEXT_TEMPLATE_READ_H
#define TEXT_TEMPLATE_READ_H

#include <stddef.h>

#include "base/err.h"
#include "text/layout.h"

/* Reads text[n] into *l; where is the name in messages. On failure *l is
 * released: ERR_LIMIT for what is over a limit of layout.h, else ERR_DATA, as
 * "where:line: what". */
int template_read(struct layout *l, const char *text, size_t n,
                  const char *where, struct err *e);

#endif
