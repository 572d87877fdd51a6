/* train_memory.c - chooses what a run's memory depends on and its result, but
 * for rounding, does not. */
#include "cli/train_memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "train/rundir.h"
#include "train/train_plan.h"

#define MAX_JSON (1 << 20)

/* What the config.json of a run has by that name in one of its parts. */
static const cJSON *
recorded(const cJSON *config, const char *part, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(config, part), name);
}

/* Whether a run that was begun says what it chose, for as many sequences a
 * step; *o has that then. What is wrong with a config, rundir_open says. */
static bool
take_recorded(struct train_options *o)
{
    uint64_t a_step = o->batch * o->accum;
    const cJSON *batch, *accum, *recompute;
    cJSON *config = NULL;
    bool there;
    struct err e;
    char *path;

    if (o->out == NULL || !rundir_begun(o->out))
        return false;
    path = path_join(o->out, "config.json");
    there = json_user_file(&config, path, MAX_JSON, &e) == 0;
    free(path);
    batch = recorded(config, "options", "batch");
    accum = recorded(config, "options", "accum");
    recompute = recorded(config, "options", "recompute");
    there = there && cJSON_IsNumber(batch) && cJSON_IsNumber(accum)
            && cJSON_IsString(recompute) && batch->valuedouble >= 1
            && accum->valuedouble >= 1
            && !(batch->valuedouble * accum->valuedouble
                 < (double)a_step)
            && !(batch->valuedouble * accum->valuedouble
                 > (double)a_step);
    if (there) {
        o->batch = (uint64_t)batch->valuedouble;
        o->accum = (uint64_t)accum->valuedouble;
        o->recompute = RECOMPUTE_BLOCK;
        while (o->recompute > RECOMPUTE_NONE
               && strcmp(recompute->valuestring,
                         recompute_name((unsigned)o->recompute)) != 0)
            o->recompute--;
    }
    cJSON_Delete(config);
    return there;
}

/* *o becomes that way; opts is what the trainer is told. */
static void
take(struct train_options *o, struct train_opts *opts,
     const struct fit_way *way)
{
    o->batch = opts->prog.batch = way->prog.batch;
    o->accum = opts->accum = way->accum;
    o->recompute = opts->prog.recompute = way->prog.recompute;
}

static int
choose(const struct trainer *t, struct train_opts *opts,
       struct train_options *o, bool free_to, struct err *e)
{
    struct fit_way way = { .prog = opts->prog, .accum = opts->accum };
    struct trainer other = *t;
    struct err full;
    int rc = 0;

    if (o->max_memory > 0)
        rc = trainer_choose(t, o->max_memory, free_to, &way, e);
    while (o->max_memory == 0 && way.prog.recompute < RECOMPUTE_BLOCK
           && trainer_fit(&other, false, &full) == ERR_LIMIT)
        other.opts.prog.recompute = ++way.prog.recompute;
    if (rc < 0)
        return rc;
    take(o, opts, &way);
    log_info("%s: --batch %u --accum %u --recompute %s",
             o->max_memory > 0 ? "to keep to --max-memory"
                               : "--recompute auto", way.prog.batch,
             way.accum, recompute_name(way.prog.recompute));
    return 0;
}

int
train_options_plan(struct trainer *t, struct train_opts *opts,
                   struct run_adapter *a, struct train_options *o,
                   const struct args *args, const struct run_inputs *in,
                   struct err *e)
{
    bool unsaid = o->recompute == RECOMPUTE_AUTO
                  || !tool_given(args, "recompute");
    bool open = (o->recompute == RECOMPUTE_AUTO || o->max_memory > 0)
                && !take_recorded(o);
    int rc = train_options_resolve(opts, a, o, in, e);

    memset(t, 0, sizeof(*t));
    if (rc == 0)
        rc = trainer_plan(t, opts, &in->model, &in->model.base,
                          &in->train.source, &in->val.source, e);
    if (rc < 0 || !open)
        return rc;
    rc = choose(t, opts, o, unsaid, e);
    trainer_release(t);
    return rc < 0 ? rc
           : trainer_plan(t, opts, &in->model, &in->model.base,
                          &in->train.source, &in->val.source, e);
}
