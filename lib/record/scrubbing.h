/* scrubbing.h - segments of text records to segments without the records that
 * are to be left out and without secrets, by all threads; what was found is
 * counted, in the ledger, too, and told to a report.
 */
#ifndef RECORD_SCRUBBING_H
#define RECORD_SCRUBBING_H

#include "base/io.h"
#include "record/drops.h"
#include "record/filtering.h"
#include "record/scrub.h"

struct scrubbing {
    /* set by the caller, after scrubbing_init */
    const char *program;
    struct out *report; /* or NULL */
    bool keep_going;    /* leave out records that reach a limit */

    uint64_t dropped[DROPS], lines[DROPS]; /* records; edited lines of these */
    uint64_t *count;    /* [rule]: places where its secrets stood */
    uint64_t places, changed; /* all of these; records that had any */
    uint64_t limited;   /* records that were left out */

    /* private */
    struct filtering filtering; /* its records and kept are for all */
    const struct drops *drops;
    const struct scrub_rules *rules;
    struct scrub_slot *slot;
    struct scrubbing_worker *worker;
};

/* After par_set_threads. rules: built; they and drops outlive it, and *s stays
 * where it is. */
void scrubbing_init(struct scrubbing *s, const struct drops *drops,
                    const struct scrub_rules *rules);
void scrubbing_release(struct scrubbing *s);

/* A filter_segment (record/filtering.h) of a struct scrubbing. ERR_LIMIT where
 * a rule takes too many steps. */
int scrubbing_segment(void *scrubbing, struct stream_in *in,
                      struct stream_out *out, const char *prov,
                      struct err *e);

#endif
