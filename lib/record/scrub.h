/* scrub.h - a text record without the secrets that rules find in it: each is
 * replaced, in place, by a placeholder such as <KEY_1>.
 *
 * Placeholders are numbered within the record, by type, in the order in which
 * secrets are met: of `change` and `text` first, then of the other fields as
 * they come. The same secret has the same placeholder in all of the record,
 * two secrets have two, and a number that stands in the record already is
 * given to none. So a line that was kept is kept, and lines that differed
 * differ. Nothing of the secret is in it, and no record depends on another.
 *
 * Not looked at: repo, ordinal, commit, parent, time, lang, status, before_id,
 * after_id, role and what gitscrape found of the file: generated, attributes,
 * author_type, license. Fields that hold JSON are looked at string by string.
 */
#ifndef RECORD_SCRUB_H
#define RECORD_SCRUB_H

#include "base/map.h"
#include "record/change.h"
#include "record/drops.h"
#include "record/text.h"
#include "text/scrub_find.h"

/* A secret that was replaced. */
struct scrub_place {
    size_t field;  /* of the record */
    char side;     /* of a change: ' ', '-', '+' or, in a hunk's header, '@' */
    uint64_t line; /* of that side's file (' ': after), or of the text; from 1;
                      0: of a header */
    uint32_t rule, number;
};

/* A field's new text, in the worker's room. */
struct scrub_field {
    bool changed;
    size_t at, len;
};

/* What one thread needs. */
struct scrub_worker {
    struct scrub_finder finder;
    struct text_rec rec; /* the record that was looked at last */
    struct change change; /* its */
    struct scrub_place *place; /* where it had secrets, field by field */
    size_t n_places, places_cap;

    /* private */
    const char *p; /* the encoded record */
    size_t n;
    struct map number, last; /* of secrets; of types */
    struct buf room, view, key, string;
    struct scrub_field *field;
    size_t fields_cap;
    struct scrub_line *line;
    size_t lines_cap;
    struct {
        size_t field, at, hunk, line; /* as far as a place was looked for */
        uint64_t number[2];
    } near;
};

void scrub_worker_init(struct scrub_worker *w,
                       const struct scrub_rules *rules);
void scrub_worker_release(struct scrub_worker *w);

/* Decodes the record p[n] into w->rec and w->change; a record without a
 * change has one without hunks. ERR_DATA. */
int scrub_decode(struct scrub_worker *w, const void *p, size_t n,
                 struct err *e);

/* Appends what it becomes to out: 1; 0, nothing appended, where there is
 * nothing to replace. ERR_LIMIT where a rule takes too many steps. w->rec
 * is of the new texts then. */
int scrub_record(struct scrub_worker *w, struct buf *out, struct err *e);

/* Appends w's places as JSON, a line each: where they are and which rule it
 * was, nothing of what was there. */
void scrub_put_places(const struct scrub_worker *w, uint64_t index,
                      struct buf *out);

/* The same for a record that is left out: a line with its filter and why.
 * w->rec has no more then than what the line tells. */
void scrub_put_drop(struct scrub_worker *w, uint64_t index,
                    const struct drop_found *found, struct buf *out);

#endif
