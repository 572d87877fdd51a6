/* train.c - token shards and base weights to an adapter. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "cli/run_wanted.h"
#include "cli/train_memory.h"
#include "tool/tool.h"
#include "train/lr_find.h"
#include "train/profile.h"
#include "train/runloop.h"
#include "train/train_plan.h"
#include "weights/lora.h"
#include "weights/pissa.h"

static tool_run run;

const struct tool tool = {
    .name = "train",
    .summary = "train an adapter, or every weight, of a base model",
    .operands = "",
    .opts = train_option_table,
    .options_size = sizeof(struct train_options),
    .run = run,
    .stops = true,
    .exits = "4 5 6 75",
};

/* b on stdout, and its release. */
static int
print_text(struct buf *b, struct err *e)
{
    int rc = file_write("-", b->data, b->len, e);

    buf_release(b);
    return rc;
}

/* The memory that the run will use, and its work, on stdout: JSON, or a
 * table for who looks at it. */
static int
print_plan(const struct trainer *t, struct err *e)
{
    struct buf b;

    buf_init(&b);
    if (tool_on_terminal())
        trainer_plan_table(t, &b);
    else
        trainer_plan_json(t, &b);
    return print_text(&b, e);
}

/* The last losses, for the line of progress. */
static void
note_losses(const struct run_line *l)
{
    static double train = NAN, val = NAN;
    char both[64];

    if (l->val != NULL)
        val = l->val->mean;
    else
        train = l->loss;
    if (isnan(val))
        snprintf(both, sizeof(both), "loss %.4g", train);
    else if (isnan(train))
        snprintf(both, sizeof(both), "val %.4g", val);
    else
        snprintf(both, sizeof(both), "loss %.4g, val %.4g", train, val);
    progress_note(both);
}

/* What this command line and its run file come to, as a run file. */
static int
print_config(struct train_options *o, const struct args *args,
             struct err *e)
{
    struct buf b;

    o->print_config = false;
    buf_init(&b);
    buf_addstr(&b, "{");
    tool_json(args, o, false, &b);
    buf_addstr(&b, "}\n");
    return print_text(&b, e);
}

/* The line that people's scripts read. */
static void
report(const struct run_line *l)
{
    note_losses(l);
    progress_hide(STDOUT_FILENO);
    if (l->val != NULL)
        printf("Iter %llu: Val loss %.3f, Val took %.3fs\n",
               (unsigned long long)l->step, l->val->mean, l->seconds);
    else
        printf("Iter %llu: Train loss %.3f, Learning Rate %.3e, "
               "It/sec %.3f, Tokens/sec %.3f, Trained Tokens %llu, "
               "Peak mem %.3f GB\n", (unsigned long long)l->step, l->loss,
               l->lr, l->steps_s, l->tok_s, (unsigned long long)l->tokens,
               (double)l->peak_bytes / 1e9);
    fflush(stdout);
    progress_show(STDOUT_FILENO);
}

static void
no_report(const struct run_line *l)
{
    (void)l;
}

static void
tell_data(const struct run_inputs *in)
{
    log_info("%llu of %llu tokens are learned (--loss %s)",
             (unsigned long long)in->train.supervised,
             (unsigned long long)in->train.tokens,
             tokens_loss_name(in->data.loss));
    mix_tell(&in->mix);
}

static void
warn_course(const struct trainer *t)
{
    const struct course *c = &t->opts.course;

    if (c->warmup > t->opts.steps)
        log_warn("the warm-up of %llu steps is longer than the run of %llu: "
                 "--lr is not reached", (unsigned long long)c->warmup,
                 (unsigned long long)t->opts.steps);
}

/* 20 are about best for a given amount of work (arXiv:2203.15556). */
static void
tell_size(const struct trainer *t)
{
    uint64_t params = desc_params(&t->model->desc);
    double tokens = trainer_tokens(t);

    if (t->opts.prog.method == METHOD_FULL)
        log_info("%llu parameters, and at most %.0f tokens: %.3g a parameter",
                 (unsigned long long)params, tokens,
                 tokens / (double)params);
}

