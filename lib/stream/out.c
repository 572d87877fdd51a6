/* out.c - the writer.
 *
 * A records frame is closed by the record that brings it to 512 KiB, by a
 * tensor, and by the end of the segment, on nothing else: what is written
 * depends on the records alone. Frames are compressed with zstd at level 1
 * and stored as they are where that does not make them smaller.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/mem.h"
#include "stream/frame.h"
#include "stream/stream.h"
#include "stream/tally.h"

#define ZSTD_LEVEL 1

struct stream_out_state {
    bool open;              /* within a segment */
    uint64_t seq;           /* of the next frame */
    uint64_t at;            /* bytes of the segment written */
    uint64_t n_records;     /* in the frame being filled */
    struct tally tally;     /* of the frames before it */
    struct buf raw, stored; /* the frame being filled; scratch */
    struct ledger skipped;  /* by this program */
    ZSTD_CCtx *zstd;
};

int
stream_out_open(struct stream_out *o, const char *path, struct err *e)
{
    int rc;

    memset(o, 0, sizeof(*o));
    if (strcmp(path, "-") == 0 && isatty(STDOUT_FILENO))
        return err_set(e, ERR_USAGE, "stdout: is a terminal, and a stream is "
                       "no text: pipe it to tojsonl, or redirect it to a "
                       "file");
    rc = out_open(&o->out, path, e);
    if (rc < 0)
        return rc;
    stream_trailer_init(&o->trailer);
    o->state = mem_alloc(sizeof(*o->state));
    buf_init(&o->state->raw);
    buf_init(&o->state->stored);
    ledger_init(&o->state->skipped);
    return 0;
}

static void
release_state(struct stream_out *o)
{
    struct stream_out_state *s = o->state;

    stream_trailer_release(&o->trailer);
    if (!s)
        return;
    ZSTD_freeCCtx(s->zstd);
    buf_release(&s->raw);
    buf_release(&s->stored);
    ledger_release(&s->skipped);
    free(s);
    o->state = NULL;
}

void
stream_out_release(struct stream_out *o)
{
    if (o->state)
        out_release(&o->out);
    release_state(o);
}

/* Writes bytes of the segment, then zeros to the next block. */
static int
put(struct stream_out *o, const void *p, size_t n, struct err *e)
{
    int rc = out_write(&o->out, p, n, e);

    o->state->at += n;
    return rc;
}

static int
put_pad(struct stream_out *o, struct err *e)
{
    static const uint8_t zero[BLOCK_ALIGN];

    return put(o, zero, block_pad(o->state->at), e);
}

int
stream_out_begin(struct stream_out *o, const struct stream_head *h,
                 struct err *e)
{
    struct stream_out_state *s = o->state;
    int rc;

    if (s->open)
        return err_set(e, ERR_IO, "stream: segment begun within another");
    buf_reset(&s->stored);
    rc = head_block_format(&s->stored, h, e);
    if (rc < 0)
        return rc;
    ledger_release(&s->skipped);
    buf_reset(&s->raw);
    s->n_records = s->seq = s->at = 0;
    tally_begin(&s->tally, &o->trailer, h, s->stored.data, s->stored.len);
    s->open = true;
    return put(o, s->stored.data, s->stored.len, e);
}

/* Writes a frame's header and stored bytes. */
static int
put_frame(struct stream_out *o, struct frame_head *h, const void *stored,
          struct err *e)
{
    struct stream_out_state *s = o->state;
    uint8_t head[FRAME_HEAD];
    int rc;

    h->seq = s->seq++;
    frame_head_format(head, h, stored);
    if (h->kind != FRAME_TRAILER)
        tally_frame(&s->tally, h, head, s->at, s->n_records);
    rc = put(o, head, sizeof(head), e);
    if (rc == 0 && h->kind != FRAME_DATA)
        rc = put(o, stored, (size_t)h->stored, e);
    return rc < 0 ? rc : put_pad(o, e);
}

/* Compresses raw into s->stored; *stored = 0: it did not get smaller. That
 * alone decides, so memory that is out is an error, not another way to store
 * a frame. */
static int
compress(struct stream_out_state *s, uint64_t *stored, struct err *e)
{
    size_t n;

    if (!s->zstd)
        s->zstd = ZSTD_createCCtx();
    if (!s->zstd)
        return err_set(e, ERR_IO, "zstd: out of memory");
    buf_reset(&s->stored);
    n = ZSTD_compressCCtx(s->zstd, buf_room(&s->stored, s->raw.len),
                          s->raw.len, s->raw.data, s->raw.len, ZSTD_LEVEL);
    if (ZSTD_isError(n)
        && ZSTD_getErrorCode(n) != ZSTD_error_dstSize_tooSmall)
        return err_set(e, ERR_IO, "zstd: %s", ZSTD_getErrorName(n));
    *stored = ZSTD_isError(n) || n >= s->raw.len ? 0 : n;
    return 0;
}

