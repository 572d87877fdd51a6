/* jsonl_line.h - a line being read: the list of its keys; private to
 * jsonl_*.c.
 */
#ifndef RECORD_JSONL_LINE_H
#define RECORD_JSONL_LINE_H

#include "base/json.h"
#include "record/jsonl.h"
#include "record/tokens.h"

/* A key of the line and where its value is. */
struct entry {
    size_t key;     /* in keys */
    const char *at; /* in the line */
    bool used;
};

/* A decoded value; its bytes may move until the line is done. */
struct value {
    size_t key;     /* in keys, NUL-terminated */
    size_t at, len; /* in bytes */
};

struct jsonl_state {
    struct json line; /* the start, end and name of the text */
    struct buf keys, bytes, scratch, more, repo, lang, path;
    struct entry *entry;
    size_t n, cap;
    struct value *value;
    size_t n_values, cap_values;
    struct text_rec text;
    uint32_t *ids;
    uint8_t *mask;
    size_t n_ids, n_mask, cap_ids, cap_mask;
};

/* Lists the keys of the object that the line is. */
int line_list(struct jsonl_state *s, struct err *e);

/* A reader that stands before the value of t. */
struct json line_value(const struct jsonl_state *s, const struct entry *t);
const char *line_key(const struct jsonl_state *s, const struct entry *t);

/* Counts a key that is left out, and keeps the name of the first. */
void line_ignore(struct jsonl *j, const struct entry *t);

/* The entry of a key, marked as used, or NULL; line_need sets *e then. */
struct entry *line_take(struct jsonl_state *s, const char *key);
struct entry *line_need(struct jsonl_state *s, const char *key,
                        struct err *e);

/* The first key that nothing has taken, or NULL. */
const char *line_unused(const struct jsonl_state *s);

/* Appends the bytes that the value at j stands for to s->bytes: a string or
 * {"b64":S}; with number_ok a number, which stands for its text. */
int line_bytes(struct jsonl_state *s, struct json *j, bool number_ok,
               struct err *e);

/* The bytes of a key that must be there, as all of s->bytes. */
int line_only_bytes(struct jsonl_state *s, const char *key, struct err *e);

/* A string without NUL characters into s->scratch. */
int line_cstring(struct jsonl_state *s, struct json *j, struct err *e);

/* Appends a name that is no key of the line to the keys; its place. */
size_t line_add_name(struct jsonl_state *s, const char *name);

/* The bytes from s->bytes.data + at on are the value of the field whose name
 * is at `key` in the keys; the value at j is. */
void jsonl_end_value(struct jsonl_state *s, size_t key, size_t at);
int jsonl_add_value(struct jsonl_state *s, size_t key, struct json *j,
                    bool number_ok, struct err *e);

/* The messages that are the value of t. */
int jsonl_add_messages(struct jsonl_state *s, struct entry *t,
                       struct err *e);

/* Where tokens, or a vector, are from, by keys that may be missing. */
int jsonl_read_origin(struct jsonl *j, struct tokens_origin *o,
                      struct err *e);

/* The kinds; a line with "graft" sets j->kind, too. */
int jsonl_read_graft(struct jsonl *j, struct err *e);
int jsonl_read_text(struct jsonl *j, enum text_kind kind, struct err *e);
int jsonl_read_doc(struct jsonl *j, struct entry *text, struct err *e);
int jsonl_read_chat(struct jsonl *j, struct entry *messages, struct err *e);
int jsonl_read_instruction(struct jsonl *j, struct entry *prompt,
                           struct entry *completion, struct err *e);
int jsonl_read_tokens(struct jsonl *j, bool strict, struct err *e);
int jsonl_read_input_ids(struct jsonl *j, struct entry *ids, struct err *e);
int jsonl_read_vector(struct jsonl *j, struct err *e);
int jsonl_read_asset(struct jsonl *j, struct err *e);
int jsonl_read_tensor(struct jsonl *j, struct err *e);
int jsonl_read_data(struct jsonl *j, struct err *e);

#endif
