/* sharding.h - the segments of a stream to a shard set: records and tensors
 * to its files, and what is known of the records to its splits and lengths.
 */
#ifndef RECORD_SHARDING_H
#define RECORD_SHARDING_H

#include "record/leaks.h"
#include "record/sampling.h"
#include "record/split.h"
#include "stream/set_out.h"

struct sharding {
    /* set before the first segment */
    const char *program;  /* what the ledger calls it */
    const char *prov;     /* its line of provenance, or NULL */
    uint64_t file_bytes;  /* see stream/set_out.h */
    struct split split;   /* by, val, test and seed */
    const char *const *rule; /* of sampling, n_rules of them; as the caller's
                                options have them */
    size_t n_rules;
    struct set_out out;   /* opened */

    bool merging;          /* several sets are read: see sharding_from */
    uint64_t n_repeated;   /* records left out for that */
    bool undivided;        /* known with the first segment: no splits */

    /* private */
    bool begun;
    struct buf data; /* a piece of a tensor */
    struct change change; /* of a record of text */
    struct map commits;  /* merging: number -> the set that had it first */
    uint64_t set;        /* merging: the number of the one that is read */
    struct leaks leaks;
    struct sampling sampling;
};

/* Whether records of that type are divided into splits: text and tokens are,
 * weights and vectors are not. */
bool sharding_divides(const char *type);

/* Reads the rules: ERR_USAGE where one is none. */
int sharding_rules(struct sharding *s, struct err *e);

/* What comes next is of the set with that manifest, or where that is NULL, of
 * a stream. Where several are merged, records of commits that an earlier set
 * has records of are left out, and counted in the ledger: they would stand in
 * two splits, or be there twice. */
void sharding_from(struct sharding *s, const struct manifest *from);

/* Takes the segment that `in` has begun, to its end. All must be of one type
 * with the same keys; one that goes on from an earlier stream is ERR_DATA. */
int sharding_segment(struct sharding *s, struct stream_in *in,
                     struct err *e);

/* All segments have come: writes the manifest. ERR_USAGE where the rules of
 * sampling don't fit the records. */
int sharding_finish(struct sharding *s, struct err *e);

/* Releases `out`, too. */
void sharding_release(struct sharding *s);

#endif
