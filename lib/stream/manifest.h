/* manifest.h - manifest.json of a shard set; schemas/set-manifest.schema.json.
 *
 * A set is a directory of stream files of one segment each, cut in stream
 * order; it is complete when its manifest is there. File i is called
 * IIIII-HHHHHHHHHHHHHHHH.graft: its number, five digits or more, and the
 * first sixteen of its content id. A set of tokens has one file more,
 * lengths-HHHHHHHHHHHHHHHH, named by its hash: what is known of each record
 * (record/lengths.h has its bytes). A set is named by its content id:
 * BLAKE2b-256 over the type and key lines as in a stream's, a zero byte, the
 * content ids of its files (32 bytes each), the text of its splits, a line
 * "NAME BEGIN END" for each range, and a line "sampling RULE" for each rule.
 *
 * Limits: 64 MiB of JSON, 1,000,000 files.
 */
#ifndef STREAM_MANIFEST_H
#define STREAM_MANIFEST_H

#include "stream/stream.h"

#define MANIFEST_NAME "manifest.json"
#define MANIFEST_MAX_RULES 1024 /* of sampling */
#define MANIFEST_MAX_RULE 1024  /* bytes of one */

struct set_file {
    char *name;
    uint64_t bytes, records, tensors;
    struct id content, file; /* as in its trailer */
};

/* The file of lengths; its name is "" where the set has none. */
struct set_lengths {
    char name[32];
    uint64_t bytes;
    struct id file; /* of its bytes */
};

struct set_range {
    uint64_t begin, end; /* record numbers in the set, end excluded */
};

/* Part of the records: "train", "val", "test". Ranges ascend and do not
 * touch within a split nor overlap between splits. */
struct set_split {
    char *name;
    uint64_t records; /* sum of the ranges */
    uint64_t tokens;  /* of token sets; 0 otherwise */
    struct set_range *range;
    size_t n, cap;
};

/* Of the records of a split that is held out: how many have an edit, a file's
 * content, a commit that is in train, too (record/leaks.h). */
struct set_leak {
    char *split;
    uint64_t edit, content, commit;
};

struct manifest {
    struct stream_head head; /* type, keys, prov; no `after` */
    struct id content;
    uint64_t records, tensors;
    struct set_file *file;
    size_t n_files;
    struct set_lengths lengths; /* no part of the content id */
    struct set_split *split;
    size_t n_splits;
    char **sampling; /* rules, as record/sampling.h has them */
    size_t n_sampling;
    struct set_leak *leak; /* none where nothing is known of the records */
    size_t n_leaks;
    struct id *input; /* content ids of the segments it was made of */
    size_t n_inputs;
    uint64_t *segment; /* records of each; none where the set is one */
    size_t n_segments;
    struct ledger ledger;
};

void manifest_init(struct manifest *m, const char *type);
void manifest_release(struct manifest *m);

/* Appends a file that has been written: its name follows from its number
 * and trailer. Returns the entry. */
struct set_file *manifest_add_file(struct manifest *m,
                                   const struct stream_trailer *t,
                                   uint64_t bytes);

/* The set has a file of lengths with so many bytes and that hash. */
void manifest_set_lengths(struct manifest *m, uint64_t bytes,
                          const struct id *file);

/* Adds the split if it is not there, and a range at its end; a range that
 * begins where the last one ends continues it. tokens is added, too. */
void manifest_add_range(struct manifest *m, const char *split,
                        uint64_t begin, uint64_t end, uint64_t tokens);
const struct set_split *manifest_split(const struct manifest *m,
                                       const char *name);

/* Whether record i is in the split. *range is zero at first and only moves on,
 * so that a pass over records in their order walks the ranges once. */
bool manifest_split_has(const struct set_split *s, size_t *range, uint64_t i);

/* The name of the split that record i is in, or NULL. */
const char *manifest_split_of(const struct manifest *m, uint64_t i);

/* Whether a text can be a rule of sampling: one to MANIFEST_MAX_RULE bytes of
 * UTF-8 without control characters. */
bool manifest_rule_allowed(const char *rule);
void manifest_add_sampling(struct manifest *m, const char *rule);
void manifest_add_leak(struct manifest *m, const char *split, uint64_t edit,
                       uint64_t content, uint64_t commit);
void manifest_add_input(struct manifest *m, const struct id *id);

/* The next segment that the set is made of has so many records. */
void manifest_add_segment(struct manifest *m, uint64_t records);

/* Sets content, records and tensors from the rest; `after` goes: a set is
 * whole. Its files may not have that line either. Segments are forgotten
 * where there is only one, or where there are tensors. */
void manifest_finish(struct manifest *m);

/* The name of file number i with that content id, into out. */
void manifest_file_name(char out[64], size_t i, const struct id *content);

/* The same bytes for the same manifest. */
void manifest_format(struct buf *b, const struct manifest *m);

/* *m must not be in use. Strict: unknown keys, sums that differ, names that
 * are not the ones above are ERR_DATA. */
int manifest_read(struct manifest *m, const char *path, struct err *e);

/* Finishes *m and writes DIR/manifest.json atomically: the last step in the
 * making of a set. The file is not touched where nothing changes. */
int manifest_write(struct manifest *m, const char *dir, struct err *e);

#endif
