/* score.c - opens a split and runs its records under base and adapter. */
#include "eval/score.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/progress.h"
#include "eval/compare.h"
#include "eval/context_score.h"
#include "eval/evaluate.h"
#include "eval/exactness.h"
#include "eval/strata.h"
#include "weights/lora.h"

#define SEQ_LEN 512

static struct record_loss *
record_sums(uint64_t n, bool wanted)
{
    return wanted ? mem_array(n, sizeof(struct record_loss)) : NULL;
}

/* Room for n records of so many tokens. */
static void
measured_init(struct measured *r, uint64_t n, uint64_t tokens,
              const struct model *m, const struct score_opts *o)
{
    bool both = o->compare != NULL;

    r->base = record_sums(n, true);
    r->adapter = record_sums(n, m->with != NULL);
    r->compare = record_sums(n, both);
    r->kl = record_sums(n, both);
    r->same_top = record_sums(n, both);
    r->kls = both ? mem_array(tokens, sizeof(*r->kls)) : NULL;
    r->n_kls = 0;
}

static void
measured_release(struct measured *r)
{
    free(r->base);
    free(r->adapter);
    free(r->compare);
    free(r->kl);
    free(r->same_top);
    free(r->kls);
}

static struct prog_opts
eval_opts(const struct score_opts *o)
{
    return (struct prog_opts){ .mode = PROG_EVAL, .batch = o->batch,
                               .seq_len = o->seq_len,
                               .head_chunk = EVAL_HEAD_CHUNK,
                               .logits = o->compare != NULL };
}

/* What every model here has positions for. */
static uint32_t
positions(const struct model *m, const struct score_opts *o)
{
    uint32_t n = m->desc.max_pos;

    return o->compare != NULL && o->compare->desc.max_pos < n
           ? o->compare->desc.max_pos : n;
}

static void
set_length(struct score_opts *o, const struct model *m)
{
    uint32_t most = positions(m, o), want = SEQ_LEN;

    if (o->context_set != NULL)
        want += o->context_set->o.tokens;
    if (o->seq_len == 0)
        o->seq_len = most < want ? most : want;
}

int
score_measure(const struct model *m, const struct score_opts *o,
              const struct adapter *a, const struct token_source *s,
              struct record_loss *target, struct record_loss *all,
              struct err *e)
{
    struct prog_opts p = eval_opts(o);
    struct lora_part *parts = NULL;
    struct prog prog;
    struct exec x;
    int rc = a ? lora_opts(&p, a, &m->desc, &parts, e) : 0;

    if (rc == 0)
        rc = prog_build(&prog, &m->desc, &p, &m->base, &m->backend, e);
    free(parts);
    if (rc < 0)
        return rc;
    rc = exec_open(&x, &prog, &m->backend, NULL, e);
    if (rc == 0 && a != NULL)
        rc = lora_load(&x, a, e);
    if (rc == 0)
        rc = evaluate(&x, s, target, all, e);
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

/* Of two bases that know the same tokens, one has the set's tokenizer: the
 * other's may be written in another way. */
static int
check_data(const struct dataset *data, const struct model *m,
           const struct score_opts *o, struct err *e)
{
    struct err unused;
    int rc = o->compare != NULL ? compare_vocab(m, o->compare, e) : 0;

    if (rc < 0)
        return rc;
    rc = dataset_check(data, m, e);
    if (rc < 0 && o->compare != NULL
        && dataset_check(data, o->compare, &unused) == 0)
        return 0;
    if (rc == 0 && o->context_set != NULL)
        rc = context_made_with(o->context_set, data->tokenizer, e);
    return rc;
}

static int
open_data(struct dataset *data, const struct model *m,
          const struct score_opts *o, struct err *e)
{
    int rc = dataset_open(data, o->data, e);

    if (rc < 0)
        return rc;
    data->loss = LOSS_TARGET; /* told apart, whatever is learned */
    rc = check_data(data, m, o, e);
    if (rc == 0 && manifest_split(&data->set.manifest, o->split) == NULL)
        rc = no_split(data, o, e);
    if (rc < 0)
        dataset_release(data);
    return rc;
}

int
scores_open_split(struct dataset *data, struct data_split *split,
                  const struct model *m, const struct score_opts *o,
                  struct err *e)
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

/* Whether there is memory to measure records of so many tokens. */
static int
check_fit(const struct model *m, const struct score_opts *o, uint64_t tokens,
          struct err *e)
{
    struct prog_opts p = eval_opts(o);

