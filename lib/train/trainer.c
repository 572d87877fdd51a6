/* trainer.c - a step: micro-batches through forward and backward, one update.
 * The back end may be behind: what only a step's end tells is read later. */
#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"
#include "eval/evaluate.h"
#include "train/profile.h"

int
trainer_plan(struct trainer *t, const struct train_opts *o,
             const struct model *m, const struct frozen *base,
             const struct token_source *train,
             const struct token_source *val, struct err *e)
{
    struct prog_opts eval_opts;
    int rc;

    memset(t, 0, sizeof(*t));
    t->opts = *o;
    t->model = m;
    t->base = base;
    t->train = *train;
    t->val = *val;
    t->opts.prog.mode = PROG_TRAIN;
    eval_opts = t->opts.prog;
    eval_opts.mode = PROG_EVAL;
    rc = prog_build(&t->prog, &m->desc, &t->opts.prog, base, &m->backend, e);
    if (rc == 0)
        rc = prog_build(&t->eval_prog, &m->desc, &eval_opts, base,
                        &m->backend, e);
    if (rc < 0) {
        trainer_release(t);
        return rc;
    }
    prog_widen(&t->prog, &t->eval_prog);
    return 0;
}

static uint64_t
rows_for_tokens(const struct token_source *s,
                const struct train_length *len)
{
    uint64_t tokens = 0, rows = 0;
    struct packer p;

    packer_init(&p, s->len, s->n_records, s->draws, len->seq_len, len->seed);
    while (tokens < len->tokens) {
        size_t n;
        const struct slice *q = packer_row(&p, &n);

        for (size_t i = 0; i < n; i++)
            tokens += q[i].n;
        rows++;
    }
    packer_release(&p);
    return rows;
}

uint64_t
train_rows(const struct token_source *s, const struct train_length *len)
{
    double rows = 0;

    if (len->tokens > 0)
        return rows_for_tokens(s, len);
    for (uint64_t i = 0; (double)i < len->epochs; i++) {
        double part = len->epochs - (double)i;

        rows += (part < 1 ? part : 1)
                * (double)packer_count(s->len, s->n_records, s->draws,
                                       len->seq_len, len->seed, i);
    }
    return (uint64_t)ceil(rows);
}

/* What of the base filled parameters is mapped, and read no more. */
static void
drop_filled(const struct trainer *t)
{
    const struct weights *w = &t->model->weights;

    for (size_t i = 0; i < t->prog.n_params; i++) {
        const struct param *q = &t->prog.param[i];
        const struct weight *from;

        if (q->kind != PARAM_TENSOR && q->kind != PARAM_TOKENS)
            continue;
        from = weights_find(w, t->base->tensor[q->tensor
                                               - t->prog.desc->tensor].name);
        if (from != NULL)
            weights_drop(w, from);
    }
}

int
trainer_start(struct trainer *t, struct err *e)
{
    const struct prog_opts *o = &t->opts.prog;
    const struct backend *b = &t->model->backend;
    int rc = exec_open(&t->exec, &t->prog, b, NULL, e);

    if (rc == 0)
        rc = exec_open(&t->eval_exec, &t->eval_prog, b, &t->exec, e);
    if (rc < 0)
        return rc;
    t->micro = mem_array(t->opts.accum, sizeof(*t->micro));
    for (uint32_t i = 0; i < t->opts.accum; i++)
        batch_init(&t->micro[i], o->batch, o->seq_len);
    t->ring = mem_array(b->ahead, sizeof(*t->ring));
    t->val_loss = mem_array(t->val.n_records, sizeof(*t->val_loss));
    packer_init(&t->packer, t->train.len, t->train.n_records, t->train.draws,
                o->seq_len, t->opts.seed);
    rc = exec_load_base(&t->exec, t->base, e);
    drop_filled(t);
    if (rc == 0 && o->method == METHOD_LORA)
        rc = exec_init_lora(&t->exec, t->opts.seed, e);
    return rc;
}

