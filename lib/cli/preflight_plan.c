/* preflight_plan.c - what the options come to: how often the data are seen,
 * how the rate goes, and the memory and disk that this takes. */
#include "cli/preflight.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "cli/run_wanted.h"
#include "train/train_plan.h"

#define MANY_EPOCHS 10
#define FULL 0.6 /* of a sequence: less is a waste of time */

static double
mib(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

/* How often the data are seen, and how full the sequences are. */
static void
say_epochs(struct preflight *p)
{
    const struct trainer *t = &p->trainer;
    const struct data_split *s = &p->in.train;
    uint64_t rows = packer_count(s->source.len, s->source.n_records,
                                 s->source.draws, t->opts.prog.seq_len,
                                 t->opts.seed, 0);
    uint64_t a_step = (uint64_t)t->opts.prog.batch * t->opts.accum;
    double epochs = (double)(t->opts.rows ? t->opts.rows
                                          : t->opts.steps * a_step)
                    / (double)(rows ? rows : 1);
    double positions = (double)(s->tokens - s->source.n_records);
    double full = positions / ((double)(rows ? rows : 1)
                               * t->opts.prog.seq_len);
    struct findings *f = &p->findings;

    findings_add(f, epochs > MANY_EPOCHS ? FINDING_WARNING : FINDING_OK,
                 "plan.epochs", "%llu steps of %llu sequences, %.2f passes "
                 "over the data", (unsigned long long)t->opts.steps,
                 (unsigned long long)a_step, epochs);
    findings_value(f, "steps", (double)t->opts.steps);
    findings_value(f, "epochs", epochs);
    if (epochs > MANY_EPOCHS)
        findings_remedy(f, "fewer --steps, or more data: so often seen, they "
                        "are learned by heart");
    if (rows < a_step) {
        findings_add(f, FINDING_WARNING, "plan.batch", "all the data are %llu "
                     "sequences, fewer than the %llu of a step",
                     (unsigned long long)rows, (unsigned long long)a_step);
        findings_remedy(f, "a smaller --batch, --accum or --seq-len");
    }
    if (t->train.draws == NULL && full < FULL) {
        findings_add(f, FINDING_WARNING, "plan.padding", "%.0f%% of the "
                     "sequences is padding, which takes as long as text",
                     100 * (1 - full));
        findings_remedy(f, "a smaller --seq-len");
    }
}

static void
say_rate(struct preflight *p)
{
    const struct train_options *o = p->o;
    const struct train_opts *t = &p->trainer.opts;
    struct findings *f = &p->findings;

    if (t->course.warmup >= t->steps) {
        findings_add(f, FINDING_WARNING, "plan.warmup", "the warm-up of %llu "
                     "steps is all of the run: the rate only rises",
                     (unsigned long long)t->course.warmup);
        findings_remedy(f, "a --warmup of 3 to 10% of the steps");
    }
    if (!(o->lr > 0) || (o->method == 0 && !(o->alpha > 0))) {
        findings_add(f, FINDING_WARNING, "plan.rate", "nothing will move: "
                     "--lr %g, --alpha %g", o->lr, o->alpha);
        findings_remedy(f, "leave them out: the defaults are sound");
    }
    if (o->method == 1 && o->lr > 1e-4) {
        findings_add(f, FINDING_WARNING, "plan.rate", "a rate of %g for "
                     "every weight: full training diverges easily", o->lr);
        findings_remedy(f, "--lr 1e-5 to 5e-5");
    }
    if (o->save_every.count == 0 && o->save_every.seconds == 0) {
        findings_add(f, FINDING_WARNING, "plan.checkpoints", "none but the "
                     "last: what stops the run loses all of it");
        findings_remedy(f, "leave --save-every out");
    }
}

void
preflight_course(struct preflight *p)
{
    say_epochs(p);
    say_rate(p);
}

void
preflight_memory(struct preflight *p)
{
    struct plan_memory m = trainer_memory(&p->trainer);
    struct findings *f = &p->findings;
    size_t before = f->n;
    struct err e;

    p->stage = "memory.plan"; /* a warning with --force */
    if (trainer_fit(&p->trainer, p->o->force, &e) < 0)
        findings_error(f, "memory.plan", &e);
    p->fits = f->n == before;
    if (p->fits)
        findings_add(f, FINDING_OK, "memory.plan", "%.0f MiB, and at most "
                     "64 for programs and libraries, fit", mib(m.total));
    findings_value(f, "bytes", (double)m.total);
}

/* The nearest directory above path that is there, or path. The caller frees
 * it. */
static char *
place_of(const char *path)
{
    char *at = mem_strdup(path);

    while (!path_exists(at) && strcmp(at, ".") != 0 && strcmp(at, "/") != 0) {
        char *up;

        while (strlen(at) > 1 && at[strlen(at) - 1] == '/')
            at[strlen(at) - 1] = '\0';
        up = path_parent(at);
        free(at);
        at = up;
    }
    return at;
}

/* Where the run is to be, before anything is put there. */
static int
look_at_run(const struct preflight *p, const char *place,
            enum run_found *found, struct err *e)
{
    struct run_wanted want;
    int rc = run_wanted_make(&want, p->o, p->args, &p->in, &p->trainer, e);

    if (rc < 0)
        return rc;
    rc = rundir_look(p->o->out, want.identity.data, want.rest.data, want.how,
                     found, e);
    if (rc == 0 && access(place, W_OK | X_OK) != 0)
        rc = err_errno(e, ERR_IO, "%s", place);
    run_wanted_release(&want);
    return rc;
}

static bool
can_be_made(struct preflight *p, const char *place)
{
    enum run_found found;
    struct err e;

    if (look_at_run(p, place, &found, &e) < 0) {
        findings_error(&p->findings, "disk.out", &e);
        findings_remedy(&p->findings, rundir_begun(p->o->out)
                        ? "--resume goes on with it as it was begun; or "
                        "another -o" : "another -o");
        return false;
    }
    if (found == RUN_COMPLETE)
        findings_add(&p->findings, FINDING_NOTE, "disk.out", "%s: this run "
                     "is complete: train does nothing", p->o->out);
    return true;
}

/* How many there are. */
static uint64_t
checkpoints_there(const char *run)
{
    char *dir = path_join(run, "checkpoints"), **names;
    uint64_t there = 0;
    struct err e;
    size_t n;

    if (dir_list(&names, &n, dir, &e) == 0) {
        for (size_t i = 0; i < n; i++)
            there += strncmp(names[i], "step-", 5) == 0;
        dir_list_free(names, n);
    }
    free(dir);
    return there;
}

/* The most checkpoints that are there at one time, but for those that are
 * there already: one more than are kept, while it is written, and that of the
 * best evaluation. */
static uint64_t
checkpoints_to_come(const struct preflight *p)
{
    uint64_t most = p->o->keep + 1 + p->trainer.opts.validation.keep_best;
    uint64_t there = checkpoints_there(p->o->out);

    return there < most ? most - there : 1;
}

void
preflight_disk(struct preflight *p)
{
    uint64_t one = checkpoint_bytes(&p->trainer.prog), need, left, more;
    uint64_t last = p->trainer.prog.n_trainable * sizeof(float);
    struct findings *f = &p->findings;
    struct statvfs s;
    struct err e;
    char *place;

    if (p->o->out == NULL) {
        findings_add(f, FINDING_NOTE, "disk.free", "not looked at: a "
                     "checkpoint takes %.1f MiB", mib(one));
        findings_remedy(f, "say where the run would be: -o RUN");
        return;
    }
    if (p->adapter.fixed != NULL)
        last *= 2; /* saved with what was frozen of it */
    place = place_of(p->o->out);
    more = checkpoints_to_come(p);
    need = one * more + 2 * last; /* beside the one that it replaces */
    if (can_be_made(p, place) && statvfs(place, &s) == 0) {
        left = (uint64_t)s.f_bavail * s.f_frsize;
        if (need > left) {
            err_set(&e, ERR_IO, "%s: %llu checkpoints of %.1f MiB and what "
                    "was trained take %.1f MiB; %.1f MiB are free", place,
                    (unsigned long long)more, mib(one), mib(need),
                    mib(left));
            findings_error(f, "disk.free", &e);
            findings_remedy(f, "a smaller --keep or --rank, or another -o");
        } else {
            findings_add(f, FINDING_OK, "disk.free", "%.0f MiB; %llu "
                         "checkpoints of %.1f MiB and what was trained take "
                         "%.1f MiB", mib(left), (unsigned long long)more,
                         mib(one), mib(need));
        }
        findings_value(f, "bytes", (double)need);
        findings_value(f, "free", (double)left);
    }
    free(place);
}
