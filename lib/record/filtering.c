/* filtering.c - records in batches: while all threads look at one, the
 * caller's thread settles the one before and reads the one after.
 */
#include "record/filtering.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/par.h"
#include "base/progress.h"

#define BATCH_RECORDS (FILTER_SLOTS / 2)
#define BATCH_BYTES (2u << 20)
#define OUT_KEPT (1u << 20) /* memory that a record's room may keep */

struct filtering_batch {
    struct filter_item *item;
    size_t *at; /* [item]: where it is in text */
    size_t n;
    struct buf text;
    uint64_t read; /* how far its last one is in the input */
    int more;      /* 0: the segment ends behind it, negative: in e */
    struct err e;
};

void
filtering_init(struct filtering *f)
{
    memset(f, 0, sizeof(*f));
    f->batch = mem_array(2, sizeof(*f->batch));
    for (size_t i = 0; i < FILTER_SLOTS; i++) {
        struct filtering_batch *b = &f->batch[i / BATCH_RECORDS];

        if (i % BATCH_RECORDS == 0) {
            b->item = mem_array(BATCH_RECORDS, sizeof(*b->item));
            b->at = mem_array(BATCH_RECORDS, sizeof(*b->at));
            buf_init(&b->text);
        }
        b->item[i % BATCH_RECORDS].slot = i;
        buf_init(&b->item[i % BATCH_RECORDS].out);
    }
}

void
filtering_release(struct filtering *f)
{
    for (size_t i = 0; i < FILTER_SLOTS; i++)
        buf_release(&f->batch[i / BATCH_RECORDS].item[i % BATCH_RECORDS].out);
    for (int i = 0; i < 2; i++) {
        free(f->batch[i].item);
        free(f->batch[i].at);
        buf_release(&f->batch[i].text);
    }
    free(f->batch);
}

/* Takes records until the batch is full or there are no more. */
static void
take_batch(struct filtering_batch *b, struct stream_in *in)
{
    struct filter_item *it;
    struct stream_rec rec;

    b->n = 0;
    buf_reset(&b->text);
    do {
        b->more = stream_in_record(in, &rec, &b->e);
        if (b->more <= 0)
            break;
        it = &b->item[b->n];
        b->at[b->n++] = b->text.len;
        it->n = rec.n;
        it->index = rec.index;
        it->fate = FILTER_KEEP;
        it->e.code = 0;
        if (it->out.cap > OUT_KEPT)
            buf_release(&it->out);
        buf_reset(&it->out);
        buf_add(&b->text, rec.p, rec.n);
    } while (b->n < BATCH_RECORDS && b->text.len < BATCH_BYTES);
    for (size_t i = 0; i < b->n; i++)
        b->item[i].p = b->text.data + b->at[i];
    b->read = in->in.at;
}

/* The batch that is looked at; the other, which was, becomes that after it. */
struct turn {
    struct filtering *f;
    struct stream_in *in;
    struct stream_out *out;
    struct filtering_batch *batch, *other;
    size_t jobs; /* of out, beside the batch's */
    struct err *e;
    int rc; /* of what was done to the other */
};

static void
do_item(void *ctx, size_t i, int worker)
{
    struct turn *t = ctx;

    if (i < t->jobs)
        stream_out_job(t->out, i, worker);
    else
        t->f->look(t->f->ctx, &t->batch->item[i - t->jobs], worker);
}

static int
settle_item(struct turn *t, struct filter_item *it)
{
    int rc = it->fate == FILTER_DROP ? 0 : it->e.code;

    if (rc < 0) {
        *t->e = it->e;
        return err_prefix(t->e, "%s: record %" PRIu64, t->in->in.name,
                          it->index);
    }
    rc = t->f->settle(t->f->ctx, it, t->out, t->e);
    t->f->records++;
    if (rc < 0 || it->fate == FILTER_DROP)
        return rc;
    t->f->kept++;
    return it->fate == FILTER_CHANGE ?
               stream_out_record(t->out, it->out.data, it->out.len, t->e) :
               stream_out_record(t->out, it->p, it->n, t->e);
}

/* What became of a batch, up to the first error. */
static int
settle_batch(struct turn *t, struct filtering_batch *b)
{
    int rc = 0;

    progress_part(NULL, b->read, t->in->in.size);
    for (size_t i = 0; i < b->n && rc == 0; i++) {
        rc = settle_item(t, &b->item[i]);
        progress_add(1);
    }
    if (rc == 0 && b->more < 0) {
        *t->e = b->e;
        rc = b->more;
    }
    return rc;
}

static void
turn_other(void *ctx)
{
    struct turn *t = ctx;

    t->rc = settle_batch(t, t->other);
    if (t->rc == 0 && t->batch->more > 0)
        take_batch(t->other, t->in);
}

int
filtering_begin(struct stream_in *in, struct stream_out *out,
                const char *prov, struct err *e)
{
    struct stream_head head;
    int rc;

    stream_head_copy(&head, &in->head);
    stream_head_prov(&head, prov);
    rc = stream_out_begin(out, &head, e);
    stream_head_release(&head);
    return rc;
}

int
filtering_records(struct filtering *f, struct stream_in *in,
                  struct stream_out *out, struct err *e)
{
    struct turn t = { .f = f, .in = in, .out = out, .e = e,
                      .batch = &f->batch[0], .other = &f->batch[1] };
    struct filtering_batch *done;

    take_batch(t.batch, in);
    t.other->n = 0;
    t.other->more = 1;
    for (;;) {
        t.jobs = stream_out_hold(out);
        par_for_beside(t.jobs + t.batch->n, do_item, turn_other, &t);
        if (t.rc == 0)
            t.rc = stream_out_go(out, e);
        if (t.rc < 0)
            return t.rc;
        if (t.batch->more <= 0)
            return settle_batch(&t, t.batch);
        done = t.batch;
        t.batch = t.other;
        t.other = done;
    }
}

int
filtering_stream(struct stream_in *in, const struct filter_by *by,
                 struct err *e)
{
    struct stream_out out;
    int rc = stream_out_open(&out, "-", e);

    if (rc < 0)
        return rc;
    while ((rc = stream_in_segment(in, e)) > 0) {
        rc = by->segment(by->filter, in, &out, by->prov, e);
        if (rc < 0)
            break;
    }
    if (rc == 0)
        rc = by->last(by->aside, e);
    if (rc == 0)
        return stream_out_close(&out, e);
    stream_out_release(&out);
    return rc;
}
