/* lines.h - texts by lines: how many, and where one begins. A last line
 * without newline is a line.
 */
#ifndef BASE_LINES_H
#define BASE_LINES_H

#include <stddef.h>

/* Newlines in p[n]; lines in p[n]. */
size_t newlines_count(const char *p, size_t n);
size_t lines_count(const char *p, size_t n);

/* From the line that begins at p[at] so many lines back, at most to the
 * beginning, or on, at most to the end: where that line begins. */
size_t lines_back(const char *p, size_t at, size_t lines);
size_t lines_on(const char *p, size_t at, size_t n, size_t lines);

#endif
