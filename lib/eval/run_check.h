/* run_check.h - checks that compile or run what a completion is a program of.
 *
 * The program is run in a sandbox (eval/sandbox.h). A test has passed when it
 * came to its end: behind it stands a line that tells a number drawn for this
 * run, and without it nothing has passed that exited with 0, say, because the
 * completion did. That is no defence against a program that looks for that
 * line.
 */
#ifndef EVAL_RUN_CHECK_H
#define EVAL_RUN_CHECK_H

#include "eval/prompts.h"
#include "eval/sandbox.h"

/* Whether there is all that the prompts' checks need, a sandbox and, in it,
 * the compilers: ERR_IO says what is missing. Does nothing where no prompt
 * has such a check. */
int run_checks_ready(const struct prompts *p,
                     const struct sandbox_limits *limits, struct err *e);

/* Runs the prompt's checks of that kind on the completion, and puts what they
 * came to into c->result; c->why tells what the first that failed did. */
int run_checks(const struct prompt *p, struct completion *c,
               const struct sandbox_limits *limits, struct err *e);

#endif
