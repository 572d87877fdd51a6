/* op_times.c - where the time of a training step goes, op by op, against what
 * the device could do.
 *
 *     op_times [OPTION]... BASE            as measured here
 *     op_times --as CARD [OPTION]... ARCH  as computed for a card
 *
 * A step of LoRA on all linears is a table: a row for each range, kind of op
 * and roles of its modules, layers summed, with how often a step runs it, its
 * work and the fewest bytes that it has to move (lib/model/cost.h), and the
 * floor, the longer of the times that the two take at best. Of BASE, a model
 * directory or a set of weights, the ops are run by themselves, after a whole
 * step so that what they read is real, and timed; and what the device does at
 * best is measured, too. With --as, that is the maker's (card.h), and no
 * device, weights or memory is needed: ARCH is a config.json.
 */
#include <stdio.h>

#include "base/io.h"
#include "card.h"
#include "cli/machine.h"
#include "kernels/plugin.h"
#include "model/fit.h"
#include "op_rows.h"
#include "seam.h"
#include "tool/tool.h"
#include "weights/model.h"

#define MAX_ARCH (1 << 20)

struct options {
    const char *as, *format;
    uint64_t batch, seq_len, rank, accum, head_chunk;
    int recompute;
    struct machine_options machine;
};

static const struct opt table[] = {
    { .name = "as", .type = OPT_STRING, AT(as), .arg = "CARD",
      .help = "compute the table for a card of this name, without one" },
    { .name = "format", .type = OPT_NAME, AT(format), .arg = "NAME",
      .def = "bf16", .choices = "f32|bf16|f16|int8",
      .help = "with --as: how the base's matrices are stored" },
    { .name = "batch", .type = OPT_U64, AT(batch), .arg = "N", .def = "2",
      .min = 1, .max = 65536, .help = "sequences of a micro-batch" },
    { .name = "seq-len", .type = OPT_U64, AT(seq_len), .arg = "N",
      .def = "512", .min = 1, .max = 1048576, .help = "tokens of each" },
    { .name = "rank", .type = OPT_U64, AT(rank), .arg = "N", .def = "16",
      .min = 1, .max = 65536, .help = "of the adapter" },
    { .name = "accum", .type = OPT_U64, AT(accum), .arg = "N", .def = "1",
      .min = 1, .max = 65536, .help = "micro-batches of a step" },
    { .name = "head-chunk", .type = OPT_U64, AT(head_chunk), .arg = "N",
      .def = OPT_DEFAULT(TRAIN_HEAD_CHUNK), .min = 1, .max = 1048576,
      .help = "rows of one pass over the head" },
    { .name = "recompute", .type = OPT_CHOICE, AT(recompute), .arg = "NAME",
      .def = "none", .choices = "none|attention|block",
      .help = "what is computed again instead of kept" },
    { COMPUTE_OPTION, AT(machine.compute) },
    { DEVICE_OPTION, AT(machine.device) },
    { MACHINE_THREADS_OPTION, AT(machine.threads) },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "op_times",
    .summary = "where the time of a training step goes",
    .operands = "BASE|ARCH",
    .min_operands = 1,
    .max_operands = 1,
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
    .exits = "4 5",
};

struct bench {
    const struct options *o;
    struct backend *b;
    struct prog prog;
    struct peak best;
    struct rows rows;

    /* measured */
    struct exec exec;
    struct batch batch;
    int32_t *ids; /* the batch's arrays, one after the other */
    float *weight;
    double step; /* seconds of a whole one */
};

/* How often a step runs a range. */
static uint64_t
times(const struct bench *t, int range)
{
    return range == RANGE_START || range == RANGE_UPDATE ? 1 : t->o->accum;
}

/* ---- the program -------------------------------------------------------- */

static struct prog_opts
prog_options(const struct options *o)
{
    return (struct prog_opts){
        .mode = PROG_TRAIN, .method = METHOD_LORA,
        .batch = (uint32_t)o->batch, .seq_len = (uint32_t)o->seq_len,
        .head_chunk = (uint32_t)o->head_chunk, .rank = (uint32_t)o->rank,
        .alpha = 2 * (float)o->rank, .recompute = (uint8_t)o->recompute,
        .optimizer = OPT_ADAMW, .decay = 0.01f, .beta1 = 0.9f,
        .beta2 = 0.999f, .adam_eps = 1e-8f, .clip = 1,
    };
}

