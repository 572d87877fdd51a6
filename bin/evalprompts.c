/* evalprompts.c - what a base model, and an adapter on it, can do: the loss
 * over held-out records, also against another base, and checks on the
 * completions of prompts. */
#include <string.h>

#include "base/io.h"
#include "base/json.h"
#include "base/visible.h"
#include "cli/bars.h"
#include "cli/eval_options.h"
#include "eval/prompt_score.h"
#include "eval/score.h"
#include "tool/tool.h"
#include "weights/adapter.h"

#define CHECK_DISK ((uint64_t)64 << 20) /* bytes that a program may write */

static tool_run run;

const struct tool tool = {
    .name = "evalprompts",
    .summary = "measure a base model and an adapter on data and prompts",
    .operands = "[PROMPTS.jsonl]",
    .max_operands = 1,
    .opts = eval_option_table,
    .options_size = sizeof(struct eval_options),
    .run = run,
    .exits = "4 5 6",
};

/* The base, and what is held against it; *other is open where score compares.
 */
static int
open_models(struct model *m, struct model *other, const struct eval_options *o,
            struct score_opts *score, struct err *e)
{
    struct device_opts device = machine_use(&o->machine);
    int rc = model_open(m, o->base, o->adapter, &device, e);

    if (rc < 0 || o->compare == NULL)
        return rc;
    rc = model_open_beside(other, o->compare, m, e);
    if (rc < 0)
        model_release(m);
    else
        score->compare = other;
    return rc;
}

/* What else is forgotten: the same of a set that is not the repository's. */
static struct score_opts
forgetting(const struct eval_options *o, const struct score_opts *score)
{
    struct score_opts f = *score;

    f.data = o->forget_data;
    f.split = o->forget_split;
    f.per_record = NULL;
    f.by = 0;
    f.exactness = 0;
    f.context_set = NULL;
    return f;
}

/* Appends ", \"forgetting\": {...}". */
static int
score_forgetting(const struct model *m, const struct score_opts *forget,
                 struct buf *summary, struct err *e)
{
    struct buf members;
    int rc;

    buf_init(&members);
    rc = score_split(m, forget, &members, e);
    if (rc == 0) /* the first has a comma before it */
        buf_addf(summary, ", \"forgetting\": {%s}", members.data + 2);
    buf_release(&members);
    return rc;
}

/* Appends "NAME": {"path": PATH, "id": ID}; of the path what can be seen. */
static void
put_model(struct buf *b, const char *name, const char *path,
          const struct id *id)
{
    char hex[ID_HEX + 1];
    struct buf shown;

    buf_init(&shown);
    visible_put(&shown, path, strlen(path), SIZE_MAX);
    buf_addf(b, "\"%s\": {\"path\": ", name);
    json_put_string(b, shown.data, shown.len);
    buf_addf(b, ", \"id\": \"%s\"}", id_hex(id, hex));
    buf_release(&shown);
}

/* Appends ", \"models\": {...}": what was measured, by path and content. */
static int
put_models(struct buf *b, const struct eval_options *o,
           const struct model *m, const struct model *other, struct err *e)
{
    struct id id = weights_id(&m->weights);
    int rc = 0;

    buf_addstr(b, ", \"models\": {");
    put_model(b, "base", o->base, &id);
    if (m->with != NULL) {
        rc = adapter_id(&id, m->adapter_dir, e);
        buf_addstr(b, ", ");
        put_model(b, "adapter", o->adapter, &id);
    }
    if (other != NULL) {
        id = weights_id(&other->weights);
        buf_addstr(b, ", ");
        put_model(b, "compare", o->compare, &id);
    }
    buf_addc(b, '}');
    return rc;
}

/* Everything that is asked for: what can't be done is said first. */
static int
measure(const struct eval_options *o, const struct args *args,
        const struct model *m, const struct score_opts *score,
        struct out *out, struct err *e)
{
    struct score_opts forget = forgetting(o, score);
    struct prompt_opts prompts = {
        .path = args->n > 0 ? args->operand[0] : NULL,
        .tokenizer = o->tokenizer, .max_tokens = (uint32_t)o->max_tokens,
        .context = (uint32_t)o->context,
        .context_set = score->context_set, .temperature = o->temperature,
        .top_p = o->top_p, .seed = o->seed, .force = o->force,
        .suite = (enum suite_kind)o->suite, .samples = (uint32_t)o->samples,
        .junit = o->junit,
        .limits = { .kind = (enum sandbox_kind)o->sandbox,
                    .seconds = (unsigned)o->check_seconds,
                    .memory = o->check_memory, .disk = CHECK_DISK }
    };
    struct buf summary;
    int rc = eval_options_asides(o, args, m, e);

    if (rc == 0 && prompts.path != NULL)
        rc = prompts_fit(m, &prompts, e);
    if (rc == 0 && o->data != NULL)
        rc = score_check(m, score, e);
    if (rc == 0 && forget.data != NULL)
        rc = score_check(m, &forget, e);
    buf_init(&summary);
    buf_addstr(&summary, "{\"kind\": \"summary\"");
    if (rc == 0 && prompts.path != NULL)
        rc = prompts_score(m, &prompts, out, &summary, e);
    if (rc == 0 && o->data != NULL)
        rc = score_split(m, score, &summary, e);
    if (rc == 0 && forget.data != NULL)
        rc = score_forgetting(m, &forget, &summary, e);
    if (rc == 0 && !args->no_prov)
        rc = put_models(&summary, o, m, score->compare, e);
    buf_addstr(&summary, "}\n");
    if (rc == 0)
        rc = out_write(out, summary.data, summary.len, e);
    if (rc == 0)
        rc = out_commit(out, e);
    if (rc == 0)
        rc = bars_hold(&o->fail_below, &o->fail_above, &summary, e);
    buf_release(&summary);
    return rc;
}

static int
measure_to_stdout(const struct eval_options *o, const struct args *args,
                  const struct model *m, const struct score_opts *score,
                  struct err *e)
{
    struct out out;
    int rc = out_open(&out, "-", e);

    if (rc == 0)
        rc = measure(o, args, m, score, &out, e);
    out_release(&out);
    return rc;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const struct eval_options *o = opts;
    struct score_opts score = {
        .data = o->data, .split = o->split,
        .per_record = o->per_record, .records = o->records,
        .exactness = o->exactness, .context = (uint32_t)o->context,
        .batch = (uint32_t)o->batch, .seq_len = (uint32_t)o->seq_len,
        .force = o->force
    };
    struct context_set context;
    struct model m, other;
    int rc = eval_options_check(o, args, e);

    if (rc < 0)
        return rc;
    score.by = eval_options_by(o);
    rc = open_models(&m, &other, o, &score, e);
    if (rc < 0)
        return rc;
    rc = context_options_open(&o->from, o->force, &m, &context,
                              &score.context_set, e);
    if (rc == 0)
        rc = measure_to_stdout(o, args, &m, &score, e);
    if (score.context_set != NULL)
        context_release(&context);
    if (score.compare != NULL)
        model_release(&other);
    model_release(&m);
    return rc;
}
