/* findings.h - what a program that looks at a plan has to say of it.
 *
 * A finding has a level, a name (SUBJECT.WHAT), a text, and where something
 * can be done about it, what. An error is what a run would end with, and has
 * its exit code.
 */
#ifndef CLI_FINDINGS_H
#define CLI_FINDINGS_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum finding_level {
    FINDING_OK,
    FINDING_NOTE,
    FINDING_WARNING,
    FINDING_ERROR,
    FINDING_LEVELS
};

struct finding {
    enum finding_level level;
    const char *name;    /* lives on */
    char *text;
    const char *remedy;  /* lives on; NULL: none */
    struct buf values;   /* members of a JSON object, each after a comma */
    int code;            /* of an error: an exit code */
};

/* All zeros at first. */
struct findings {
    struct finding *item;
    size_t n, cap;
};

/* One more. */
void findings_add(struct findings *f, enum finding_level level,
                  const char *name, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* An error, with e's text and code. */
void findings_error(struct findings *f, const char *name,
                    const struct err *e);

/* Of the last one. */
void findings_remedy(struct findings *f, const char *remedy);
void findings_value(struct findings *f, const char *key, double v);

/* The worst level that there is, FINDING_OK where there is nothing. */
enum finding_level findings_worst(const struct findings *f);
size_t findings_count(const struct findings *f, enum finding_level level);

/* 0, or the exit code of the first error. */
int findings_code(const struct findings *f);

/* As lines for people, those from a level on: a finding a line, and a line
 * more for its remedy. */
void findings_text(const struct findings *f, enum finding_level from,
                   struct buf *b);

/* As a JSON array; schemas/preflight.schema.json. */
void findings_json(const struct findings *f, struct buf *b);

void findings_release(struct findings *f);

#endif
