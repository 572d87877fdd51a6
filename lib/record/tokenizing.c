/* tokenizing.c - segments of text records to segments of token records.
 *
 * Records are taken in batches. Each is decoded, laid out and encoded by one
 * of the threads into its own buffer, and the buffers are written in order,
 * so the output does not depend on the number of threads. Groups are given
 * while writing, as they depend on the records before.
 */
#include "record/tokenizing.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/par.h"
#include "base/progress.h"

#define BATCH_RECORDS 1024
#define BATCH_BYTES (4u << 20)

/* A record of the batch, and what became of it. */
struct tokenizing_item {
    size_t at, len; /* in tokenizing.text */
    uint64_t index;
    struct render_result out;
    struct err e; /* code < 0: the record is bad */
};

struct tokenizing_worker {
    bool ready;
    struct render_worker w;
};

void
tokenizing_init(struct tokenizing *z, const struct tokenizer *t, uint32_t end)
{
    memset(z, 0, sizeof(*z));
    z->end = end;
    z->worker = mem_array((size_t)par_threads(), sizeof(z->worker[0]));
    z->item = mem_array(BATCH_RECORDS, sizeof(z->item[0]));
    for (size_t i = 0; i < BATCH_RECORDS; i++)
        render_result_init(&z->item[i].out);
    render_init(&z->render, t, end);
    buf_init(&z->text);
    groups_init(&z->groups);
    packing_init(&z->packing, &z->render.template[TEMPLATE_FILE], t);
}

void
tokenizing_release(struct tokenizing *z)
{
    for (int i = 0; i < par_threads(); i++)
        if (z->worker[i].ready)
            render_worker_release(&z->worker[i].w);
    for (size_t i = 0; i < BATCH_RECORDS; i++)
        render_result_release(&z->item[i].out);
    free(z->worker);
    free(z->item);
    buf_release(&z->text);
    render_release(&z->render);
    groups_release(&z->groups);
    packing_release(&z->packing);
}

/* One record, by a worker. */
static void
do_item(void *ctx, size_t i, int worker)
{
    struct tokenizing *z = ctx;
    struct tokenizing_worker *w = &z->worker[worker];
    struct tokenizing_item *it = &z->item[i];

    if (!w->ready)
        render_worker_init(&w->w, z->render.t);
    w->ready = true;
    render_record(&z->render, &w->w, z->text.data + it->at, it->len,
                  it->index, &it->out, &it->e);
}

/* Takes records until the batch is full; 0 when the segment has ended. */
static int
fill_batch(struct tokenizing *z, struct stream_in *in, struct err *e)
{
    struct tokenizing_item *it;
    struct stream_rec rec;
    int rc = 1;

    z->n_items = 0;
    buf_reset(&z->text);
    while (z->n_items < BATCH_RECORDS && z->text.len < BATCH_BYTES) {
        rc = stream_in_record(in, &rec, e);
        if (rc <= 0)
            break;
        it = &z->item[z->n_items++];
        it->at = z->text.len;
        it->len = rec.n;
        it->index = rec.index;
        it->e.code = 0;
        buf_add(&z->text, rec.p, rec.n);
    }
    return rc;
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
is_packed(const struct tokenizing *z, const struct tokenizing_item *it)
{
    enum template_kind kind = z->render.kind;

    return z->render.max_tokens > 0 && !z->lines
        && (kind == RENDER_AUTO || kind == TEMPLATE_FILE)
        && z->text.data[it->at] == TEXT_FILE;
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
write_item(struct tokenizing *z, struct tokenizing_item *it,
           const struct stream_in *in, struct stream_out *out, struct err *e)
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
        rc = write_result(z, r, is_packed(z, it), out, e);
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

int
tokenizing_segment(struct tokenizing *z, struct stream_in *in,
                   struct stream_out *out, const char *prov, struct err *e)
{
    int more = 1, rc = out ? begin(z, in, out, prov, e) : 0;

    z->packing.max_tokens = z->render.max_tokens;
    while (rc == 0 && more > 0) {
        more = fill_batch(z, in, e);
        if (more < 0)
            return more;
        par_for(z->n_items, do_item, z);
        progress_part(NULL, in->in.at, in->in.size);
        for (size_t i = 0; i < z->n_items && rc == 0; i++) {
            rc = write_item(z, &z->item[i], in, out, e);
            progress_add(1);
        }
    }
    if (rc < 0 || !out)
        return rc;
    rc = packing_flush(&z->packing, out, e);
    z->records += z->packing.records;
    z->packing.records = 0;
    return rc < 0 ? rc : stream_pass_end(out, in, e);
}
