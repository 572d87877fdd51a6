/* embed.c - a vector for each record: what a model's last layer has of it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/progress.h"
#include "cli/machine.h"
#include "eval/embedding.h"
#include "record/filtering.h"
#include "tool/tool.h"
#include "weights/adapter.h"

#define SEQ_LEN 512

struct options {
    const char *base, *adapter;
    uint64_t batch, seq_len;
    int pool;
    struct machine_options machine;
    bool force;
};

static const struct opt table[] = {
    { BASE_OPTION, AT(base) },
    { .name = "adapter", .type = OPT_STRING, .output = true, AT(adapter),
      .arg = "DIR",
      .help = "PEFT or mlx-lm adapter, or run with one, for the base" },
    { .name = "pool", .type = OPT_CHOICE, .output = true, AT(pool),
      .arg = "HOW", .def = "mean", .choices = "mean|last",
      .help = "what becomes the vector: the mean of the hidden states of all "
              "tokens, or that of the last" },
    { .name = "batch", .type = OPT_U64, .output = true, AT(batch),
      .arg = "N", .def = "4", .min = 1, .max = 65536,
      .help = "sequences that go through at one time" },
    { .name = "seq-len", .type = OPT_U64, .output = true, AT(seq_len),
      .arg = "N", .def = "0", .max = 1048576,
      .help = "tokens a packed sequence; a longer record is divided; 0 for "
              "512, or for the positions of a base that has fewer" },
    { COMPUTE_OPTION, AT(machine.compute) },
    { DEVICE_OPTION, AT(machine.device) },
    { .name = "force", .type = OPT_FLAG, AT(force),
      .help = "go on where the memory there is does not suffice" },
    { MACHINE_THREADS_OPTION, AT(machine.threads) },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "embed",
    .summary = "make vectors of token records, from a model's hidden states",
    .operands = "[FILE|DIR]",
    .max_operands = 1,
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
    .exits = "4 5",
};

struct work {
    struct model m;
    struct exec x;
    struct prog prog;
    char base[ID_HEX + 1], adapter[ID_HEX + 1];
    struct embedding g;
};

/* What the vectors are made with, by content. */
static int
identify(struct work *w, struct err *e)
{
    struct id id = weights_id(&w->m.weights);
    int rc;

    id_hex(&id, w->base);
    if (w->m.with == NULL)
        return 0;
    rc = adapter_id(&id, w->m.adapter_dir, e);
    if (rc == 0)
        id_hex(&id, w->adapter);
    return rc;
}

static int
nothing_more(void *aside, struct err *e)
{
    (void)aside;
    (void)e;
    return 0;
}

/* With the model there. */
static int
embed(struct work *w, const struct args *args, const struct options *o,
      struct err *e)
{
    const char *const ids[] = { "adapter", w->adapter, NULL };
    char *prov = tool_prov(args, o, ids);
    struct filter_by by = { .segment = embedding_segment, .filter = &w->g,
                            .last = nothing_more, .prov = prov };
    struct stream_in in;
    int rc = stream_in_open(&in, args->n > 0 ? args->operand[0] : "-",
                            "tokens", e);

    if (rc == 0) {
        progress_begin("records", 0, 0);
        rc = filtering_stream(&in, &by, e);
        progress_end();
        stream_in_release(&in);
    }
    if (rc == 0)
        log_info("%" PRIu64 " vectors of %" PRIu32 " elements",
                 w->g.records, w->m.desc.dim);
    if (rc == 0 && w->g.empty > 0)
        log_info("%" PRIu64 " left out: no token", w->g.empty);
    free(prov);
    return rc;
}

/* With the model open. */
static int
prepare(struct work *w, const struct args *args, const struct options *o,
        struct err *e)
{
    uint32_t most = w->m.desc.max_pos < SEQ_LEN ? w->m.desc.max_pos : SEQ_LEN;
    const struct prog_opts p = hidden_opts(
        (uint32_t)o->batch, o->seq_len ? (uint32_t)o->seq_len : most);
    int rc = model_fit(&w->m, &p, "embedding", o->force, e);

    if (rc == 0)
        rc = hidden_open(&w->x, &w->prog, &w->m, w->m.with, &p, e);
    if (rc < 0)
        return rc;
    rc = identify(w, e);
    if (rc == 0) {
        embedding_init(&w->g);
        w->g.m = &w->m;
        w->g.x = &w->x;
        w->g.pool = o->pool == 0 ? HIDDEN_MEAN : HIDDEN_LAST;
        w->g.program = tool.name;
        w->g.base = w->base;
        w->g.adapter = w->m.with ? w->adapter : NULL;
        rc = embed(w, args, o, e);
        embedding_release(&w->g);
    }
    exec_release(&w->x);
    prog_release(&w->prog);
    return rc;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const struct options *o = opts;
    struct device_opts device = machine_use(&o->machine);
    struct work w = { .adapter = "" };
    int rc = model_open(&w.m, o->base, o->adapter, &device, e);

    if (rc < 0)
        return rc;
    rc = prepare(&w, args, o, e);
    model_release(&w.m);
    return rc;
}
