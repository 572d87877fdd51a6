/* mix.h - what a set's rules of sampling (record/sampling.h) make of its
 * training split: how often each record is drawn, in which order, and what
 * that comes to by language and repository.
 */
#ifndef DATA_MIX_H
#define DATA_MIX_H

#include "base/map.h"
#include "data/dataset.h"
#include "record/sampling.h"

/* Tokens by a name, as they are and as they are drawn. */
struct mix_part {
    double there, drawn;
};

struct mix_parts {
    struct map names; /* "" where none is known */
    struct mix_part *part;
    size_t cap;
    struct mix_part sum;
};

struct mix {
    struct draws draws;
    struct mix_parts lang, repo;

    /* private */
    uint64_t *end;
    uint32_t *record;
};

/* Finds the weights of the split's records, reading each, and gives
 * s->source its draws; does nothing where the set has no rules. *x stays
 * where it is until s is released. ERR_DATA for rules that are none, a quality
 * below 0, or weights that are all 0; ERR_LIMIT beyond 2^32 - 1 records. */
int mix_open(struct mix *x, struct data_split *s, struct err *e);
void mix_release(struct mix *x);

/* Says what comes of the rules, where there are any: shares of the tokens
 * drawn, and of those there are. */
void mix_tell(const struct mix *x);

#endif