void
trainer_release(struct trainer *t)
{
    for (uint32_t i = 0; t->micro != NULL && i < t->opts.accum; i++)
        batch_release(&t->micro[i]);
    free(t->micro);
    free(t->ring);
    free(t->val_loss);
    packer_release(&t->packer);
    profile_release(t->profile);
    exec_release(&t->eval_exec);
    exec_release(&t->exec);
    prog_release(&t->eval_prog);
    prog_release(&t->prog);
    memset(t, 0, sizeof(*t));
}

void
trainer_resume(struct trainer *t)
{
    packer_seek(&t->packer, t->state.cursor);
    t->updates_before = t->state.updates;
}

/* The packed sequences that this step may still take: all steps before were
 * full. */
static uint64_t
rows_left(const struct trainer *t)
{
    uint64_t a_step = (uint64_t)t->opts.prog.batch * t->opts.accum;

    return t->opts.rows ? t->opts.rows - t->state.step * a_step : a_step;
}

/* Reads the step's micro-batches and counts, since the loss of the first is
 * already divided by the supervised tokens of all. */
static int
fill_micro(struct trainer *t, struct step_report *r, struct err *e)
{
    uint64_t left = rows_left(t);
    int rc = 0;

    r->tokens = r->supervised = 0;
    for (uint32_t i = 0; i < t->opts.accum && rc == 0; i++) {
        uint64_t at = (uint64_t)i * t->opts.prog.batch;

        rc = batch_fill(&t->micro[i], &t->packer, &t->train,
                        left > at ? left - at : 0, e);
        r->tokens += t->micro[i].n_tokens;
        r->supervised += t->micro[i].n_head;
    }
    return rc;
}

static void
set_inputs(struct trainer *t, const struct step_report *r)
{
    t->exec.in = (struct inputs){
        .seed = t->opts.seed,
        .step = t->state.step,
        .updates = t->updates_before,
        .lr = r->lr,
        .inv_tokens = 1.0 / (double)r->supervised,
    };
}

/* Micro-batch i adds to the gradients. */
static int
run_one(struct trainer *t, uint32_t i, struct err *e)
{
    const struct batch_rows *b = &t->micro[i];
    int rc;

    if (b->n_head == 0)
        return 0;
    if (stop_asked())
        return err_set(e, ERR_AGAIN, "stopped in a step");
    profile_batch(t, b->n_head);
    t->exec.in.row0 = (uint64_t)i * t->prog.rows;
    t->exec.in.n_head = b->n_head;
    rc = exec_batch(&t->exec, &b->view, e);
    if (rc == 0)
        rc = exec_forward(&t->exec, e);
    return rc < 0 ? rc : exec_range(&t->exec, RANGE_BWD, e);
}

static int
run_micro(struct trainer *t, struct err *e)
{
    int rc = exec_range(&t->exec, RANGE_START, e);

    for (uint32_t i = 0; i < t->opts.accum && rc == 0; i++) {
        rc = run_one(t, i, e);
        progress_part("batch", i + 1, t->opts.accum);
    }
    return rc < 0 ? rc : exec_range(&t->exec, RANGE_UPDATE, e);
}

double
trainer_tokens(const struct trainer *t)
{
    uint64_t a_step = (uint64_t)t->opts.prog.batch * t->opts.accum;
    uint64_t rows = t->opts.rows ? t->opts.rows : t->opts.steps * a_step;

    return (double)rows * (double)t->opts.prog.seq_len;
}

double
trainer_rate(const struct trainer *t)
{
    const struct train_state *s = &t->state;

    return schedule_rate(&t->opts.course, s->val.plateau_cuts, s->step,
                         t->opts.steps)
           * pow(t->opts.back_off, (double)s->bad);
}

static int
take_step(struct trainer *t, struct err *e)
{
    struct train_state *s = &t->state;
    struct step_report *r
        = &t->ring[t->launched % t->model->backend.ahead];
    int rc = fill_micro(t, r, e);

    profile_data(t);
    if (rc < 0)
        return rc;
    r->step = s->step + 1;
    r->lr = trainer_rate(t);
    if (r->supervised > 0) {
        set_inputs(t, r);
        rc = run_micro(t, e);
    }
    if (rc < 0) {
        packer_seek(&t->packer, s->cursor);
        return rc;
    }
    t->launched++;
    s->cursor = t->packer.at;
    s->step++;
    s->tokens += r->tokens;
    s->supervised += r->supervised;
    return 0;
}

