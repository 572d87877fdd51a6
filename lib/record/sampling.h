/* sampling.h - how often each record of a set is drawn in training: the rules
 * that a set's manifest has.
 *
 *     lang:NAME=FACTOR   times FACTOR where the language is NAME
 *     repo:NAME=FACTOR   times FACTOR where the repository is NAME
 *     half-life=DAYS     half the weight for each DAYS that a record is older
 *                        than the newest of train
 *     quality            times the record's quality, where it has one
 *     curriculum=length  the first epoch from short records to long ones
 *     curriculum=age     the first epoch from old records to new ones
 *
 * Without rules all weights are 1. An empty NAME is that of records of which
 * none is known. What a weight does is data/packer.h's.
 */
#ifndef RECORD_SAMPLING_H
#define RECORD_SAMPLING_H

#include "record/tokens.h"
#include "stream/manifest.h"

#define SAMPLING_MAX_FACTOR 1e6

enum curriculum { CURRICULUM_NONE, CURRICULUM_LENGTH, CURRICULUM_AGE };

struct sampling_factor {
    bool repo; /* else of a language */
    const char *name; /* in the rule's text */
    size_t n;
    double factor;
    uint64_t used; /* records that it was for */
};

/* All zeros: no rules. */
struct sampling {
    struct sampling_factor *factor;
    size_t n;
    double half_life; /* days; 0: age doesn't count */
    bool quality;
    enum curriculum curriculum;

    /* private: what sampling_see was given */
    double *weight;
    size_t n_seen, cap_seen;
};

/* Reads rules, whose texts must live as long. code is that of the error for
 * one that is none, that comes twice, or whose number is not allowed (at
 * least 0 and at most SAMPLING_MAX_FACTOR; DAYS above 0); where stands before
 * its message. */
int sampling_parse(struct sampling *s, const char *const *rule, size_t n,
                   const char *where, int code, struct err *e);
void sampling_release(struct sampling *s);

/* The record's weight, but for its age; counts the factors' uses. ERR_DATA
 * for a quality below 0. */
int sampling_weight(struct sampling *s, const struct tokens_origin *o,
                    double *weight, struct err *e);

/* What its age makes of it, in seconds since 1970; 1 without a time (0). */
double sampling_age(const struct sampling *s, int64_t time, int64_t newest);

/* The next record of the set that is being made. */
int sampling_see(struct sampling *s, const struct tokens_origin *o,
                 struct err *e);

/* All records were seen and m has its splits: ERR_USAGE where a name is of no
 * record, or nothing of train would ever be drawn. */
int sampling_check(const struct sampling *s, const struct manifest *m,
                   struct err *e);

#endif
