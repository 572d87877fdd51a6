/* logits_gap.c - three programs one after the other, of which the first one's
 * logits are kept. */
#include "eval/logits_gap.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "weights/lora.h"

struct gap {
    const uint32_t *id;
    uint32_t n, vocab;
    float *first; /* [n, vocab]: what the others are compared with */
    double *row;  /* [vocab] */
};

struct prog_opts
logits_gap_opts(uint32_t n)
{
    return (struct prog_opts){ .mode = PROG_EVAL, .batch = 1, .seq_len = n,
                               .head_chunk = n, .logits = true };
}

double
logits_gap_rounding(const struct model_desc *d, double top)
{
    double longest = d->dim;

    for (uint32_t i = 0; i < d->n_layers; i++)
        longest = fmax(longest, d->layer[i].ff_dim);
    return 0x1p-24 * sqrt(2 * d->n_layers * longest) * top;
}

/* FWD and HEAD of the text. */
static int
run_text(struct exec *x, const struct gap *g, struct err *e)
{
    int32_t *at = mem_array(4 * (size_t)g->n, sizeof(*at));
    int32_t *id = at + g->n, *zero = id + g->n, *target = zero + g->n;
    float *weight = mem_array(g->n, sizeof(*weight));
    struct batch b = { .ids = id, .target = target, .pos = at,
                       .doc_first = zero, .head_row = at, .weight = weight,
                       .n = g->n };
    int rc;

    for (uint32_t i = 0; i < g->n; i++) {
        at[i] = (int32_t)i;
        id[i] = (int32_t)g->id[i];
        weight[i] = 1;
    }
    x->in = (struct inputs){ .n_head = g->n };
    rc = exec_batch(x, &b, e);
    if (rc == 0)
        rc = exec_forward(x, e);
    free(at);
    free(weight);
    return rc;
}

/* Row k of the logits, g->row, is kept, or compared with the one that was;
 * *most: the largest magnitude, or difference. */
static void
take_row(struct gap *g, uint32_t k, bool keep, double *most)
{
    float *first = g->first + (size_t)k * g->vocab;

    for (uint32_t i = 0; i < g->vocab; i++) {
        if (keep)
            first[i] = (float)g->row[i];
        *most = fmax(*most, fabs(keep ? g->row[i]
                                      : g->row[i] - (double)first[i]));
    }
}

static int
take_rows(struct gap *g, struct exec *x, const char *path, bool keep,
          double *most, struct err *e)
{
    struct view v = x->prog->logits;
    int rc = 0;

    *most = 0;
    v.rows = 1;
    for (uint32_t k = 0; k < g->n && rc == 0; k++) {
        rc = exec_get(x, &v, g->row, e);
        for (uint32_t i = 0; i < g->vocab && rc == 0; i++)
            if (!isfinite(g->row[i]))
                rc = err_set(e, ERR_DATA, "%s: the model's output is not "
                             "finite", path);
        if (rc == 0)
            take_row(g, k, keep, most);
        v.off += v.ld;
    }
    return rc;
}

/* The text through m, with the adapter a or (NULL) without. */
static int
run_model(struct gap *g, const struct model *m, const struct adapter *a,
          bool keep, double *most, struct err *e)
{
    struct prog_opts o = logits_gap_opts(g->n);
    struct lora_part *parts = NULL;
    struct prog p;
    struct exec x;
    int rc = a ? lora_opts(&o, a, &m->desc, &parts, e) : 0;

    if (rc == 0)
        rc = prog_build(&p, &m->desc, &o, &m->base, &m->backend, e);
    free(parts);
    if (rc < 0)
        return rc;
    rc = exec_open(&x, &p, &m->backend, NULL, e);
    if (rc == 0 && a != NULL)
        rc = lora_load(&x, a, e);
    if (rc == 0)
        rc = run_text(&x, g, e);
    if (rc == 0)
        rc = take_rows(g, &x, m->weights.path, keep, most, e);
    exec_release(&x);
    prog_release(&p);
    return rc;
}

int
logits_gap(struct logits_gap *to, const struct model *m,
           const struct model *merged, const uint32_t *id, uint32_t n,
           struct err *e)
{
    struct gap g = { id, n, .vocab = m->desc.vocab };
    int rc;

    g.first = mem_array((size_t)n * g.vocab, sizeof(*g.first));
    g.row = mem_array(g.vocab, sizeof(*g.row));
    rc = run_model(&g, m, m->with, true, &to->top, e);
    if (rc == 0)
        rc = run_model(&g, m, NULL, false, &to->moved, e);
    if (rc == 0)
        rc = run_model(&g, merged, NULL, false, &to->gap, e);
    free(g.first);
    free(g.row);
    return rc;
}
