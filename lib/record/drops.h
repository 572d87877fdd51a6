/* drops.h - records to leave out: of files that nobody wrote or that others
 * did, of what is no code, of commits by machines.
 *
 * Of a commit the path is looked at, and what its hunks show of the side after
 * (of that before, where the file went); what a file begins with where a hunk
 * shows its first line. Rules about whole files need hunks that hold all of
 * it. What gitscrape saw of the whole file, in the fields `generated`,
 * `attributes`, `license` and `author_type`, counts before that. Documents and
 * conversations are left alone.
 */
#ifndef RECORD_DROPS_H
#define RECORD_DROPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/change.h"
#include "record/text.h"
#include "text/pattern.h"

enum drop {
    DROP_VENDORED, /* text/source_kind.h has these */
    DROP_LOCK,
    DROP_MINIFIED,
    DROP_GENERATED,
    DROP_ENCODED, /* text/encoded.h: data in letters */
    DROP_DOCUMENTATION,
    DROP_LICENSE, /* none of those that are allowed */
    DROP_MAX_LINE_LENGTH, /* as The Stack measured and bounded them */
    DROP_AVG_LINE_LENGTH,
    DROP_ALPHANUM_FRACTION,
    DROP_BOT,    /* commits: by a program */
    DROP_REVERT, /* that take back another */
    DROP_BUMP,   /* that move a version on */
    DROP_COMMITPACKFT, /* that CommitPackFT's rules don't take */
    DROPS
};

struct drops {
    bool on[DROPS]; /* the first five by default */
    double limit[DROPS]; /* of the three that have one */
    const char *const *license; /* allowed ones, and "none" */
    size_t n_licenses;          /* 0: any */
    struct pattern bump;
};

/* A part of a file that is too short is not judged by its letters. */
#define DROPS_ALPHANUM_CHARS 200

void drops_init(struct drops *d);
void drops_release(struct drops *d);

/* "vendored" and so on, as in the ledger. */
const char *drop_name(enum drop i);

/* Turns drops on, or off: names, and of those that have a limit also
 * NAME=LIMIT to turn them on; "all" for --keep. ERR_USAGE names option and
 * item, and the nearest of the names. */
int drops_set(struct drops *d, const char *const *item, size_t n, bool on,
              const char *option, struct err *e);

/* Files of other licences than these go; "none" lets those stay of which none
 * is known. The ids outlive *d. ERR_USAGE for what is no id. */
int drops_set_licenses(struct drops *d, const char *const *id, size_t n,
                       struct err *e);

/* What one thread needs. */
struct drops_worker {
    struct pattern_search search;
    struct buf head, license;
};

void drops_worker_init(struct drops_worker *w);
void drops_worker_release(struct drops_worker *w);

struct drop_found {
    enum drop drop;
    const char *why; /* n_why bytes of a table or of the record, or NULL */
    size_t n_why;
    uint64_t lines;  /* edited ones, or the file's */
};

/* Whether the record goes; c: its change, or one without hunks. */
bool drops_find(const struct drops *d, struct drops_worker *w,
                const struct text_rec *r, const struct change *c,
                struct drop_found *found);

#endif
