/* jsonl.h - records as lines of JSON, both ways.
 *
 * Every line is one object. What graft writes has a "kind" first:
 *
 *     {"kind":"commit", FIELDS}     also file and doc: the fields in order
 *     {"kind":"chat","messages":[{"role":R,"content":C, KEYS},...], FIELDS}
 *     {"kind":"tokens","ids":[...],"mask":[...],"ordinal":N,"time":N,
 *      "group":HEX16,"quality":N,"text_id":HEX64,"edit_id":HEX16,
 *      "content_id":HEX16,"commit_id":HEX16,"repo":S,"lang":S}; the last
 *     five only where they are known
 *     {"kind":"vector","vector":[...],"ordinal":N,"time":N,"text_id":HEX64,
 *      "repo":S,"lang":S}; the last two only where they are known
 *     {"kind":"asset","name":S,"data":S}
 *     {"kind":"tensor","name":S,"dtype":S,"shape":[...],"id":HEX64}
 *     {"kind":"data","b64":S}       the bytes of the tensor before, in turn
 *
 * A header line, which `tojsonl --exact` writes before each segment, has
 * "graft" instead, the stream's version: {"graft":1,"type":S,"keys":{...},
 * "after":{"n":N,"oid":S},"part":N,"prov":[...]}; keys, after, part and prov
 * only where there are any. The segment's last line, where there is anything
 * to tell, is what it was made of and what was left out:
 * {"graft":1,"inputs":[HEX64,...],"ledger":[[PROGRAM,REASON,COUNT],...]}.
 *
 * A string that is not UTF-8 is {"b64":S}. Fields that are numbers (ordinal,
 * time) are numbers where their text is one. Lines read back give the same
 * records, byte for byte.
 *
 * Without "kind" a line is read by its keys: "text" is a doc, "messages" a
 * chat, "prompt" and "completion" a chat of two messages, or, as arrays, of
 * the messages of both, "ids" (and "mask", all 1 without) tokens, and so are
 * "input_ids", whose loss "labels" tell (-100: none) or, without them,
 * "completion_mask" and "assistant_masks" (0: none); the tokens that their
 * "attention_mask" has 0 for, at either end, are padding, left off and counted.
 * Other keys that could be names of fields and hold a string or a number
 * become fields; the rest is ignored and counted.
 */
#ifndef RECORD_JSONL_H
#define RECORD_JSONL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "record/text.h"
#include "stream/head.h"
#include "stream/trailer.h"

/* ---- writing: each appends one object, without a newline ---- */

/* A string: p[n] if it is UTF-8, else {"b64":S}. */
void jsonl_put_bytes(struct buf *b, const char *p, size_t n);

/* A list of n ids; of n zeros and ones. */
void jsonl_put_ids(struct buf *b, const uint32_t *ids, size_t n);
void jsonl_put_mask(struct buf *b, const uint8_t *mask, size_t n);

/* A record of a stream of that type; ERR_DATA when it is none. */
int jsonl_put_record(struct buf *b, const char *type, const void *p,
                     size_t n, struct err *e);

/* Of a chat: "messages":[...]. *at is the number of the first message's first
 * field, 0 at the latest, then of the field behind the last. ERR_DATA for a
 * message_json that is none. */
int jsonl_put_messages(struct buf *b, const struct text_rec *r, size_t *at,
                       struct err *e);

/* Of a chat, a field that holds JSON: ,"tools":[...] */
void jsonl_put_json_field(struct buf *b, const struct text_field *f);

/* A tensor by its descriptor; id is that of its data, NULL to leave it out
 * (data lines then follow). */
int jsonl_put_tensor(struct buf *b, const void *desc, size_t n,
                     uint64_t n_data, const struct id *id, struct err *e);
void jsonl_put_data(struct buf *b, const void *p, size_t n);
void jsonl_put_head(struct buf *b, const struct stream_head *h);

/* The inputs and the ledger of a trailer of that version. */
void jsonl_put_end(struct buf *b, int version,
                   const struct stream_trailer *t);

/* ---- reading ---- */

enum jsonl_kind {
    JSONL_HEAD,   /* head */
    JSONL_END,    /* input, ledger: the segment's last line */
    JSONL_TEXT,   /* record: of a text stream */
    JSONL_TOKENS, /* record: of a token stream */
    JSONL_VECTOR, /* record: of a vector stream */
    JSONL_ASSET,  /* record: of a weights stream */
    JSONL_TENSOR, /* record: a descriptor; n_data bytes follow */
    JSONL_DATA    /* record: bytes of a tensor */
};

/* A reader of lines; what it hands out lives until the next jsonl_read. */
struct jsonl {
    enum jsonl_kind kind;
    struct buf record;
    uint64_t n_data;
    struct stream_head head;
    struct id *input;
    size_t n_inputs;
    struct ledger ledger;
    uint64_t vocab;     /* set by the caller: ids are below it, 0 = any */
    bool wide;          /* set by the caller: as tokens_head_read tells */
    uint64_t dim;       /* set by the caller: elements of a vector, 0 = any */
    uint64_t ordinal;   /* set by the caller: of records without one */
    uint64_t n_ignored; /* keys that were left out so far */
    char ignored[64];   /* the first of them, as far as it goes */
    uint64_t n_padding; /* tokens that were, of padding */
    struct jsonl_state *state;
};

void jsonl_init(struct jsonl *j);
void jsonl_release(struct jsonl *j);

/* Reads the object in text[n]; where ("FILE:LINE") begins messages. ERR_DATA
 * for what is no JSON or no record. */
int jsonl_read(struct jsonl *j, const char *text, size_t n,
               const char *where, struct err *e);

#endif
