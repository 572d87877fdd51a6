/* in_bytes.c - the reader of a stream that is a file or a pipe.
 *
 * What goes by is tallied, and a segment is good when its trailer says the
 * same. A frame's bytes are taken in chunks, so that what a header claims is
 * never allocated before as much has arrived.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "stream/frame.h"
#include "stream/in.h"
#include "stream/tally.h"

#define CHUNK (1u << 20)

struct bytes_in {
    char *type;             /* what the caller expects, or NULL */
    uint64_t seq, seg_at;   /* next frame; input offset of the segment */
    uint64_t frame_at;      /* input offset of the current frame */
    uint8_t frame[FRAME_HEAD]; /* the header of the current frame */
    const char *raw;        /* records of the current frame */
    size_t raw_len, pos;
    uint64_t index;         /* of the next record in the segment */
    struct buf stored, plain;
    struct tally tally;
    struct stream_trailer seen; /* what the tally comes to */
    void *zstd;
};

static struct bytes_in *
state_of(const struct stream_in *in)
{
    return in->state;
}

static int
truncated(struct stream_in *in, const char *what, struct err *e)
{
    return err_set(e, ERR_DATA, "%s:%" PRIu64 ": truncated: input ends "
                   "within %s", in->in.name, in->in.at, what);
}

/* Exactly n bytes. */
static int
take(struct stream_in *in, void *p, size_t n, const char *what,
     struct err *e)
{
    size_t got = 0;
    int rc = in_read(&in->in, p, n, &got, e);

    if (rc == 0 && got < n)
        rc = truncated(in, what, e);
    return rc;
}

/* The zeros up to the next block. */
static int
take_pad(struct stream_in *in, struct err *e)
{
    uint64_t at = in->in.at;
    size_t n = block_pad(at - state_of(in)->seg_at);
    uint8_t pad[BLOCK_ALIGN];
    int rc = take(in, pad, n, "padding", e);

    return rc < 0 ? rc : pad_check(pad, n, in->in.name, at, e);
}

/* ---- segments ---- */

/* Makes a header block unread in the window and parses it: 1 and *used, 0 at
 * the end of the input. */
static int
find_head(struct stream_in *in, struct stream_head *h, const char **block,
          size_t *used, struct err *e)
{
    size_t want = BLOCK_ALIGN, got = 0;
    int rc;

    for (;;) {
        rc = in_peek(&in->in, want, block, &got, e);
        if (rc < 0 || (got == 0 && in->n_segments))
            return rc;
        if (got == 0)
            return err_set(e, ERR_DATA, "%s: empty input, no header",
                           in->in.name);
        rc = head_block_parse(h, *block, got, used, in->in.name, in->in.at,
                              e);
        if (rc != 0)
            return rc;
        if (got < want) {
            in_take(&in->in, got);
            return truncated(in, "the header", e);
        }
        want = got < 4096 ? got + BLOCK_ALIGN : 2 * got;
    }
}

static int
bytes_segment(struct stream_in *in, struct err *e)
{
    struct bytes_in *s = in->state;
    struct stream_head h;
    const char *block;
    size_t used;
    struct err was;
    int rc = find_head(in, &h, &block, &used, e);

    if (rc < 0 && in->n_segments) {
        was = *e;
        err_set(e, rc, "%s (after segment %" PRIu64 ")", was.text,
                in->n_segments);
    }
    if (rc <= 0)
        return rc;
    stream_head_release(&in->head);
    in->head = h;
    rc = head_expect(&h, s->type, in->in.name, e);
    if (rc == 0 && h.is_part && !in->parts)
        rc = err_set(e, ERR_USAGE, "%s: is file %" PRIu64 " of a shard set "
                     "(expected the set: name its directory)", in->in.name,
                     h.part);
    if (rc < 0)
        return rc;
    stream_trailer_reset(&in->trailer);
    tally_begin(&s->tally, &s->seen, &h, block, used);
    s->seg_at = in->in.at;
    s->seq = s->index = 0;
    s->raw_len = s->pos = 0;
    in_take(&in->in, used);
    return 1;
}

