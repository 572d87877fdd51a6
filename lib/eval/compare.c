/* compare.c - two programs side by side, a batch at a time, and rows of their
 * logits, which all threads look at. */
#include "eval/compare.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/par.h"
#include "eval/divergence.h"
#include "eval/evaluate.h"
#include "text/tokenizer.h"

#define GROUP 32 /* rows of logits that are here at one time, of each model */

struct comparing {
    const struct model *model[2];
    struct prog prog[2];
    struct exec x[2];
    double *logits[2];       /* [GROUP, vocab] */
    struct divergence *got;  /* GROUP */
    int32_t *head;           /* head rows of a chunk; the rest are 0 */
    const int32_t *row;      /* those of the group */
    const struct batch_rows *batch;
    struct measured *target, *all;
};

uint64_t
compare_bytes(uint32_t vocab, uint64_t tokens)
{
    /* Two as doubles, and one of them on its way. */
    uint64_t logits = (uint64_t)GROUP * vocab
                      * (2 * sizeof(double) + sizeof(float));

    return logits + 2 * tokens * sizeof(double);
}

static int
open_side(struct comparing *c, int i, const struct model *m,
          const struct prog_opts *o, struct err *e)
{
    int rc = prog_build(&c->prog[i], &m->desc, o, &m->base, &m->backend, e);

    c->model[i] = m;
    if (rc == 0)
        rc = exec_open(&c->x[i], &c->prog[i], &m->backend, NULL, e);
    c->logits[i] = mem_array((size_t)GROUP * m->desc.vocab,
                             sizeof(*c->logits[i]));
    return rc;
}

static void
release(struct comparing *c)
{
    for (int i = 0; i < 2; i++) {
        exec_release(&c->x[i]);
        prog_release(&c->prog[i]);
        free(c->logits[i]);
    }
    free(c->got);
    free(c->head);
}

/* The logits of n_head rows of the batch, c->head, in the memory of model i;
 * layers: its layers haven't seen the batch yet. */
static int
run_side(struct comparing *c, int i, uint32_t n_head, bool layers,
         struct err *e)
{
    struct batch view = c->batch->view;
    struct exec *x = &c->x[i];
    int rc;

    view.head_row = c->head;
    x->in = (struct inputs){ .n_head = n_head };
    rc = exec_batch(x, &view, e);
    if (rc == 0 && layers)
        rc = exec_range(x, RANGE_FWD, e);
    if (rc == 0)
        rc = exec_range(x, RANGE_HEAD, e);
    return rc;
}

static void
row_item(void *ctx, size_t k, int worker)
{
    const struct comparing *c = ctx;
    uint32_t vocab = c->model[0]->desc.vocab;

    (void)worker;
    c->got[k] = divergence_of(c->logits[0] + k * vocab,
                              c->logits[1] + k * vocab, vocab,
                              (uint32_t)c->batch->target[c->row[k]]);
}

static void
add_to(struct measured *m, uint64_t record, const struct divergence *d)
{
    struct record_loss *const to[] = { m->base, m->compare, m->kl,
                                       m->same_top };
    const double add[] = { d->loss[0], d->loss[1], d->kl, d->same_top };

    for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
        to[i][record].sum += add[i];
        to[i][record].n++;
    }
    m->kls[m->n_kls++] = d->kl;
}

/* Rows [at, at + n) of the logits that were made, n <= GROUP. */
static int
take_group(struct comparing *c, uint32_t at, uint32_t n, struct err *e)
{
    int rc = 0;

    for (int i = 0; i < 2 && rc == 0; i++) {
        struct view v = c->prog[i].logits;

        v.off += (uint64_t)at * v.ld;
        v.rows = n;
        rc = exec_get(&c->x[i], &v, c->logits[i], e);
    }
    if (rc < 0)
        return rc;
    c->row = c->head + at;
    par_for(n, row_item, c);
    for (uint32_t k = 0; k < n; k++) {
        uint64_t record = c->batch->record[c->row[k]];
        const struct divergence *d = &c->got[k];

        if (d->bad != 0)
            return err_set(e, ERR_DATA, "%s: the model's output is not "
                           "finite", c->model[d->bad - 1]->weights.path);
        add_to(c->all, record, d);
        if (c->batch->weight[c->row[k]] != 0)
            add_to(c->target, record, d);
    }
    return 0;
}