/* A base of which nobody has the weights. */
static struct frozen
imagine_base(const struct model_desc *d, const char *path,
             const char *format)
{
    const struct stored *s = stored_named(format);
    struct frozen f = { path, 0,
                        mem_array(d->n_tensors, sizeof(*f.tensor)) };

    for (size_t i = 0; i < d->n_tensors; i++) {
        const struct model_tensor *own = &d->tensor[i];
        bool blocks = !dtype_is_float(s->dtype);

        f.tensor[i].name = own->name;
        f.tensor[i].dtype = !blocks || own->n_dims == 2 ? s->dtype
                                                        : DTYPE_F32;
    }
    return f;
}

/* ---- a step ------------------------------------------------------------- */

/* Random tokens, every row supervised, a document a sequence. */
static void
make_batch(struct bench *t)
{
    uint32_t n = t->prog.rows, vocab = t->prog.desc->vocab, word = 1;
    uint32_t seq = t->prog.opts.seq_len;
    int32_t *ids = t->ids = mem_array(5 * (size_t)n, sizeof(*ids));

    t->weight = mem_array(n, sizeof(*t->weight));
    for (uint32_t i = 0; i < n; i++) {
        word = word * 1664525u + 1013904223u;
        ids[i] = (int32_t)((word >> 8) % vocab);
        ids[n + i] = (int32_t)((word >> 4) % vocab);
        ids[2 * n + i] = (int32_t)(i % seq);
        ids[3 * n + i] = (int32_t)(i / seq * seq);
        ids[4 * n + i] = (int32_t)i;
        t->weight[i] = 1;
    }
    t->batch = (struct batch){ .ids = ids, .target = ids + n,
                               .pos = ids + 2 * n, .doc_first = ids + 3 * n,
                               .head_row = ids + 4 * n, .weight = t->weight,
                               .n = n };
    t->exec.in = (struct inputs){ .lr = 1e-4, .n_head = n, .inv_tokens =
                                  1.0 / ((double)n * (double)t->o->accum) };
}

static int
run_step(struct bench *t, double *seconds, struct err *e)
{
    double start = clock_now(CLOCK_MONOTONIC);
    struct results results;
    int rc = exec_range(&t->exec, RANGE_START, e);

    for (uint64_t i = 0; i < t->o->accum && rc == 0; i++) {
        rc = exec_batch(&t->exec, &t->batch, e);
        if (rc == 0)
            rc = exec_forward(&t->exec, e);
        if (rc == 0)
            rc = exec_range(&t->exec, RANGE_BWD, e);
    }
    if (rc == 0)
        rc = exec_range(&t->exec, RANGE_UPDATE, e);
    if (rc == 0)
        rc = exec_results(&t->exec, &results, e);
    *seconds = clock_now(CLOCK_MONOTONIC) - start;
    return rc;
}

/* The first step prepares what later ones use. */
static int
time_step(struct bench *t, struct err *e)
{
    double round[ROUNDS];
    int rc = run_step(t, &round[0], e);

    for (int i = 0; i < ROUNDS && rc == 0; i++)
        rc = run_step(t, &round[i], e);
    t->step = median(round, ROUNDS);
    return rc;
}

/* How often a row's ops stand in the list that is timed: often enough that
 * a launch is little of it, by what they take at best. */
static size_t
copies_of(const struct bench *t, const struct row *row)
{
    double least = (double)row->n * peak_floor(&t->best, &row->cost);
    size_t copies = 1;

    while ((double)copies * least < 2e-4 && copies * row->n < 64)
        copies *= 2;
    return copies;
}

/* Runs the ops of a row one after the other, each of a layer of its own as in
 * a step, so that caches don't hold what they read. */
static int
time_row(struct bench *t, struct row *row, struct err *e)
{
    size_t copies = copies_of(t, row);
    struct op *op = mem_array(copies * row->n, sizeof(*op));
    struct op_list list = t->prog.list;
    int rc;

    for (size_t i = 0; i < copies; i++)
        memcpy(op + i * row->n, row->op, row->n * sizeof(*op));
    list.op = op;
    list.n = copies * row->n;
    rc = time_list(t->b, &list, row->range, t->exec.memory, &t->batch,
                   &t->exec.in, &row->seconds, e);
    row->seconds /= (double)copies;
    free(op);
    return rc;
}

static int
time_all(struct bench *t, struct err *e)
{
    int rc = exec_open(&t->exec, &t->prog, t->b, NULL, e);

    if (rc < 0)
        return rc;
    make_batch(t);
    rc = exec_init_lora(&t->exec, 0, e);
    if (rc == 0)
        rc = time_step(t, e);
    for (size_t i = 0; i < t->rows.n && rc == 0; i++)
        rc = time_row(t, &t->rows.row[i], e);
    exec_release(&t->exec);
    free(t->ids);
    free(t->weight);
    return rc;
}