/* ---- frames ---- */

/* The next frame: its fields and its stored bytes, checked. */
static int
take_frame(struct stream_in *in, struct frame_head *h, struct err *e)
{
    struct bytes_in *s = in->state;
    uint64_t left;
    size_t k;
    int rc;

    s->frame_at = in->in.at;
    rc = take(in, s->frame, FRAME_HEAD, "a frame's header", e);
    if (rc == 0)
        rc = frame_head_parse(h, s->frame, in->in.name, s->frame_at, e);
    if (rc < 0)
        return rc;
    buf_reset(&s->stored);
    left = h->kind == FRAME_DATA ? 0 : h->stored;
    for (; rc == 0 && left > 0; left -= k) {
        k = left < CHUNK ? (size_t)left : CHUNK;
        rc = take(in, buf_room(&s->stored, k), k, "a frame", e);
        s->stored.len += k;
    }
    if (rc == 0)
        rc = frame_check(h, s->frame, s->stored.data, in->in.name,
                         s->frame_at, e);
    if (rc == 0 && h->seq != s->seq)
        rc = err_set(e, ERR_DATA, "%s:%" PRIu64 ": frame out of order "
                     "(found number %" PRIu64 ", expected %" PRIu64 ")",
                     in->in.name, s->frame_at, h->seq, s->seq);
    if (rc < 0)
        return rc;
    s->seq++;
    return take_pad(in, e);
}

/* The current frame counts. */
static void
see(struct bytes_in *s, const struct frame_head *h, uint64_t n_records)
{
    tally_frame(&s->tally, h, s->frame, s->frame_at - s->seg_at, n_records);
}

static int
take_records(struct stream_in *in, const struct frame_head *h,
             struct err *e)
{
    struct bytes_in *s = in->state;
    const void *p;
    size_t pos = 0, len, n = 0;
    int rc;

    rc = frame_raw(h, s->stored.data, &s->zstd, &s->plain, &s->raw,
                   in->in.name, s->frame_at, e);
    if (rc == 0 && h->raw == 0)
        rc = err_set(e, ERR_DATA, "%s:%" PRIu64 ": empty frame",
                     in->in.name, s->frame_at);
    for (; rc == 0 && pos < h->raw; n++)
        rc = record_next(s->raw, (size_t)h->raw, &pos, &p, &len,
                         in->in.name, s->frame_at, e);
    if (rc < 0)
        return rc;
    see(s, h, n);
    if (in->check_content)
        tally_raw(&s->tally, s->raw, (size_t)h->raw);
    s->raw_len = (size_t)h->raw;
    s->pos = 0;
    return 0;
}

/* A descriptor and the header of the data frame behind it. */
static int
take_tensor(struct stream_in *in, const struct frame_head *h,
            struct stream_rec *rec, struct err *e)
{
    struct bytes_in *s = in->state;
    struct frame_head data;
    struct buf keep;
    int rc;

    see(s, h, 0);
    if (in->check_content)
        tally_raw(&s->tally, s->stored.data, s->stored.len);
    keep = s->plain;
    s->plain = s->stored;
    s->stored = keep;
    rc = take_frame(in, &data, e);
    if (rc == 0 && data.kind != FRAME_DATA)
        rc = err_set(e, ERR_DATA, "%s:%" PRIu64 ": a tensor without data",
                     in->in.name, s->frame_at);
    if (rc < 0)
        return rc;
    see(s, &data, 0);
    *rec = (struct stream_rec){
        .kind = FRAME_TENSOR, .p = s->plain.data, .n = s->plain.len,
        .data = data.stored
    };
    return 1;
}

/* ---- the end ---- */

