/* members.h - reads JSON objects whose keys are known, and their order;
 * private to lib/stream.
 *
 * An object is a table of its members, in the order in which the text has
 * them. A plain value goes into a struct by its offset; anything else is read
 * by a function of the row.
 */
#ifndef STREAM_MEMBERS_H
#define STREAM_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"

struct member_reader {
    struct json j;
    struct buf text; /* of the last string */
    struct buf key;
    struct err *e;
};

enum member_kind {
    MEMBER_FN,     /* fn reads it */
    MEMBER_U64,    /* uint64_t */
    MEMBER_ID,     /* struct id */
    MEMBER_STRING  /* char *, for the caller to free */
};

struct member {
    const char *name;
    enum member_kind kind;
    size_t offset; /* of the value in what is read into */
    int (*fn)(struct member_reader *r, void *into);
    bool optional;
};

/* Reads the object that comes next: its keys are those of table[n] in their
 * order, of which only optional ones may be missing. ERR_DATA otherwise;
 * strings that came before are in *into then. */
int members_read(struct member_reader *r, const struct member *table,
                 size_t n, void *into);

#define MEMBERS_READ(r, table, into) \
    members_read(r, table, sizeof(table) / sizeof((table)[0]), into)

/* The values that come next. member_string: into r->text. */
int member_string(struct member_reader *r);
int member_u64(struct member_reader *r, uint64_t *v);
int member_id(struct member_reader *r, struct id *id);

#endif
