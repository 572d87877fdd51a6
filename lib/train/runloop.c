/* runloop.c - one step after the other, and what is due after each: a line, an
 * evaluation, a checkpoint, an end. What needs a step's result waits for it;
 * between these the back end may be behind. */
#include "train/runloop.h"

#include <math.h>
#include <time.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"

/* A run as it goes, and what has come together since the last line. */
struct loop {
    struct trainer *t;
    struct rundir *dir;
    const struct adapter *meta;
    const struct run_opts *o;
    struct step_report last; /* read */
    double since;           /* clock at the last line */
    uint64_t tokens, steps; /* since then, in this process */
    double saved_at;        /* clock at the last checkpoint */
    bool saved;             /* there is one of the state as it is */
};

static double
seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void
start_line(struct loop *l)
{
    l->since = seconds_now();
    l->tokens = l->steps = 0;
}

static void
put_number(struct buf *b, const char *key, double v)
{
    buf_addf(b, ", \"%s\": ", key);
    json_put_double(b, v);
}

static void
count_step(struct loop *l, const struct step_report *r)
{
    struct train_state *s = &l->t->state;

    l->last = *r;
    l->tokens += r->tokens;
    l->steps++;
    if (r->skipped) {
        log_warn("step %llu: left out, %s", (unsigned long long)r->step,
                 r->supervised ? "the gradient is not finite"
                               : "no token has a loss");
        return;
    }
    s->line_loss += r->loss * (double)r->supervised;
    s->line_supervised += r->supervised;
}

/* Waits for all steps and counts them: state is whole then. */
static int
settle(struct loop *l, struct err *e)
{
    struct step_report r;
    int rc;

    while ((rc = trainer_report(l->t, &r, e)) > 0)
        count_step(l, &r);
    return rc;
}

static int
log_step(struct loop *l, struct err *e)
{
    const struct step_report *r = &l->last;
    struct train_state *s = &l->t->state;
    double seconds = seconds_now() - l->since;
    struct run_line line = {
        .step = s->step, .lr = r->lr,
        .loss = s->line_supervised
                ? s->line_loss / (double)s->line_supervised : NAN,
        .steps_s = (double)l->steps / seconds,
        .tok_s = (double)l->tokens / seconds,
        .tokens = s->tokens, .peak_bytes = mem_peak(),
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
    l->o->report(&line);
    s->line_loss = 0;
    s->line_supervised = 0;
    start_line(l);
    return rc;
}

/* The validation loss; nothing when there is no validation split. */
static int
log_evaluation(struct loop *l, struct err *e)
{
    struct train_state *s = &l->t->state;
    double began;
    struct mean_loss m;
    struct run_line line = { .step = s->step, .val = &m };
    struct buf b;
    int rc;

    if (l->t->val.n_records == 0)
        return 0;
    rc = settle(l, e);
    began = seconds_now();
    if (rc == 0)
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
    s->evaluated = s->step + 1;
    l->o->report(&line);
    l->since += seconds_now() - began; /* it is no time of training */
    return rc;
}

/* The lines that a checkpoint counts are on the disk before it is. */
static int
save(struct loop *l, struct err *e)
{
    int rc = settle(l, e);

    if (rc == 0)
        rc = rundir_sync(l->dir, e);
    if (rc == 0)
        rc = checkpoint_write(l->dir->path, &l->t->state, &l->t->exec,
                              &l->dir->key, l->o->keep, e);
    if (rc == 0)
        rc = rundir_save(l->dir, l->t, l->meta, e);
    l->saved = rc == 0;
    l->saved_at = seconds_now();
    return rc;
}

static bool
is_last(const struct loop *l)
{
    return l->t->state.step >= l->t->opts.steps;
}

static bool
is_due(uint64_t step, uint64_t every)
{
    return every > 0 && step % every == 0;
}

static bool
save_is_due(const struct loop *l)
{
    const struct run_opts *o = l->o;

    return is_last(l) || is_due(l->t->state.step, o->save_steps)
           || (o->save_seconds > 0
               && seconds_now() - l->saved_at >= (double)o->save_seconds);
}

/* Before the first step, after the last, and between them as asked. A
 * checkpoint comes before the evaluation of its step, so a run that goes on
 * from one may have to begin with that. */
static int
evaluate_if_due(struct loop *l, struct err *e)
{
    uint64_t step = l->t->state.step;

    if (l->t->state.evaluated == step + 1
        || (step > 0 && !is_last(l) && !is_due(step, l->o->eval_every)))
        return 0;
    return log_evaluation(l, e);
}

static int
one_step(struct loop *l, struct err *e)
{
    bool line;
    int rc = stop_asked() ? err_set(e, ERR_AGAIN, "stopped")
                          : trainer_step(l->t, e);

    if (rc < 0)
        return rc;
    l->saved = false;
    line = is_due(l->t->state.step, l->o->log_every) || is_last(l);
    if (line || trainer_is_full(l->t))
        rc = settle(l, e);
    if (rc == 0 && line)
        rc = log_step(l, e);
    if (rc == 0 && save_is_due(l))
        rc = save(l, e);
    return rc < 0 ? rc : evaluate_if_due(l, e);
}

/* Puts away what was done; ERR_AGAIN. */
static int
stop(struct loop *l, struct err *e)
{
    int rc = l->saved ? 0 : save(l, e);

    if (rc < 0)
        return rc;
    return err_set(e, ERR_AGAIN, "%s: stopped after step %llu, go on with "
                   "--resume", l->dir->path,
                   (unsigned long long)l->t->state.step);
}

int
run_loop(struct trainer *t, struct rundir *dir, const struct adapter *meta,
         const struct run_opts *o, struct err *e)
{
    struct loop l = { .t = t, .dir = dir, .meta = meta, .o = o };
    /* the run was ended between its last checkpoint and its result */
    bool at_end = is_last(&l);
    int rc = rundir_metrics(dir, &t->state, e);

    progress_begin("steps", t->state.step, t->opts.steps);
    start_line(&l);
    l.saved_at = l.since;
    if (rc == 0)
        rc = evaluate_if_due(&l, e);
    progress_begin("steps", t->state.step, t->opts.steps);
    while (rc == 0 && !is_last(&l)) {
        rc = one_step(&l, e);
        if (rc == 0)
            progress_add(1);
    }
    progress_end();
    if (rc == ERR_AGAIN)
        return stop(&l, e);
    if (rc == 0 && t->state.updates == 0)
        rc = err_set(e, ERR_DATA, "%s: no step could be taken: neither loss "
                     "nor gradient was ever finite", t->base->path);
    if (rc == 0 && at_end)
        rc = rundir_save(dir, t, meta, e);
    if (rc == 0)
        rc = rundir_complete(dir, t, e);
    return rc;
}
