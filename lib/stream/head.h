/* head.h - the header of a stream segment: what the records are and what
 * they came through.
 *
 * It is text that `head` can show, up to the line "end":
 *
 *     graft stream VERSION
 *     type text
 *     key NAME VALUE        any number; part of the content id
 *     after N OID           at most one: an increment, see below
 *     part N                at most one: file N of a shard set; not in the id
 *     prov PROGRAM ...      one line per program passed; not in the id
 *     end
 *
 * NAME is [a-z][a-z0-9_.-]*, at most 64 bytes, each name once. A VALUE, a
 * prov line and an OID are UTF-8 without control characters and not empty.
 * Limits: a line 64 KiB, a header 1 MiB, 1024 keys.
 *
 * Versions 1 and 2 differ in one thing: what of a tensor's data goes into the
 * content id (trailer.h). Streams of weights are made in version 2 and others,
 * which have no tensors, in 1, so that programs of before read them on; a
 * header that is passed on keeps its version, and the stream its content id.
 */
#ifndef STREAM_HEAD_H
#define STREAM_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define STREAM_VERSION 2
#define STREAM_NAME_MAX 64
#define STREAM_LINE_MAX (64u << 10)
#define STREAM_HEAD_MAX (1u << 20)

struct stream_key {
    char *name, *value;
};

struct stream_head {
    int version; /* 1 to STREAM_VERSION */
    char type[STREAM_NAME_MAX + 1]; /* "text", "tokens", "weights" */
    struct stream_key *key;
    size_t n_keys;
    char **prov; /* without the word "prov" */
    size_t n_prov;
    char *after_oid; /* NULL: not an increment */
    uint64_t after;  /* commits that the receiver is to keep */
    bool is_part;    /* file `part` of a shard set */
    uint64_t part;
};

void stream_head_init(struct stream_head *h, const char *type);
void stream_head_release(struct stream_head *h);

/* *h, initialised or not yet used, becomes a copy of *from. */
void stream_head_copy(struct stream_head *h, const struct stream_head *from);

/* The version, too, becomes that in which such a stream is made. */
void stream_head_set_type(struct stream_head *h, const char *type);

/* Sets a key, replacing its value where the name is there already. What is
 * not allowed in a header is refused by stream_out_begin. */
void stream_head_set(struct stream_head *h, const char *name,
                     const char *value);
void stream_head_set_u64(struct stream_head *h, const char *name, uint64_t v);
void stream_head_drop(struct stream_head *h, const char *name);

/* The value, or NULL. */
const char *stream_head_get(const struct stream_head *h, const char *name);

/* *out = the key's value as a decimal number; ERR_DATA when the key is
 * missing or is none. where is the message's prefix. */
int stream_head_get_u64(const struct stream_head *h, const char *name,
                        const char *where, uint64_t *out, struct err *e);

/* Adds the line of one more program. NULL (--no-prov) removes all lines. */
void stream_head_prov(struct stream_head *h, const char *prov);

/* The stream holds what follows the first n commits, the last of which is
 * oid: a consumer with state drops what it has beyond ordinal n. */
void stream_head_after(struct stream_head *h, uint64_t n, const char *oid);

/* The same type, keys and `after`: segments that may be merged. ERR_DATA
 * names what differs, with both values. */
int stream_head_same(const struct stream_head *a, const struct stream_head *b,
                     const char *where, struct err *e);

/* Appends the text, "graft stream" to "end"; ERR_USAGE when a name or a
 * value can't be in a header. */
int stream_head_format(struct buf *b, const struct stream_head *h,
                       struct err *e);

/* Reads a text that stream_head_format made, strictly. ERR_DATA, *h
 * untouched; a version that is not known is refused by number. */
int stream_head_parse(struct stream_head *h, const char *text, size_t n,
                      const char *where, struct err *e);

#endif
