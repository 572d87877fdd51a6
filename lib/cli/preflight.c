/* preflight.c - opens what a run reads, a part at a time, and looks at it. */
#include "cli/preflight.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/train_memory.h"

static void
take_warning(void *ctx, const char *text)
{
    struct preflight *p = ctx;

    findings_add(&p->findings, FINDING_WARNING, p->stage, "%s", text);
}

static struct input_opts
input_options(const struct preflight *p)
{
    const struct train_options *o = p->o;

    return (struct input_opts){
        .base = o->base, .adapter = o->init_adapter, .data = o->data,
        .eval_records = o->eval_records, .loss = (enum tokens_loss)o->loss,
        .device = &p->device
    };
}

static void
open_base(struct preflight *p)
{
    struct err e;

    p->stage = "base.warning";
    if (model_open(&p->in.model, p->o->base, p->o->init_adapter, &p->device,
                   &e) == 0) {
        p->base = true;
        preflight_base(p);
    } else {
        findings_error(&p->findings, "base.open", &e);
        findings_remedy(&p->findings, "verify BASE says what else is wrong "
                        "with it");
    }
}

/* Without a base, what the set says of itself is looked at. */
static void
open_data(struct preflight *p)
{
    struct input_opts input = input_options(p);
    struct dataset *d = &p->in.data;
    struct err e;
    int rc = p->base ? inputs_open_data(&p->in, &input, &e)
                     : dataset_open(d, p->o->data, &e);

    p->stage = "data.warning";
    if (rc < 0) {
        findings_error(&p->findings, "data.open", &e);
        findings_remedy(&p->findings, d->set.path == NULL
                        ? "verify DIR says what is wrong with it"
                        : p->in.train.source.n_records > 0
                        ? "look at a record with its mask: tojsonl DIR | "
                        "head -n 1; --loss all learns every token"
                        : "the set has to be made by tokenize with the "
                        "base's own tokenizer.json");
    }
    p->data = rc == 0 && p->base;
    if (d->set.path != NULL)
        preflight_data(p);
}

/* The trainer, planned as train plans it. */
static void
plan(struct preflight *p)
{
    struct train_options *o = p->o;
    struct run_inputs *in = &p->in;
    bool chosen = o->max_memory > 0 || o->recompute == RECOMPUTE_AUTO;
    struct err e;
    int rc = train_options_settle(o, p->args, in, &e);

    p->stage = "plan.warning";
    if (rc == 0)
        rc = train_options_plan(&p->trainer, &p->t, &p->adapter, o, p->args,
                                in, &e);
    if (rc < 0) {
        findings_error(&p->findings, e.code == ERR_LIMIT
                       ? "memory.plan" : "plan.options", &e);
        return;
    }
    inputs_warn_drops(in);
    if (chosen)
        findings_add(&p->findings, FINDING_NOTE, "plan.chosen", "--batch %u "
                     "--accum %u --recompute %s", p->t.prog.batch, p->t.accum,
                     recompute_name(p->t.prog.recompute));
    p->planned = true;
}

void
preflight_look(struct preflight *p)
{
    struct err e;

    log_take_warnings(take_warning, p);
    if (train_options_check(p->o, p->args, &e) < 0)
        findings_error(&p->findings, "options.check", &e);
    p->stage = "machine.warning";
    preflight_machine(p);
    open_base(p);
    open_data(p);
    if (p->data && findings_code(&p->findings) != -ERR_USAGE)
        plan(p);
    if (p->planned) {
        preflight_course(p);
        preflight_memory(p);
        preflight_disk(p);
    }
    log_take_warnings(NULL, NULL);
}

void
preflight_release(struct preflight *p)
{
    if (p->planned)
        trainer_release(&p->trainer);
    run_adapter_release(&p->adapter);
    inputs_release(&p->in);
    findings_release(&p->findings);
}
