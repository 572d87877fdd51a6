/* prompts.h - a file of prompts with checks, completed and scored.
 *
 * The file is JSON lines; schemas/prompts.schema.json has the keys. A key
 * that isn't there is an error, so that a misspelt check can't pass.
 */
#ifndef EVAL_PROMPTS_H
#define EVAL_PROMPTS_H

#include "base/buf.h"
#include "eval/generate.h"
#include "eval/suite.h"
#include "text/check.h"
#include "text/tokenizer.h"

/* What checks take for the program that a completion makes: the prompt and
 * it, it alone, or the code that it has in fences (text/fence.h), which is it
 * alone where it has none. */
enum program { PROGRAM_JOINED, PROGRAM_COMPLETION, PROGRAM_FENCED };

struct prompt {
    char *id;
    char *text;    /* to go on from, of len bytes; or NULL, and: */
    size_t len;
    char *chat;    /* a conversation to answer: the line {"messages": ...} */
    char *adapter; /* its name, "" for the base alone; NULL: none is named */
    char *cluster; /* what it has in common with others; NULL: nothing */
    enum program program;
    uint32_t max_tokens;
    char **stop;
    size_t n_stop;
    struct check_set checks;
};

struct prompts {
    struct prompt *item;
    size_t n, cap;
    uint64_t left_out; /* lines of a suite that are no prompts */
};

struct prompts_opts {
    uint32_t max_tokens;   /* of prompts that name none */
    bool adapters;         /* they may name adapters */
    enum suite_kind suite; /* that the file is of */
};

/* Reads the file at path ("-": stdin). ERR_DATA "FILE:LINE: ..."; limit: 16
 * MiB a line. On failure *p is released. */
int prompts_read(struct prompts *p, const char *path,
                 const struct prompts_opts *o, struct err *e);
void prompts_release(struct prompts *p);

/* Whether it has any check; one without says nothing about a model. */
bool prompt_checks(const struct prompt *p);

/* Between text and tokens. */
struct codec {
    /* Appends the tokens of a prompt to *ids. */
    int (*encode)(void *ctx, const struct prompt *p, struct ids *ids,
                  struct err *e);
    /* Appends the bytes of a token. */
    void (*decode)(void *ctx, int32_t id, struct buf *out);
    /* Whether the token ends a text. */
    bool (*ends)(void *ctx, int32_t id);
    void *ctx;
};

enum finish { FINISH_END, FINISH_STOP, FINISH_LENGTH };

struct completion {
    struct buf text;
    uint32_t n_prompt, n_tokens; /* of the prompt; generated */
    enum finish finish;          /* end token, stop string, length */
    struct check_result result;
    struct buf why;              /* the first check failed that ran it; empty:
                                    none did */
};

/* Completes and scores one prompt, but for the checks that run a program
 * (eval/run_check.h); sampling's site and max_tokens are set from it. The
 * completion is without the stop string. On failure *c is released. */
int prompt_complete(struct completion *c, const struct prompt *p,
                    struct generator *g, const struct codec *codec,
                    const struct sampling *s, struct err *e);
void completion_release(struct completion *c);

const char *finish_name(enum finish f); /* "end" and so on */

/* Appends a completion as JSON: a string or, where it is no UTF-8,
 * {"b64": ...}. */
void completion_put_text(struct buf *out, const struct buf *text);

/* One JSON object, without newline: id, model, sample (its number, where there
 * are several), prompt (of the first: a string, or an object with messages),
 * completion, finish, counts, each given check, whether all passed (null
 * without one), and why not. */
void completion_json(const struct completion *c, const struct prompt *p,
                     const char *model, uint32_t sample, uint32_t samples,
                     struct buf *out);

#endif
