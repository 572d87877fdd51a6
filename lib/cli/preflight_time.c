/* preflight_time.c - one micro-batch of a run, done and timed. */
#include "cli/preflight.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/progress.h"
#include "train/train_plan.h"

#define SHORT 1.0 /* seconds: the first may be slow by itself */

/* A step of one micro-batch, to its end. */
static int
timed_step(struct trainer *t, double *seconds, struct step_report *r,
           struct err *e)
{
    double from = clock_seconds();
    int rc = trainer_step(t, e);

    if (rc == 0)
        rc = trainer_report(t, r, e);
    *seconds = clock_seconds() - from;
    return rc < 0 ? rc : 0;
}

/* 90061 -> "1 d 1 h". */
static void
say_time(char out[32], double s)
{
    double m = s / 60, h = m / 60, d = h / 24;

    if (s < 120)
        snprintf(out, 32, "%.3g s", s);
    else if (m < 120)
        snprintf(out, 32, "%.0f min", m);
    else if (h < 48)
        snprintf(out, 32, "%.1f h", h);
    else
        snprintf(out, 32, "%.1f d", d);
}

/* The evaluations of the run: at its beginning, its end, and in between. */
static double
evaluation_seconds(const struct preflight *p, double micro)
{
    const struct trainer *t = &p->trainer;
    double forward = prog_flops(&t->eval_prog, RANGE_FWD, 0)
                     + prog_flops(&t->eval_prog, RANGE_HEAD,
                                  t->eval_prog.rows);
    double all = prog_flops(&t->prog, RANGE_FWD, 0)
                 + prog_flops(&t->prog, RANGE_HEAD, t->prog.rows)
                 + prog_flops(&t->prog, RANGE_BWD, 0);
    uint64_t times = 2, every = p->o->eval_every;

    if (t->val.n_records == 0)
        return 0;
    if (every > 0)
        times += (t->opts.steps - 1) / every;
    return (double)times * (double)p->in.val.tokens
           / (double)t->prog.rows * micro * forward / all;
}

static void
say_run(struct preflight *p, double micro, const struct step_report *r)
{
    const struct train_opts *o = &p->trainer.opts;
    double step = micro * o->accum;
    double eval = evaluation_seconds(p, micro);
    double all = step * (double)o->steps + eval;
    struct findings *f = &p->findings;
    char each[32], run[32], look[32];

    p->step_seconds = step;
    say_time(each, step);
    say_time(run, all);
    say_time(look, eval);
    findings_add(f, FINDING_OK, "time.run", "%s: steps of %s, of %u "
                 "micro-batches, one of which was measured (%.0f tokens a "
                 "second), and %s of evaluations", run, each, o->accum,
                 (double)r->tokens / micro, look);
    findings_value(f, "step_seconds", step);
    findings_value(f, "run_seconds", all);
    findings_value(f, "tokens_per_second", (double)r->tokens / micro);
    if (eval > all / 2) {
        findings_add(f, FINDING_NOTE, "time.evaluations", "most of the time "
                     "goes into evaluations");
        findings_remedy(f, "--eval-records 200, spread evenly over what is "
                        "held out, or a larger --eval-every");
    }
    if (!r->skipped)
        return;
    findings_add(f, FINDING_WARNING, "time.step", "loss or gradient of the "
                 "first micro-batch is not finite");
    findings_remedy(f, "are there NaN in the base? quantize refuses them; "
                    "with --compute bf16, try f32");
}

/* What was resident, against what was promised. */
static void
say_peak(struct preflight *p)
{
    struct plan_memory m = trainer_memory(&p->trainer);
    bool apart = p->in.model.backend.apart;
    uint64_t promised = (apart ? m.host : m.total) + FIT_MARGIN;
    uint64_t peak = mem_peak();
    struct findings *f = &p->findings;

    findings_add(f, !apart && peak > promised ? FINDING_WARNING : FINDING_OK,
                 "memory.peak", "%.0f MiB were resident at most meanwhile; "
                 "the plan has %.0f", (double)peak / (1 << 20),
                 (double)promised / (1 << 20));
    findings_value(f, "bytes", (double)peak);
    if (!apart && peak > promised)
        findings_remedy(f, "report this: the plan should have held it");
}

void
preflight_measure(struct preflight *p)
{
    struct run_inputs *in = &p->in;
    struct train_opts o = p->t;
    struct step_report r;
    struct trainer t;
    double seconds;
    struct err e;
    int rc;

    o.accum = 1;
    o.rows = 0;
    rc = trainer_plan(&t, &o, &in->model, &in->model.base,
                      &in->train.source, &in->val.source, &e);
    if (rc == 0) {
        progress_begin("measuring a micro-batch", 0, 0);
        rc = trainer_start(&t, &e);
        if (rc == 0)
            rc = timed_step(&t, &seconds, &r, &e);
        if (rc == 0 && seconds < SHORT)
            rc = timed_step(&t, &seconds, &r, &e);
        progress_end();
        trainer_release(&t);
    }
    if (rc < 0) {
        findings_error(&p->findings, "time.step", &e);
        return;
    }
    say_run(p, seconds, &r);
    say_peak(p);
}
