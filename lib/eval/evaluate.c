/* evaluate.c - packs records into batches, runs them forward, and adds each
 * row's loss to the record that the row is of. */
#include "eval/evaluate.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"

#define EVAL_SEED 0 /* any: the order of records doesn't matter */

static void
add_loss(struct record_loss *t, double loss)
{
    t->sum += loss;
    t->n++;
}

int
evaluate_batches(const struct token_source *s, uint32_t batch,
                 uint32_t seq_len, bool every, evaluate_batch *fn, void *ctx,
                 struct err *e)
{
    uint64_t n = s->n_records;
    uint64_t rows = packer_count(s->len, n, NULL, seq_len, EVAL_SEED, 0);
    struct batch_rows b;
    struct packer p;
    int rc = 0;

    batch_init(&b, batch, seq_len);
    b.every = every;
    packer_init(&p, s->len, n, NULL, seq_len, EVAL_SEED);
    for (uint64_t at = 0; at < rows && rc == 0; at += batch) {
        rc = batch_fill(&b, &p, s, rows - at, e);
        if (rc == 0)
            rc = fn(ctx, &b, e);
        if (rc == 0)
            progress_part("evaluating",
                          at + batch < rows ? at + batch : rows, rows);
        if (rc == 0 && stop_asked())
            rc = err_set(e, ERR_AGAIN, "stopped in an evaluation");
    }
    packer_release(&p);
    batch_release(&b);
    return rc;
}

struct evaluation {
    struct exec *x;
    double *loss; /* of a batch's rows */
    struct record_loss *target, *all;
};

/* Runs a batch and adds its rows' losses to their records'. */
static int
run_batch(void *ctx, const struct batch_rows *b, struct err *e)
{
    const struct evaluation *v = ctx;
    struct exec *x = v->x;
    int rc;

    x->in = (struct inputs){ .n_head = b->n_head };
    rc = exec_batch(x, &b->view, e);
    if (rc == 0)
        rc = exec_forward(x, e);
    if (rc == 0)
        rc = exec_get(x, &x->prog->row_loss, v->loss, e);
    for (uint32_t k = 0; k < b->n_head && rc == 0; k++) {
        int32_t r = b->head_row[k];

        if (b->weight[r] != 0)
            add_loss(&v->target[b->record[r]], v->loss[r]);
        if (v->all != NULL)
            add_loss(&v->all[b->record[r]], v->loss[r]);
    }
    return rc;
}

int
evaluate(struct exec *x, const struct token_source *s,
         struct record_loss *target, struct record_loss *all, struct err *e)
{
    const struct prog *p = x->prog;
    struct evaluation v = { x, mem_array(p->rows, sizeof(*v.loss)), target,
                            all };
    int rc;

    memset(target, 0, s->n_records * sizeof(*target));
    if (all != NULL)
        memset(all, 0, s->n_records * sizeof(*all));
    rc = evaluate_batches(s, p->opts.batch, p->opts.seq_len, all != NULL,
                          run_batch, &v, e);
    free(v.loss);
    return rc;
}
