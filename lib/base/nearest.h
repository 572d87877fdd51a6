/* nearest.h - of many names, the one that a mistyped name is nearest to.
 *
 *     struct nearest x = nearest_to(word, n, most);
 *     for each name: nearest_offer(&x, name);
 *     x.name is the first of those with the fewest edits
 */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

#define NEAREST_FAR 99 /* edits to or from a name of 64 bytes or more */

struct nearest {
    const char *wanted;
    size_t n_wanted;
    const char *name; /* the nearest so far, or NULL */
    size_t edits;     /* from wanted to it; 0: it is the name */
};

/* Of the names that will be offered, one of at most `most` edits (a byte put
 * in, left out or replaced) is looked for. wanted[n] must outlive it. */
struct nearest nearest_to(const char *wanted, size_t n, size_t most);
void nearest_offer(struct nearest *x, const char *name);

#endif