    if (!desc_reaches(&m->desc, o->seq_len)
        || (o->compare != NULL
            && !desc_reaches(&o->compare->desc, o->seq_len)))
        return 0; /* there is no such program: score_split says why */
    if (o->compare == NULL)
        return model_fit(m, &p, "evaluation", o->force, e);
    return model_fit_both(m, o->compare, &p,
                          compare_bytes(m->desc.vocab, tokens), "comparison",
                          o->force, e);
}

int
score_check(const struct model *m, const struct score_opts *given,
            struct err *e)
{
    struct score_opts o = *given;
    struct dataset data;
    struct data_split split;
    uint64_t tokens = 0;
    int rc;

    if (o.compare == NULL) {
        rc = open_data(&data, m, &o, e);
    } else { /* what is kept of each token is memory, too */
        rc = scores_open_split(&data, &split, m, &o, e);
        if (rc == 0) {
            tokens = split.tokens;
            data_split_release(&split);
        }
    }
    if (rc < 0)
        return rc;
    dataset_release(&data);
    set_length(&o, m);
    rc = check_fit(m, &o, tokens, e);
    return rc == 0 && o.exactness > 0 ? exactness_fit(m, &o, e) : rc;
}

static bool
is_finite(const struct record_loss *r, uint64_t n)
{
    return isfinite(mean_of(r, NULL, n).mean);
}

static int
not_finite(const struct model *m, struct err *e)
{
    return err_set(e, ERR_DATA, "%s: the loss is not finite",
                   m->weights.path);
}

/* Base and, where there is one, base with adapter. */
static int
measure_adapter(struct scores *s, const struct model *m,
                const struct score_opts *o, struct err *e)
{
    const struct token_source *source = &s->split->source;
    int rc;

    progress_begin("models", 0, m->with != NULL ? 2 : 1);
    rc = score_measure(m, o, NULL, source, s->target.base, s->all.base, e);
    progress_add(rc == 0);
    if (rc == 0 && m->with != NULL) {
        rc = score_measure(m, o, m->with, source, s->target.adapter,
                           s->all.adapter, e);
        progress_add(rc == 0);
    }
    return rc;
}

/* Two bases, side by side. */
static int
measure_bases(struct scores *s, const struct model *m,
              const struct score_opts *o, struct err *e)
{
    struct prog_opts p = eval_opts(o);
    int rc;

    progress_begin("comparisons", 0, 1);
    rc = compare_models(m, o->compare, &p, &s->split->source, &s->target,
                        &s->all, e);
    progress_add(rc == 0);
    return rc;
}

static int
measure_all(struct scores *s, const struct model *m,
            const struct score_opts *o, struct err *e)
{
    int rc = o->compare != NULL ? measure_bases(s, m, o, e)
                                : measure_adapter(s, m, o, e);

    progress_end();
    if (rc == 0 && mean_of(s->target.base, NULL, s->n).tokens == 0)
        rc = nothing(o, e);
    if (rc == 0 && (!is_finite(s->target.base, s->n)
                    || (m->with != NULL
                        && !is_finite(s->target.adapter, s->n))))
        rc = not_finite(m, e);
    return rc;
}

/* With s->context, where that is asked for. */
static int
measure_context(struct context_scores *c, struct scores *s,
                const struct model *m, const struct score_opts *o,
                struct err *e)
{
    int rc;

    if (o->context_set == NULL)
        return 0;
    rc = context_score(c, s, m, o, e);
    if (rc < 0)
        return rc;
    s->context = c;
    if (!is_finite(c->base, s->n)
        || (c->adapter != NULL && !is_finite(c->adapter, s->n)))
        return not_finite(m, e);
    return 0;
}

int
score_split(const struct model *m, const struct score_opts *given,
            struct buf *summary, struct err *e)
{
    struct score_opts o = *given;
    struct context_scores context = { .size = NULL };
    struct dataset data;
    struct data_split split;
    struct scores s = { .split = &split };
    int rc = scores_open_split(&data, &split, m, &o, e);

    if (rc < 0)
        return rc;
    set_length(&o, m);
    s.n = split.source.n_records;
    measured_init(&s.target, s.n, split.supervised, m, &o);
    measured_init(&s.all, s.n, split.tokens, m, &o);
    rc = data_check_length(&split, m, o.seq_len, e);
    if (rc == 0 && o.compare != NULL)
        rc = data_check_length(&split, o.compare, o.seq_len, e);
    if (rc == 0)
        rc = measure_all(&s, m, &o, e);
    if (rc == 0)
        rc = measure_context(&context, &s, m, &o, e);
    if (rc == 0)
        scores_put(summary, &o, &s);
    if (rc == 0 && o.by != 0)
        rc = strata_put(summary, &o, &s, e);
    if (rc == 0 && o.exactness > 0)
        rc = exactness_put(summary, m, &o, e);
    if (rc == 0 && o.per_record != NULL)
        rc = scores_write(&s, o.per_record, e);
    measured_release(&s.target);
    measured_release(&s.all);
    context_scores_release(&context);
    data_split_release(&split);
    dataset_release(&data);
    return rc;
}
