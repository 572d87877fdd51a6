/* run_wanted.c - what decides a run's result, and what else it was told. */
#include "cli/run_wanted.h"

#include "base/par.h"
#include "train/train_plan.h"

static int
put_identity(struct buf *b, const struct train_options *o,
             const struct args *args, const struct run_inputs *in,
             const struct train_opts *t, struct err *e)
{
    tool_json(args, o, true, b);
    buf_addf(b, ", \"run_steps\": %llu", (unsigned long long)t->steps);
    if (train_options_validated(o))
        buf_addf(b, ", \"eval-every\": %llu, \"eval-records\": %llu",
                 (unsigned long long)o->eval_every,
                 (unsigned long long)o->eval_records);
    return inputs_identity(in, b, e);
}

static void
put_rest(struct buf *b, const struct train_options *o,
         const struct args *args, const struct run_inputs *in,
         const struct trainer *t)
{
    buf_addstr(b, "\"options\": {");
    tool_json(args, o, false, b);
    buf_addf(b, "},\n \"machine\": {\"backend\": \"%s\", "
             "\"arithmetic\": \"%s\", \"version\": \"%s\", "
             "\"threads\": %d}", in->model.backend.name,
             in->model.backend.detail, tool_version(), par_threads());
    buf_addstr(b, ",\n \"plan\": ");
    trainer_plan_json(t, b);
}

int
run_wanted_make(struct run_wanted *w, const struct train_options *o,
                const struct args *args, const struct run_inputs *in,
                const struct trainer *t, struct err *e)
{
    int rc;

    w->how = (struct run_taking){
        !o->resume && !o->extend ? RUN_NOT_RESUMED
        : o->inexact ? RUN_RESUMED_ANYWHERE : RUN_RESUMED, o->extend
    };
    buf_init(&w->identity);
    buf_init(&w->rest);
    if (o->extend && !rundir_begun(o->out))
        return err_set(e, ERR_USAGE, "%s: no run that --extend could extend",
                       o->out);
    put_rest(&w->rest, o, args, in, t);
    rc = put_identity(&w->identity, o, args, in, &t->opts, e);
    if (rc < 0)
        run_wanted_release(w);
    return rc;
}

void
run_wanted_release(struct run_wanted *w)
{
    buf_release(&w->identity);
    buf_release(&w->rest);
}
