/* tip_facts.h - what a repository says of its files elsewhere than in them, at
 * the revision that is walked from: .gitattributes and LICENSE files. Of each
 * record it becomes fields, so that whoever gets the record needs no
 * repository.
 */
#ifndef RECORD_TIP_FACTS_H
#define RECORD_TIP_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "repo/attributes.h"
#include "repo/tip_files.h"

struct tip_facts {
    struct attributes attributes;
    struct map folder;  /* directory of a licence file -> place in ids */
    struct map head;    /* BLAKE2b of a file's first lines -> place, or 0 */
    struct buf ids;     /* SPDX ids, each with a NUL; the first is empty */
    struct buf room;
};

void tip_facts_init(struct tip_facts *f);
void tip_facts_release(struct tip_facts *f);

/* Reads the commit's tree. With keep_going what can't be read is passed over,
 * and counted in *lost; *first is why the first was. */
int tip_facts_read(struct tip_facts *f, struct objects *o,
                   const struct oid *commit, uint64_t max_entries,
                   bool keep_going, uint64_t *lost, struct err *first,
                   struct err *e);

/* The licence of the file of that path and text: what its first lines say, else
 * that of the nearest folder with a licence file; NULL where neither is. Valid
 * until the next call. Of two files in a folder the first in the order of their
 * names counts whose licence is known. */
const char *tip_facts_license(struct tip_facts *f, const char *path,
                              size_t n_path, const char *text, size_t n);

#endif
