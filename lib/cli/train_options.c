/* train_options.c - the options of a training run, and what they come to with
 * the run's inputs open. */
#include "cli/train_options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/mem.h"
#include "train/health.h"
#include "weights/adapter_tokens.h"
#include "weights/lora_experts.h"
#include "weights/pissa.h"

#define MAX_TOKEN ((1 << 20) - 1) /* of the largest vocabulary (family.c) */

/* Whether, and by how many iterations (0: exactly), an adapter begins with the
 * base's singular values. */
static int
read_init(bool *pissa, uint32_t *iterations, const char *name, struct err *e)
{
    static const char niter[] = "pissa_niter_";
    size_t n = sizeof(niter) - 1;
    unsigned long many = 0;
    char *end = NULL;

    *pissa = strncmp(name, "pissa", 5) == 0;
    *iterations = 0;
    if (strcmp(name, "kaiming") == 0 || strcmp(name, "pissa") == 0)
        return 0;
    if (strncmp(name, niter, n) == 0 && name[n] >= '0' && name[n] <= '9')
        many = strtoul(name + n, &end, 10);
    if (end == NULL || *end != '\0' || many < 1 || many > 1000)
        return err_set(e, ERR_USAGE, "--init (found '%s', expected kaiming, "
                       "pissa or pissa_niter_N, N from 1 to 1000)", name);
    *iterations = (uint32_t)many;
    return 0;
}

static int
check_init(const struct train_options *o, struct err *e)
{
    uint32_t iterations;
    bool pissa;
    int rc = read_init(&pissa, &iterations, o->init, e);

    if (rc == 0 && pissa && (o->method == 1 || o->init_adapter != NULL))
        return err_set(e, ERR_USAGE, "--init %s is the start of a new "
                       "adapter: not with %s", o->init,
                       o->method == 1 ? "--method full" : "--init-adapter");
    if (rc == 0 && pissa && o->dora)
        return err_set(e, ERR_USAGE, "--init %s with --dora: magnitudes are "
                       "those of the whole of a matrix", o->init);
    return rc;
}

/* What has no steps of a run. */
static int
check_profile(const struct train_options *o, struct err *e)
{
    if (o->profile && (o->dry_run || o->lr_find))
        return err_set(e, ERR_USAGE, "--profile with %s: there are no steps "
                       "of a run", o->dry_run ? "--dry-run" : "--lr-find");
    return 0;
}

static int
check_together(const struct train_options *o, const struct args *args,
               struct err *e)
{
    int lengths = (o->steps > 0) + (o->epochs > 0) + (o->tokens > 0);

    if (lengths > 1)
        return err_set(e, ERR_USAGE,
                       "give one of --steps, --epochs and --tokens");
    if (o->method == 1
        && (o->init_adapter != NULL || o->targets.n > 0 || o->dropout > 0
            || o->rslora || o->dora
            || o->rank_pattern.n > 0 || o->alpha_pattern.n > 0
            || o->save.n > 0 || o->token_rows.n > 0
            || o->lr_ratio < 1 || o->lr_ratio > 1))
        return err_set(e, ERR_USAGE, "--method full has no adapter");
    if (o->init_adapter != NULL
        && (tool_given(args, "rank") || tool_given(args, "alpha")
            || tool_given(args, "targets") || tool_given(args, "rslora")
            || tool_given(args, "dora")
            || tool_given(args, "rank-pattern")
            || tool_given(args, "alpha-pattern")
            || tool_given(args, "modules-to-save")
            || tool_given(args, "trainable-token-indices")
            || tool_given(args, "ensure-weight-tying")))
        return err_set(e, ERR_USAGE, "--init-adapter sets rank, alpha, their "
                       "patterns, rslora, dora, targets, modules to save and "
                       "trainable tokens");
    if (o->lr_find && (o->extend || o->resume))
        return err_set(e, ERR_USAGE, "--lr-find begins anew: not with %s",
                       o->extend ? "--extend" : "--resume");
    if (o->tied && o->save.n == 0)
        return err_set(e, ERR_USAGE, "--ensure-weight-tying without "
                       "--modules-to-save");
    return 0;
}