/* ---- the table ---------------------------------------------------------- */

static void
print_table(const struct bench *t)
{
    struct sums all = { 0 };
    double tokens = (double)t->prog.rows * (double)t->o->accum;

    printf("\n%-6s %-13s %-8s %6s %12s %11s %10s %5s%s\n", "range", "op",
           "of", "ops", "GFLOP", "MB", "floor ms", "by",
           t->step > 0 ? "         ms  share" : "");
    for (size_t i = 0; i < t->rows.n; i++)
        print_row(&t->rows.row[i], times(t, t->rows.row[i].range),
                  &t->best, &all);
    printf("%-29s ", "sum");
    print_sums(&all, "-");
    printf("\na step of %.0f tokens at the floor: %.3f ms, %.0f tokens/s\n",
           tokens, all.floor * 1e3, tokens / all.floor);
    if (t->step > 0)
        printf("as measured: %.3f ms, %.0f tokens/s, %.1f%% of the floor's\n",
               t->step * 1e3, tokens / t->step, 100 * all.floor / t->step);
}

static void
print_head(const struct bench *t, const char *base)
{
    const struct plan_memory m = prog_memory(&t->prog, t->b);
    const struct options *o = t->o;

    printf("%s: LoRA rank %llu on all linears, %s, %llu x %llu x %llu "
           "tokens\n", base, (unsigned long long)o->rank, o->machine.compute,
           (unsigned long long)o->accum, (unsigned long long)o->batch,
           (unsigned long long)o->seq_len);
    printf("%s: %.2f TFLOP/s, %.1f GB/s, %s\n", o->as ? o->as : t->b->detail,
           t->best.flops * 1e-12, t->best.bytes * 1e-9,
           o->as ? "by its maker" : "by a large linear and a large copy");
    printf("memory: %.0f MiB, of them %.0f for activations and scratch\n",
           (double)m.total / (1 << 20), (double)m.arena / (1 << 20));
}

/* ---- both ways ---------------------------------------------------------- */

static int
make_table(struct bench *t, const struct model_desc *d,
           const struct frozen *base, struct err *e)
{
    struct prog_opts o = prog_options(t->o);
    int rc = prog_build(&t->prog, d, &o, base, t->b, e);

    if (rc < 0)
        return rc;
    rows_make(&t->rows, &t->prog);
    if (t->o->as == NULL)
        rc = time_all(t, e);
    if (rc == 0) {
        print_head(t, base->path);
        print_table(t);
    }
    rows_release(&t->rows);
    prog_release(&t->prog);
    return rc;
}

static int
run_as(struct bench *t, const struct card *card, const char *arch,
       struct err *e)
{
    bool bf16 = strcmp(t->o->machine.compute, "bf16") == 0;
    struct model_desc d;
    struct backend b;
    struct frozen base;
    struct buf text;
    int rc;

    cuda_plan(&b, t->o->machine.compute);
    t->b = &b;
    t->best = (struct peak){ 1e12 * (bf16 ? card->bf16 : card->f32),
                                1e9 * card->memory };
    buf_init(&text);
    rc = file_read(&text, arch, MAX_ARCH, e);
    if (rc == 0)
        rc = desc_read(&d, text.data, text.len, arch, e);
    buf_release(&text);
    if (rc < 0)
        return rc;
    base = imagine_base(&d, arch, t->o->format);
    rc = make_table(t, &d, &base, e);
    free(base.tensor);
    desc_release(&d);
    return rc;
}

/* What the device does at best, before the model takes its memory. */
static int
run_here(struct bench *t, const char *path, struct err *e)
{
    struct device_opts device = machine_use(&t->o->machine);
    struct prog_opts o = prog_options(t->o);
    struct model m;
    int rc = model_open(&m, path, NULL, &device, e);

    if (rc < 0)
        return rc;
    t->b = &m.backend;
    rc = peak_measure(&t->best, t->b, UINT64_MAX, e);
    if (rc == 0)
        rc = model_fit(&m, &o, "the step", false, e);
    if (rc == 0)
        rc = make_table(t, &m.desc, &m.base, e);
    model_release(&m);
    return rc;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const struct options *o = opts;
    struct bench t = { .o = o };
    const struct card *card;
    struct buf names;
    int rc;

    if (o->as == NULL)
        return run_here(&t, args->operand[0], e);
    buf_init(&names);
    card = card_named(o->as, &names);
    rc = card ? run_as(&t, card, args->operand[0], e)
              : err_set(e, ERR_USAGE, "bad --as (found '%s', expected %s)",
                        o->as, names.data);
    buf_release(&names);
    return rc;
}
