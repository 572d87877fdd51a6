/* out.c - the writer.
 *
 * A records frame is closed by the record that brings it to 512 KiB, by a
 * tensor, and by the end of the segment, on nothing else: what is written
 * depends on the records alone. Closed frames wait until there are some to
 * pack at once (out_frames.h).
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/par.h"
#include "stream/out_frames.h"
#include "stream/stream.h"

struct stream_out_state {
    bool open;              /* within a segment */
    bool held;              /* closed frames wait, however many they are */
    uint64_t seq;           /* of the next frame */
    uint64_t at;            /* bytes of the segment written */
    struct tally tally;     /* of the frames that were written */
    struct out_frames frames; /* of records, that were not */
    struct buf text;        /* scratch: header and trailer */
    struct ledger skipped;  /* by this program */
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
    out_frames_init(&o->state->frames);
    buf_init(&o->state->text);
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
    out_frames_release(&s->frames);
    buf_release(&s->text);
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
    buf_reset(&s->text);
    rc = head_block_format(&s->text, h, e);
    if (rc < 0)
        return rc;
    ledger_release(&s->skipped);
    s->seq = s->at = 0;
    tally_begin(&s->tally, &o->trailer, h, s->text.data, s->text.len);
    s->open = true;
    return put(o, s->text.data, s->text.len, e);
}

/* Writes a frame: its header, and its stored bytes but for FRAME_DATA. */
static int
put_frame(struct stream_out *o, const struct frame_head *h,
          const uint8_t head[FRAME_HEAD], const void *stored,
          uint64_t n_records, struct err *e)
{
    struct stream_out_state *s = o->state;
    int rc;

    if (h->kind != FRAME_TRAILER)
        tally_frame(&s->tally, h, head, s->at, n_records);
    rc = put(o, head, FRAME_HEAD, e);
    if (rc == 0 && h->kind != FRAME_DATA)
        rc = put(o, stored, (size_t)h->stored, e);
    return rc < 0 ? rc : put_pad(o, e);
}

/* The next frame, as it is: one that holds no records. */
static int
put_plain(struct stream_out *o, enum frame_kind kind, const void *p,
          uint64_t n, struct err *e)
{
    struct frame_head h = {
        .kind = kind, .seq = o->state->seq++, .stored = n, .raw = n
    };
    uint8_t head[FRAME_HEAD];

    frame_head_format(head, &h, p);
    return put_frame(o, &h, head, p, 0, e);
}

/* Writes the frames that were packed. */
static int
put_packed(struct stream_out *o, struct err *e)
{
    const struct frame_list *l = &o->state->frames.packed;
    int rc = 0;

    for (size_t i = 0; i < l->n && rc == 0; i++) {
        const struct out_frame *f = &l->frame[i];

        if (f->failed)
            return err_set(e, ERR_IO, "zstd: %s", f->failed);
        rc = put_frame(o, &f->h, f->head,
                       f->h.flags ? f->stored.data : f->raw.data,
                       f->n_records, e);
    }
    return rc;
}

static void
pack_item(void *ctx, size_t i, int worker)
{
    stream_out_job(ctx, i, worker);
}

/* Packs and writes the frames that are closed; one alone is nothing to start
 * threads for. */
static int
put_closed(struct stream_out *o, struct err *e)
{
    size_t jobs = out_frames_pack(&o->state->frames);

    if (o->state->frames.packed.n > 1)
        par_for(jobs, pack_item, o);
    else
        for (size_t i = 0; i < jobs; i++)
            stream_out_job(o, i, 0);
    return put_packed(o, e);
}

/* Closes the records frame, if there is one, and writes all. */
static int
flush(struct stream_out *o, struct err *e)
{
    struct stream_out_state *s = o->state;

    if (out_frames_open(&s->frames)->n_records > 0)
        out_frames_close(&s->frames, s->seq++);
    return put_closed(o, e);
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
    struct out_frame *f;
    int rc = expect(o, false, e);

    if (rc < 0)
        return rc;
    if (n > STREAM_RECORD_MAX)
        return err_set(e, ERR_LIMIT, "record of %zu bytes (limit %u)", n,
                       STREAM_RECORD_MAX);
    f = out_frames_open(&s->frames);
    buf_varint(&f->raw, n);
    buf_add(&f->raw, p, n);
    f->n_records++;
    if (f->raw.len < STREAM_FRAME_CLOSE)
        return 0;
    out_frames_close(&s->frames, s->seq++);
    return out_frames_full(&s->frames) && !s->held ? put_closed(o, e) : 0;
}

size_t
stream_out_hold(struct stream_out *o)
{
    o->state->held = true;
    return out_frames_pack(&o->state->frames);
}

void
stream_out_job(struct stream_out *o, size_t i, int worker)
{
    out_frames_job(&o->state->frames, i, worker, &o->state->tally);
}

int
stream_out_go(struct stream_out *o, struct err *e)
{
    o->state->held = false;
    return put_packed(o, e);
}

int
stream_out_tensor(struct stream_out *o, const void *desc, size_t n,
                  uint64_t n_data, struct err *e)
{
    int rc = expect(o, false, e);

    if (rc == 0 && (n == 0 || n > STREAM_TENSOR_MAX))
        rc = err_set(e, ERR_LIMIT, "tensor descriptor of %zu bytes (limit "
                     "%u)", n, STREAM_TENSOR_MAX);
    if (rc == 0)
        rc = flush(o, e);
    if (rc < 0)
        return rc;
    tally_raw(&o->state->tally, desc, n);
    rc = put_plain(o, FRAME_TENSOR, desc, n, e);
    return rc < 0 ? rc : put_plain(o, FRAME_DATA, NULL, n_data, e);
}

/* Writes data that were tallied. */
static int
put_data(struct stream_out *o, const void *p, size_t n, struct err *e)
{
    int rc = put(o, p, n, e);

    return rc == 0 && o->state->tally.left == 0 ? put_pad(o, e) : rc;
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
        tally_data(t, at, k, true);
        rc = put_data(o, at, k, e);
    }
    return rc;
}

int
stream_out_copy(struct stream_out *o, const struct stream_in *in,
                const void *p, size_t n, struct err *e)
{
    struct tally *t = &o->state->tally;
    const struct id *block = stream_in_block(in);
    int rc = expect(o, true, e);

    if (rc == 0 && (n == 0 || n != tally_room(t, n)
                    || (n == t->left || n == t->block_left) != (block != NULL)))
        rc = err_set(e, ERR_IO, "stream: %zu bytes of data end elsewhere "
                     "than where they came from", n);
    if (rc < 0)
        return rc;
    tally_copied(t, p, n, block);
    return put_data(o, p, n, e);
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
    uint8_t block[BLOCK_ALIGN];
    uint64_t at = s->at;
    int rc;

    buf_reset(&s->text);
    stream_trailer_format(&s->text, &o->trailer);
    if (s->text.len > STREAM_FRAME_MAX)
        return err_set(e, ERR_LIMIT, "segment too long: a trailer of %zu "
                       "bytes (limit %u)", s->text.len, STREAM_FRAME_MAX);
    rc = put_plain(o, FRAME_TRAILER, s->text.data, s->text.len, e);
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
