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
    uint32_t *order; /* of the items, the longest first, so that none is left
                        to one thread at the end */
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
    b->order = mem_array(BATCH_RECORDS, sizeof(b->order[0]));
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
    free(b->order);
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

static enum text_kind
kind_of(const struct tokenizing_batch *b, size_t i)
{
    return (enum text_kind)(uint8_t)b->text.data[b->item[i].at];
}

/* What is learned of all records follows from the first of them of which all
 * is more than the target or, where there is none among the first ones, from
 * the layout that commits have. */
static void
settle_loss(struct tokenizing *z, const struct tokenizing_batch *b)
{
    enum text_kind kind = TEXT_COMMIT;
    size_t i = 0;

    if (z->begun)
        return;
    z->begun = true;
    while (i < b->n && !render_has_context(&z->render, kind_of(b, i)))
        i++;
    if (i < b->n)
        kind = kind_of(b, i);
    else if (b->n > 0)
        kind = kind_of(b, 0);
    z->render.loss = z->loss == LOSS_AUTO ? render_loss(&z->render, kind)
                                          : z->loss;
}

/* A stream has one answer to what is learned. */
static int
check_loss(const struct tokenizing *z, enum text_kind kind, struct err *e)
{
    const struct render *r = &z->render;
    enum tokens_loss own = render_loss(r, kind);

    if (z->loss != LOSS_AUTO || own == r->loss
        || !render_has_context(r, kind))
        return 0;
    return err_set(e, ERR_DATA, "what is learned of a %s (found %s, expected "
                   "%s, as of the first records): --loss is for all of them",
                   layout_record_name((enum layout_record)kind),
                   tokens_loss_name(own), tokens_loss_name(r->loss));
}

static int
compare_len(const void *a, const void *b, void *items)
{
    const struct tokenizing_item *item = items;
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;

    if (item[i].len != item[j].len)
        return item[i].len < item[j].len ? 1 : -1;
    return i < j ? -1 : i > j;
}

static void
batch_sort(struct tokenizing_batch *b)
{
    for (uint32_t i = 0; i < b->n; i++)
        b->order[i] = i;
    qsort_r(b->order, b->n, sizeof(b->order[0]), compare_len, b->item);
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
    batch_sort(b);
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

    if (it->e.code == 0)
        check_loss(z, kind_of(b, (size_t)(it - b->item)), &it->e);
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
        token_stats_add(z->stats, r, z->render.loss);
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
    tokens_head_vocab(&head, t->n);
    stream_head_set(&head, "tokenizer", id_hex(&t->id, hex));
    if (z->end != TOKEN_NONE)
        stream_head_set_u64(&head, "eos", z->end);
    stream_head_set(&head, "loss", tokens_loss_name(z->render.loss));
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
    size_t jobs; /* of out, beside the batch's */
    struct err *e;
    int rc; /* of what was done to the other */
};

/* One record. */
static void
do_record(struct turn *t, struct tokenizing_item *it, int worker)
{
    struct tokenizing *z = t->z;
    struct tokenizing_worker *w = &z->worker[worker];

    if (!w->ready)
        render_worker_init(&w->w, z->render.t);
    w->ready = true;
    render_record(&z->render, &w->w, t->batch->text.data + it->at, it->len,
                  it->index, &it->out, &it->e);
}

static void
do_item(void *ctx, size_t i, int worker)
{
    struct turn *t = ctx;

    if (i < t->jobs)
        stream_out_job(t->out, i, worker);
    else
        do_record(t, &t->batch->item[t->batch->order[i - t->jobs]], worker);
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

/* All records of the segment, of which the first batch was taken. */
static int
encode(struct tokenizing *z, struct stream_in *in, struct stream_out *out,
       struct err *e)
{
    struct turn t = { .z = z, .in = in, .out = out, .e = e,
                      .batch = &z->batch[0], .other = &z->batch[1] };
    struct tokenizing_batch *done;

    t.other->n = 0;
    t.other->more = 1;
    for (;;) {
        t.jobs = out ? stream_out_hold(out) : 0;
        par_for_beside(t.jobs + t.batch->n, do_item, turn_other, &t);
        if (t.rc == 0 && out)
            t.rc = stream_out_go(out, e);
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
    int rc;

    take_batch(&z->batch[0], in);
    settle_loss(z, &z->batch[0]);
    rc = out ? begin(z, in, out, prov, e) : 0;
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
