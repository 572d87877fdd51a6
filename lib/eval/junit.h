/* junit.h - completions as the test cases of a JUnit XML file, which is what
 * continuous integration shows.
 *
 * A test suite a model, a case a completion: failed where a check didn't
 * hold, with what didn't and the completion; skipped where it has no check.
 */
#ifndef EVAL_JUNIT_H
#define EVAL_JUNIT_H

#include "base/buf.h"
#include "eval/prompts.h"

struct junit {
    const char *file; /* the prompts', which names their class */
    struct buf done;  /* the suites so far */
    struct buf cases; /* of the one that is open */
    uint64_t n, failed, skipped;
};

void junit_init(struct junit *j, const char *file);
void junit_release(struct junit *j);

/* A completion, sample of so many. */
void junit_add(struct junit *j, const struct prompt *p,
               const struct completion *c, uint32_t sample,
               uint32_t samples);

/* Ends the suite of that name. */
void junit_end(struct junit *j, const char *name);

/* Writes all of it as the file at path. */
int junit_write(const struct junit *j, const char *path, struct err *e);

#endif
