/* tokenizing.c - segments of text records to segments of token records.
 *
 * Records are taken in batches. Each is decoded, laid out and encoded by one
 * of the threads into its own buffer, and the buffers are written in order,
 * so the output does not depend on the number of threads. Groups are given
 * while writing, as they depend on the records before.
 *
 * While a batch is encoded, the caller's thread writes what became of the one
 * before and takes the one after. What can't be read is told when all records
 * before it are written: the first of several errors is the one that is told.
 */
#include "record/tokenizing.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/par.h"
#include "base/progress.h"

#define BATCH_RECORDS 512
#define BATCH_BYTES (2u << 20)

/* A record of the batch, and what became of it. */
struct tokenizing_item {
    size_t at, len; /* in the batch's text */
    uint64_t index;
    struct render_result out;
    struct err e; /* code < 0: the record is bad */
};

struct tokenizing_batch {
    struct tokenizing_item *item;
    size_t n;
    struct buf text;  /* of its records */
    uint64_t at;      /* how far its last one is in the input */
    int more;         /* 0: the segment ends behind it, negative: in e */
    struct err e;
};

struct tokenizing_worker {
    bool ready;
    struct render_worker w;
};

static void
batch_init(struct tokenizing_batch *b)
{
    b->item = mem_array(BATCH_RECORDS, sizeof(b->item[0]));
    for (size_t i = 0; i < BATCH_RECORDS; i++)
        render_result_init(&b->item[i].out);
    buf_init(&b->text);
}

static void
batch_release(struct tokenizing_batch *b)
{
    for (size_t i = 0; i < BATCH_RECORDS; i++)
        render_result_release(&b->item[i].out);
    free(b->item);
    buf_release(&b->text);
}

void
tokenizing_init(struct tokenizing *z, const struct tokenizer *t, uint32_t end)
{
    memset(z, 0, sizeof(*z));
    z->end = end;
    z->worker = mem_array((size_t)par_threads(), sizeof(z->worker[0]));
    z->batch = mem_array(2, sizeof(z->batch[0]));
    for (int i = 0; i < 2; i++)
        batch_init(&z->batch[i]);
    render_init(&z->render, t, end);
    groups_init(&z->groups);
    packing_init(&z->packing, &z->render.template[TEMPLATE_FILE], t);
}

void
tokenizing_release(struct tokenizing *z)
{
    for (int i = 0; i < par_threads(); i++)
        if (z->worker[i].ready)
            render_worker_release(&z->worker[i].w);
    for (int i = 0; i < 2; i++)
        batch_release(&z->batch[i]);
    free(z->worker);
    free(z->batch);
    render_release(&z->render);
    groups_release(&z->groups);
    packing_release(&z->packing);
}

/* Takes records until the batch is full or there are no more. */
static void
take_batch(struct tokenizing_batch *b, struct stream_in *in)
{
    struct tokenizing_item *it;
    struct stream_rec rec;

    b->n = 0;
    b->more = 1;
    buf_reset(&b->text);
    while (b->n < BATCH_RECORDS && b->text.len < BATCH_BYTES) {
        b->more = stream_in_record(in, &rec, &b->e);
        if (b->more <= 0)
            break;
        it = &b->item[b->n++];
        it->at = b->text.len;
        it->len = rec.n;
        it->index = rec.index;
        it->e.code = 0;
        buf_add(&b->text, rec.p, rec.n);
    }
    b->at = in->in.at;
}

/* What the record lost, to the ledger if there is one. */
static void
count_left(struct tokenizing *z, const struct render_result *r,
           struct stream_out *out)
{
    struct render_count sum = { 0 };

    z->lost += r->lost;
    if (!out)
        return;
    for (int i = 0; i < RENDER_REASONS; i++) {
        render_count_add(&sum, &r->left[i]);
        stream_out_skip(out, z->program, render_left_name(i),
                        r->left[i].records);
    }
    stream_out_skip(out, z->program, "edited-lines-left-out", sum.edited);
    stream_out_skip(out, z->program, "tokens-left-out", sum.tokens);
    stream_out_skip(out, z->program, "bytes-without-token", r->lost);
}

/* Whether the record is a whole file that its folder's may be put beside. */
static bool
is_packed(const struct tokenizing *z, const struct tokenizing_batch *b,
          const struct tokenizing_item *it)
{
    enum template_kind kind = z->render.kind;

    return z->render.max_tokens > 0 && !z->lines
        && (kind == RENDER_AUTO || kind == TEMPLATE_FILE)
        && b->text.data[it->at] == TEXT_FILE;
}

/* What became of a record, but for what waits for the rest of its folder. */
static int
write_result(struct tokenizing *z, struct render_result *r, bool packed,
             struct stream_out *out, struct err *e)
{
    struct group_key key = packed ? group_key_of_folder(&r->key) : r->key;
    size_t i, at = 0;
    int rc = 0;

