/* jinja.h - chat templates: the part of Jinja that they are written in.
 *
 * A template is read to a tree and run over values with the result that
 * transformers' apply_chat_template has: jinja2's sandbox with trim_blocks,
 * lstrip_blocks, loop controls, {% generation %} and tojson as json.dumps
 * with ensure_ascii=False. What jinja2 has and this has not is refused by
 * name, when the template is read or when a template comes to it.
 *
 * Every byte that is written knows where it is from: whether a message (and
 * which) or the tools put it there or the template itself, in which message's
 * turn, and whether between {% generation %} tags. So text of people's that
 * spells a special token isn't mistaken for one, and what the assistant says
 * is known without guessing.
 *
 * Limits: a template 1 MiB, 200 levels of nesting; a run 10 million steps, 64
 * MiB of output, 512 MiB of memory.
 */
#ifndef TEXT_JINJA_H
#define TEXT_JINJA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define JINJA_MAX_TEMPLATE (1u << 20)
#define JINJA_MAX_DEPTH 200
#define JINJA_MAX_RUN_DEPTH 1000
#define JINJA_MAX_STEPS 10000000u
#define JINJA_MAX_OUTPUT ((size_t)64 << 20)
#define JINJA_MAX_MEMORY ((size_t)512 << 20)

struct jinja;

/* Reads the template text[n]; where ("FILE") begins messages, with the line.
 * ERR_DATA for what is no template or beyond the subset, ERR_LIMIT. */
int jinja_read(struct jinja **out, const char *text, size_t n,
               const char *where, struct err *e);
void jinja_free(struct jinja *j);

/* Whether it has {% generation %}. */
bool jinja_has_generation(const struct jinja *j);

/* Its text, newlines all alike. */
const char *jinja_source(const struct jinja *j);

/* ---- a run ---- */

/* Whose bytes these are. */
#define JINJA_TEMPLATE 0 /* the template's, or a variable's of the caller */
#define JINJA_TOOLS UINT32_MAX
/* otherwise: 1 + number of the message */

/* Bytes of the output that are alike, up to `end`. */
struct jinja_span {
    size_t end;
    uint32_t origin;
    uint32_t turn;   /* 1 + number of the message that a loop is at, or 0 */
    bool generation;
};

struct jinja_text {
    struct buf text;
    struct jinja_span *span; /* in order, none empty; they cover text */
    size_t n_spans, cap;
};

void jinja_text_init(struct jinja_text *t);
void jinja_text_release(struct jinja_text *t);

/* The caller's variables, for one run or several. */
struct jinja_vars;

struct jinja_vars *jinja_vars_new(void);
void jinja_vars_free(struct jinja_vars *v);
void jinja_vars_clear(struct jinja_vars *v);

void jinja_set_bool(struct jinja_vars *v, const char *name, bool b);
void jinja_set_none(struct jinja_vars *v, const char *name);
void jinja_set_string(struct jinja_vars *v, const char *name, const char *p,
                      size_t n);

/* The value of the JSON text[n], which is checked; ERR_DATA. */
int jinja_set_json(struct jinja_vars *v, const char *name, const char *text,
                   size_t n, uint32_t origin, struct err *e);

/* A variable for each key of the object that the JSON text[n] is; name begins
 * messages. */
int jinja_set_all(struct jinja_vars *v, const char *name, const char *text,
                  size_t n, struct err *e);

/* Appends a message to the variable messages: of role and content, and the
 * keys of the JSON object json[n_json] (NULL: none), of which a content
 * replaces that of the record and null ones are left out, as transformers
 * does it. A role that is a plain word counts as the template's. */
int jinja_add_message(struct jinja_vars *v, const char *role, size_t n_role,
                      const char *content, size_t n_content,
                      const char *json, size_t n_json, struct err *e);

/* Whether the message added last, of that content, says anything: what is not
 * white space, or calls of tools (*calls). */
bool jinja_message_says(const struct jinja_vars *v, const char *content,
                        size_t n_content, bool *calls);

/* Seconds since 1970, UTC, that strftime_now tells; at first 0. */
void jinja_set_time(struct jinja_vars *v, int64_t seconds);

/* Runs the template over the first n_messages messages; *out is replaced.
 * ERR_DATA where it fails or refuses (raise_exception), ERR_LIMIT. */
int jinja_run(const struct jinja *j, struct jinja_vars *v, size_t n_messages,
              struct jinja_text *out, struct err *e);

#endif
