/* hidden.c - packs records into batches, runs them up to the final norm, and
 * adds each token's row to its record.
 *
 * A packed record has a position for each token but the last, which has nothing
 * to predict. Here the last one counts, too: records are packed with one token
 * more, which no row is of, and which is all there is to learn: a row with a
 * weight is that of a last token.
 */
#include "eval/hidden.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/evaluate.h"
#include "weights/lora.h"

struct longer {
    const struct token_source *of;
    uint32_t *ids, *len;
    uint8_t *learn;
    uint32_t end; /* the place that is 1 in learn */
};

static int
get_longer(void *ctx, uint64_t i, struct record_tokens *out, struct err *e)
{
    struct longer *l = ctx;
    int rc = l->of->get(l->of->ctx, i, out, e);

    if (rc < 0)
        return rc;
    memcpy(l->ids, out->ids, out->n * sizeof(*l->ids));
    l->ids[out->n] = 0;
    l->learn[l->end] = 0;
    l->end = out->n;
    l->learn[l->end] = 1;
    *out = (struct record_tokens){ l->ids, l->learn, out->n + 1 };
    return 0;
}

static struct token_source
longer_init(struct longer *l, const struct token_source *s)
{
    uint32_t most = 0;

    l->of = s;
    l->end = 0;
    l->len = mem_array(s->n_records, sizeof(*l->len));
    for (uint64_t i = 0; i < s->n_records; i++) {
        l->len[i] = s->len[i] + 1;
        most = l->len[i] > most ? l->len[i] : most;
    }
    l->ids = mem_array(most, sizeof(*l->ids));
    l->learn = mem_array(most, 1);
    memset(l->learn, 0, most);
    return (struct token_source){ .get = get_longer, .ctx = l,
                                  .n_records = s->n_records, .len = l->len,
                                  .vocab = s->vocab };
}

static void
longer_release(struct longer *l)
{
    free(l->len);
    free(l->ids);
    free(l->learn);
}

struct pooling {
    struct exec *x;
    const struct token_source *s;
    enum hidden_pool pool;
    double *row; /* [rows, dim] of a batch */
    double *sum; /* [records, dim] */
    uint32_t dim;
};

/* Adds a row to its record, whose last one it may be. */
static void
add_row(struct pooling *p, uint64_t record, bool last, const double *row)
{
    double *sum = p->sum + record * p->dim;

    for (uint32_t i = 0; i < p->dim && (last || p->pool == HIDDEN_MEAN); i++)
        sum[i] += row[i];
}

static int
run_batch(void *ctx, const struct batch_rows *b, struct err *e)
{
    struct pooling *p = ctx;
    struct exec *x = p->x;
    int rc;

    x->in = (struct inputs){ .n_head = 0 };
    rc = exec_batch(x, &b->view, e);
    if (rc == 0)
        rc = exec_range(x, RANGE_FWD, e);
    if (rc == 0)
        rc = exec_get(x, &x->prog->hidden, p->row, e);
    for (uint32_t r = 0; r < x->prog->rows && rc == 0; r++)
        if (b->record[r] != UINT64_MAX)
            add_row(p, b->record[r], b->weight[r] != 0,
                    p->row + (size_t)r * p->dim);
    return rc;
}

static int
finish(const struct pooling *p, float *out, struct err *e)
{
    for (uint64_t i = 0; i < p->s->n_records; i++) {
        double n = p->pool == HIDDEN_MEAN ? p->s->len[i] : 1;

        for (uint32_t k = 0; k < p->dim; k++) {
            float v = (float)(p->sum[i * p->dim + k] / n);

            if (!isfinite(v))
                return err_set(e, ERR_DATA, "the model's output is not "
                               "finite");
            out[i * p->dim + k] = v;
        }
    }
    return 0;
}

struct prog_opts
hidden_opts(uint32_t batch, uint32_t seq_len)
{
    return (struct prog_opts){ .mode = PROG_EVAL, .batch = batch,
                               .seq_len = seq_len, .head_chunk = 1 };
}

int
hidden_open(struct exec *x, struct prog *p, const struct model *m,
            const struct adapter *a, const struct prog_opts *given,
            struct err *e)
{
    struct prog_opts o = *given;
    struct lora_part *parts = NULL;
    int rc = a ? lora_opts(&o, a, &m->desc, &parts, e) : 0;

    if (rc == 0)
        rc = prog_build(p, &m->desc, &o, &m->base, &m->backend, e);
    free(parts);
    if (rc < 0)
        return rc;
    rc = exec_open(x, p, &m->backend, NULL, e);
    if (rc == 0 && a)
        rc = lora_load(x, a, e);
    if (rc < 0) {
        exec_release(x);
        prog_release(p);
    }
    return rc;
}

int
hidden_run(struct exec *x, const struct token_source *s,
           enum hidden_pool pool, float *out, struct err *e)
{
    const struct prog *p = x->prog;
    uint32_t dim = p->desc->dim;
    size_t n = (size_t)s->n_records * dim;
    struct pooling work = { .x = x, .s = s, .pool = pool, .dim = dim,
                            .row = mem_array((size_t)p->rows * dim,
                                             sizeof(*work.row)),
                            .sum = mem_array(n, sizeof(*work.sum)) };
    struct longer longer;
    struct token_source source = longer_init(&longer, s);
    int rc;

    memset(work.sum, 0, n * sizeof(*work.sum));
    rc = evaluate_batches(&source, p->opts.batch, p->opts.seq_len, false,
                          run_batch, &work, e);
    if (rc == 0)
        rc = finish(&work, out, e);
    longer_release(&longer);
    free(work.row);
    free(work.sum);
    return rc;
}
