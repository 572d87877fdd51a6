/* print.h - whole streams, sets and models as lines of JSON, on stdout; what
 * is of weights, on request, as a table. */
#ifndef RECORD_PRINT_H
#define RECORD_PRINT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/io.h"
#include "record/weights_table.h"

struct print {
    bool exact; /* header lines and tensor data, for fromjsonl to read back */
    bool table; /* weights as a table, for people */
    struct weights_table weights;
    struct out out;
    struct buf line;
    char *chunk; /* of tensor data */
};

/* exact goes before table. */
int print_open(struct print *s, bool exact, bool table, struct err *e);

/* Writes what is left if rc is 0; releases s and returns rc, or what went
 * wrong in writing. */
int print_close(struct print *s, int rc, struct err *e);

/* A stream: a file, "-", or a set's directory. */
int print_stream(struct print *s, const char *path, struct err *e);

/* The records of one split of a set; ERR_USAGE when it has none of that
 * name. */
int print_split(struct print *s, const char *path, const char *name,
                struct err *e);

/* A model directory, as the weights stream of it. */
int print_model(struct print *s, const char *path, struct err *e);

#endif
