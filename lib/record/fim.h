/* fim.h - filling in the middle: which texts are taken apart, and where.
 *
 * As for SantaCoder and StarCoder, before tokens are made of the text: a part
 * of the texts is cut at two places, uniform over the text's characters, into
 * prefix, middle and suffix, and a part of these has the suffix first (SPM).
 * All of it follows from the record's id, the place of the text in it and the
 * seed, so neither the order of the records nor the number of threads can
 * matter.
 */
#ifndef RECORD_FIM_H
#define RECORD_FIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

struct fim {
    double rate;     /* of texts that are taken apart; an edit always is */
    double spm_rate; /* of those, with the suffix first */
    uint64_t seed;
};

struct fim_draw {
    bool apart, spm;
    size_t from, to; /* where the middle lies in the text, in bytes; where it
                        isn't taken apart, both are 0 */
};

/* For the text p[n] that begins at byte `at` of what the record id is of. A
 * character is a byte and the continuation bytes (UTF-8) behind it. */
struct fim_draw fim_draw(const struct fim *f, const struct id *id,
                         uint64_t at, const char *p, size_t n);

/* Where to cut p[n], n > 0, in two: at the line end inside that is nearest to
 * the half, else before the character there. 0: it is one character. */
size_t fim_half(const char *p, size_t n);

#endif
