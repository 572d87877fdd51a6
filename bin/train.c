/* train.c - token shards and base weights to an adapter. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/par.h"
#include "base/progress.h"
#include "tool/tool.h"
#include "train/inputs.h"
#include "train/runloop.h"
#include "train/train_plan.h"

struct options {
    const char *data, *base, *out, *init_adapter, *config;
    int method, schedule, optimizer, device, compute, recompute;
    uint64_t rank, steps, tokens, batch, accum, seq_len, warmup, seed;
    struct opt_every save_every;
    uint64_t eval_every, eval_records, log_every, keep, threads;
    uint64_t head_chunk;
    double alpha, dropout, epochs, lr, lr_floor, decay, clip;
    struct opt_list targets;
    bool resume, inexact, dry_run, force;
};

#define AT(field) offsetof(struct options, field)
#define MAX_U32 4294967295.0
#define MAX_U53 9007199254740992.0

static const struct opt table[] = {
    { "data", 0, OPT_STRING, false, AT(data), "DIR",
      "set of token shards to train on", NULL, 0, 0, NULL, true },
    { "base", 0, OPT_STRING, false, AT(base), "DIR",
      "base model: a Hugging Face directory or a set of weights", NULL, 0, 0,
      NULL, true },
    { "out", 'o', OPT_STRING, false, AT(out), "RUN",
      "run directory to make", NULL, 0, 0, NULL, true, "dry-run" },
    { "method", 0, OPT_CHOICE, true, AT(method), "NAME",
      "what to train: an adapter or every weight", "lora", 0, 0,
      "lora|full" },
    { "rank", 0, OPT_U64, true, AT(rank), "N", "rank of the adapter", "32",
      1, 4096, NULL },
    { "alpha", 0, OPT_DOUBLE, true, AT(alpha), "X",
      "the adapter counts alpha/rank times", "64", 0, 1e6, NULL },
    { "dropout", 0, OPT_DOUBLE, true, AT(dropout), "P",
      "part of an adapter's inputs that is dropped", "0", 0, 0.99, NULL },
    { "targets", 0, OPT_LIST, true, AT(targets), "LIST",
      "modules that get an adapter, as q_proj,v_proj; all-linear, and "
      "without it: every linear but the head", NULL, 0, 0, NULL },
    { "init-adapter", 0, OPT_STRING, false, AT(init_adapter), "DIR",
      "start from this PEFT adapter, or that of a run; it sets rank, alpha, "
      "targets and, unless given, dropout", NULL, 0, 0, NULL },
    { "steps", 0, OPT_U64, true, AT(steps), "N", "steps to train", NULL, 1,
      MAX_U53, NULL },
    { "epochs", 0, OPT_DOUBLE, true, AT(epochs), "X",
      "passes over the data, instead of --steps; 1 if neither is given",
      NULL, 1e-6, 1e6, NULL },
    { "tokens", 0, OPT_U64, true, AT(tokens), "N",
      "tokens to train on, instead of --steps", NULL, 1, MAX_U53, NULL },
    { "batch", 0, OPT_U64, true, AT(batch), "N",
      "sequences a micro-batch", "4", 1, 65536, NULL },
    { "accum", 0, OPT_U64, true, AT(accum), "N", "micro-batches a step", "1",
      1, 65536, NULL },
    { "seq-len", 0, OPT_U64, true, AT(seq_len), "N",
      "tokens a packed sequence", "512", 2, 1048576, NULL },
    { "lr", 0, OPT_DOUBLE, true, AT(lr), "X", "highest learning rate",
      "0.0002", 0, 1000, NULL },
    { "schedule", 0, OPT_CHOICE, true, AT(schedule), "NAME",
      "course of the learning rate after warm-up", "cosine", 0, 0,
      "constant|linear|cosine" },
    { "lr-floor", 0, OPT_DOUBLE, true, AT(lr_floor), "X",
      "part of --lr that linear and cosine end at", "0.1", 0, 1, NULL },
    { "warmup", 0, OPT_U64, true, AT(warmup), "N",
      "steps over which the rate rises", "0", 0, MAX_U53, NULL },
    { "optimizer", 0, OPT_CHOICE, true, AT(optimizer), "NAME", "optimiser",
      "adamw", 0, 0, "adamw|sgd" },
    { "weight-decay", 0, OPT_DOUBLE, true, AT(decay), "X",
      "decay of matrices", "0", 0, 100, NULL },
    { "clip", 0, OPT_DOUBLE, true, AT(clip), "X",
      "largest norm of the gradient; 0 for none", "1", 0, 1e9, NULL },
    { "seed", 0, OPT_U64, true, AT(seed), "N",
      "seed of order, dropout and the adapter's start", "0", 0, MAX_U53,
      NULL },
    { "compute", 0, OPT_CHOICE, true, AT(compute), "TYPE",
      "type that products compute in", "f32", 0, 0, "f32|bf16" },
    { "recompute", 0, OPT_CHOICE, false, AT(recompute), "NAME",
      "what backward computes anew instead of keeping it; the result is the "
      "same", "none", 0, 0, "none|block" },
    { "head-chunk", 0, OPT_U64, true, AT(head_chunk), "N",
      "supervised rows that the head takes at one time", "512", 1, 65536,
      NULL },
    { "save-every", 0, OPT_EVERY, false, AT(save_every), "N|TIME",
      "steps, or time, between checkpoints; 0 for none but the last", "5m",
      0, MAX_U53, NULL },
    { "keep", 0, OPT_U64, false, AT(keep), "N", "checkpoints to keep", "2",
      1, 1000, NULL },
    { "eval-every", 0, OPT_U64, false, AT(eval_every), "N",
      "steps between evaluations; 0 for none but the first and the last",
      "0", 0, MAX_U53, NULL },
    { "eval-records", 0, OPT_U64, false, AT(eval_records), "N",
      "records of the validation split to evaluate; 0 for all", "0", 0,
      MAX_U53, NULL },
    { "log-every", 0, OPT_U64, false, AT(log_every), "N",
      "steps between lines of metrics", "1", 1, MAX_U53, NULL },
    { "device", 0, OPT_CHOICE, false, AT(device), "NAME",
      "where to compute; auto takes the processor", "auto", 0, 0,
      "auto|cpu" },
    { "threads", 0, OPT_U64, false, AT(threads), "N",
      "threads; 0 for one a processor", "0", 0, 1024, NULL },
    { "resume", 0, OPT_FLAG, false, AT(resume), NULL,
      "go on from the newest checkpoint of RUN", NULL, 0, 0, NULL },
    { "allow-inexact", 0, OPT_FLAG, false, AT(inexact), NULL,
      "resume on another instruction set, library or version than the run "
      "was begun with: other bits, the same run otherwise", NULL, 0, 0,
      NULL },
    { "dry-run", 0, OPT_FLAG, false, AT(dry_run), NULL,
      "print the memory and the work that the run needs, and stop", NULL, 0,
      0, NULL },
    { "force", 0, OPT_FLAG, false, AT(force), NULL,
      "train also where the plan does not fit into the memory there is", NULL,
      0, 0, NULL },
    { "config", 0, OPT_CONFIG, false, AT(config), "FILE",
      "JSON file that sets options by their names", NULL, 0, 0, NULL },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "train",
    .summary = "train an adapter, or every weight, of a base model",
    .operands = "",
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
    .stops = true,
    .exits = "4 5 6 75",
};

static int
check_options(const struct options *o, const struct args *args,
              struct err *e)
{
    int lengths = (o->steps > 0) + (o->epochs > 0) + (o->tokens > 0);

    if (lengths > 1)
        return err_set(e, ERR_USAGE,
                       "give one of --steps, --epochs and --tokens");
    if (o->method == 1 && (o->init_adapter != NULL
                           || o->targets.n > 0 || o->dropout > 0))
        return err_set(e, ERR_USAGE, "--method full has no adapter");
    if (o->init_adapter != NULL
        && (tool_given(args, "rank") || tool_given(args, "alpha")
            || tool_given(args, "targets")))
        return err_set(e, ERR_USAGE,
                       "--init-adapter sets rank, alpha and targets");
    return 0;
}

/* PEFT's word for what no list at all means here. */
static int
settle_targets(struct options *o, struct err *e)
{
    for (size_t i = 0; i < o->targets.n; i++) {
        if (strcasecmp(o->targets.item[i], "all-linear") != 0)
            continue;
        if (o->targets.n > 1)
            return err_set(e, ERR_USAGE, "--targets: all-linear stands alone "
                           "(found '%s' beside it)",
                           o->targets.item[i == 0]);
        o->targets.n = 0;
    }
    return 0;
}

