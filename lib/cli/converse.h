/* converse.h - a conversation with somebody at a terminal. */
#ifndef CLI_CONVERSE_H
#define CLI_CONVERSE_H

#include "base/io.h"
#include "cli/ask.h"
#include "cli/speaker.h"

/* Reads lines from the terminal and writes the answers to out, until the input
 * ends or a signal asks the program to stop (stop_catch); an interrupt while
 * an answer is made ends the answer alone. What the cache has of the
 * conversation stays there from turn to turn. What can't be done is told, and
 * no error. */
int converse(struct speaker *s, const char *program,
             const struct ask_streams *terminal, struct out *out,
             struct err *e);

#endif
