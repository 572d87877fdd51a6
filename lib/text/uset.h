/* uset.h - sets of code points; private to lib/text.
 *
 * A set is the sorted list of the code points at which a walk from 0 up
 * enters or leaves it.
 */
#ifndef TEXT_USET_H
#define TEXT_USET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uset {
    uint32_t *at; /* in the set from at[0], not from at[1], in from at[2]... */
    size_t n, cap;
};

void uset_init(struct uset *s);
void uset_release(struct uset *s);

/* Adds first to last, both included. */
void uset_add(struct uset *s, uint32_t first, uint32_t last);

void uset_join(struct uset *s, const struct uset *other);
void uset_meet(struct uset *s, const struct uset *other);
void uset_negate(struct uset *s);
bool uset_has(const struct uset *s, uint32_t c);
bool uset_same(const struct uset *a, const struct uset *b);

/* Adds what \p{NAME} means: a general category (L, Lu, ...), a script of
 * ucat.h or Any. False: no such name here, nothing was added. */
bool uset_property(struct uset *s, const char *name, size_t n);

/* Adds the code points with one of these flags of ucat.h or uclass.h. */
void uset_ucat(struct uset *s, unsigned flags);
void uset_uclass(struct uset *s, unsigned flags);

#endif
