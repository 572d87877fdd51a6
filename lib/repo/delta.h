/* delta.h - git's deltas: an object as runs of its base and bytes between.
 * Private to lib/repo.
 *
 * A delta begins with the sizes of base and result. Then a byte with the
 * high bit set copies from the base, its other bits telling which bytes of
 * offset (4) and length (3, zero meaning 65536) follow; any other byte is
 * the number of literal bytes that follow, and not zero.
 */
#ifndef REPO_DELTA_H
#define REPO_DELTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The sizes of base and result at the front of the delta p[n]. Returns how
 * many bytes they take, 0 if they are malformed. */
size_t delta_sizes(const void *p, size_t n, uint64_t *base,
                   uint64_t *result);

/* Makes out[n_out] from base and from p[n], what follows a delta's sizes.
 * False unless it gives exactly n_out bytes from within base and p. */
bool delta_apply(const void *p, size_t n, const char *base, size_t n_base,
                 char *out, size_t n_out);

#endif