/* Bytes free on the card, by its driver; 0 where there is none. */
static uint64_t
room_there(const struct backend *b, char *by, size_t cap)
{
    uint64_t total;

    return b->room ? b->room(b, &total, by, cap) : 0;
}

/* Nothing of a run is made before its memory is there. */
static int
take_memory(struct trainer *t, const struct train_options *o,
            const struct run_adapter *adapter, struct run_inputs *in,
            struct err *e)
{
    const struct backend *b = &in->model.backend;
    int rc = trainer_fit(t, o->force, e);
    char by[64];
    uint64_t before = room_there(b, by, sizeof(by)), taken;

    if (rc == 0 && o->profile)
        rc = profile_open(t, e);
    if (rc == 0)
        rc = trainer_start(t, e);
    if (rc == 0 && o->profile)
        profile_watch(t);
    if (rc == 0 && b->room != NULL) {
        taken = before - room_there(b, by, sizeof(by));
        log_debug("%s: %llu bytes taken, %llu planned", by,
                  (unsigned long long)taken,
                  (unsigned long long)trainer_memory(t).total);
    }
    if (rc == 0 && adapter->fixed != NULL)
        rc = pissa_start(&t->exec, t->base, t->opts.init_iterations,
                         o->seed, e);
    if (rc == 0 && in->model.with != NULL)
        rc = lora_load(&t->exec, in->model.with, e);
    adapter_drop_values(&in->model.adapter); /* parameters are a copy */
    return rc;
}

static void
tell_curve(const struct lr_curve *c)
{
    if (c->stopped)
        return;
    if (isnan(c->steepest))
        log_warn("--lr-find: the loss did not fall in %zu steps", c->n);
    else
        log_info("--lr-find: the loss fell most at %.2g; a tenth of the rate "
                 "where it was least is %.2g%s", c->steepest, c->tenth,
                 c->diverged ? "; then it diverged" : "");
}

/* The curve on stdout, as far as it came; what it advises on stderr, too. */
static int
find_rate(struct trainer *t, const struct train_options *o,
          const struct run_adapter *adapter, struct run_inputs *in,
          struct err *e)
{
    struct err failed;
    struct lr_curve c;
    struct buf b;
    int rc = take_memory(t, o, adapter, in, e), printed;

    t->opts.rows = 0; /* every step is full */
    if (rc < 0)
        return rc;
    rc = lr_find(&c, t, o->steps > 0 ? o->steps : LR_FIND_STEPS, e);
    if (rc < 0 && !c.stopped)
        return rc;
    tell_curve(&c);
    buf_init(&b);
    lr_curve_json(&c, &b);
    lr_curve_release(&c);
    printed = print_text(&b, &failed);
    if (printed < 0)
        *e = failed;
    return printed < 0 ? printed : rc;
}

static int
go_on(struct trainer *t, const struct rundir *dir, bool extend,
      struct err *e)
{
    int rc = checkpoint_read(dir->path, &t->state, &t->exec, &dir->keys, e);

    if (rc == 0 && extend)
        return err_set(e, ERR_DATA, "%s: has no checkpoint, from which "
                       "--extend could go on", dir->path);
    if (rc > 0) {
        trainer_resume(t);
        log_info("going on after step %llu of %llu, with a rate of %.3g",
                 (unsigned long long)t->state.step,
                 (unsigned long long)t->opts.steps,
                 trainer_rate(t));
    }
    return rc < 0 ? rc : 0;
}

/* The table of a run that came to its end, or to where it was stopped: its
 * error, or that of writing it. */
