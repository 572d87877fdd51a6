/* score.c - opens a split and runs its records under base and adapter. */
#include "eval/score.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/progress.h"
#include "eval/evaluate.h"
#include "eval/scores.h"
#include "weights/lora.h"

#define SEQ_LEN 512

static void
losses_init(struct losses *l, uint64_t n)
{
    l->target = mem_array(n, sizeof(*l->target));
    l->all = mem_array(n, sizeof(*l->all));
}

static void
losses_release(struct losses *l)
{
    free(l->target);
    free(l->all);
}

static struct prog_opts
eval_opts(const struct score_opts *o)
{
    return (struct prog_opts){ .mode = PROG_EVAL, .batch = o->batch,
                               .seq_len = o->seq_len,
                               .head_chunk = EVAL_HEAD_CHUNK };
}

static void
set_length(struct score_opts *o, const struct model *m)
{
    if (o->seq_len == 0)
        o->seq_len = m->desc.max_pos < SEQ_LEN ? m->desc.max_pos : SEQ_LEN;
}

/* The loss of each record with an adapter or (NULL) without. */
static int
measure(const struct model *m, const struct score_opts *o,
        const struct adapter *a, const struct token_source *s,
        const struct losses *out, struct err *e)
{
    struct prog_opts p = eval_opts(o);
    const char **targets = NULL;
    struct prog prog;
    struct exec x;
    int rc;

    if (a != NULL)
        lora_opts(&p, a, &targets);
    rc = prog_build(&prog, &m->desc, &p, &m->base, &m->backend, e);
    free(targets);
    if (rc < 0)
        return rc;
    rc = exec_open(&x, &prog, &m->backend, NULL, e);
    if (rc == 0 && a != NULL)
        rc = lora_load(&x, a, e);
    if (rc == 0)
        rc = evaluate(&x, s, out->target, out->all, e);
    exec_release(&x);
    prog_release(&prog);
    return rc;
}

/* ERR_DATA that tells which splits there are. */
static int
no_split(const struct dataset *data, const struct score_opts *o,
         struct err *e)
{
    const struct manifest *m = &data->set.manifest;
    struct buf names;

    buf_init(&names);
    for (size_t i = 0; i < m->n_splits; i++)
        buf_addf(&names, "%s%s", i ? ", " : "", m->split[i].name);
    err_set(e, ERR_DATA, "%s: no split '%s' (it has %s)", o->data, o->split,
            m->n_splits ? names.data : "none");
    buf_release(&names);
    return e->code;
}

static int
nothing(const struct score_opts *o, struct err *e)
{
    return err_set(e, ERR_DATA, "%s: nothing to measure in split '%s'",
                   o->data, o->split);
}

static int
open_data(struct dataset *data, const struct model *m,
          const struct score_opts *o, struct err *e)
{
    int rc = dataset_open(data, o->data, e);

    if (rc < 0)
        return rc;
    data->loss = LOSS_TARGET; /* told apart, whatever is learned */
    rc = dataset_check(data, m, e);
    if (rc == 0 && manifest_split(&data->set.manifest, o->split) == NULL)
        rc = no_split(data, o, e);
    if (rc < 0)
        dataset_release(data);
    return rc;
}

int
score_check(const struct model *m, const struct score_opts *given,
            struct err *e)
{
    struct score_opts o = *given;
    struct dataset data;
    struct prog_opts p;
    int rc = open_data(&data, m, &o, e);

    if (rc < 0)
        return rc;
    dataset_release(&data);
    set_length(&o, m);
    if (m->desc.pos == POS_LEARNED && o.seq_len > m->desc.max_pos)
        return 0; /* there is no such program: score_split says why */
    p = eval_opts(&o);
    return model_fit(m, &p, "evaluation", o.force, e);
}

/* Opens the split and checks that there is something to measure. */
static int
open_split(struct dataset *data, struct data_split *split,
           const struct model *m, const struct score_opts *o, struct err *e)
{
    int rc = open_data(data, m, o, e);

    if (rc < 0)
        return rc;
    rc = data_split_open(split, data, o->split, o->records, m->desc.vocab, e);
    if (rc < 0)
        goto out;
    rc = data_split_cluster(split, e);
    if (rc == 0 && split->supervised == 0)
        rc = nothing(o, e);
    if (rc < 0)
        data_split_release(split);
out:
    if (rc < 0)
        dataset_release(data);
    return rc;
}

static bool
is_finite(const struct record_loss *r, uint64_t n)
{
    return isfinite(mean_of(r, NULL, n).mean);
}

static int
measure_both(struct scores *s, const struct model *m,
             const struct score_opts *o, struct err *e)
{
    const struct token_source *source = &s->split->source;
    int rc;

    progress_begin("models", 0, m->with != NULL ? 2 : 1);
    rc = measure(m, o, NULL, source, &s->base, e);
    progress_add(rc == 0);
    if (rc == 0 && m->with != NULL) {
        rc = measure(m, o, m->with, source, &s->with, e);
        progress_add(rc == 0);
    }
    progress_end();
    if (rc == 0 && mean_of(s->base.target, NULL, s->n).tokens == 0)
        rc = nothing(o, e);
    if (rc == 0 && (!is_finite(s->base.target, s->n)
                    || (m->with != NULL
                        && !is_finite(s->with.target, s->n))))
        rc = err_set(e, ERR_DATA, "%s: the loss is not finite",
                     m->weights.path);
    return rc;
}

int
score_split(const struct model *m, const struct score_opts *given,
            struct buf *summary, struct err *e)
{
    struct score_opts o = *given;
    struct dataset data;
    struct data_split split;
    struct scores s = { .split = &split };
    int rc = open_split(&data, &split, m, &o, e);

    if (rc < 0)
        return rc;
    set_length(&o, m);
    s.n = split.source.n_records;
    losses_init(&s.base, s.n);
    if (m->with != NULL)
        losses_init(&s.with, s.n);
    rc = data_check_length(&split, m, o.seq_len, e);
    if (rc == 0)
        rc = measure_both(&s, m, &o, e);
    if (rc == 0 && o.per_record != NULL)
        rc = scores_write(&s, o.per_record, e);
    if (rc == 0)
        scores_put(summary, &o, &s);
    losses_release(&s.base);
    losses_release(&s.with);
    data_split_release(&split);
    dataset_release(&data);
    return rc;
}
