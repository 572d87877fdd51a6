/* train_plan.c - sums the programs of a run into one plan of memory and work,
 * for fit.h, for JSON and as a table. */
#include "train/train_plan.h"

#include "base/json.h"
#include "weights/pissa.h"

struct plan_memory
trainer_memory(const struct trainer *t)
{
    const struct backend *b = &t->model->backend;
    struct plan_memory m = prog_memory(&t->prog, b);
    uint64_t here = (t->opts.accum - 1) * m.batch
                    + t->train.n_records * sizeof(*t->train.len)
                    + t->val.n_records * (sizeof(*t->val.len)
                                          + sizeof(*t->val_loss));
    uint64_t start;

    if (b->apart) { /* where each program has its batch */
        m.host += here + 2 * m.batch;
        m.batch *= 2;
    } else {
        m.batch += here;
        /* Full training reads the base once, to fill the parameters. */
        if (t->opts.prog.method == METHOD_FULL)
            m.base = t->base->mapped;
        /* Singular values are there before activations. */
        start = pissa_scratch(&t->prog, b, t->opts.init_iterations);
        m.arena = m.arena > start ? m.arena : start;
    }
    m.total = m.base + m.state + m.arena + m.batch;
    return m;
}

/* fit's plan: the same run in another way. */
static int
plan_way(void *ctx, const struct fit_way *way, struct plan_memory *m,
         struct err *e)
{
    const struct trainer *t = ctx;
    struct train_opts o = t->opts;
    struct trainer other;
    int rc;

    o.prog = way->prog;
    o.accum = way->accum;
    rc = trainer_plan(&other, &o, t->model, way->base, &t->train, &t->val,
                      e);
    if (rc < 0)
        return rc;
    *m = trainer_memory(&other);
    trainer_release(&other);
    return 0;
}

static struct fit
fit_of(const struct trainer *t)
{
    return (struct fit){ .what = "training", .plan = plan_way,
                         .ctx = (void *)t, .desc = &t->model->desc,
                         .way = { .prog = t->opts.prog,
                                  .accum = t->opts.accum, .base = t->base },
                         .backend = &t->model->backend };
}

int
trainer_fit(const struct trainer *t, bool force, struct err *e)
{
    struct fit f = fit_of(t);

    return fit_now(&f, force, e);
}

int
trainer_choose(const struct trainer *t, uint64_t bytes, bool recompute,
               struct fit_way *way, struct err *e)
{
    struct fit f = fit_of(t);

    return fit_within(&f, bytes, recompute, way, e);
}

/* Floating-point operations of one step's products, every row supervised. */
static double
step_flops(const struct trainer *t)
{
    const struct prog *p = &t->prog;

    return t->opts.accum * (prog_flops(p, RANGE_FWD, 0)
                            + prog_flops(p, RANGE_HEAD, p->rows)
                            + prog_flops(p, RANGE_BWD, 0));
}

/* Of what a card's memory holds already, bytes: CUDA's own for this process
 * and what other programs took, which can't be told apart. */
static uint64_t
taken_before(const struct backend *b)
{
    uint64_t total, left;
    char by[64];

    left = b->room(b, &total, by, sizeof(by));
    return total - left;
}

static void
card_json(const struct backend *backend, struct buf *b)
{
    if (!backend->apart)
        return;
    buf_addf(b, ", \"workspace_bytes\": %llu",
             (unsigned long long)backend->workspace);
    if (backend->room != NULL)
        buf_addf(b, ", \"used_bytes\": %llu",
                 (unsigned long long)taken_before(backend));
}

void
trainer_plan_json(const struct trainer *t, struct buf *b)
{
    struct plan_memory m = trainer_memory(t);
    const struct {
        const char *name;
        uint64_t value;
    } field[] = {
        { "base_bytes", m.base },
        { "state_bytes", m.state },
        { "arena_bytes", m.arena },
        { "batch_bytes", m.batch },
        { "total_bytes", m.total },
        { "host_bytes", m.host },
        { "parameters", desc_params(&t->model->desc) },
        { "trainable", t->prog.n_trainable },
        { "steps", t->opts.steps },
        { "positions_per_step", (uint64_t)t->prog.rows * t->opts.accum },
    };

    for (size_t i = 0; i < sizeof(field) / sizeof(field[0]); i++)
        buf_addf(b, "%s\"%s\": %llu", i ? ", " : "{", field[i].name,
                 (unsigned long long)field[i].value);
    json_put_number(b, "flops_per_step", step_flops(t));
    card_json(&t->model->backend, b);
    buf_addstr(b, "}\n");
}

static void
put_memory(struct buf *b, const char *name, uint64_t bytes,
           const char *what)
{
    buf_addf(b, "%-14s %15.1f  %s\n", name, (double)bytes / (1 << 20), what);
}

static void
put_count(struct buf *b, const char *name, uint64_t n, const char *what)
{
    buf_addf(b, "%-14s %15llu%s%s\n", name, (unsigned long long)n,
             *what ? "  " : "", what);
}

static void
put_card(struct buf *b, const struct backend *backend,
         const struct plan_memory *m)
{
    put_memory(b, "workspace", backend->workspace,
               "of the arena: the library of products'");
    put_memory(b, "host", m->host, "in the machine's memory: tokens, what is "
               "pinned, activations that wait");
    if (backend->room != NULL)
        put_memory(b, "used", taken_before(backend),
                   "of the card before: CUDA's own, other programs'");
    else
        buf_addf(b, "%-14s %15s  on the card besides: CUDA's own\n", "",
                 "300 to 600");
}

void
trainer_plan_table(const struct trainer *t, struct buf *b)
{
    struct plan_memory m = trainer_memory(t);
    bool apart = t->model->backend.apart;

    buf_addf(b, "%-14s %15s\n", "memory", "MiB");
    put_memory(b, "base", m.base, apart ? "copied to the card"
                                        : "mapped, as it is stored");
    put_memory(b, "state", m.state, "what is trained, gradients, moments");
    put_memory(b, "arena", m.arena, "activations and scratch");
    put_memory(b, "batch", m.batch,
               apart ? "tokens" : "tokens of a step, lengths of records");
    put_memory(b, "total", m.total,
               "and at most 64 for programs and libraries");
    if (apart)
        put_card(b, &t->model->backend, &m);
    buf_addc(b, '\n');
    put_count(b, "parameters", desc_params(&t->model->desc), "");
    put_count(b, "trainable", t->prog.n_trainable, "");
    put_count(b, "steps", t->opts.steps, "");
    put_count(b, "tokens a step", (uint64_t)t->prog.rows * t->opts.accum,
              "with padding");
    buf_addf(b, "%-14s %15.3g  floating-point, of a step\n", "operations",
             step_flops(t));
}