int
trainer_step(struct trainer *t, struct err *e)
{
    profile_begin(t);
    return profile_end(t, take_step(t, e), e);
}

bool
trainer_is_full(const struct trainer *t)
{
    uint64_t behind = t->launched - t->reported;

    /* where the rate follows from what came of a step, that is read first */
    return behind == t->model->backend.ahead
           || (behind > 0 && t->opts.back_off < 1);
}

/* What the end of the step tells. */
static int
read_results(struct trainer *t, struct step_report *r, struct err *e)
{
    struct results out;
    int rc = exec_results(&t->exec, &out, e);

    if (rc < 0)
        return rc;
    r->loss = out.loss_sum / (double)r->supervised;
    r->z_loss = t->opts.prog.z_loss > 0
                ? out.z_sum / (double)r->supervised : 0;
    r->balance = out.balance_sum / (double)r->supervised;
    r->grad_norm = sqrt(out.gnorm2);
    r->skipped = out.skipped != 0;
    t->state.bad += r->skipped;
    t->state.bad_row = r->skipped ? t->state.bad_row + 1 : 0;
    if (!r->skipped)
        r->spike = spike_take(&t->state.spikes, r->loss, t->opts.spike);
    return 0;
}

int
trainer_report(struct trainer *t, struct step_report *r, struct err *e)
{
    struct train_state *s = &t->state;
    int rc = 0;

    if (t->reported == t->launched)
        return 0;
    *r = t->ring[t->reported++ % t->model->backend.ahead];
    r->loss = r->z_loss = r->balance = r->grad_norm = NAN;
    r->skipped = true;
    r->spike = 0;
    if (r->supervised > 0)
        rc = read_results(t, r, e);
    if (rc < 0)
        return rc;
    trend_take(&s->trend, r->tokens, r->loss);
    s->updates += !r->skipped;
    s->skipped += r->skipped;
    if (t->opts.max_bad > 0 && s->bad_row >= t->opts.max_bad)
        return err_set(e, ERR_IO, "step %llu: loss or gradient not finite "
                       "for %u steps in a row (--max-bad-steps)",
                       (unsigned long long)r->step, t->opts.max_bad);
    return 1;
}

/* Elements that are looked at at one time. */
#define PIECE 8192

static int
check_vector(const struct trainer *t, const struct view *v, struct err *e)
{
    uint64_t n = v->cols, k;
    double piece[PIECE];
    int rc = 0;

    for (uint64_t at = 0; v->buf != 0 && at < n && rc == 0; at += k) {
        struct view part = view_part(*v, at, k = n - at < PIECE ? n - at
                                                                : PIECE);

        rc = exec_get(&t->exec, &part, piece, e);
        for (uint64_t i = 0; i < k && rc == 0; i++)
            if (!isfinite(piece[i]))
                rc = err_set(e, ERR_IO, "step %llu: a parameter or a moment "
                             "is not finite: nothing of it is kept",
                             (unsigned long long)t->state.step);
    }
    return rc;
}

int
trainer_check(const struct trainer *t, struct err *e)
{
    const struct prog *p = &t->prog;
    const struct view *const all[] = { &p->params, &p->m, &p->v, &p->m_scale,
                                       &p->v_scale };
    int rc = 0;

    for (size_t i = 0; i < sizeof(all) / sizeof(*all) && rc == 0; i++)
        rc = check_vector(t, all[i], e);
    return rc;
}

int
trainer_evaluate(struct trainer *t, struct mean_loss *m, struct err *e)
{
    int rc = exec_start(&t->eval_exec, e);

    if (rc == 0)
        rc = evaluate(&t->eval_exec, &t->val, t->val_loss, NULL, e);
    if (rc == 0)
        *m = mean_of(t->val_loss, t->val.cluster, t->val.n_records);
    return rc;
}