/* What the adapter brings is what the run's config.json says. */
static int
settle_adapter(struct options *o, const struct args *args,
               const struct adapter *a, struct err *e)
{
    o->rank = a->rank;
    o->alpha = adapter_scale(a) * a->rank;
    if (tool_given(args, "dropout"))
        return 0;
    o->dropout = a->dropout;
    if (o->dropout > 0.99)
        return err_set(e, ERR_DATA, "%s: a dropout of %g leaves nothing: "
                       "give --dropout", o->init_adapter, o->dropout);
    return 0;
}

/* *targets is the caller's to free. */
static struct train_opts
train_opts(const struct options *o, const struct run_inputs *in,
           const char ***targets)
{
    struct train_length len = { .epochs = o->epochs > 0 ? o->epochs : 1,
                                .tokens = o->tokens, .seed = o->seed,
                                .seq_len = (uint32_t)o->seq_len };
    struct train_opts t = {
        .prog = { .method = o->method ? METHOD_FULL : METHOD_LORA,
                  .batch = (uint32_t)o->batch,
                  .seq_len = (uint32_t)o->seq_len,
                  .head_chunk = (uint32_t)o->head_chunk,
                  .rank = (uint32_t)o->rank, .alpha = (float)o->alpha,
                  .dropout = (float)o->dropout, .targets = o->targets.item,
                  .n_targets = o->targets.n,
                  .recompute = (uint8_t)o->recompute,
                  .optimizer = (uint8_t)o->optimizer,
                  .decay = (float)o->decay, .beta1 = 0.9f,
                  .beta2 = 0.999f, .adam_eps = 1e-8f,
                  .clip = (float)o->clip },
        .accum = (uint32_t)o->accum,
        .steps = o->steps,
        .warmup = o->warmup,
        .schedule = (uint8_t)o->schedule,
        .lr = o->lr,
        .lr_floor = o->lr_floor,
        .seed = o->seed,
        .eval_records = o->eval_records,
    };

    if (t.steps == 0) {
        uint64_t a_step = o->batch * o->accum;

        t.rows = train_rows(&in->train.source, &len);
        t.steps = (t.rows + a_step - 1) / a_step;
    }
    if (in->model.with != NULL)
        lora_opts(&t.prog, in->model.with, targets);
    return t;
}

