/* file.c - a mapped stream file and its index. */
#include "stream/file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "stream/frame.h"

struct stream_file_state {
    void *zstd;
};

/* The end block of the file, which must be that of its only segment. */
static int
read_end(const struct stream_file *f, uint64_t *trailer_at, struct err *e)
{
    uint64_t n = f->map.n, length;
    int rc;

    if (n < BLOCK_ALIGN || n % BLOCK_ALIGN != 0)
        return err_set(e, ERR_DATA, "%s: truncated (length %" PRIu64
                       " is no multiple of %d)", f->path, n, BLOCK_ALIGN);
    rc = end_block_parse(f->map.p + n - BLOCK_ALIGN, &length, trailer_at,
                         f->path, n - BLOCK_ALIGN, e);
    if (rc < 0)
        return rc;
    if (length < n)
        return err_set(e, ERR_DATA, "%s: more than one segment (expected "
                       "one)", f->path);
    if (length > n || *trailer_at > n - BLOCK_ALIGN - FRAME_HEAD
        || *trailer_at % BLOCK_ALIGN != 0)
        return err_set(e, ERR_DATA, "%s: length (found %" PRIu64
                       ", expected %" PRIu64 ")", f->path, n, length);
    return 0;
}

/* Finds a frame in the mapping: its fields and stored bytes, checked. end is
 * where it must end before. */
static int
frame_at(const struct stream_file *f, uint64_t at, uint64_t end,
         struct frame_head *h, const uint8_t **stored, struct err *e)
{
    const uint8_t *p = f->map.p + at;
    int rc;

    if (end < FRAME_HEAD || at > end - FRAME_HEAD)
        return err_set(e, ERR_DATA, "%s:%" PRIu64 ": no room for a frame",
                       f->path, at);
    rc = frame_head_parse(h, p, f->path, at, e);
    if (rc < 0)
        return rc;
    if (h->stored > end - at - FRAME_HEAD)
        return err_set(e, ERR_DATA, "%s:%" PRIu64 ": frame length (found %"
                       PRIu64 ", %" PRIu64 " left)", f->path, at, h->stored,
                       end - at - FRAME_HEAD);
    *stored = p + FRAME_HEAD;
    return frame_check(h, p, *stored, f->path, at, e);
}

static int
read_trailer(struct stream_file *f, uint64_t at, struct err *e)
{
    uint64_t end = f->map.n - BLOCK_ALIGN, pad;
    const uint8_t *stored;
    struct frame_head h;
    int rc = frame_at(f, at, end, &h, &stored, e);

    if (rc < 0)
        return rc;
    pad = end - at - FRAME_HEAD - h.stored;
    if (h.kind != FRAME_TRAILER || pad != block_pad(h.stored))
        return err_set(e, ERR_DATA, "%s:%" PRIu64 ": no trailer here",
                       f->path, at);
    rc = pad_check(stored + h.stored, (size_t)pad, f->path, end - pad, e);
    if (rc == 0)
        rc = stream_trailer_parse(&f->trailer, (const char *)stored,
                                  (size_t)h.stored, f->path, e);
    if (rc == 0 && h.seq != f->trailer.n_frames)
        rc = err_set(e, ERR_DATA, "%s:%" PRIu64 ": trailer is frame %" PRIu64
                     " (expected %zu)", f->path, at, h.seq,
                     f->trailer.n_frames);
    return rc;
}

/* The index, against the space between header and trailer. */
static int
check_index(const struct stream_file *f, uint64_t head, uint64_t trailer_at,
            struct err *e)
{
    const struct stream_trailer *t = &f->trailer;
    uint64_t first = t->n_frames ? t->frame[0].at : head;
    uint64_t end = t->n_frames ? frame_end(&t->frame[t->n_frames - 1])
                               : head;

    if (first != head || end != trailer_at)
        return err_set(e, ERR_DATA, "%s: index (found frames from %" PRIu64
                       " to %" PRIu64 ", expected %" PRIu64 " to %" PRIu64
                       ")", f->path, first, end, head, trailer_at);
    return 0;
}

