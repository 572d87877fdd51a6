/* runloop.c - see runloop.h. */
#include "model/runloop.h"

#include <math.h>
#include <sys/resource.h>
#include <time.h>

#include "base/json.h"
#include "base/log.h"

/* A run as it goes, and what has come together since the last line. */
struct loop {
    struct trainer *t;
    struct rundir *dir;
    const struct adapter *meta;
    const struct run_opts *o;
    double since;       /* clock at the last line */
    double loss;        /* sum over supervised tokens */
    uint64_t supervised, tokens, steps;
};

static double
seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint64_t
peak_bytes(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)u.ru_maxrss * 1024;
}

static void
start_line(struct loop *l)
{
    l->since = seconds_now();
    l->loss = 0;
    l->supervised = l->tokens = l->steps = 0;
}

static void
put_number(struct buf *b, const char *key, double v)
{
    buf_addf(b, ", \"%s\": ", key);
    json_put_double(b, v);
}

static int
log_step(struct loop *l, const struct step_report *r, struct err *e)
{
    struct train_state *s = &l->t->state;
    double seconds = seconds_now() - l->since;
    struct run_line line = {
        .step = s->step, .lr = r->lr,
        .loss = l->supervised ? l->loss / (double)l->supervised : NAN,
        .steps_s = (double)l->steps / seconds,
        .tok_s = (double)l->tokens / seconds,
        .tokens = s->tokens, .peak_bytes = peak_bytes(),
    };
    struct buf b;
    int rc;

    buf_init(&b);
    buf_addf(&b, "{\"step\": %llu", (unsigned long long)s->step);
    put_number(&b, "loss", line.loss);
    put_number(&b, "lr", r->lr);
    put_number(&b, "grad_norm", r->grad_norm);
    buf_addf(&b, ", \"tokens\": %llu", (unsigned long long)s->tokens);
    put_number(&b, "tok_s", line.tok_s);
    buf_addf(&b, ", \"peak_bytes\": %llu, \"supervised\": %llu, "
             "\"skipped\": %llu}", (unsigned long long)line.peak_bytes,
             (unsigned long long)s->supervised,
             (unsigned long long)s->skipped);
    rc = rundir_log(l->dir, b.data, &s->metrics, e);
    buf_release(&b);
    l->o->report(l->o->ctx, &line);
    start_line(l);
    return rc;
}

/* The validation loss; nothing when there is no validation split. */
static int
log_evaluation(struct loop *l, struct err *e)
{
    struct train_state *s = &l->t->state;
    double began = seconds_now();
    struct mean_loss m;
    struct run_line line = { .step = s->step, .val = &m };
    struct buf b;
    int rc;

    if (l->t->val.n_records == 0)
        return 0;
    rc = trainer_evaluate(l->t, &m, e);
    if (rc < 0)
        return rc;
    line.seconds = seconds_now() - began;
    buf_init(&b);
    buf_addf(&b, "{\"step\": %llu", (unsigned long long)s->step);
    put_number(&b, "val_loss", m.mean);
    put_number(&b, "val_half_width", m.half);
    buf_addf(&b, ", \"val_tokens\": %llu, \"val_records\": %llu, "
             "\"val_clusters\": %llu}", (unsigned long long)m.tokens,
             (unsigned long long)m.records, (unsigned long long)m.clusters);
    rc = rundir_log(l->dir, b.data, &s->metrics, e);
    buf_release(&b);
    l->o->report(l->o->ctx, &line);
    l->since += seconds_now() - began; /* it is no time of training */
    return rc;
}

static int
save(struct loop *l, struct err *e)
{
    int rc = checkpoint_write(l->dir->path, &l->t->state, &l->t->exec,
                              &l->dir->key, l->o->keep, e);

    if (rc == 0)
        rc = rundir_save(l->dir, l->t, l->meta, e);
    return rc;
}

static bool
is_due(uint64_t step, uint64_t every)
{
    return every > 0 && step % every == 0;
}

static int
one_step(struct loop *l, struct err *e)
{
    uint64_t step, last = l->t->opts.steps;
    struct step_report r;
    int rc = trainer_step(l->t, &r, e);

    if (rc < 0)
        return rc;
    step = l->t->state.step;
    if (r.skipped)
        log_warn("step %llu: left out, %s", (unsigned long long)step,
                 r.supervised ? "the gradient is not finite"
                              : "no token has a loss");
    else
        l->loss += r.loss * (double)r.supervised;
    l->supervised += r.skipped ? 0 : r.supervised;
    l->tokens += r.tokens;
    l->steps++;
    if (is_due(step, l->o->log_every) || step == last)
        rc = log_step(l, &r, e);
    if (rc == 0 && (is_due(step, l->o->eval_every) || step == last))
        rc = log_evaluation(l, e);
    if (rc == 0 && (is_due(step, l->o->save_every) || step == last
                    || *l->o->stop != 0))
        rc = save(l, e);
    return rc;
}

int
run_loop(struct trainer *t, struct rundir *dir, const struct adapter *meta,
         const struct run_opts *o, struct err *e)
{
    struct loop l = { .t = t, .dir = dir, .meta = meta, .o = o };
    /* the run was ended between its last checkpoint and its result */
    bool at_end = t->state.step >= t->opts.steps;
    int rc = rundir_metrics(dir, t->state.metrics, e);

    start_line(&l);
    if (rc == 0 && t->state.step == 0)
        rc = log_evaluation(&l, e);
    while (rc == 0 && t->state.step < t->opts.steps) {
        rc = one_step(&l, e);
        if (rc == 0 && *o->stop != 0 && t->state.step < t->opts.steps)
            return err_set(e, ERR_AGAIN, "%s: stopped after step %llu, go "
                           "on with --resume", dir->path,
                           (unsigned long long)t->state.step);
    }
    if (rc == 0 && t->state.updates == 0)
        rc = err_set(e, ERR_DATA, "%s: no step could be taken: neither loss "
                     "nor gradient was ever finite", t->weights->path);
    if (rc == 0 && at_end)
        rc = rundir_save(dir, t, meta, e);
    if (rc == 0)
        rc = rundir_complete(dir, t, e);
    return rc;
}
