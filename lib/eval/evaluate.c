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

/* Runs a batch and adds its rows' losses (loss: room for them) to their
 * records'. */
static int
run_batch(struct exec *x, const struct batch_rows *b, double *loss,
          struct record_loss *target, struct record_loss *all, struct err *e)
{
    int rc;

    x->in = (struct inputs){ .n_head = b->n_head };
    rc = exec_batch(x, &b->view, e);
    if (rc == 0)
        rc = exec_forward(x, e);
    if (rc == 0)
        rc = exec_get(x, &x->prog->row_loss, loss, e);
    for (uint32_t k = 0; k < b->n_head && rc == 0; k++) {
        int32_t r = b->head_row[k];

        if (b->weight[r] != 0)
            add_loss(&target[b->record[r]], loss[r]);
        if (all != NULL)
            add_loss(&all[b->record[r]], loss[r]);
    }
    return rc;
}

int
evaluate(struct exec *x, const struct token_source *s,
         struct record_loss *target, struct record_loss *all, struct err *e)
{
    uint32_t batch = x->prog->opts.batch, seq_len = x->prog->opts.seq_len;
    uint64_t n = s->n_records;
    uint64_t rows = packer_count(s->len, n, seq_len, EVAL_SEED, 0);
    double *loss = mem_array(x->prog->rows, sizeof(*loss));
    struct batch_rows b;
    struct packer p;
    int rc = 0;

    memset(target, 0, n * sizeof(*target));
    if (all != NULL)
        memset(all, 0, n * sizeof(*all));
    batch_init(&b, batch, seq_len);
    b.every = all != NULL;
    packer_init(&p, s->len, n, seq_len, EVAL_SEED);
    for (uint64_t at = 0; at < rows && rc == 0; at += batch) {
        rc = batch_fill(&b, &p, s, rows - at, e);
        if (rc == 0)
            rc = run_batch(x, &b, loss, target, all, e);
        if (rc == 0)
            progress_part("evaluating",
                          at + batch < rows ? at + batch : rows, rows);
        if (rc == 0 && stop_asked())
            rc = err_set(e, ERR_AGAIN, "stopped in an evaluation");
    }
    packer_release(&p);
    batch_release(&b);
    free(loss);
    return rc;
}