    render_result_group(r, groups_next(&z->groups, &key));
    if (!packed)
        rc = packing_flush(&z->packing, out, e);
    for (i = 0; i < r->n && rc == 0; at = r->end[i++]) {
        const char *p = r->tokens.data + at;
        size_t n = r->end[i] - at;

        rc = packed ? packing_add(&z->packing, &key, p, n, out, e)
                    : stream_out_record(out, p, n, e);
    }
    z->records += packed ? 0 : r->n;
    return rc;
}

static int
write_lines(struct tokenizing *z, const struct render_result *r,
            struct err *e)
{
    z->records += r->n;
    return out_write(z->lines, r->tokens.data, r->tokens.len, e);
}

static int
write_item(struct tokenizing *z, const struct tokenizing_batch *b,
           struct tokenizing_item *it, const struct stream_in *in,
           struct stream_out *out, struct err *e)
{
    struct render_result *r = &it->out;
    size_t i;
    int rc;

    if (it->e.code < 0) {
        *e = it->e;
        return err_prefix(e, "%s: record %" PRIu64, in->in.name, it->index);
    }
    if (z->lines)
        rc = write_lines(z, r, e);
    else
        rc = write_result(z, r, is_packed(z, b, it), out, e);
    render_count_add(&z->there, &r->there);
    render_count_add(&z->kept, &r->kept);
    for (i = 0; i < RENDER_REASONS; i++)
        render_count_add(&z->left[i], &r->left[i]);
    count_left(z, r, out);
    if (z->stats)
        token_stats_add(z->stats, r);
    render_result_reset(r);
    return rc;
}

static int
begin(const struct tokenizing *z, const struct stream_in *in,
      struct stream_out *out, const char *prov, struct err *e)
{
    const struct tokenizer *t = z->render.t;
    struct stream_head head;
    char hex[ID_HEX + 1];
    int rc;

    stream_head_copy(&head, &in->head);
    stream_head_set_type(&head, "tokens");
    stream_head_set_u64(&head, "vocab", t->n);
    stream_head_set(&head, "tokenizer", id_hex(&t->id, hex));
    if (z->end != TOKEN_NONE)
        stream_head_set_u64(&head, "eos", z->end);
    stream_head_prov(&head, prov);
    rc = stream_out_begin(out, &head, e);
    stream_head_release(&head);
    return rc;
}

/* The batch that is encoded, and the other: that before it becomes that after
 * it meanwhile. */
struct turn {
    struct tokenizing *z;
    struct stream_in *in;
    struct stream_out *out;
    struct tokenizing_batch *batch, *other;
    struct err *e;
    int rc; /* of what was done to the other */
};

/* One record, by a worker. */
static void
do_item(void *ctx, size_t i, int worker)
{
    struct turn *t = ctx;
    struct tokenizing *z = t->z;
    struct tokenizing_worker *w = &z->worker[worker];
    struct tokenizing_item *it = &t->batch->item[i];

    if (!w->ready)
        render_worker_init(&w->w, z->render.t);
    w->ready = true;
    render_record(&z->render, &w->w, t->batch->text.data + it->at, it->len,
                  it->index, &it->out, &it->e);
}

/* What became of a batch, up to the first error. */
static int
write_batch(struct turn *t, struct tokenizing_batch *b)
{
    int rc = 0;

    progress_part(NULL, b->at, t->in->in.size);
    for (size_t i = 0; i < b->n && rc == 0; i++) {
        rc = write_item(t->z, b, &b->item[i], t->in, t->out, t->e);
        progress_add(1);
    }
    if (rc == 0 && b->more < 0) {
        *t->e = b->e;
        rc = b->more;
    }
    return rc;
}

/* Beside the encoding of a batch. */
static void
turn_other(void *ctx)
{
    struct turn *t = ctx;

    t->rc = write_batch(t, t->other);
    if (t->rc == 0 && t->batch->more > 0)
        take_batch(t->other, t->in);
}

/* All records of the segment. */
static int
encode(struct tokenizing *z, struct stream_in *in, struct stream_out *out,
       struct err *e)
{
    struct turn t = { .z = z, .in = in, .out = out, .e = e,
                      .batch = &z->batch[0], .other = &z->batch[1] };
    struct tokenizing_batch *done;

    take_batch(t.batch, in);
    t.other->n = 0;
    t.other->more = 1;
    for (;;) {
        par_for_beside(t.batch->n, do_item, turn_other, &t);
        if (t.rc < 0)
            return t.rc;
        if (t.batch->more <= 0)
            return write_batch(&t, t.batch);
        done = t.batch;
        t.batch = t.other;
        t.other = done;
    }
}

int
tokenizing_segment(struct tokenizing *z, struct stream_in *in,
                   struct stream_out *out, const char *prov, struct err *e)
{
    int rc = out ? begin(z, in, out, prov, e) : 0;

    z->packing.max_tokens = z->render.max_tokens;
    if (rc == 0)
        rc = encode(z, in, out, e);
    if (rc < 0 || !out)
        return rc;
    rc = packing_flush(&z->packing, out, e);
    z->records += z->packing.records;
    z->packing.records = 0;
    return rc < 0 ? rc : stream_pass_end(out, in, e);
}
