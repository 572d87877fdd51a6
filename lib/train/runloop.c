/* runloop.c - one step after the other, and what is due after each: a line, an
 * evaluation, a checkpoint, an end. What needs a step's result waits for it;
 * between these the back end may be behind. */
#include "train/runloop.h"

#include <math.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"
#include "train/metrics.h"

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
    struct health first, now; /* looks at the machine */
    double looked;          /* clock at the last; 0: there was none */
    bool noted, warned;     /* in metrics; of a bound that is still broken */
};

static void
start_line(struct loop *l)
{
    l->since = clock_seconds();
    l->tokens = l->steps = 0;
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
    if (r->spike > 0)
        log_warn("step %llu: a spike: loss %.3f, %.1f standard deviations "
                 "over the mean of the steps before",
                 (unsigned long long)r->step, r->loss, r->spike);
    if (!isfinite(r->loss))
        return;
    s->line_loss += r->loss * (double)r->supervised;
    s->line_z_loss += r->z_loss * (double)r->supervised;
    s->line_balance += r->balance * (double)r->supervised;
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

/* The loss of the last step by the trend so far, the steps to come having as
 * many tokens as those before; NAN of adapters, whose tokens are only some of
 * those that the loss comes from. */
static double
loss_at_end(const struct trainer *t)
{
    const struct train_state *s = &t->state;

    if (t->opts.prog.method != METHOD_FULL || s->step == 0)
        return NAN;
    return trend_at(&s->trend, s->trend.tokens * (double)t->opts.steps
                               / (double)s->step);
}

/* The mean over the tokens of a line. */
static double
line_mean(const struct train_state *s, double sum)
{
    return s->line_supervised ? sum / (double)s->line_supervised : NAN;
}

static int
log_step(struct loop *l, struct err *e)
{
    const struct step_report *r = &l->last;
    struct train_state *s = &l->t->state;
    double seconds = clock_seconds() - l->since;
    struct run_line line = {
        .step = s->step, .lr = r->lr,
        .loss = line_mean(s, s->line_loss),
        .z_loss = line_mean(s, s->line_z_loss),
        .has_z_loss = l->t->opts.prog.z_loss > 0,
        .balance = line_mean(s, s->line_balance),
        .has_balance = l->t->prog.desc->balance > 0,
        .loss_at_end = loss_at_end(l->t),
        .steps_s = (double)l->steps / seconds,
        .tok_s = (double)l->tokens / seconds,
        .tokens = s->tokens, .peak_bytes = mem_peak(),
        .health = l->noted ? NULL : &l->now,
    };
    struct buf b;
    int rc;

    buf_init(&b);
    metrics_step(&b, &line, r, s);
    l->noted = true;
    rc = rundir_log(l->dir, b.data, &s->metrics, e);
    buf_release(&b);
    l->o->report(&line);
    s->line_loss = s->line_z_loss = s->line_balance = 0;
    s->line_supervised = 0;
    start_line(l);
    return rc;
}

/* Makes the result what the parameters are now. Where the best evaluation's is
 * asked for, those of others are none. */
static int
save_result(const struct loop *l, struct err *e)
{
    const struct validation *v = &l->t->state.val;

    if (l->t->opts.validation.keep_best && v->best_step > 0
        && v->best_step != l->t->state.step)
        return 0;
    return rundir_save(l->dir, l->t, l->meta, e);
}

/* The lines that a checkpoint counts are on the disk before it is. */
static int
save(struct loop *l, struct err *e)
{
    const struct validation *v = &l->t->state.val;
    struct checkpoint_keep keep = {
        l->o->keep, l->t->opts.validation.keep_best ? v->best_step : 0
    };
    int rc = settle(l, e);

    if (rc == 0)
        rc = trainer_check(l->t, e);
    if (rc == 0)
        rc = rundir_sync(l->dir, e);
    if (rc == 0)
        rc = checkpoint_write(l->dir->path, &l->t->state, &l->t->exec,
                              &l->dir->keys.now, &keep, e);
    if (rc == 0)
        rc = save_result(l, e);
    l->saved = rc == 0;
    l->saved_at = clock_seconds();
    return rc;
}

/* What the loss of the evaluation decides. A best one that is to be kept needs
 * a checkpoint that has its parameters, and a run that is over one that knows
 * it. */
static int
take_loss(struct loop *l, double loss, struct err *e)
{
    const struct validation_opts *o = &l->t->opts.validation;
    struct validation *v = &l->t->state.val;
    uint64_t cuts = v->plateau_cuts;
    bool best = validation_take(v, o, l->t->state.step, loss);

    if (!isfinite(loss))
        log_warn("step %llu: the validation loss is not finite",
                 (unsigned long long)l->t->state.step);
    if (v->plateau_cuts > cuts)
        log_info("step %llu: the validation loss does not fall: the rate is "
                 "multiplied by %g", (unsigned long long)l->t->state.step,
                 l->t->opts.course.factor);
    return (best && o->keep_best) || v->over ? save(l, e) : 0;
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
    began = clock_seconds();
    if (rc == 0)
        rc = trainer_evaluate(l->t, &m, e);
    if (rc < 0)
        return rc;
    line.seconds = clock_seconds() - began;
    buf_init(&b);
    metrics_evaluation(&b, s->step, &m);
    rc = rundir_log(l->dir, b.data, &s->metrics, e);
    buf_release(&b);
    s->evaluated = s->step + 1;
    l->o->report(&line);
    if (rc == 0)
        rc = take_loss(l, m.mean, e);
    l->since += clock_seconds() - began; /* it is no time of training */
    return rc;
}

static bool
is_last(const struct loop *l)
{
    return l->t->state.step >= l->t->opts.steps || l->t->state.val.over;
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
               && clock_seconds() - l->saved_at >= (double)o->save_seconds);
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

#define LOOK_SECONDS 1 /* between looks at the machine */

static void
warn_of_unseen(const struct loop *l)
{
    for (size_t i = 0; i < l->o->n_watch; i++) {
        const char *what = health_unseen(&l->o->watch[i], &l->now);

        if (what != NULL)
            log_warn("--watch %s: of no effect, the system does not show it",
                     what);
    }
}

/* paused: the run waits. */
static enum health_action
look(struct loop *l, bool paused, char *why, size_t cap)
{
    health_look(&l->now, "");
    if (!(l->looked > 0)) {
        l->first = l->now;
        warn_of_unseen(l);
    }
    l->looked = clock_seconds();
    l->noted = false;
    return health_check(l->o->watch, l->o->n_watch, &l->now, &l->first,
                        paused, why, cap);
}

/* Until no bound that pauses is broken, and then some: *action is then what
 * else is to be done. */
static int
wait_for_machine(struct loop *l, enum health_action *action, char *why,
                 size_t cap, struct err *e)
{
    const struct timespec second = { .tv_sec = 1 };
    double began = clock_seconds();
    int rc = l->saved ? 0 : save(l, e);

    if (rc < 0)
        return rc;
    log_warn("step %llu: paused, %s",
             (unsigned long long)l->t->state.step, why);
    while (*action == HEALTH_PAUSE && !stop_asked()) {
        nanosleep(&second, NULL);
        *action = look(l, true, why, cap);
    }
    if (*action < HEALTH_PAUSE)
        log_info("step %llu: going on after %.0f s",
                 (unsigned long long)l->t->state.step,
                 clock_seconds() - began);
    l->since += clock_seconds() - began; /* it is no time of training */
    return 0;
}

/* Looks at the machine, and obeys the bounds. */
static int
watch_machine(struct loop *l, struct err *e)
{
    enum health_action action;
    char why[128];
    int rc = 0;

    if (l->looked > 0 && clock_seconds() - l->looked < LOOK_SECONDS)
        return 0;
    action = look(l, false, why, sizeof(why));
    if (action == HEALTH_WARN && !l->warned)
        log_warn("step %llu: %s", (unsigned long long)l->t->state.step, why);
    l->warned = action == HEALTH_WARN;
    if (action == HEALTH_PAUSE)
        rc = wait_for_machine(l, &action, why, sizeof(why), e);
    if (rc == 0 && action == HEALTH_STOP) {
        log_warn("step %llu: stopped, %s",
                 (unsigned long long)l->t->state.step, why);
        rc = err_set(e, ERR_AGAIN, "stopped");
    }
    return rc;
}

static int
one_step(struct loop *l, struct err *e)
{
    bool line;
    int rc = watch_machine(l, e);

    if (rc == 0)
        rc = stop_asked() ? err_set(e, ERR_AGAIN, "stopped")
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

/* What the validation loss came to, in a line. */
static void
tell_best(const struct loop *l)
{
    const struct train_state *s = &l->t->state;
    const struct validation *v = &s->val;
    unsigned long long step = s->step, best = v->best_step;

    if (v->over)
        log_info("%s: ended after step %llu of %llu: %llu evaluations in a "
                 "row were no better", l->dir->path, step,
                 (unsigned long long)l->t->opts.steps,
                 (unsigned long long)v->worse);
    if (best == 0)
        return;
    if (l->t->opts.validation.keep_best)
        log_info("%s: the result is that of step %llu, the best evaluation "
                 "(validation loss %.3f)", l->dir->path, best, v->best);
    else if (best != step)
        log_info("%s: the validation loss was least after step %llu (%.3f); "
                 "--keep-best would have kept that", l->dir->path, best,
                 v->best);
    if (v->has_first && v->best >= v->first)
        log_warn("%s: the validation loss was never less than before the "
                 "first step (%.3f)", l->dir->path, v->first);
}

/* How much a model that was trained in full has seen. */
static void
tell_size(const struct trainer *t)
{
    const struct train_state *s = &t->state;
    double loss = loss_at_end(t), params = (double)desc_params(&t->model->desc);

    if (t->opts.prog.method != METHOD_FULL)
        return;
    log_info("%llu tokens were seen, %.3g a parameter",
             (unsigned long long)s->tokens, (double)s->tokens / params);
    if (isfinite(loss))
        log_info("the trend of the training loss is at %.3f", loss);
}

/* The result of a run whose last step is done: the best evaluation's is in a
 * checkpoint of its own. at_end: the run was ended between its last checkpoint
 * and its result. */
static int
finish(struct loop *l, bool at_end, struct err *e)
{
    struct trainer *t = l->t;
    uint64_t best = t->state.val.best_step;
    int rc = 0;

    if (t->state.updates == 0)
        return err_set(e, ERR_DATA, "%s: no step could be taken: neither loss "
                       "nor gradient was ever finite", t->base->path);
    if (t->opts.validation.keep_best && best > 0 && best != t->state.step) {
        rc = checkpoint_params(l->dir->path, best, &t->exec, e);
        at_end = true;
    }
    if (rc == 0 && at_end)
        rc = rundir_save(l->dir, t, l->meta, e);
    if (rc == 0)
        rc = rundir_complete(l->dir, t, e);
    if (rc == 0)
        tell_size(t);
    if (rc == 0)
        tell_best(l);
    return rc;
}

int
run_loop(struct trainer *t, struct rundir *dir, const struct adapter *meta,
         const struct run_opts *o, struct err *e)
{
    struct loop l = { .t = t, .dir = dir, .meta = meta, .o = o };
    bool at_end = is_last(&l);
    int rc = rundir_metrics(dir, &t->state, e);

    if (rc == 0)
        rc = rundir_begin(dir, e);
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
    return rc < 0 ? rc : finish(&l, at_end, e);
}
