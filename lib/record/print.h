/* print.h - whole streams, sets and models as lines of JSON, on stdout. */
#ifndef RECORD_PRINT_H
#define RECORD_PRINT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/io.h"

struct print {
    bool exact; /* header lines and tensor data, for fromjsonl to read back */
    struct out out;
    struct buf line;
    char *chunk; /* of tensor data */
};

int print_open(struct print *s, bool exact, struct err *e);

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