/* The memory that the run will use, and its work, on stdout: JSON, or a
 * table for who looks at it. */
static int
print_plan(const struct trainer *t, struct err *e)
{
    struct buf b;
    struct out out;
    int rc = out_open(&out, "-", e);

    if (rc < 0)
        return rc;
    buf_init(&b);
    if (tool_on_terminal())
        trainer_plan_table(t, &b);
    else
        trainer_plan_json(t, &b);
    rc = out_write(&out, b.data, b.len, e);
    if (rc == 0)
        rc = out_commit(&out, e);
    out_release(&out);
    buf_release(&b);
    return rc;
}

/* The line that people's scripts read. */
static void
report(const struct run_line *l)
{
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

/* What decides the result. */
static int
write_identity(struct buf *b, const struct options *o,
               const struct args *args, const struct run_inputs *in,
               const struct train_opts *t, struct err *e)
{
    tool_json(args, o, true, b);
    buf_addf(b, ", \"run_steps\": %llu", (unsigned long long)t->steps);
    return inputs_identity(in, b, e);
}

static void
write_rest(struct buf *b, const struct options *o, const struct args *args,
           const struct run_inputs *in)
{
    buf_addstr(b, "\"options\": {");
    tool_json(args, o, false, b);
    buf_addf(b, "},\n \"machine\": {\"backend\": \"%s\", "
             "\"arithmetic\": \"%s\", \"version\": \"%s\", "
             "\"threads\": %d}", in->model.backend.name,
             in->model.backend.detail, tool_version(), par_threads());
}

/* Nothing of a run is made before its memory is there. */
static int
take_memory(struct trainer *t, const struct options *o,
            const struct run_inputs *in, struct err *e)
{
    int rc = trainer_fit(t, o->force, e);

    if (rc == 0)
        rc = trainer_start(t, e);
    if (rc == 0 && in->model.with != NULL)
        rc = lora_load(&t->exec, in->model.with, e);
    return rc;
}

static int
go_on(struct trainer *t, const struct rundir *dir, struct err *e)
{
    int rc = checkpoint_read(dir->path, &t->state, &t->exec, &dir->key, e);

    if (rc > 0) {
        trainer_resume(t);
        log_info("going on after step %llu",
                 (unsigned long long)t->state.step);
    }
    return rc < 0 ? rc : 0;
}

static int
train_run(struct trainer *t, const struct options *o,
          const struct args *args, const struct run_inputs *in,
          struct err *e)
{
    struct adapter meta = lora_meta(&t->opts.prog, t->desc, o->alpha,
                                    o->dropout, o->base);
    struct run_opts run = { .eval_every = o->eval_every,
                            .save_steps = o->save_every.count,
                            .save_seconds = o->save_every.seconds,
                            .log_every = o->log_every,
                            .keep = (uint32_t)o->keep,
                            .report = args->quiet ? no_report : report };
    struct buf identity, rest;
    enum run_found found;
    struct rundir dir;
    bool begun = rundir_begun(o->out);
    int rc;

    buf_init(&identity);
    buf_init(&rest);
    write_rest(&rest, o, args, in);
    rc = write_identity(&identity, o, args, in, &t->opts, e);
    if (rc == 0 && !begun)
        rc = take_memory(t, o, in, e);
    if (rc == 0)
        rc = rundir_open(&dir, o->out, identity.data, rest.data,
                         !o->resume ? RUN_NOT_RESUMED
                         : o->inexact ? RUN_RESUMED_ANYWHERE : RUN_RESUMED,
                         &found, e);
    if (rc < 0)
        goto out;
    if (found == RUN_COMPLETE) {
        log_info("%s: complete already", o->out);
    } else {
        if (begun)
            rc = take_memory(t, o, in, e);
        if (rc == 0 && o->resume)
            rc = go_on(t, &dir, e);
        if (rc == 0)
            rc = run_loop(t, &dir, &meta, &run, e);
    }
    rundir_release(&dir);
out:
    buf_release(&identity);
    buf_release(&rest);
    return rc;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    struct options *o = opts;
    const struct device_opts device = {
        .name = o->device ? "cpu" : "auto",
        .compute = o->compute ? "bf16" : "f32"
    };
    const char **targets = NULL;
    struct run_inputs in;
    struct train_opts t;
    struct trainer trainer;
    int rc = check_options(o, args, e);

    if (rc == 0)
        rc = settle_targets(o, e);
    if (rc < 0)
        return rc;
    par_set_threads((int)o->threads);
    rc = inputs_open(&in, o->base, o->init_adapter, o->data, &device, e);
    if (rc < 0)
        return rc;
    if (in.model.with != NULL)
        rc = settle_adapter(o, args, in.model.with, e);
    if (rc == 0)
        rc = data_check_length(&in.train, &in.model, (uint32_t)o->seq_len,
                               e);
    if (rc < 0)
        goto out;
    t = train_opts(o, &in, &targets);
    rc = trainer_plan(&trainer, &t, &in.model.desc, &in.model.weights,
                      &in.model.backend, &in.train.source, &in.val.source,
                      e);
    if (rc < 0)
        goto out;
    inputs_warn_drops(&in);
    if (!o->dry_run)
        rc = train_run(&trainer, o, args, &in, e);
    else
        rc = trainer_fit(&trainer, true, e); /* only says so */
    if (rc == 0 && o->dry_run)
        rc = print_plan(&trainer, e);
    trainer_release(&trainer);
out:
    free(targets);
    inputs_release(&in);
    return rc;
}
