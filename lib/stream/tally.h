/* tally.h - what the frames of a segment come to: its index, its counts and
 * its digests; private to lib/stream.
 *
 * The writer's trailer is what it tallied, and a segment that was read is
 * good when its trailer says what the reader tallied: so what belongs into a
 * trailer is said once.
 */
#ifndef STREAM_TALLY_H
#define STREAM_TALLY_H

#include "stream/frame.h"

struct tally {
    struct stream_trailer *trailer; /* grows with every frame */
    struct hash content, file;
    bool whole;          /* the content id is over data, not over hashes */
    struct hash block;   /* of the tensor's data since the last whole block */
    uint64_t left;       /* data bytes of the tensor still to come */
    uint64_t block_left; /* of them, until the block is full */
};

/* Begins a segment with that header, whose block is block[n]; what *trailer
 * held is dropped. */
void tally_begin(struct tally *t, struct stream_trailer *trailer,
                 const struct stream_head *h, const void *block, size_t n);

/* Enters a frame other than the trailer, which begins at offset `at` of the
 * segment with these 64 bytes; n_records of FRAME_RECORDS, else 0. */
void tally_frame(struct tally *t, const struct frame_head *h,
                 const uint8_t head[FRAME_HEAD], uint64_t at,
                 uint64_t n_records);

/* Raw bytes of a frame other than data, for the content id alone. A reader
 * that takes that on trust leaves them out. */
void tally_raw(struct tally *t, const void *p, size_t n);

/* Of the next n bytes of a tensor, how many may be given to the next two at
 * once: a block may end there. */
size_t tally_room(const struct tally *t, size_t n);

/* Data; content: for the content id, too, where that is over data. */
void tally_data(struct tally *t, const void *p, size_t n, bool content);

/* Data that went through another tally: block is its hash of the block that
 * ends with them, NULL where none does. */
void tally_copied(struct tally *t, const void *p, size_t n,
                  const struct id *block);

/* The hash of the block that ended with the data given last, or NULL. */
const struct id *tally_block(const struct tally *t);

/* All frames have come: sets the trailer's digests. */
void tally_end(struct tally *t);

/* After tally_end: ERR_DATA names what the trailer that was found at `at` of
 * the input says otherwise. content: whether all raw bytes were tallied. */
int tally_compare(const struct tally *t, const struct stream_trailer *found,
                  bool content, const char *where, uint64_t at,
                  struct err *e);

#endif
