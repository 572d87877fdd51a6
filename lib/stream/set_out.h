/* set_out.h - making a shard set, or adding to one.
 *
 * The set is a directory of content-named files, cut in stream order, and a
 * manifest written last (stream/manifest.h). Files carry no prov lines:
 * those of a set are in its manifest, so equal content is equal files.
 *
 * Where the directory holds a set already, what comes is compared with it
 * record by record, and as long as they agree nothing is written. If they
 * agree to the end of both, no file is touched. If more comes, the last file
 * is written anew under its new name with what is added, and the rest stays.
 * The file of lengths is written anew where it differs or was not there.
 * Anything else is ERR_EXISTS, unless it is to be replaced; then, too, files
 * before the first difference stay, except those of a damaged set. Without
 * that a damaged set is an error.
 *
 * A file of records ends with the record that brings it to file_bytes
 * (records and eight bytes for each), one of tensors before the tensor that
 * would bring it over, so a tensor is never divided.
 *
 *     rc = set_out_open(&o, dir, replace, e);     before reading the input
 *     rc = set_out_begin(&o, head, file_bytes, e);
 *     rc = set_out_record(&o, p, n, e); ...
 *     manifest_add_range(&o.manifest, "train", 0, n, 0); ...
 *     rc = set_out_finish(&o, e);
 *     set_out_release(&o);
 *
 * Without set_out_finish a directory that was made is removed, and one that
 * held a set still holds it. It is locked (DIR/.lock) from open to the end
 * of the process.
 */
#ifndef STREAM_SET_OUT_H
#define STREAM_SET_OUT_H

#include "stream/set.h"

struct set_out {
    struct manifest manifest; /* the caller adds splits, inputs, ledger */
    bool written;             /* by set_out_finish: something changed */
    struct set_out_state *state;
};

/* ERR_IO when the parent of dir is not there, ERR_EXISTS when dir is no
 * directory, holds files of others, or is locked. */
int set_out_open(struct set_out *o, const char *dir, bool replace,
                 struct err *e);

/* The manifest of the set that is there, or NULL. */
const struct manifest *set_out_old(const struct set_out *o);

/* The header: type, keys and prov lines (for the manifest); `after` must not
 * be set. */
int set_out_begin(struct set_out *o, const struct stream_head *head,
                  uint64_t file_bytes, struct err *e);

int set_out_record(struct set_out *o, const void *p, size_t n,
                   struct err *e);

/* A tensor, and its n_data bytes in pieces of any size; in: the stream that
 * just gave these (stream_out_copy), or NULL. */
int set_out_tensor(struct set_out *o, const void *desc, size_t n,
                   uint64_t n_data, struct err *e);
int set_out_data(struct set_out *o, const struct stream_in *in, const void *p,
                 size_t n, struct err *e);

/* The next bytes of the file of lengths, which is a part of the set where any
 * come. */
int set_out_lengths(struct set_out *o, const void *p, size_t n,
                    struct err *e);

/* Closes the last file, writes the manifest and removes files that it does
 * not name. */
int set_out_finish(struct set_out *o, struct err *e);
void set_out_release(struct set_out *o);

#endif
