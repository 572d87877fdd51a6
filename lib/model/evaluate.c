/* evaluate.c - see evaluate.h. */
#include "model/evaluate.h"

#include <string.h>

#include "base/progress.h"
#include "base/stop.h"

#define EVAL_SEED 0 /* any: the order of records doesn't matter */

/* Adds the rows' losses to their records'. */
static void
collect(const struct exec *x, const struct batch_rows *b,
        struct record_loss *out)
{
    const char *loss = view_at(&x->run, &x->prog->row_loss);

    for (uint32_t k = 0; k < b->n_head; k++) {
        int32_t r = b->head_row[k];
        struct record_loss *t = &out[b->record[r]];

        t->sum += x->run.real_size == sizeof(float)
                  ? ((const float *)loss)[r] : ((const double *)loss)[r];
        t->n++;
    }
}

int
evaluate(struct exec *x, const struct token_source *s, uint64_t limit,
         struct record_loss *out, struct err *e)
{
    uint32_t batch = x->prog->opts.batch, seq_len = x->prog->opts.seq_len;
    uint64_t n = limit && limit < s->n_records ? limit : s->n_records;
    uint64_t rows = packer_count(s->len, n, seq_len, EVAL_SEED, 0);
    struct step step = { 0 };
    struct batch_rows b;
    struct packer p;
    int rc = 0;

    memset(out, 0, n * sizeof(*out));
    batch_init(&b, batch, seq_len);
    packer_init(&p, s->len, n, seq_len, EVAL_SEED);
    x->run.step = &step;
    x->run.batch = &b.view;
    for (uint64_t at = 0; at < rows && rc == 0; at += batch) {
        rc = batch_fill(&b, &p, s, rows - at, e);
        step.n_head = b.n_head;
        if (rc == 0)
            rc = exec_forward(x, e);
        if (rc == 0)
            collect(x, &b, out);
        progress_part("evaluating", at + batch < rows ? at + batch : rows,
                      rows);
        if (rc == 0 && stop_asked())
            rc = err_set(e, ERR_AGAIN, "stopped in an evaluation");
    }
    packer_release(&p);
    batch_release(&b);
    return rc;
}
