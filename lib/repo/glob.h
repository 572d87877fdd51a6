/* glob.h - path patterns.
 *
 * '?' is a byte other than '/', '*' any number of them, '[...]' one of a
 * set ('!' or '^' first: none of it), '**' any bytes, '**' and a slash any
 * number of directories, a backslash makes the next byte ordinary. A pattern
 * without a slash is matched with the last part of a path, one with a slash
 * with the whole path. A pattern that matches a directory takes what is
 * below it.
 */
#ifndef REPO_GLOB_H
#define REPO_GLOB_H

#include <stdbool.h>
#include <stddef.h>

bool glob_match(const char *pattern, const char *path, size_t n);

/* The same, but a directory takes nothing along, and a pattern without a slash
 * is matched with the last part alone: as in .gitattributes. */
bool glob_match_file(const char *pattern, const char *path, size_t n);

#endif
