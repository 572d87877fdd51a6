/* lang.h - the language of a file, from its path. */
#ifndef REPO_LANG_H
#define REPO_LANG_H

#include <stddef.h>

/* A lower-case name such as "c" or "python", NULL when the path doesn't
 * tell. By whole file name first (Makefile), then by extension. */
const char *lang_of_path(const char *path, size_t n);

#endif
