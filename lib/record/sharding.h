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

    bool weights; /* known with the first segment: they have no splits */

    /* private */
    bool begun;
    struct buf data; /* a piece of a tensor */
    struct change change; /* of a record of text */
    struct leaks leaks;
    struct sampling sampling;
};

/* Reads the rules: ERR_USAGE where one is none. */
int sharding_rules(struct sharding *s, struct err *e);

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
