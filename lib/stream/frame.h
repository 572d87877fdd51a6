/* frame.h - the blocks that a stream consists of; private to lib/stream.
 *
 * All of them begin at multiples of 64 bytes within a segment, and what is
 * between them is zero:
 *
 *   header block   text, check block of 48 bytes
 *   frame          header of 64 bytes, stored bytes
 *   end block      64 bytes, after the trailer frame
 *
 * Check block: 89 67 0d 0a 1a 0a 00 ff, u32 0x01020304, u32 length of the
 * text, BLAKE2b-256 of the text and the 16 bytes before this. Frame header:
 * "GFrm", u8 kind, u8 flags, u16 0, u64 sequence number, u64 stored length,
 * u64 raw length, BLAKE2b-256 of those 32 bytes and the stored ones (of a
 * data frame: of the 32 only). End block: "graftend", u64 length of the
 * segment, u64 offset of the trailer frame, u64 0, BLAKE2b-256 of those 32.
 */
#ifndef STREAM_FRAME_H
#define STREAM_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "stream/head.h"
#include "stream/trailer.h"

#define BLOCK_ALIGN 64
#define FRAME_HEAD 64
#define HEAD_CHECK 48
#define FRAME_ZSTD 1u /* flag: the stored bytes are one zstd frame */

struct frame_head {
    enum frame_kind kind;
    unsigned flags;
    uint64_t seq, stored, raw;
    struct id hash;
};

/* Zero bytes needed after n to reach the next block. */
size_t block_pad(uint64_t n);

/* Appends the header block, padding included. */
int head_block_format(struct buf *b, const struct stream_head *h,
                      struct err *e);

/* Reads a header block at p[n]: 1 and *used, or 0 when more bytes are
 * needed to tell. at is the offset of p for messages. */
int head_block_parse(struct stream_head *h, const char *p, size_t n,
                     size_t *used, const char *where, uint64_t at,
                     struct err *e);

/* ERR_USAGE when a name or a value can't be in a header, ERR_LIMIT for over
 * 1024 keys; how long the text is isn't looked at. */
int head_allowed(const struct stream_head *h, struct err *e);

/* Adds what a content id begins with: lines type, key, after, a zero. */
void head_content(struct hash *content, const struct stream_head *h);

/* The 64 bytes for a frame with these stored bytes; sets h->hash. */
void frame_head_format(uint8_t out[FRAME_HEAD], struct frame_head *h,
                       const void *stored);

/* Reads the fields and checks each against what its kind may have. */
int frame_head_parse(struct frame_head *h, const uint8_t p[FRAME_HEAD],
                     const char *where, uint64_t at, struct err *e);

/* Compares the stored bytes (NULL for data) with the hash. */
int frame_check(const struct frame_head *h, const uint8_t p[FRAME_HEAD],
                const void *stored, const char *where, uint64_t at,
                struct err *e);

/* The raw bytes of a frame that passed frame_check: *raw is the stored bytes
 * themselves, or out filled by decompression. *zstd is a context that is
 * made at first use; zstd_free releases it. */
int frame_raw(const struct frame_head *h, const void *stored, void **zstd,
              struct buf *out, const char **raw, const char *where,
              uint64_t at, struct err *e);
void zstd_free(void *zstd);

void end_block_format(uint8_t out[BLOCK_ALIGN], uint64_t length,
                      uint64_t trailer_at);

/* Checks and reads the 64 bytes. */
int end_block_parse(const uint8_t p[BLOCK_ALIGN], uint64_t *length,
                    uint64_t *trailer_at, const char *where, uint64_t at,
                    struct err *e);

/* ERR_DATA unless p[n] is zero. */
int pad_check(const void *p, size_t n, const char *where, uint64_t at,
              struct err *e);

/* Takes the next record off raw[n] at *pos; ERR_DATA for a bad length. */
int record_next(const char *raw, size_t n, size_t *pos, const void **p,
                size_t *len, const char *where, uint64_t at, struct err *e);

/* Blocks of STREAM_BLOCK that n bytes of data make, and the offset behind a
 * frame of the index, padding included. */
uint64_t data_blocks(uint64_t n);
uint64_t frame_end(const struct frame_ref *f);

/* ERR_DATA unless the head's type is this one (NULL: any). */
int head_expect(const struct stream_head *h, const char *type,
                const char *where, struct err *e);

#endif
