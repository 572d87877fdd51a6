/* salt.h - lines that nobody can have chosen to hash alike.
 *
 * xdiff finds equal lines by a hash that anybody can compute, in chains: 1.6
 * MB of lines made to hash alike take it 13 seconds, twice as much four times
 * that. So the lines of a long text get an end that depends on all of the
 * line and on a key drawn at random. Equal lines stay equal and others
 * different, as do indentation and blank lines, which is all that the edits
 * depend on: they are the same as without.
 */
#ifndef REPO_SALT_H
#define REPO_SALT_H

#include <stddef.h>

#include "base/buf.h"

#define SALT_LINES 16384 /* fewer take no time, however they hash */

/* Replaces *out by the lines of p[n], salted. */
void salt_lines(struct buf *out, const char *p, size_t n);

/* How much of line[n], without its newline, is not salt: all of it if it ends
 * in something that no salt does. */
size_t salt_stripped(const char *line, size_t n);

#endif