static int
read_head(struct stream_file *f, const char *type, size_t *used,
          struct err *e)
{
    size_t n = f->map.n;
    int rc;

    if (n == 0)
        return err_set(e, ERR_DATA, "%s: empty input, no header", f->path);
    if (n > 2 * STREAM_HEAD_MAX)
        n = 2 * STREAM_HEAD_MAX;
    rc = head_block_parse(&f->head, (const char *)f->map.p, n, used, f->path,
                          0, e);
    if (rc == 0)
        rc = err_set(e, ERR_DATA, "%s:%zu: truncated: input ends within the "
                     "header", f->path, n);
    if (rc < 0)
        return rc;
    return head_expect(&f->head, type, f->path, e);
}

int
stream_file_open(struct stream_file *f, const char *path, const char *type,
                 struct err *e)
{
    uint64_t trailer_at = 0;
    size_t head = 0;
    int rc;

    memset(f, 0, sizeof(*f));
    rc = file_map_open(&f->map, path, e);
    if (rc < 0)
        return rc;
    f->path = mem_strdup(path);
    f->state = mem_alloc(sizeof(*f->state));
    rc = read_head(f, type, &head, e);
    if (rc == 0)
        rc = read_end(f, &trailer_at, e);
    if (rc == 0)
        rc = read_trailer(f, trailer_at, e);
    if (rc == 0)
        rc = check_index(f, head, trailer_at, e);
    if (rc < 0)
        stream_file_release(f);
    return rc;
}

void
stream_file_release(struct stream_file *f)
{
    if (!f->state)
        return;
    zstd_free(f->state->zstd);
    free(f->state);
    f->state = NULL;
    stream_head_release(&f->head);
    stream_trailer_release(&f->trailer);
    file_map_release(&f->map);
    free(f->path);
    f->path = NULL;
}

int
stream_file_frame(struct stream_file *f, size_t i, struct buf *raw,
                  struct err *e)
{
    const struct frame_ref *ref = &f->trailer.frame[i];
    const uint8_t *stored;
    const char *bytes;
    struct frame_head h;
    int rc;

    rc = frame_at(f, ref->at, frame_end(ref), &h, &stored, e);
    if (rc < 0)
        return rc;
    if (h.kind != ref->kind || h.seq != i || h.raw != ref->raw
        || !id_equal(&h.hash, &ref->hash))
        return err_set(e, ERR_DATA, "%s:%" PRIu64 ": frame is not the one "
                       "in the index", f->path, ref->at);
    rc = frame_raw(&h, stored, &f->state->zstd, raw, &bytes, f->path,
                   ref->at, e);
    if (rc == 0 && bytes != raw->data) {
        buf_reset(raw);
        buf_add(raw, bytes, (size_t)h.raw);
    }
    file_map_done(&f->map, ref->at, frame_end(ref) - ref->at);
    return rc;
}

const void *
stream_file_data(const struct stream_file *f, size_t i, uint64_t *n)
{
    const struct frame_ref *ref = &f->trailer.frame[i];

    *n = ref->stored;
    return f->map.p + ref->at;
}

bool
stream_file_block_good(const struct stream_file *f, size_t i, uint64_t k)
{
    const struct frame_ref *ref = &f->trailer.frame[i];
    uint64_t at = k * STREAM_BLOCK, n = ref->stored - at;
    struct id id = id_of(f->map.p + ref->at + at,
                         n < STREAM_BLOCK ? (size_t)n : STREAM_BLOCK);

    return id_equal(&id, &f->trailer.block[ref->block + k]);
}

int
stream_file_check_data(const struct stream_file *f, size_t i, struct err *e)
{
    const struct frame_ref *ref = &f->trailer.frame[i];
    uint64_t n_blocks = data_blocks(ref->stored);

    for (uint64_t k = 0; k < n_blocks; k++)
        if (!stream_file_block_good(f, i, k))
            return err_set(e, ERR_DATA, "%s:%" PRIu64 ": tensor data do not "
                           "match their hash", f->path,
                           ref->at + k * STREAM_BLOCK);
    return 0;
}
