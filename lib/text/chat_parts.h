/* chat_parts.h - what chat*.c know of each other; private to chat*.c. */
#ifndef TEXT_CHAT_PARTS_H
#define TEXT_CHAT_PARTS_H

#include "text/chat.h"
#include "text/tokenizer.h"

struct chat_message {
    bool assistant, system;
    bool learned;     /* the assistant's, and its weight is not 0 */
    bool says, calls; /* a content, calls of tools */
    bool passed;      /* chat_passed of it */
    char role[33];    /* as far as it goes */
    size_t at, n;     /* the first bytes of its turn that are together */
    size_t header;    /* of them, the prompt's */
};

/* Compares what j made of the messages with them: ERR_DATA for one of which
 * nothing is there, though it says something. */
int chat_check(struct chat *c, const struct jinja *j, struct err *e);

/* A token that the files beside tokenizer.json make. word: looked for in what
 * people wrote, too. */
struct chat_foreign {
    char *text;
    size_t len;
    bool word;
};

/* Takes what the object o, tokenizer_config.json or special_tokens_map.json,
 * says of tokens; what fails is remembered in c->why. A later one goes before
 * an earlier one. */
void chat_config_read(struct chat_template *c, const struct tokenizer *t,
                      const cJSON *o, const char *where);

/* The same of added_tokens.json; and, at last, of the tokens that were named
 * and those that the class of transformers names: o is tokenizer_config.json
 * or NULL. */
void chat_config_added(struct chat_template *c, const struct tokenizer *t,
                       const cJSON *o, const char *where);
void chat_config_end(struct chat_template *c, const struct tokenizer *t,
                     const cJSON *o, const char *where);

/* ERR_DATA where what c was cut to has a token of c->of->foreign. */
int chat_config_check(const struct chat *c, struct err *e);

#endif
