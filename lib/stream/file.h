/* file.h - random access to a stream file of one segment, mapped.
 *
 * Opening reads the header, the trailer and the end block, and compares
 * sizes and offsets with the file; frames are checked when they are first
 * read, tensor data by stream_file_check_data. A file that somebody cuts
 * short while it is mapped ends the program (file_map_open).
 */
#ifndef STREAM_FILE_H
#define STREAM_FILE_H

#include "stream/stream.h"

struct stream_file {
    char *path;
    struct file_map map;
    struct stream_head head;
    struct stream_trailer trailer;
    struct stream_file_state *state;
};

/* type as for stream_in_open. More than one segment is ERR_DATA. */
int stream_file_open(struct stream_file *f, const char *path,
                     const char *type, struct err *e);
void stream_file_release(struct stream_file *f);

/* Frame i of the index (records or a descriptor), checked and decompressed
 * into *raw, which is replaced. */
int stream_file_frame(struct stream_file *f, size_t i, struct buf *raw,
                      struct err *e);

/* The bytes of data frame i in the mapping, 64-byte aligned, not checked. */
const void *stream_file_data(const struct stream_file *f, size_t i,
                             uint64_t *n);

/* Whether block k of data frame i is what its hash says. */
bool stream_file_block_good(const struct stream_file *f, size_t i,
                            uint64_t k);

/* Compares the bytes of data frame i with their hashes; ERR_DATA names the
 * offset of the first block that differs. Reads all of them. */
int stream_file_check_data(const struct stream_file *f, size_t i,
                           struct err *e);

#endif
