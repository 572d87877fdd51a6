/* ask.h - lines that somebody types on a terminal, with editing and history
 * where libedit is installed. */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include <stdio.h>

#include "base/buf.h"

/* A terminal's. */
struct ask_streams {
    FILE *in, *out, *err;
};

struct ask {
    struct ask_streams streams;
    void *library;           /* of dlopen; NULL: not there */
    struct ask_calls *calls; /* its functions */
    void *editor, *history;
};

/* in is unbuffered as far as anybody else reads it; program: its name. For one
 * at a time. */
void ask_open(struct ask *a, const char *program,
              const struct ask_streams *streams);
void ask_close(struct ask *a);

/* The next line into *line, without its newline; one that ends in a backslash
 * goes on in the next. False at the end of the input, and when a signal asks
 * the program to stop (base/stop.h). */
bool ask_line(struct ask *a, struct buf *line);

#endif
