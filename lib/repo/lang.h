/* lang.h - the language of a file, from its path and what is in it. */
#ifndef REPO_LANG_H
#define REPO_LANG_H

#include <stddef.h>

/* A lower-case name such as "c" or "python", NULL when nothing tells. By the
 * whole name first (Makefile), then by extension, of which one like ".in" is
 * passed over; then by the text p[len], which may be NULL: what it says of
 * itself. */
const char *lang_of(const char *path, size_t n, const char *p, size_t len);

#endif