/* PEFT's word for what no list at all means here. */
static int
settle_targets(struct train_options *o, struct err *e)
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
settle_adapter(struct train_options *o, const struct args *args,
               const struct adapter *a, struct err *e)
{
    o->rank = a->rank;
    o->alpha = a->alpha;
    o->rslora = a->rslora;
    o->dora = a->dora;
    if (tool_given(args, "dropout"))
        return 0;
    o->dropout = a->dropout;
    if (o->dropout > 0.99)
        return err_set(e, ERR_DATA, "%s: a dropout of %g leaves nothing: "
                       "give --dropout", o->init_adapter, o->dropout);
    return 0;
}

bool
train_options_validated(const struct train_options *o)
{
    return o->keep_best || o->patience > 0
           || o->schedule == SCHEDULE_PLATEAU;
}

/* An option that would not be obeyed is an error, unless it says what it would
 * be anyway: a run's own options are a run file, too. */
static int
check_course(const struct train_options *o, struct err *e)
{
    const struct {
        const char *option, *with;
        bool set, obeyed;
    } rows[] = {
        { "--decay-steps", "--schedule wsd",
          .set = o->decay_steps.count > 0 || o->decay_steps.percent != 20,
          .obeyed = o->schedule == SCHEDULE_WSD },
        { "--plateau-factor", "--schedule plateau",
          .set = o->plateau_factor != 0.5,
          .obeyed = o->schedule == SCHEDULE_PLATEAU },
        { "--plateau-patience", "--schedule plateau",
          .set = o->plateau_patience != 2,
          .obeyed = o->schedule == SCHEDULE_PLATEAU },
        { "--beta1, --beta2 and --epsilon", "--optimizer adamw",
          .set = o->beta1 != 0.9 || o->beta2 != 0.999 || o->epsilon != 1e-8,
          .obeyed = o->optimizer != OPT_SGD },
        { "--muon-momentum, --muon-adjust-lr and --muon-lr-ratio",
          "--optimizer muon",
          .set = o->momentum != 0.95 || o->muon_adjust != MUON_MATCH_RMS
                 || o->muon_lr_ratio != 1,
          .obeyed = o->optimizer == OPT_MUON },
        { "--optimizer muon", "--method full",
          .set = o->optimizer == OPT_MUON, .obeyed = o->method == 1 },
        { "--schedule plateau", "--eval-every",
          .set = o->schedule == SCHEDULE_PLATEAU,
          .obeyed = o->eval_every > 0 },
        { "--patience", "--eval-every", .set = o->patience > 0,
          .obeyed = o->eval_every > 0 },
        { "--extend", "--steps", .set = o->extend,
          .obeyed = o->steps > 0 },
        { "--keep-best", "--eval-every", .set = o->keep_best,
          .obeyed = o->eval_every > 0 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (rows[i].set && !rows[i].obeyed)
            return err_set(e, ERR_USAGE, "%s without %s", rows[i].option,
                           rows[i].with);
    return 0;
}

int
train_options_check(struct train_options *o, const struct args *args,
                    struct err *e)
{
    int rc = check_together(o, args, e);

    if (rc == 0)
        rc = check_init(o, e);
    if (rc == 0)
        rc = check_profile(o, e);
    if (rc == 0)
        rc = check_course(o, e);
    for (size_t i = 0; i < o->watch.n && rc == 0; i++) {
        struct health_rule rule;

        rc = health_rule_read(&rule, o->watch.item[i], e);
    }
    return rc < 0 ? rc : settle_targets(o, e);
}

/* A head or an embedding that is trained alone becomes one by itself. */
static int
settle_saved(const struct train_options *o, struct model *m, struct err *e)
{
    const struct adapter a = { .save = (const char **)o->save.item,
                               .n_save = o->save.n, .tied = o->tied };
    bool was = m->desc.tied;
    int rc = o->method == 1 ? 0 : model_untie(m, &a, e);

    if (rc == 0 && was && !m->desc.tied)
        log_warn("--modules-to-save: head and embedding of %s are one, and "
                 "two from now on, as PEFT has it (--ensure-weight-tying "
                 "trains both as one)", m->weights.path);
    return rc;
}

int
train_options_settle(struct train_options *o, const struct args *args,
                     struct run_inputs *in, struct err *e)
{
    int rc = 0;

    o->loss = in->data.loss;
    if (o->offload == OFFLOAD_ACTIVATIONS && !in->model.backend.apart)
        return err_set(e, ERR_USAGE, "--offload activations: on the processor "
                       "they are in the machine's memory as it is (expected "
                       "a card: --device cuda)");
    if (in->model.with != NULL)
        rc = settle_adapter(o, args, in->model.with, e);
    else
        rc = settle_saved(o, &in->model, e);
    if (rc == 0 && train_options_validated(o)
        && in->val.source.n_records == 0)
        rc = err_set(e, ERR_DATA, "%s: no records in the split val, which "
                     "--keep-best, --patience and --schedule plateau go by",
                     o->data);
    if (rc < 0)
        return rc;
    return data_check_length(&in->train, &in->model, (uint32_t)o->seq_len, e);
}

/* NAME=NUMBER, ... */
static int
read_patterns(struct adapter_patterns *p, const struct opt_list *list,
              const char *option, double min, double max, bool whole,
              struct err *e)
{
    p->item = mem_array(list->n, sizeof(*p->item));
    for (size_t i = 0; i < list->n; i++) {
        const char *text = list->item[i], *equals = strrchr(text, '=');
        char *end = NULL;
        double v = equals ? strtod(equals + 1, &end) : 0;

        if (equals == NULL || equals == text || end == equals + 1 || *end
            || !(v >= min && v <= max) || (whole && v > floor(v)))
            return err_set(e, ERR_USAGE, "--%s (found '%s', expected "
                           "MODULE=N, N a %snumber from %g to %g)", option,
                           text, whole ? "whole " : "", min, max);
        p->item[p->n++] = (struct adapter_pattern){
            mem_dup(text, (size_t)(equals - text)), v
        };
    }
    return 0;
}

static int
bad_tokens(const char *text, struct err *e)
{
    return err_set(e, ERR_USAGE, "--trainable-token-indices (found '%s', "
                   "expected ID, FIRST-LAST or MODULE=ID)", text);
}

/* [MODULE=]ID[-ID], ... */
static int
read_tokens(struct adapter *a, const struct opt_list *list, struct err *e)
{
    for (size_t i = 0; i < list->n; i++) {
        const char *text = list->item[i], *equals = strrchr(text, '=');
        const char *from = equals ? equals + 1 : text;
        unsigned long long first, last;
        char *key, *end;

        if (*from < '0' || *from > '9' || equals == text)
            return bad_tokens(text, e);
        first = last = strtoull(from, &end, 10);
        if (*end == '-' && end[1] >= '0' && end[1] <= '9')
            last = strtoull(end + 1, &end, 10);
        if (*end != '\0' || last < first || last > MAX_TOKEN)
            return bad_tokens(text, e);
        key = equals ? mem_dup(text, (size_t)(equals - text)) : NULL;
        adapter_tokens_add(a, key, (int32_t)first, (int32_t)last);
        free(key);
    }
    return adapter_tokens_sort(a, e) < 0 ? e->code = ERR_USAGE : 0;
}

/* No name of a module holds one of these. */
static bool
is_pattern(const char *target)
{
    return strpbrk(target, "*+?()[]{}|\\^$") != NULL;
}

/* What the options say of an adapter. */
static int
make_config(struct run_adapter *a, const struct train_options *o,
            struct err *e)
{
    int rc = read_patterns(&a->rank, &o->rank_pattern, "rank-pattern", 1,
                           4096, true, e);

    if (rc == 0)
        rc = read_patterns(&a->alpha, &o->alpha_pattern, "alpha-pattern", 0,
                           1e6, false, e);
    if (rc == 0)
        rc = read_tokens(&a->tokens, &o->token_rows, e);
    a->config = (struct adapter){
        .rank = (uint32_t)o->rank, .alpha = o->alpha, .rslora = o->rslora,
        .dora = o->dora,
        .rank_pattern = a->rank, .alpha_pattern = a->alpha,
        .target = (const char **)o->targets.item, .n_targets = o->targets.n,
        .save = (const char **)o->save.item, .n_save = o->save.n,
        .tied = o->tied, .tokens = a->tokens.tokens,
        .n_tokens = a->tokens.n_tokens,
    };
    for (size_t i = 0; i < o->targets.n && rc == 0; i++) {
        if (!is_pattern(o->targets.item[i]))
            continue;
        a->config.target_pattern = true;
        if (o->targets.n > 1)
            rc = err_set(e, ERR_USAGE, "--targets: a pattern stands alone "
                         "(found '%s' beside '%s')", o->targets.item[i == 0],
                         o->targets.item[i]);
    }
    return rc;
}

static int
resolve_adapter(struct train_opts *t, struct run_adapter *a,
                const struct train_options *o, const struct model *m,
                struct err *e)
{
    bool pissa = false;
    int rc = 0;

    if (m->with != NULL)
        a->config = *m->with;
    else
        rc = make_config(a, o, e);
    if (rc == 0)
        rc = lora_opts(&t->prog, &a->config, &m->desc, &a->parts, e);
    if (rc == 0)
        rc = read_init(&pissa, &t->init_iterations, o->init, e);
    if (rc == 0 && pissa)
        rc = pissa_place(&a->fixed, a->parts, &m->desc, &m->backend, e);
    a->config.n = a->config.n_whole = 0;
    a->config.dropout = o->dropout;
    if (rc == 0)
        rc = lora_check_experts(a->parts, &a->config, pissa, &m->desc, e);
    a->config.base = o->base;
    a->config.fan_in_fan_out = lora_fan_in_fan_out(&m->desc);
    return rc;
}

void
run_adapter_release(struct run_adapter *a)
{
    adapter_patterns_release(&a->rank);
    adapter_patterns_release(&a->alpha);
    adapter_tokens_release(&a->tokens);
    free(a->parts);
    free(a->fixed);
}

static struct prog_opts
program(const struct train_options *o)
{
    return (struct prog_opts){
        .method = o->method ? METHOD_FULL : METHOD_LORA,
        .batch = (uint32_t)o->batch,
        .seq_len = (uint32_t)o->seq_len,
        .head_chunk = (uint32_t)o->head_chunk,
        .dropout = (float)o->dropout,
        .recompute = o->recompute == RECOMPUTE_AUTO
                     ? RECOMPUTE_NONE : (uint8_t)o->recompute,
        .offload = (uint8_t)o->offload,
        .optimizer = (uint8_t)o->optimizer,
        .muon_adjust = (uint8_t)o->muon_adjust,
        .momentum = (float)o->momentum,
        .muon_lr_ratio = (float)o->muon_lr_ratio, .decay = (float)o->decay,
        .beta1 = (float)o->beta1, .beta2 = (float)o->beta2,
        .adam_eps = (float)o->epsilon,
        .clip = (float)o->clip, .z_loss = (float)o->z_loss,
        .lr_ratio = (float)o->lr_ratio
    };
}

/* That many of all steps; a part is rounded up, as transformers does it. */
static uint64_t
share_of(const struct opt_share *s, uint64_t steps)
{
    return s->percent > 0
           ? (uint64_t)ceil(s->percent * (double)steps / 100 - 1e-9)
           : s->count;
}

/* With the number of steps there. */
static void
resolve_course(struct train_opts *t, const struct train_options *o)
{
    t->course = (struct course){
        .kind = (uint8_t)o->schedule, .peak = o->lr, .floor = o->lr_floor,
        .warmup = share_of(&o->warmup, t->steps),
        .decay = share_of(&o->decay_steps, t->steps),
        .factor = o->plateau_factor,
    };
    t->validation = (struct validation_opts){
        .keep_best = o->keep_best || o->patience > 0,
        .patience = o->patience,
        .plateau = o->schedule == SCHEDULE_PLATEAU,
        .plateau_patience = o->plateau_patience,
    };
}

int
train_options_resolve(struct train_opts *t, struct run_adapter *a,
                      const struct train_options *o,
                      const struct run_inputs *in, struct err *e)
{
    struct train_length len = { .epochs = o->epochs > 0 ? o->epochs : 1,
                                .tokens = o->tokens, .seed = o->seed,
                                .seq_len = (uint32_t)o->seq_len };

    *a = (struct run_adapter){ .parts = NULL };
    *t = (struct train_opts){
        .prog = program(o),
        .accum = (uint32_t)o->accum,
        .steps = o->steps,
        .max_bad = (uint32_t)o->max_bad,
        .back_off = o->back_off,
        .spike = o->spike,
        .seed = o->seed,
    };
    if (t->steps == 0) {
        uint64_t a_step = o->batch * o->accum;

        t->rows = train_rows(&in->train.source, &len);
        t->steps = (t->rows + a_step - 1) / a_step;
    }
    resolve_course(t, o);
    return t->prog.method == METHOD_LORA
           ? resolve_adapter(t, a, o, &in->model, e) : 0;
}