static int
run_batch(void *ctx, const struct batch_rows *b, struct err *e)
{
    struct comparing *c = ctx;
    uint32_t chunk = c->prog[0].logits.rows, n, k;
    int rc = 0;

    c->batch = b;
    for (uint32_t at = 0; at < b->n_head && rc == 0; at += n) {
        n = b->n_head - at < chunk ? b->n_head - at : chunk;
        memset(c->head, 0, c->prog[0].rows * sizeof(*c->head));
        memcpy(c->head, b->head_row + at, n * sizeof(*c->head));
        for (int i = 0; i < 2 && rc == 0; i++)
            rc = run_side(c, i, n, at == 0, e);
        for (uint32_t g = 0; g < n && rc == 0; g += k) {
            k = n - g < GROUP ? n - g : GROUP;
            rc = take_group(c, g, k, e);
        }
    }
    return rc;
}

int
compare_models(const struct model *m, const struct model *other,
               const struct prog_opts *o, const struct token_source *s,
               struct measured *target, struct measured *all, struct err *e)
{
    struct comparing c = { .target = target, .all = all };
    int rc = open_side(&c, 0, m, o, e);

    if (rc == 0)
        rc = open_side(&c, 1, other, o, e);
    if (rc == 0) {
        c.got = mem_array(GROUP, sizeof(*c.got));
        c.head = mem_array(c.prog[0].rows, sizeof(*c.head));
        rc = evaluate_batches(s, o->batch, o->seq_len, true, run_batch, &c,
                              e);
    }
    release(&c);
    return rc;
}

/* What a token stands for differs. */
static int
other_token(const struct model *m, const struct model *other, uint32_t id,
            struct err *e)
{
    return err_set(e, ERR_DATA, "%s: token %u is not the one that it is in "
                   "%s: not the same vocabulary", other->weights.path, id,
                   m->weights.path);
}

static int
compare_tokens(const struct model *m, const struct model *other,
               const struct tokenizer *a, const struct tokenizer *b,
               struct err *e)
{
    uint32_t n = a->n < b->n ? a->n : b->n;
    struct buf x, y;
    int rc = 0;

    buf_init(&x);
    buf_init(&y);
    for (uint32_t id = 0; id < n && rc == 0; id++) {
        buf_reset(&x);
        buf_reset(&y);
        tokenizer_decode(a, &id, 1, &x);
        tokenizer_decode(b, &id, 1, &y);
        if (x.len != y.len || (x.len > 0 && memcmp(x.data, y.data, x.len)))
            rc = other_token(m, other, id, e);
    }
    buf_release(&x);
    buf_release(&y);
    return rc;
}

int
compare_vocab(const struct model *m, const struct model *other,
              struct err *e)
{
    const struct weight_asset *a, *b;
    struct tokenizer s, t;
    int rc;

    if (other->desc.vocab != m->desc.vocab)
        return err_set(e, ERR_DATA, "%s: another vocabulary than that of %s "
                       "(found %u tokens, expected %u)", other->weights.path,
                       m->weights.path, other->desc.vocab, m->desc.vocab);
    a = weights_asset(&m->weights, "tokenizer.json");
    b = weights_asset(&other->weights, "tokenizer.json");
    if (a == NULL || b == NULL
        || (a->n == b->n && memcmp(a->data, b->data, a->n) == 0))
        return 0;
    rc = tokenizer_read(&s, a->data, a->n, m->weights.path, e);
    if (rc < 0)
        return rc;
    rc = tokenizer_read(&t, b->data, b->n, other->weights.path, e);
    if (rc == 0) {
        rc = compare_tokens(m, other, &s, &t, e);
        tokenizer_release(&t);
    }
    tokenizer_release(&s);
    return rc;
}
