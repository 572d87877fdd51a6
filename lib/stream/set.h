/* set.h - reading a shard set: records by number, tensors by place.
 *
 * All files are mapped and their trailers compared with the manifest when
 * the set is opened; record frames are checked when they are read, tensor
 * data by set_check_data. Not for use by two threads at once; the tensors
 * may be read by any.
 */
#ifndef STREAM_SET_H
#define STREAM_SET_H

#include "stream/file.h"
#include "stream/manifest.h"

struct set_tensor {
    const void *desc; /* descriptor bytes (record/tensor.h) */
    size_t n_desc;
    const void *data; /* mapped, 64-byte aligned */
    uint64_t n_data;
    uint32_t file;    /* where it is: file and data frame */
    size_t frame;
};

struct set {
    char *path;
    struct manifest manifest;
    struct stream_file *file; /* manifest.n_files of them */
    struct set_tensor *tensor;
    size_t n_tensors;
    uint64_t mapped; /* bytes of all mappings */
    struct set_state *state;
};

/* True where path is a directory and the manifest.json in it begins like
 * that of a set. */
bool set_is(const char *path);

/* Reads the manifest of the set in a directory. type: what it must hold,
 * NULL for anything. ERR_DATA when there is no manifest. */
int set_manifest(struct manifest *m, const char *path, const char *type,
                 struct err *e);

/* type: what the set must hold, NULL for anything. ERR_IO when path is not
 * there, ERR_DATA when it is no set or files and manifest disagree (both
 * sides are named). */
int set_open(struct set *s, const char *path, const char *type,
             struct err *e);
void set_release(struct set *s);

/* Record i of the set (0 <= i < manifest.records; beyond is ERR_DATA). p
 * lives until the next call. Frames last used are kept: 64 of them or 64
 * MiB, whichever is less; going through the records in order decompresses
 * each frame once. */
int set_record(struct set *s, uint64_t i, const void **p, size_t *n,
               struct err *e);

/* Compares the data of all tensors with their hashes, by all threads
 * (base/par.h); ERR_DATA names the first that differ. */
int set_check_data(const struct set *s, struct err *e);

/* Looks at a record or tensor of a stream with that head; negative ends the
 * verification. */
typedef int set_look(void *ctx, const struct stream_head *head,
                     const struct stream_rec *rec, struct err *e);

/* Checks every byte of every stream file of the set with that manifest,
 * content ids included, without opening it; look (unless NULL) is called for
 * each record. Also on failure *good tells how many records and tensors come,
 * in the order of the set, before the first damage. */
int set_verify(const struct manifest *m, const char *path, set_look *look,
               void *ctx, uint64_t *good, struct err *e);

#endif