static int
tell_profile(const struct trainer *t, const char *run, int rc, struct err *e)
{
    struct err own;
    struct buf b;
    char *path;
    int wrote;

    if (t->profile == NULL || t->profile->last < t->profile->first
        || (rc < 0 && rc != ERR_AGAIN))
        return rc;
    path = path_join(run, "profile.json");
    buf_init(&b);
    profile_tell(t);
    profile_json(t, &b);
    wrote = file_write(path, b.data, b.len, &own);
    buf_release(&b);
    free(path);
    if (wrote < 0)
        *e = own;
    return wrote < 0 ? wrote : rc;
}

static int
train_run(struct trainer *t, const struct train_options *o,
          const struct args *args, struct run_inputs *in,
          const struct run_adapter *adapter, struct err *e)
{
    struct run_opts run = { .eval_every = o->eval_every,
                            .save_steps = o->save_every.count,
                            .save_seconds = o->save_every.seconds,
                            .log_every = o->log_every,
                            .keep = (uint32_t)o->keep,
                            .n_watch = o->watch.n,
                            .report = args->quiet ? no_report : report };
    struct run_wanted want;
    enum run_found found;
    struct rundir dir;
    bool begun = rundir_begun(o->out);
    struct health_rule *watch;
    int rc = run_wanted_make(&want, o, args, in, t, e);

    if (rc < 0)
        return rc;
    watch = mem_array(o->watch.n, sizeof(*watch));
    for (size_t i = 0; i < o->watch.n; i++)
        health_rule_read(&watch[i], o->watch.item[i], e); /* checked before */
    run.watch = watch;
    if (!begun)
        rc = take_memory(t, o, adapter, in, e);
    if (rc == 0)
        rc = rundir_open(&dir, o->out, want.identity.data, want.rest.data,
                         want.how, &found, e);
    if (rc < 0)
        goto out;
    if (found == RUN_COMPLETE) {
        log_info("%s: complete already", o->out);
    } else {
        if (begun)
            rc = take_memory(t, o, adapter, in, e);
        if (rc == 0 && want.how.resume != RUN_NOT_RESUMED)
            rc = go_on(t, &dir, o->extend, e);
        if (rc == 0)
            tell_data(in);
        if (rc == 0)
            tell_size(t);
        if (rc == 0)
            rc = run_loop(t, &dir, &adapter->config, &run, e);
        rc = tell_profile(t, o->out, rc, e);
    }
    rundir_release(&dir);
out:
    free(watch);
    run_wanted_release(&want);
    return rc;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    struct train_options *o = opts;
    struct run_adapter adapter = { .parts = NULL };
    struct device_opts device;
    struct input_opts input = {
        .base = o->base, .adapter = o->init_adapter, .data = o->data,
        .eval_records = o->eval_records, .loss = (enum tokens_loss)o->loss,
        .device = &device
    };
    struct run_inputs in;
    struct train_opts t;
    struct trainer trainer;
    int rc = train_options_check(o, args, e);

    if (rc < 0)
        return rc;
    if (o->print_config)
        return print_config(o, args, e);
    device = machine_use(&o->machine);
    device.plan = o->dry_run;
    rc = inputs_open(&in, &input, e);
    if (rc < 0)
        return rc;
    rc = train_options_settle(o, args, &in, e);
    if (rc < 0)
        goto out;
    rc = train_options_plan(&trainer, &t, &adapter, o, args, &in, e);
    if (rc < 0)
        goto out;
    inputs_warn_drops(&in);
    if (!o->lr_find)
        warn_course(&trainer);
    if (o->lr_find && !o->dry_run)
        rc = find_rate(&trainer, o, &adapter, &in, e);
    else if (!o->dry_run)
        rc = train_run(&trainer, o, args, &in, &adapter, e);
    else
        rc = trainer_fit(&trainer, true, e); /* only says so */
    if (rc == 0 && o->dry_run)
        rc = print_plan(&trainer, e);
    trainer_release(&trainer);
out:
    run_adapter_release(&adapter);
    inputs_release(&in);
    return rc;
}
