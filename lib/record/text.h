/* text.h - text records: a kind and an ordered list of named fields.
 *
 * Fields are bytes. One that is not there differs from one that is empty.
 * Kinds, and the fields that they have, in this order:
 *
 *     commit  repo ordinal commit parent time author subject body path
 *             old_path lang status change before_id after_id
 *     file    repo commit time path lang text
 *     doc     text
 *     chat    role content [message_json], once per message, in turn
 *
 * A commit and a file may have, behind these, what gitscrape knows of the file
 * beyond what the record shows: author_type (Bot), generated (the mark that
 * says so, or "minified"), attributes (linguist's, as .gitattributes at the tip
 * has them: "linguist-vendored -linguist-generated"), license (an SPDX
 * expression).
 *
 * message_json is a JSON object of the message's other keys (tool_calls,
 * tool_call_id, name, ...) and of a content that is no string; content then
 * holds the text of it. A chat's field tools is a JSON array of what the
 * assistant may call, chat_template_kwargs a JSON object of what else the chat
 * template is told.
 *
 * ordinal and time are decimal numbers (time in seconds since 1970, signed),
 * ids are hex. `change` is laid out by record/change.h. Any kind may carry
 * more fields, after its own, as [a-z][a-z0-9_]*: whoever does not know them
 * hands them on.
 *
 * Encoding: u8 kind; varint number of fields; for each its name, a NUL, a
 * varint length and that many bytes. No field twice, save in a chat.
 *
 * Limits: 64 fields, 65,536 messages, a name 32 bytes.
 */
#ifndef RECORD_TEXT_H
#define RECORD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"

enum text_kind {
    TEXT_COMMIT = 1,
    TEXT_FILE = 2,
    TEXT_DOC = 3,
    TEXT_CHAT = 4
};

#define TEXT_MAX_FIELDS 64
#define TEXT_MAX_MESSAGES 65536
#define TEXT_MAX_NAME 32

struct text_field {
    const char *name; /* NUL-terminated */
    const char *data; /* not NUL-terminated, may hold anything */
    size_t len;
};

/* A record that points into memory of others: the decoded bytes, or what
 * the caller gave to text_add. Reuse it from record to record. */
struct text_rec {
    enum text_kind kind;
    struct text_field *field;
    size_t n, cap;
};

void text_init(struct text_rec *r);
void text_release(struct text_rec *r);

/* Empties r and sets its kind. */
void text_begin(struct text_rec *r, enum text_kind kind);

/* Appends a field; name and data are kept by reference. A NULL data is an
 * absent field: nothing is added. */
void text_add(struct text_rec *r, const char *name, const void *data,
              size_t len);
void text_add_str(struct text_rec *r, const char *name, const char *s);

/* The field, or NULL when it is absent. */
const struct text_field *text_get(const struct text_rec *r, const char *name);

/* A field as a decimal number, `missing` where it is absent; ERR_DATA when
 * it is none. */
int text_i64(const struct text_rec *r, const char *name, int64_t missing,
             int64_t *out, struct err *e);

struct text_message {
    const struct text_field *role, *content;
    const struct text_field *json; /* message_json, or NULL */
};

/* Steps through the messages of a chat: *at is 0 at first, then the number
 * of the field behind *m. False: there are no more, or r is no chat. */
bool text_next_message(const struct text_rec *r, size_t *at,
                       struct text_message *m);

/* Appends a commit's message: its subject and, behind an empty line, its
 * body, without newlines at the end. */
void text_commit_message(struct buf *b, const struct text_rec *r);

/* Appends the encoded record; ERR_DATA for a name, a double field or a chat
 * that can't be, ERR_LIMIT beyond the limits. */
int text_encode(struct buf *b, const struct text_rec *r, struct err *e);

/* Decodes without copying: fields point into p[n], which must live as long.
 * ERR_DATA, *r then empty. */
int text_decode(struct text_rec *r, const void *p, size_t n, struct err *e);

/* The id of what stands in the field text, in *body; NULL where there is no
 * such field. A text is most of its record, and what is hashed most: the ids
 * that are made of it take this one for it. */
const struct id *text_body(const struct text_rec *r, struct id *body);

/* The id of the record decoded from p[n]: BLAKE2b over its encoding, in which
 * the text's id (body, of text_body) stands for the text. */
struct id text_id(const struct text_rec *r, const void *p, size_t n,
                  const struct id *body);

/* "commit" and so on, NULL for an unknown kind; the reverse, 0 if none. */
const char *text_kind_name(unsigned kind);
enum text_kind text_kind_parse(const char *name, size_t n);

/* Whether the field of that name is a number in JSON (ordinal, time). */
bool text_is_number(const char *name);

/* Whether that field of a chat holds JSON (tools, chat_template_kwargs). */
bool text_is_json(const char *name);

#endif
