/* import.h - files of ids that other programs made, as a stream of token
 * records: the way back of record/export.h. All ids have loss then.
 *
 *     megatron  PREFIX.idx and PREFIX.bin. A document is a record. Ids may
 *               be of any whole type, and lie in any order.
 *     llm.c     FILE, of GPT-2's or Llama 3's kind, or "-". It has no
 *               documents but what a token parts: `end` closes a record, or
 *               begins one where the file begins with it, as in those that
 *               llm.c's own scripts write.
 *
 * Ordinal and group of a record are its number.
 */
#ifndef RECORD_IMPORT_H
#define RECORD_IMPORT_H

#include "stream/stream.h"

struct import {
    /* set by the caller, the rest zero */
    const char *program;   /* what the ledger calls it */
    const char *prov;      /* its line of provenance, or NULL */
    const char *tokenizer; /* content id that the ids are from, or NULL */
    uint64_t vocab;        /* ids are below it; 0: any */
    bool parted;           /* `end` is a token */
    uint32_t end;
    struct stream_out *out;

    uint64_t records, tokens;
    uint64_t empty; /* documents left out: no ids in them */
};

/* A segment of what path holds. ERR_DATA for what can't be such a file,
 * ERR_LIMIT for a document over a stream's record. */
typedef int import_format(struct import *m, const char *path, struct err *e);

import_format import_megatron, import_llmc;

/* Begins the segment, adds a record of n ids, ends the segment. */
int import_begin(struct import *m, struct err *e);
int import_record(struct import *m, const uint32_t *ids, size_t n,
                  struct err *e);
int import_end(struct import *m, struct err *e);

#endif
