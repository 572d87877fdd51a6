/* export_ids.h - a file of ids of one width, as Megatron-LM and llm.c have
 * them; private to export_*.c. */
#ifndef RECORD_EXPORT_IDS_H
#define RECORD_EXPORT_IDS_H

#include <stddef.h>

#include "base/buf.h"
#include "base/io.h"
#include "record/export.h"
#include "record/tokens.h"
#include "stream/head.h"

struct ids_file {
    struct export *x;        /* counted in */
    struct out out;
    struct stream_head head; /* of the first segment, when begun */
    bool begun;
    uint64_t vocab;          /* of it; 0: it doesn't say */
    enum tokens_loss loss;   /* of it */
    unsigned width;          /* bytes of an id: 2 or 4 */
    uint32_t most;           /* an id may be */
    uint32_t *ids;
    size_t cap;
    struct buf bytes;
};

/* ERR_EXISTS where path is there. */
int ids_file_open(struct ids_file *f, struct export *x, const char *path,
                  struct err *e);
void ids_file_release(struct ids_file *f);

/* Takes the head of a record's segment. *first tells that it is the first,
 * and the caller then sets width and most. All segments must have one head:
 * ERR_DATA. */
int ids_file_head(struct ids_file *f, const struct stream_head *head,
                  bool *first, struct err *e);

/* Writes the ids of a token record; *n tells how many. One without any is
 * counted as empty. */
int ids_file_add(struct ids_file *f, const void *p, size_t size, size_t *n,
                 struct err *e);

#endif
