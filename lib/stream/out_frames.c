/* out_frames.c - records frames, compressed and hashed by all threads.
 *
 * Frames are compressed with zstd at level 1 and stored as they are where
 * that does not make them smaller. That alone decides: memory that is out is
 * an error, not another way to store a frame.
 */
#include "stream/out_frames.h"

#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/mem.h"
#include "base/par.h"
#include "stream/stream.h"

#define ZSTD_LEVEL 1

/* Closed frames that wait, at most: so many for each thread, and in all. */
#define FRAMES_EACH 2
#define FRAMES_MOST 32

void
out_frames_init(struct out_frames *q)
{
    *q = (struct out_frames){0};
}

static void
list_release(struct frame_list *l)
{
    for (size_t i = 0; i < l->cap; i++) {
        buf_release(&l->frame[i].raw);
        buf_release(&l->frame[i].stored);
    }
    free(l->frame);
}

void
out_frames_release(struct out_frames *q)
{
    list_release(&q->filled);
    list_release(&q->packed);
    for (int i = 0; i < q->n_threads; i++)
        ZSTD_freeCCtx(q->zstd[i]);
    free(q->zstd);
    *q = (struct out_frames){0};
}

/* Frame n, which is there afterwards. */
static struct out_frame *
list_last(struct frame_list *l)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 1;
        l->frame = mem_grow(l->frame, l->cap * sizeof(l->frame[0]));
        for (size_t i = l->n; i < l->cap; i++) {
            l->frame[i] = (struct out_frame){0};
            buf_init(&l->frame[i].raw);
            buf_init(&l->frame[i].stored);
        }
    }
    return &l->frame[l->n];
}

/* Long records leave no large buffers behind: as many as wait would each
 * have one in the end. */
static void
list_empty(struct frame_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        struct out_frame *f = &l->frame[i];

        if (f->raw.cap > 4 * STREAM_FRAME_CLOSE) {
            buf_release(&f->raw);
            buf_release(&f->stored);
        }
        buf_reset(&f->raw);
        f->n_records = 0;
    }
    l->n = l->bytes = 0;
}

struct out_frame *
out_frames_open(struct out_frames *q)
{
    return list_last(&q->filled);
}

void
out_frames_close(struct out_frames *q, uint64_t seq)
{
    struct out_frame *f = out_frames_open(q);

    f->h = (struct frame_head){
        .kind = FRAME_RECORDS, .seq = seq, .raw = f->raw.len
    };
    q->filled.bytes += f->raw.len;
    q->filled.n++;
}

bool
out_frames_full(const struct out_frames *q)
{
    int threads = par_threads();
    size_t most = threads > 1 ? FRAMES_EACH * (size_t)threads : 1;

    if (most > FRAMES_MOST)
        most = FRAMES_MOST;
    return q->filled.n >= most
           || q->filled.bytes >= most * STREAM_FRAME_CLOSE;
}

static const char *
compress(struct out_frame *f, void **zstd)
{
    size_t n;

    if (!*zstd)
        *zstd = ZSTD_createCCtx();
    if (!*zstd)
        return "out of memory";
    buf_reset(&f->stored);
    n = ZSTD_compressCCtx(*zstd, buf_room(&f->stored, f->raw.len),
                          f->raw.len, f->raw.data, f->raw.len, ZSTD_LEVEL);
    if (ZSTD_isError(n)
        && ZSTD_getErrorCode(n) != ZSTD_error_dstSize_tooSmall)
        return ZSTD_getErrorName(n);
    f->h.flags = ZSTD_isError(n) || n >= f->raw.len ? 0 : FRAME_ZSTD;
    f->h.stored = f->h.flags ? n : f->raw.len;
    return NULL;
}

size_t
out_frames_pack(struct out_frames *q)
{
    struct out_frame open = *out_frames_open(q);
    struct frame_list closed = q->filled;

    list_empty(&q->packed);
    q->filled = q->packed;
    closed.frame[closed.n] = *out_frames_open(q);
    *out_frames_open(q) = open;
    q->packed = closed;
    if (!q->zstd) {
        q->n_threads = par_threads();
        q->zstd = mem_array((size_t)q->n_threads, sizeof(q->zstd[0]));
    }
    return closed.n ? closed.n + 1 : 0;
}

/* The content id is over all raw bytes in order. */
void
out_frames_job(struct out_frames *q, size_t i, int worker, struct tally *t)
{
    struct frame_list *l = &q->packed;
    struct out_frame *f;

    if (i == 0) {
        for (size_t k = 0; k < l->n; k++)
            tally_raw(t, l->frame[k].raw.data, l->frame[k].raw.len);
        return;
    }
    f = &l->frame[i - 1];
    f->failed = compress(f, &q->zstd[worker]);
    frame_head_format(f->head, &f->h,
                      f->h.flags ? f->stored.data : f->raw.data);
}
