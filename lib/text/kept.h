/* kept.h - the records that were kept, and whether another one is like them.
 *
 * What is known of each is an entry of a log: an id for exact comparison and,
 * of a text that has one, its sketch (minhash.h). Two hash tables find in it
 * who has the same id, and who shares a band. All of this lies on disk
 * (base/spill.h). A file of the log alone goes on where a run before ended.
 *
 * In each band the KEPT_NEWEST newest records that share it are compared, so
 * the time a record takes has a bound, also where all are half alike.
 */
#ifndef TEXT_KEPT_H
#define TEXT_KEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/io.h"
#include "text/chains.h"
#include "text/minhash.h"

#define KEPT_NEWEST 256
#define KEPT_VERSION 2

/* What is compared of a record. */
struct kept_look {
    struct id id;         /* the same: the records are */
    bool near;            /* it has a sketch */
    struct sketch sketch; /* of kept.banding */
};

enum kept_found { KEPT_NONE, KEPT_EXACT, KEPT_NEAR };

struct kept_match {
    enum kept_found found;
    uint64_t number;   /* of the record that it is like */
    double similarity;
};

struct kept {
    double threshold;
    struct banding banding;
    uint64_t seen;       /* records that were numbered, kept or not: the
                            caller counts */

    /* private */
    struct spill log;    /* entries */
    size_t log_len;
    struct spill at;     /* u64 for each kept record: its entry */
    struct spill near;   /* struct kept_near, of those with a sketch */
    struct chains exact; /* entry i: kept record i */
    struct chains bands; /* entry i: record i / bands of `near` */
    uint64_t finds;
};

/* Nothing kept yet. dir: where temporary files may be. ERR_IO. */
int kept_open(struct kept *k, double threshold, const char *dir,
              struct err *e);
void kept_release(struct kept *k);

/* The kept record that this one is like: the same, or at least as similar as
 * the threshold. */
void kept_find(struct kept *k, const struct kept_look *look,
               struct kept_match *m);

/* Keeps it, as record `number`, over all before. ERR_IO, ERR_LIMIT. */
int kept_add(struct kept *k, const struct kept_look *look, uint64_t number,
             struct err *e);

/* What a file holds is kept, too; k is empty, and its threshold must be the
 * file's (ERR_EXISTS). ERR_DATA: no such file, another version, damaged.
 * *id: the file's content id. */
int kept_read(struct kept *k, const char *path, struct id *id, struct err *e);

/* Writes all of it to out, for kept_read. */
int kept_write(const struct kept *k, struct out *out, struct err *e);

/* As kept_read, of the bytes p[n] called name. */
int kept_parse(struct kept *k, const uint8_t *p, size_t n, const char *name,
               struct err *e);

#endif