static int
take_trailer(struct stream_in *in, struct err *e)
{
    struct bytes_in *s = in->state;
    uint64_t at = in->in.at, length, trailer_at;
    uint8_t block[BLOCK_ALIGN];
    int rc;

    tally_end(&s->tally);
    rc = stream_trailer_parse(&in->trailer, s->stored.data, s->stored.len,
                              in->in.name, e);
    if (rc == 0)
        rc = tally_compare(&s->tally, &in->trailer, in->check_content,
                           in->in.name, s->frame_at, e);
    if (rc == 0)
        rc = take(in, block, sizeof(block), "the end block", e);
    if (rc == 0)
        rc = end_block_parse(block, &length, &trailer_at, in->in.name, at,
                             e);
    if (rc == 0 && (length != in->in.at - s->seg_at
                    || trailer_at != s->frame_at - s->seg_at))
        rc = err_set(e, ERR_DATA, "%s:%" PRIu64 ": end block: length (found "
                     "%" PRIu64 ", expected %" PRIu64 ")", in->in.name, at,
                     length, in->in.at - s->seg_at);
    if (rc < 0)
        return rc;
    in->n_segments++;
    return 0;
}

/* ---- what the caller sees ---- */

static int
next_record(struct stream_in *in, struct stream_rec *rec, struct err *e)
{
    struct bytes_in *s = in->state;
    struct frame_head h;
    const void *p;
    size_t n;
    int rc;

    while (s->pos == s->raw_len) {
        rc = take_frame(in, &h, e);
        if (rc < 0)
            return rc;
        if (h.kind == FRAME_TRAILER)
            return take_trailer(in, e);
        if (h.kind == FRAME_TENSOR)
            return take_tensor(in, &h, rec, e);
        if (h.kind != FRAME_RECORDS)
            return err_set(e, ERR_DATA, "%s:%" PRIu64 ": data without a "
                           "tensor", in->in.name, s->frame_at);
        rc = take_records(in, &h, e);
        if (rc < 0)
            return rc;
    }
    rc = record_next(s->raw, s->raw_len, &s->pos, &p, &n, in->in.name,
                     s->frame_at, e);
    if (rc < 0)
        return rc;
    *rec = (struct stream_rec){
        .kind = FRAME_RECORDS, .p = p, .n = n, .index = s->index++
    };
    in->n_records++;
    return 1;
}

static int
bytes_data(struct stream_in *in, void *p, size_t n, size_t *got,
           struct err *e)
{
    struct bytes_in *s = in->state;
    size_t k = tally_room(&s->tally, n);
    int rc;

    if (k == 0)
        return 0;
    rc = take(in, p, k, "a tensor", e);
    if (rc < 0)
        return rc;
    tally_data(&s->tally, p, k, in->check_content);
    *got = k;
    return s->tally.left > 0 ? 0 : take_pad(in, e);
}

static const struct id *
bytes_block(const struct stream_in *in)
{
    return tally_block(&state_of(in)->tally);
}

/* Drops the data that the caller did not want, first. */
static int
bytes_record(struct stream_in *in, struct stream_rec *rec, struct err *e)
{
    struct bytes_in *s = in->state;
    size_t got;
    int rc = 0;

    while (rc == 0 && s->tally.left > 0)
        rc = bytes_data(in, buf_room(&s->stored, CHUNK), CHUNK, &got, e);
    return rc < 0 ? rc : next_record(in, rec, e);
}

static void
bytes_release(struct stream_in *in)
{
    struct bytes_in *s = in->state;

    stream_trailer_release(&s->seen);
    buf_release(&s->stored);
    buf_release(&s->plain);
    zstd_free(s->zstd);
    free(s->type);
    free(s);
}

static const struct in_kind bytes_kind = {
    bytes_segment, bytes_record, bytes_data, bytes_block, bytes_release
};

int
in_bytes_open(struct stream_in *in, const char *path, bool regular,
              const char *type, struct err *e)
{
    struct bytes_in *s;
    int rc;

    memset(in, 0, sizeof(*in));
    rc = regular ? in_open_regular(&in->in, path, e)
                 : in_open(&in->in, path, e);
    if (rc < 0)
        return rc;
    stream_head_init(&in->head, "");
    stream_trailer_init(&in->trailer);
    s = mem_alloc(sizeof(*s));
    s->type = type ? mem_strdup(type) : NULL;
    buf_init(&s->stored);
    buf_init(&s->plain);
    stream_trailer_init(&s->seen);
    in->state = s;
    in->kind = &bytes_kind;
    return 0;
}
