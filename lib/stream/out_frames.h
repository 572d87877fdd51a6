/* out_frames.h - frames of records that are closed and not yet written;
 * private to lib/stream.
 *
 * What becomes of a frame depends on its records alone, so several of them
 * are packed, that is compressed and hashed, at once by all threads: one
 * thread that did that would hold up the others, as it takes as long as to
 * tokenize what is in them.
 */
#ifndef STREAM_OUT_FRAMES_H
#define STREAM_OUT_FRAMES_H

#include "stream/frame.h"
#include "stream/tally.h"

struct out_frame {
    struct buf raw, stored;
    uint64_t n_records;
    struct frame_head h;
    uint8_t head[FRAME_HEAD];
    const char *failed; /* NULL, or why it could not be compressed */
};

/* n frames and, behind those that are being filled, the one that is open. */
struct frame_list {
    struct out_frame *frame;
    size_t n, cap;
    size_t bytes; /* of the n, raw */
};

struct out_frames {
    struct frame_list filled, packed;
    void **zstd;   /* a context for each of n_threads; both are there when the
                      first frames are packed */
    int n_threads;
};

void out_frames_init(struct out_frames *q);
void out_frames_release(struct out_frames *q);

/* The frame that takes records. */
struct out_frame *out_frames_open(struct out_frames *q);

/* Closes it, as frame seq of the segment. */
void out_frames_close(struct out_frames *q, uint64_t seq);

/* Whether enough are closed to give all threads work. */
bool out_frames_full(const struct out_frames *q);

/* Makes the closed frames those to be packed: by so many jobs, which any
 * threads may do in any order, while others are filled. Those packed before
 * are done with. Job 0 gives the raw bytes to the tally. */
size_t out_frames_pack(struct out_frames *q);
void out_frames_job(struct out_frames *q, size_t i, int worker,
                    struct tally *t);

#endif
