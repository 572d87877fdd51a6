/* scrape.h - histories to text streams: the trusted half of gitscrape.
 *
 * A child process per repository reads and sends records (scribe.h); this
 * side checks and writes them. The child may die of a damaged object: with
 * job.history.keep_going it is started again where it stopped, and told not to
 * touch that object.
 */
#ifndef RECORD_SCRAPE_H
#define RECORD_SCRAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "record/change.h"
#include "record/scribe.h"
#include "record/text.h"
#include "repo/child.h"
#include "stream/stream.h"

/* The caller sets program to authors; the rest is scrape_init's. */
struct scrape {
    const char *program;        /* in the ledger */
    const char *prov;           /* a line for the header */
    struct scribe_job job;      /* path and poison are set here */
    struct child_limits limits; /* of a repository, all its children */
    struct stream_out *out;
    struct buf *authors;        /* lines "REPO author_K NAME MAIL"; or NULL */

    struct map names;           /* of the repositories so far */
    uint64_t n_segments;
    int failed;                 /* of the last repository without one */

    /* Of the repository at hand. */
    char *name;
    bool begun;
    uint64_t next;              /* ordinal after the last complete commit */
    uint64_t since_next;        /* records written of the commit after that */
    uint64_t n_authors;         /* that have a number */
    uint64_t n_commits, n_records, n_skips;
    uint64_t n_lost;            /* of n_skips: could not be read */
    uint64_t n_cut;             /* of bad: the parents are unknown, too */
    bool left_out;              /* the commit at hand */
    uint64_t drop;              /* records to come that are written already */
    struct map bad;             /* commits reported */
    struct map by;              /* authors of records, by number */
    struct text_rec rec;
    struct change change;
};

/* Empties *s. */
void scrape_init(struct scrape *s);
void scrape_release(struct scrape *s);

/* Writes the repository at path as one segment. With keep_going, *lost is
 * set if something was left out, be it all of it; then the result is 0, and
 * where it is all, failed says how it ended. The text names the path. */
int scrape_repository(struct scrape *s, const char *path, bool *lost,
                      struct err *e);

#endif
