/* dedup.h - segments of text records without those that are like an earlier
 * one, or that overlap a benchmark.
 *
 * What is kept of a record to compare with is text/kept.h's, what of it is
 * compared record/likeness.h's. A record is compared with those that were
 * kept, so that which are left out does not depend on what comes later: a
 * stream in parts, with the index of the part before, loses what it would
 * lose as a whole. One that overlaps a benchmark is not compared.
 */
#ifndef RECORD_DEDUP_H
#define RECORD_DEDUP_H

#include "record/benchmark.h"
#include "record/filtering.h"
#include "text/kept.h"

struct dedup_against {
    const char *path;
    char *name;            /* of the file, without folder and .jsonl(.gz) */
    struct benchmark read;
    uint64_t dropped;      /* records that overlap it */
};

struct dedup {
    const char *program;   /* what the ledger calls it; set by the caller */
    struct kept kept;      /* the caller opens and releases it */
    uint64_t records, exact, near; /* written, left out */
    uint64_t uncompared;   /* of the written: with nothing to compare */
    struct dedup_against *against;
    size_t n_against;

    /* private */
    struct overlap overlap;
    struct filtering filtering;
    struct dedup_worker *worker;
    struct dedup_found *found; /* by slot */
};

/* After par_set_threads; *d stays where it is. */
void dedup_init(struct dedup *d);
void dedup_release(struct dedup *d);

/* Records that overlap the benchmark in that file are left out. As
 * benchmark_read; ERR_DATA for one that has nothing to look for. */
int dedup_against(struct dedup *d, const char *path, struct err *e);

/* A filter_segment (record/filtering.h) of a struct dedup; the same bytes at
 * any number of threads. ERR_DATA for an increment. */
int dedup_segment(void *dedup, struct stream_in *in,
                  struct stream_out *out, const char *prov, struct err *e);

#endif
