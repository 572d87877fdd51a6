/* json.h - JSON, read strictly and written.
 *
 * Three doors. json_check refuses what RFC 8259 refuses and what no honest
 * file holds: bad UTF-8, trailing bytes, duplicate keys, a NUL in a key,
 * depth over 64. json_user hands a checked text to cJSON: for small files
 * that people write. struct json is a pull reader over a checked text: for
 * big or hostile machine files (tokenizer.json, safetensors headers), where
 * a tree of nodes would cost forty times the text.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"

#define JSON_MAX_DEPTH 64

/* A string, not NUL-terminated. */
struct json_text {
    const char *p;
    size_t n;
};

/* Checks text[n]; where is the message's prefix (a file name). ERR_DATA
 * names the byte offset; depth over the limit is ERR_DATA too. */
int json_check(const char *text, size_t n, const char *where, struct err *e);

/* A long array or object near the root of a checked text. */
struct json_span {
    size_t at, end; /* bytes: its opening bracket, what is behind the closing */
    size_t n;       /* members */
};

#define JSON_INDEX_DEPTH 3

/* What a check came by that a reader of a big text would look for again. */
struct json_index {
    struct json_span *span; /* in the order that they open */
    size_t n, cap;
    struct map keys; /* of one object; the values: bytes behind their colons */
    const char *const *path;
    int n_path; /* names of it that lead to where the check is */
    size_t open[JSON_INDEX_DEPTH]; /* spans that the check is in */
};

/* As json_check. path: the names that lead from the root to the object whose
 * keys *ix gets, and NULL; there are none where the text has no such object.
 * *ix is released in any case. */
int json_check_index(struct json_index *ix, const char *const *path,
                     const char *text, size_t n, const char *where,
                     struct err *e);
void json_index_release(struct json_index *ix);

/* Checks and parses; *out is released by cJSON_Delete. Untouched on error. */
int json_user(cJSON **out, const char *text, size_t n, const char *where,
              struct err *e);

/* As json_user, from a regular file of at most max bytes. */
int json_user_file(cJSON **out, const char *path, uint64_t max,
                   struct err *e);

enum json_kind {
    JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING,
    JSON_ARRAY, JSON_OBJECT
};

/* The reader stands before a value. Each call consumes what it says. The
 * text must have passed json_check. */
struct json {
    const char *start, *p, *end;
    const char *where;
    const struct json_index *index; /* of the text; NULL: none */
};

struct json json_on(const char *text, size_t n, const char *where);

/* The kind of the value that comes next. */
enum json_kind json_kind(struct json *j);

/* Enters the array or object that comes next; ERR_DATA if it is another
 * kind. Then, for each member: json_next gives true and the reader stands
 * before the member's value (of an object, after its key, which is decoded
 * into *key); false ends and leaves the container. */
int json_enter_array(struct json *j, struct err *e);
int json_enter_object(struct json *j, struct err *e);
bool json_next_item(struct json *j);
bool json_next_key(struct json *j, struct buf *key);

/* How many items the array that comes next has; the reader stays there. */
int json_count_items(struct json j, size_t *n, struct err *e);

/* Consume a value of that kind; ERR_DATA with the offset otherwise. A u64
 * must be written without sign, fraction and exponent. json_view's string is
 * in the text itself or, if that has escapes, appended to *room: it is valid
 * for as long as both don't change. */
int json_string(struct json *j, struct buf *out, struct err *e);
int json_view(struct json *j, struct json_text *out, struct buf *room,
              struct err *e);
int json_u64(struct json *j, uint64_t *out, struct err *e);
int json_double(struct json *j, double *out, struct err *e);
int json_bool(struct json *j, bool *out, struct err *e);
void json_skip(struct json *j); /* any value */

/* ERR_DATA "WHERE: byte OFFSET: TEXT". */
int json_error(const struct json *j, struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends a JSON string with its quotes; s must be valid UTF-8. */
void json_put_string(struct buf *b, const char *s, size_t n);

/* Appends the JSON p[n], which json_check has passed, without white space
 * between its tokens. */
void json_put_compact(struct buf *b, const char *p, size_t n);

/* v in decimal: buf_addf would take most of the time of a list. */
void json_put_u64(struct buf *b, uint64_t v);

/* The shortest decimal that reads back as v; NaN and infinities as null. */
void json_put_double(struct buf *b, double v);

/* A member of an object: "name": and json_put_double, behind ", " unless it is
 * the first one. */
void json_put_number(struct buf *b, const char *name, double v);

#endif
