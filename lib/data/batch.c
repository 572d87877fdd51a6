/* batch.c - writes slices of records one behind the other into the arrays of
 * a micro-batch, checks their ids, and lists the rows of the head. */
#include "data/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
batch_init(struct batch_rows *b, uint32_t batch, uint32_t seq_len)
{
    size_t n = (size_t)batch * seq_len;

    memset(b, 0, sizeof(*b));
    b->batch = batch;
    b->seq_len = seq_len;
    b->ids = mem_array(n, sizeof(*b->ids));
    b->target = mem_array(n, sizeof(*b->target));
    b->pos = mem_array(n, sizeof(*b->pos));
    b->doc_first = mem_array(n, sizeof(*b->doc_first));
    b->head_row = mem_array(n, sizeof(*b->head_row));
    b->weight = mem_array(n, sizeof(*b->weight));
    b->record = mem_array(n, sizeof(*b->record));
    b->view = (struct batch){ .ids = b->ids, .target = b->target,
                              .pos = b->pos, .doc_first = b->doc_first,
                              .head_row = b->head_row, .weight = b->weight,
                              .n = (uint32_t)n };
}

void
batch_release(struct batch_rows *b)
{
    free(b->ids);
    free(b->target);
    free(b->pos);
    free(b->doc_first);
    free(b->head_row);
    free(b->weight);
    free(b->record);
    memset(b, 0, sizeof(*b));
}

/* Rows [at, at + q->n) become the slice. */
static int
put_slice(struct batch_rows *b, const struct slice *q, uint32_t at,
          const struct token_source *s, struct err *e)
{
    struct record_tokens t;
    int rc = s->get(s->ctx, q->record, &t, e);

    if (rc < 0)
        return rc;
    if ((uint64_t)q->at + q->n >= t.n)
        return err_set(e, ERR_DATA, "record %llu has %u tokens where its "
                       "index says more", (unsigned long long)q->record,
                       t.n);
    for (uint32_t i = 0; i < q->n; i++) {
        uint32_t id = t.ids[q->at + i], next = t.ids[q->at + i + 1];

        if (id >= s->vocab || next >= s->vocab)
            return err_set(e, ERR_DATA, "record %llu: token %u is outside "
                           "the vocabulary of %u",
                           (unsigned long long)q->record,
                           id >= s->vocab ? id : next, s->vocab);
        b->ids[at + i] = (int32_t)id;
        b->target[at + i] = (int32_t)next;
        b->pos[at + i] = (int32_t)i;
        b->doc_first[at + i] = (int32_t)at;
        b->weight[at + i] = t.learn[q->at + i + 1] ? 1.0f : 0.0f;
        b->record[at + i] = q->record;
    }
    return 0;
}

static void
put_padding(struct batch_rows *b, uint32_t at, uint32_t end)
{
    for (uint32_t i = at; i < end; i++) {
        b->ids[i] = 0;
        b->target[i] = 0;
        b->pos[i] = (int32_t)(i - at);
        b->doc_first[i] = (int32_t)at;
        b->weight[i] = 0;
        b->record[i] = UINT64_MAX;
    }
}

/* The rows whose loss is wanted, in order; the rest of head_row repeats
 * row 0. */
static void
list_head_rows(struct batch_rows *b)
{
    uint32_t n = b->view.n;

    b->n_head = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (b->weight[i] != 0 || (b->every && b->record[i] != UINT64_MAX))
            b->head_row[b->n_head++] = (int32_t)i;
    }
    for (uint32_t i = b->n_head; i < n; i++)
        b->head_row[i] = 0;
}

int
batch_fill(struct batch_rows *b, struct packer *p,
           const struct token_source *s, uint64_t rows, struct err *e)
{
    int rc = 0;

    b->n_tokens = 0;
    for (uint32_t r = 0; r < b->batch && rc == 0; r++) {
        uint32_t at = r * b->seq_len, end = at + b->seq_len;
        size_t n_slices = 0;
        const struct slice *q = r < rows ? packer_row(p, &n_slices) : NULL;

        for (size_t i = 0; i < n_slices && rc == 0; i++) {
            rc = put_slice(b, &q[i], at, s, e);
            at += q[i].n;
            b->n_tokens += q[i].n;
        }
        put_padding(b, at, end);
    }
    if (rc == 0)
        list_head_rows(b);
    return rc;
}
