/* trailer.h - the end of a stream segment: counts, digests, ledger, index.
 *
 * Key-value text, one item a line, in this order:
 *
 *     records N             records in the segment
 *     raw N                 their bytes with lengths, uncompressed
 *     tensors N
 *     data N                bytes of tensors
 *     content HEX           the content id
 *     file HEX              the file digest
 *     input HEX             content id of an input, any number
 *     ledger PROGRAM REASON COUNT
 *     frame OFFSET STORED RAW RECORDS HASH
 *     tensor OFFSET STORED RAW HASH     a descriptor
 *     data-at OFFSET LENGTH             its bytes
 *     block HASH                        of each 16 MiB of them
 *     end
 *
 * The frame, tensor, data-at and block lines are the index, in the order of
 * the frames. OFFSET is that of the frame's header (of data: of its first
 * byte) from the first byte of the segment.
 *
 * Content id: BLAKE2b-256 over the header's lines "type", "key" and "after",
 * with their newlines, in the order of the header, then a zero byte, then
 * the raw payloads in order: of record frames the bytes after decompression,
 * of a tensor its descriptor and then the hashes of its blocks (version 1: its
 * data, which are hashed twice then). File digest: BLAKE2b-256
 * over the header block, then the 64-byte header of every frame before the
 * trailer, and after a data frame's the hashes of its blocks; those hold the
 * hashes of all other bytes.
 */
#ifndef STREAM_TRAILER_H
#define STREAM_TRAILER_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "stream/ledger.h"

enum frame_kind {
    FRAME_RECORDS = 1, /* length-prefixed records */
    FRAME_TENSOR = 2,  /* a tensor's descriptor; a data frame follows */
    FRAME_DATA = 3,    /* a tensor's bytes */
    FRAME_TRAILER = 4
};

/* A line of the index. */
struct frame_ref {
    enum frame_kind kind;
    uint64_t at;        /* of the frame's header; data: of the first byte */
    uint64_t stored;    /* bytes stored, without padding */
    uint64_t raw;       /* bytes after decompression; data: stored */
    uint64_t records;   /* of FRAME_RECORDS */
    uint64_t first;     /* records before this frame */
    struct id hash;     /* unused for data */
    size_t block;       /* data: its first hash in stream_trailer.block */
};

struct stream_trailer {
    uint64_t records, raw, tensors, data;
    struct id content, file;
    struct id *input;
    size_t n_inputs;
    struct ledger ledger;
    struct frame_ref *frame;
    size_t n_frames, cap_frames;
    struct id *block;
    size_t n_blocks, cap_blocks;
};

void stream_trailer_init(struct stream_trailer *t);
void stream_trailer_release(struct stream_trailer *t);
void stream_trailer_reset(struct stream_trailer *t); /* as init, keeps t */

/* Append to the index. */
struct frame_ref *stream_trailer_frame(struct stream_trailer *t);
void stream_trailer_block(struct stream_trailer *t, const struct id *hash);
void stream_trailer_input(struct stream_trailer *t, const struct id *id);

void stream_trailer_format(struct buf *b, const struct stream_trailer *t);

/* Strict; ERR_DATA, *t (which must be initialised) undefined but
 * releasable. Sums and bounds are checked: the counts are those of the
 * index, and frames follow each other without a gap. */
int stream_trailer_parse(struct stream_trailer *t, const char *text, size_t n,
                         const char *where, struct err *e);

#endif