/* Closes the records frame, if there is one. */
static int
flush(struct stream_out *o, struct err *e)
{
    struct stream_out_state *s = o->state;
    struct frame_head h = {.kind = FRAME_RECORDS, .raw = s->raw.len};
    int rc;

    if (s->raw.len == 0)
        return 0;
    tally_raw(&s->tally, s->raw.data, s->raw.len);
    rc = compress(s, &h.stored, e);
    if (rc < 0)
        return rc;
    h.flags = h.stored ? FRAME_ZSTD : 0;
    if (!h.stored)
        h.stored = h.raw;
    rc = put_frame(o, &h, h.flags ? s->stored.data : s->raw.data, e);
    s->n_records = 0;
    buf_reset(&s->raw);
    return rc;
}

/* What may be written now: ERR_IO names a caller's mistake. */
static int
expect(const struct stream_out *o, bool data, struct err *e)
{
    if (!o->state->open)
        return err_set(e, ERR_IO, "stream: no segment begun");
    if (!data && o->state->tally.left)
        return err_set(e, ERR_IO, "stream: %" PRIu64 " bytes of a tensor "
                       "are missing", o->state->tally.left);
    return 0;
}

int
stream_out_record(struct stream_out *o, const void *p, size_t n,
                  struct err *e)
{
    struct stream_out_state *s = o->state;
    int rc = expect(o, false, e);

    if (rc < 0)
        return rc;
    if (n > STREAM_RECORD_MAX)
        return err_set(e, ERR_LIMIT, "record of %zu bytes (limit %u)", n,
                       STREAM_RECORD_MAX);
    buf_varint(&s->raw, n);
    buf_add(&s->raw, p, n);
    s->n_records++;
    return s->raw.len >= STREAM_FRAME_CLOSE ? flush(o, e) : 0;
}

int
stream_out_tensor(struct stream_out *o, const void *desc, size_t n,
                  uint64_t n_data, struct err *e)
{
    struct stream_out_state *s = o->state;
    struct frame_head h = {.kind = FRAME_TENSOR, .stored = n, .raw = n};
    int rc = expect(o, false, e);

    if (rc == 0 && (n == 0 || n > STREAM_TENSOR_MAX))
        rc = err_set(e, ERR_LIMIT, "tensor descriptor of %zu bytes (limit "
                     "%u)", n, STREAM_TENSOR_MAX);
    if (rc == 0)
        rc = flush(o, e);
    if (rc < 0)
        return rc;
    tally_raw(&s->tally, desc, n);
    rc = put_frame(o, &h, desc, e);
    if (rc < 0)
        return rc;
    h = (struct frame_head){
        .kind = FRAME_DATA, .stored = n_data, .raw = n_data
    };
    return put_frame(o, &h, NULL, e);
}

int
stream_out_data(struct stream_out *o, const void *p, size_t n, struct err *e)
{
    struct tally *t = &o->state->tally;
    const char *at = p;
    size_t k;
    int rc = expect(o, true, e);

    if (rc == 0 && n > t->left)
        rc = err_set(e, ERR_IO, "stream: %zu bytes of data, %" PRIu64
                     " are expected", n, t->left);
    for (; rc == 0 && n > 0; at += k, n -= k) {
        k = tally_room(t, n);
        tally_raw(t, at, k);
        tally_data(t, at, k);
        rc = put(o, at, k, e);
        if (rc == 0 && t->left == 0)
            rc = put_pad(o, e);
    }
    return rc;
}

void
stream_out_skip(struct stream_out *o, const char *program,
                const char *reason, uint64_t count)
{
    ledger_add(&o->state->skipped, program, reason, count);
}

void
stream_out_input_id(struct stream_out *o, const struct id *id)
{
    stream_trailer_input(&o->trailer, id);
}

/* The trailer frame and the end block. */
static int
put_trailer(struct stream_out *o, struct err *e)
{
    struct stream_out_state *s = o->state;
    struct frame_head h = {.kind = FRAME_TRAILER};
    uint8_t block[BLOCK_ALIGN];
    uint64_t at = s->at;
    int rc;

    buf_reset(&s->stored);
    stream_trailer_format(&s->stored, &o->trailer);
    h.stored = h.raw = s->stored.len;
    if (h.raw > STREAM_FRAME_MAX)
        return err_set(e, ERR_LIMIT, "segment too long: a trailer of %" PRIu64
                       " bytes (limit %u)", h.raw, STREAM_FRAME_MAX);
    rc = put_frame(o, &h, s->stored.data, e);
    if (rc < 0)
        return rc;
    end_block_format(block, s->at + BLOCK_ALIGN, at);
    return put(o, block, sizeof(block), e);
}

int
stream_out_end(struct stream_out *o, struct err *e)
{
    struct stream_out_state *s = o->state;
    int rc = expect(o, false, e);

    if (rc == 0)
        rc = flush(o, e);
    if (rc < 0)
        return rc;
    ledger_add_all(&o->trailer.ledger, &s->skipped);
    tally_end(&s->tally);
    s->open = false;
    return put_trailer(o, e);
}

int
stream_out_close(struct stream_out *o, struct err *e)
{
    int rc;

    if (o->state->open) {
        stream_out_release(o);
        return err_set(e, ERR_IO, "stream: segment without its end");
    }
    rc = out_commit(&o->out, e);
    release_state(o);
    return rc;
}

int
stream_pass_end(struct stream_out *o, const struct stream_in *in,
                struct err *e)
{
    stream_trailer_input(&o->trailer, &in->trailer.content);
    ledger_add_all(&o->trailer.ledger, &in->trailer.ledger);
    return stream_out_end(o, e);
}
