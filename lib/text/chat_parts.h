/* chat_parts.h - a message, as chat*.c know it; private to chat*.c. */
#ifndef TEXT_CHAT_PARTS_H
#define TEXT_CHAT_PARTS_H

#include "text/chat.h"

struct chat_message {
    bool assistant, system;
    bool says, calls; /* a content, calls of tools */
    bool passed;      /* chat_passed of it */
    char role[33];    /* as far as it goes */
    size_t at, n;     /* the first bytes of its turn that are together */
    size_t header;    /* of them, the prompt's */
};

/* Compares what j made of the messages with them: ERR_DATA for one of which
 * nothing is there, though it says something. */
int chat_check(struct chat *c, const struct jinja *j, struct err *e);

#endif
