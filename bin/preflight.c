/* preflight.c - looks at a run of training before it is begun.
 *
 * It takes train's options and run file, opens what train would open, plans
 * what train would plan, and does one micro-batch. Nothing is written but the
 * findings.
 */
#include "base/io.h"
#include "cli/preflight.h"
#include "train/train_plan.h"

struct options {
    struct train_options train; /* first: train's rows fill it */
    bool json, no_measure, selftest;
};

static const struct opt table[] = {
    { .name = "data", .type = OPT_STRING, AT(train.data), .arg = "DIR",
      .required = true, .unless = "selftest",
      .help = "set of token shards to train on" },
    { BASE_OPTION, AT(train.base), .unless = "selftest" },
    { .name = "out", .letter = 'o', .type = OPT_STRING, AT(train.out),
      .arg = "RUN", .help = "where the run would be: is there room for its "
                            "checkpoints" },
    { .name = "dry-run", .type = OPT_FLAG, AT(train.dry_run),
      .help = "of no effect, for train's command lines" },
    { .name = "lr-find", .type = OPT_FLAG, AT(train.lr_find),
      .help = "of no effect: the run is looked at that would follow" },
    { .name = "print-config", .type = OPT_FLAG, AT(train.print_config),
      .help = "of no effect: train prints it" },
    { .name = "force", .type = OPT_FLAG, AT(train.force),
      .help = "a plan that does not fit into the memory there is is a "
              "warning, as for train" },
    { .name = "no-measure", .type = OPT_FLAG, AT(no_measure),
      .help = "do not do and time a micro-batch" },
    { .name = "selftest", .type = OPT_FLAG, AT(selftest),
      .help = "instead: compute small models on every device of the machine, "
              "and compare with the reference" },
    { .name = "json", .type = OPT_FLAG, AT(json),
      .help = "print the findings and the plan as a JSON object" },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "preflight",
    .summary = "look at a run of training before it is begun",
    .operands = "",
    .opts = table,
    .shared = train_option_table,
    .options_size = sizeof(struct options),
    .run = run,
    .exits = "4 5 6",
};

static const char *
outcome(const struct preflight *p)
{
    bool bad = findings_worst(&p->findings) == FINDING_ERROR;

    if (p->tested)
        return bad ? "this machine computes wrongly" : "this machine "
                     "computes as it should";
    return bad ? "train would not begin, or not end" : "train can begin";
}

static void
put_text(const struct preflight *p, bool quiet, struct buf *b)
{
    const struct findings *f = &p->findings;

    findings_text(f, quiet ? FINDING_WARNING : FINDING_OK, b);
    if (p->planned && !quiet) {
        buf_addc(b, '\n');
        trainer_plan_table(&p->trainer, b);
    }
    buf_addf(b, "%s%zu errors, %zu warnings: %s\n", quiet ? "" : "\n",
             findings_count(f, FINDING_ERROR),
             findings_count(f, FINDING_WARNING), outcome(p));
}

static void
put_json(const struct preflight *p, struct buf *b)
{
    buf_addf(b, "{\"exit\": %d, \"errors\": %zu, \"warnings\": %zu,\n "
             "\"findings\": ", findings_code(&p->findings),
             findings_count(&p->findings, FINDING_ERROR),
             findings_count(&p->findings, FINDING_WARNING));
    findings_json(&p->findings, b);
    buf_addstr(b, ",\n \"plan\": ");
    if (p->planned)
        trainer_plan_json(&p->trainer, b);
    else
        buf_addstr(b, "null\n");
    buf_addstr(b, "}\n");
}

static int
print(const struct preflight *p, bool json, struct err *e)
{
    struct buf b;
    int rc;

    buf_init(&b);
    if (json)
        put_json(p, &b);
    else
        put_text(p, p->args->quiet, &b);
    rc = file_write("-", b.data, b.len, e);
    buf_release(&b);
    return rc;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    struct options *o = opts;
    struct preflight p = { .o = &o->train, .args = args };
    int rc;

    o->train.lr_find = false;
    if (o->selftest)
        preflight_selftest(&p);
    else
        preflight_look(&p);
    if (p.fits && !o->no_measure && !p.device.plan)
        preflight_measure(&p);
    rc = print(&p, o->json, e);
    if (rc == 0)
        rc = findings_code(&p.findings);
    preflight_release(&p);
    return rc;
}
