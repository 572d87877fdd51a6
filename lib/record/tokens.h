/* tokens.h - token records: ids, what of them is learned, where they are
 * from.
 *
 * Encoding, little-endian: u8 form, 1 to 3; u8 width (2 where every id is
 * below 2^16; else 3 in streams whose head says so, if every id is below 2^24;
 * else 4); u16 0; i32 quality; u64 ordinal; i64 time; u64 group; 32 bytes id
 * of the text record; from form 2 on u64 edit, u64 content, u64 commit
 * (record/same.h), u8 length of the repository's name and that, u8 length of
 * the language's and that; in form 3 u8 length of the path and that; varint
 * number of ids; varint number of runs; the runs as varints; the ids, width
 * bytes each, in width 3 first two bytes of each, then the third of each. The
 * ids end the record. The form is the least that has all there is: 2 has
 * something of its own, 3 a path.
 *
 * The head's key id-bytes is 3 where its vocab is over 65,536; streams from
 * before there was that key have none, and no ids of three bytes.
 *
 * Runs are lengths, in turn of tokens without loss and with loss, beginning
 * with those without; only the first may be 0, and they add up to the number
 * of ids. With loss is the target: what the record is there to teach.
 *
 * Stream keys: "vocab" is the number of rows of the tokenizer (every id is
 * below it), "tokenizer" the content id of tokenizer.json, "loss" what is
 * learned: the "target", as without the key, or "all".
 *
 * Limit: a stream record (63 MiB).
 */
#ifndef RECORD_TOKENS_H
#define RECORD_TOKENS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "record/same.h"
#include "stream/head.h"

#define TOKENS_NAME_MAX 255

/* A name: UTF-8 without control characters, at most TOKENS_NAME_MAX bytes;
 * n 0: not known, and p is NULL then. */
struct tokens_name {
    const char *p; /* not NUL-terminated */
    size_t n;
};

/* Where the tokens come from. */
struct tokens_origin {
    struct id text;   /* id of the text record */
    uint64_t ordinal; /* its commit's, or the number of the document */
    int64_t time;     /* seconds since 1970 */
    uint64_t group;   /* equal numbers stay together in a split */
    int32_t quality;  /* weight to sample by, 0 = none given */
    struct same same; /* by which repeats of it are known */
    struct tokens_name repo, lang, path; /* as the text record has them */
};

struct tokens {
    struct tokens_origin origin;
    size_t n;            /* ids */
    size_t n_loss;       /* those with loss */
    const uint8_t *ids;  /* encoded: use tokens_ids */
    unsigned width;
    const uint8_t *runs; /* encoded: use tokens_mask */
    size_t n_runs, runs_len;
};

/* What of a record is learned. Auto is a choice alone: as the layout, or the
 * head, says. */
enum tokens_loss { LOSS_AUTO, LOSS_TARGET, LOSS_ALL };

/* "target" and so on. */
const char *tokens_loss_name(enum tokens_loss loss);

/* *loss is what the head says, never auto; ERR_DATA where that is neither of
 * them. where is the message's prefix. */
int tokens_loss_of(const struct stream_head *h, const char *where,
                   enum tokens_loss *loss, struct err *e);

/* *h becomes the head of a stream of tokens; vocab 0 and tokenizer NULL: not
 * known. */
void tokens_head(struct stream_head *h, uint64_t vocab,
                 const char *tokenizer);

/* Sets the keys that follow from the vocabulary: vocab and, maybe,
 * TOKENS_ID_BYTES. */
#define TOKENS_ID_BYTES "id-bytes"
void tokens_head_vocab(struct stream_head *h, uint64_t vocab);

/* *vocab: of the head, 0 if it tells none; *wide: its records are those of
 * tokens_encode_wide. ERR_DATA: keys that can't be. */
int tokens_head_read(const struct stream_head *h, const char *where,
                     uint64_t *vocab, bool *wide, struct err *e);

/* The name p[n]; an empty one where that can be none. */
struct tokens_name tokens_name_of(const char *p, size_t n);

/* A name as records have it, u8 length and that: appends it; reads it, false
 * where there is none. */
void tokens_name_put(struct buf *b, const struct tokens_name *name);
bool tokens_name_take(struct tokens_name *name, struct cursor *c);

/* Appends an encoded record of a stream whose head is of tokens_head with that
 * vocab. loss[n] holds 0 or 1 for each id, NULL = 1 for all. An id not below
 * vocab (0: no such check) is ERR_DATA. */
int tokens_encode(struct buf *b, const struct tokens_origin *origin,
                  const uint32_t *ids, const uint8_t *loss, size_t n,
                  uint64_t vocab, struct err *e);

/* The same without ids of three bytes, as streams are whose head has no
 * id-bytes. */
int tokens_encode_wide(struct buf *b, const struct tokens_origin *origin,
                       const uint32_t *ids, const uint8_t *loss, size_t n,
                       uint64_t vocab, struct err *e);

/* Changes the group of an encoded record. */
void tokens_set_group(void *record, uint64_t group);

/* Decodes without copying; everything is checked, the ids against vocab
 * (0: not). ERR_DATA, *t untouched. */
int tokens_decode(struct tokens *t, const void *p, size_t n, uint64_t vocab,
                  struct err *e);

/* Copies out the ids, and the loss flags as 0 and 1: t->n of each. */
void tokens_ids(const struct tokens *t, uint32_t *out);
void tokens_mask(const struct tokens *t, uint8_t *out);

/* The mask of what is learned, by what tokens_loss_of has told. */
void tokens_learned(const struct tokens *t, enum tokens_loss loss,
                    uint8_t *out);

#endif
