/* chat.h - a conversation as its base's chat template spells it, in pieces
 * that know what is learned and where special tokens may be.
 *
 * The template is chat_template.jinja beside the tokenizer.json, with those
 * in additional_chat_templates, or else the key chat_template of
 * tokenizer_config.json there: a text, or several by name, of which
 * "tool_use" is for conversations that have tools. What it calls bos_token,
 * eos_token and so on is in tokenizer_config.json or special_tokens_map.json.
 * Where these make a token that tokenizer.json hasn't, a conversation that
 * has it is refused, as transformers would give it other ids.
 *
 * Learned is what stands between {% generation %} tags. Without any it is
 * what the template writes in an assistant's turn (while a loop over the
 * messages is at that message, or of its content), without what it writes to
 * have the turn begun: the conversation before it with
 * add_generation_prompt. What follows a last message of the assistant's is
 * learned, too. A message of the assistant's whose "weight" is 0 is not.
 *
 * Limits: those of jinja.h; 256 ways in which an assistant's turn begins.
 */
#ifndef TEXT_CHAT_H
#define TEXT_CHAT_H

#include "base/hash.h"
#include "base/json.h"
#include "text/jinja.h"
#include "text/template.h"

#define CHAT_MAX_HEADERS 256
#define CHAT_MAX_CONFIG (16u << 20)
#define CHAT_MAX_FOREIGN 1024
#define CHAT_DATE INT64_C(1721952000) /* 26 July 2024, seconds since 1970 */

/* What a base brings: shared by threads. */
struct chat_template {
    bool found;                   /* there is one, if it can be read or not */
    struct jinja *usual, *tools;  /* NULL: none, or it can't be read */
    cJSON *tokens; /* an object: bos_token and so on; null: none */
    struct chat_foreign *foreign; /* tokens that tokenizer.json hasn't so */
    size_t n_foreign;
    int64_t time;                 /* what strftime_now tells; at first
                                     CHAT_DATE */
    struct id id;                 /* of all that was read */
    struct err why;               /* code < 0: why it can't be run */
};

void chat_template_init(struct chat_template *c);
void chat_template_release(struct chat_template *c);

/* Looks beside the file `tokenizer`, which t was read from; path: a template
 * instead of the one there, or NULL. Fails only for `path` and for files
 * beside that can't be read: whether a template there is none, or none that
 * can be run, is told by chat_template_ok. */
int chat_template_open(struct chat_template *c, const char *tokenizer,
                       const struct tokenizer *t, const char *path,
                       struct err *e);

/* The files beside a tokenizer.json, wherever they are. */
struct chat_files {
    const char *where; /* a directory, for messages */
    /* Appends the file of that name to *text; *found: whether there is one.
     * Over max bytes may be ERR_LIMIT. */
    int (*read)(const struct chat_files *f, const char *name, uint64_t max,
                struct buf *text, bool *found, struct err *e);
    const void *ctx;
};

/* As chat_template_open, of such files. */
int chat_template_read(struct chat_template *c, const struct chat_files *f,
                       const struct tokenizer *t, const char *path,
                       struct err *e);

/* The day, "YYYY-MM-DD", that strftime_now tells, before chat_template_open;
 * ERR_USAGE where it is none. */
int chat_template_date(struct chat_template *c, const char *day,
                       struct err *e);

/* ERR_DATA where there is no template that can be run. */
int chat_template_ok(const struct chat_template *c, struct err *e);

/* A conversation; for one thread, used again and again. */
struct chat {
    const struct chat_template *of;
    struct jinja_vars *vars;
    struct jinja_text text, prompt;
    struct template_piece *piece; /* point into text */
    size_t n, cap;
    size_t n_messages;
    struct chat_message *message;
    size_t cap_messages;
    struct chat_header *header; /* beginnings of turns that are known */
    size_t n_headers;
    bool has_tools;
};

void chat_init(struct chat *c);
void chat_release(struct chat *c);

/* Begins a conversation; then what it has, in any order but that of the
 * messages. JSON that is none is ERR_DATA. */
void chat_begin(struct chat *c, const struct chat_template *of);
int chat_tools(struct chat *c, const char *json, size_t n, struct err *e);
int chat_variables(struct chat *c, const char *json, size_t n,
                   struct err *e);
int chat_add(struct chat *c, const char *role, size_t n_role,
             const char *content, size_t n_content, const char *json,
             size_t n_json, struct err *e);

/* Renders it to c->piece, c->n of them. marks: what people wrote may spell
 * special tokens, too. all: there need be nothing that the assistant says;
 * without, the target is all of it. ERR_DATA where the template refuses or
 * writes nothing of a message, or there is no target. */
int chat_end(struct chat *c, bool marks, bool all, struct err *e);

/* Renders it as a prompt, to which the assistant's answer is what comes next:
 * to pieces without a target. Fails as chat_end. */
int chat_prompt(struct chat *c, struct err *e);

/* Whether of the i-th message, a system message, nothing was written, as
 * another one was or as it is in prompts alone. */
bool chat_passed(const struct chat *c, size_t i);

#endif
