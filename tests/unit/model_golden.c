/* model_golden.c - whole models against transformers in float64: losses,
 * logits, gradients of every parameter and of every adapter matrix. */
#include "golden_logits.h"
#include "model/family.h"
#include "weights/adapter_saved.h"
#include "weights/adapter_tokens.h"
#include "weights/lora.h"

static void
compare_loss(const struct session *s, const char *name, double bound)
{
    double *want = golden_copy(s->g, name, NULL);
    double loss = s->out.loss_sum * s->in.inv_tokens;

    if (!CHECK(fabs(loss - *want) <= bound * fabs(*want)))
        printf("    %s on %s: loss %.15g, expected %.15g\n", s->g->name,
               s->exec.backend->name, loss, *want);
    free(want);
}

/* Golden tensors whose name starts with prefix. */
static size_t
count_golden(const struct golden *g, const char *prefix)
{
    size_t n = 0;

    for (size_t i = 0; i < g->file.n; i++)
        n += strncmp(g->file.item[i].name, prefix, strlen(prefix)) == 0;
    return n;
}

/* What is trained besides, of the base alone: the experts' balance. */
static void
compare_balance(const struct session *s, double bound)
{
    double *want = count_golden(s->g, "balance") > 0
                   ? golden_copy(s->g, "balance", NULL) : NULL;
    double more = s->out.balance_sum * s->in.inv_tokens;

    CHECK(want ? fabs(more - *want) <= bound * *want : !(more > 0));
    free(want);
}

static void
check_gradients_of(const struct golden *g, const struct target *t,
                   const struct prog_opts *o)
{
    bool whole = o->method == METHOD_FULL;
    const char *prefix = whole ? "grad." : "lora_grad.";
    struct session s;
    char name[128], full[160];

    session_open(&s, g, o, &t->backend);
    session_gradients(&s);
    compare_loss(&s, whole ? "loss" : "lora_loss", t->bound);
    if (whole)
        compare_balance(&s, t->bound);
    for (size_t i = 0; i < s.prog.n_params; i++) {
        const struct param *q = &s.prog.param[i];
        struct view grad = prog_param(q, s.prog.grads);

        prog_param_name(q, name);
        snprintf(full, sizeof(full), "%s%s", prefix, name);
        compare(&s, view_at(s.run, &grad), (size_t)q->n, full, t->bound);
    }
    session_close(&s);
}

static void
check_gradients(const struct golden *g, const struct target *t,
                enum method method)
{
    struct prog_opts o = golden_opts(g, PROG_TRAIN, method);

    check_gradients_of(g, t, &o);
}

static void
check_param_count_of(const struct golden *g, const struct target *t,
                     const struct prog_opts *o, const char *prefix)
{
    struct session s;

    session_open(&s, g, o, &t->backend);
    CHECK_EQ_U64(s.prog.n_params, count_golden(g, prefix));
    session_close(&s);
}

static void
check_param_count(const struct golden *g, const struct target *t,
                  enum method method, const char *prefix)
{
    struct prog_opts o = golden_opts(g, PROG_TRAIN, method);

    check_param_count_of(g, t, &o, prefix);
}

static void
check_row_loss_of(const struct golden *g, const struct target *t,
                  const struct prog_opts *o)
{
    struct session s;
    bool lora = o->method == METHOD_LORA;
    struct err e;
    char *loss;

    session_open(&s, g, o, &t->backend);
    CHECK(exec_start(&s.exec, &e) == 0);
    CHECK(s.prog.row_loss.ld == 1);
    loss = view_at(s.run, &s.prog.row_loss);
    for (uint32_t i = 0; i < g->rows; i++)
        if (g->weight[i] == 0)
            memset(loss + i * t->backend.real_size, 0, t->backend.real_size);
    session_forward(&s);
    compare_loss(&s, lora ? "lora_loss" : "loss", t->bound);
    compare(&s, loss, g->rows, lora ? "lora_row_loss" : "row_loss",
            t->bound);
    session_close(&s);
}

static void
check_row_loss(const struct golden *g, const struct target *t,
               enum method method)
{
    struct prog_opts o = golden_opts(g, PROG_EVAL, method);

    check_row_loss_of(g, t, &o);
}

/* Calls fn for every model and back end. */
static void
for_all(void (*fn)(const struct golden *g, const struct target *t))
{
    struct target t[MAX_TARGETS];
    size_t n = targets_open(t);

    par_set_threads(2);
    for (size_t i = 0; i < N_GOLDEN; i++) {
        struct golden g;

        golden_open(&g, golden_names[i]);
        for (size_t k = 0; k < n; k++)
            fn(&g, &t[k]);
        golden_close(&g);
    }
    targets_close(t, n);
}

static void
full_case(const struct golden *g, const struct target *t)
{
    check_param_count(g, t, METHOD_FULL, "grad.");
    check_gradients(g, t, METHOD_FULL);
}

TEST(gradients_of_every_parameter)
{
    for_all(full_case);
}

static void
lora_case(const struct golden *g, const struct target *t)
{
    check_param_count(g, t, METHOD_LORA, "lora_grad.");
    check_gradients(g, t, METHOD_LORA);
}

TEST(gradients_of_an_adapter)
{
    for_all(lora_case);
}

static void
loss_case(const struct golden *g, const struct target *t)
{
    check_row_loss(g, t, METHOD_NONE);
    check_row_loss(g, t, METHOD_LORA);
}

TEST(losses_of_rows)
{
    for_all(loss_case);
}

static void
logits_case(const struct golden *g, const struct target *t)
{
    check_logits(g, t, g->seq_len);
    check_logits(g, t, 5);
    check_logits(g, t, 1);
}

TEST(logits_with_a_cache)
{
    for_all(logits_case);
}

/* Losses, and gradients of A, B and the magnitudes; weights stored either way
 * round; what is kept and what is computed anew. */
static void
dora_case(const struct golden *g, const struct target *t)
{
    struct prog_opts o = golden_opts(g, PROG_EVAL, METHOD_LORA);
    struct lora_part *part = mem_array(g->desc.n_modules, sizeof(*part));

    for (size_t i = 0; i < g->desc.n_modules; i++)
        if (module_is_linear(&g->desc, &g->desc.module[i]))
            part[i] = (struct lora_part){
                GOLDEN_RANK, (float)GOLDEN_ALPHA / GOLDEN_RANK, true
            };
    o.lora = part;
    check_row_loss_of(g, t, &o);
    o.mode = PROG_TRAIN;
    check_gradients_of(g, t, &o);
    o.recompute = RECOMPUTE_BLOCK;
    check_gradients_of(g, t, &o);
    free(part);
}

TEST(dora_is_pefts)
{
    static const char *const names[] = { "llama", "gpt2" };
    struct target t[MAX_TARGETS];
    size_t n = targets_open(t);

    for (size_t i = 0; i < 2; i++) {
        char base[256], golden[300];
        struct golden g;

        snprintf(base, sizeof(base), GOLDEN_DIR "%s", names[i]);
        snprintf(golden, sizeof(golden), "%s/dora.safetensors", base);
        golden_open_files(&g, names[i], base, golden);
        for (size_t k = 0; k < n; k++)
            dora_case(&g, &t[k]);
        golden_close(&g);
    }
    targets_close(t, n);
}

/* What of it are parameters follows from names. */
static void
saved_case(struct golden *g, const struct target *t, const struct adapter *a)
{
    struct prog_opts o = golden_opts(g, PROG_EVAL, METHOD_LORA);
    struct lora_part *part = NULL;
    struct err e;

    if (adapter_unties(a, &g->desc)) {
        base_unbind(&g->base);
        desc_untie(&g->desc);
        CHECK(base_bind(&g->base, &g->weights, &g->desc, &e) == 0);
    }
    CHECK(lora_opts(&o, a, &g->desc, &part, &e) == 0);
    check_row_loss_of(g, t, &o);
    o.mode = PROG_TRAIN;
    check_gradients_of(g, t, &o);
    o.recompute = RECOMPUTE_BLOCK;
    check_gradients_of(g, t, &o);
    check_param_count_of(g, t, &o, "lora_grad.");
    free(part);
}

TEST(modules_to_save_are_pefts)
{
    const char *llama[] = { "embed_tokens", "lm_head", "norm", "k_proj" };
    const char *gpt2[] = { "wte", "ln_f", "mlp.c_proj" };
    const char *tied[] = { "wte", "lm_head" };
    const struct {
        const char *model, *file;
        struct adapter a;
    } cases[] = {
        { "llama", "saved", { .save = llama, .n_save = 4 } },
        { "gpt2", "saved", { .save = gpt2, .n_save = 3 } },
        { "gpt2", "saved_tied", { .save = tied, .n_save = 2, .tied = true } },
    };
    struct target t[MAX_TARGETS];
    size_t n = targets_open(t);

    for (size_t i = 0; i < 3; i++) {
        struct adapter a = cases[i].a;
        char base[256], golden[300];
        struct golden g;

        a.rank = GOLDEN_RANK;
        a.alpha = GOLDEN_ALPHA;
        snprintf(base, sizeof(base), GOLDEN_DIR "%s", cases[i].model);
        snprintf(golden, sizeof(golden), "%s/%s.safetensors", base,
                 cases[i].file);
        golden_open_files(&g, cases[i].model, base, golden);
        for (size_t k = 0; k < n; k++)
            saved_case(&g, &t[k], &a);
        golden_close(&g);
    }
    targets_close(t, n);
}

/* Rows of both tables, or of one that both are. */
TEST(trainable_tokens_are_pefts)
{
    static const char *const names[] = { "llama", "gpt2" };
    struct target t[MAX_TARGETS];
    size_t n = targets_open(t);

    for (size_t i = 0; i < 2; i++) {
        struct adapter a = { .rank = GOLDEN_RANK, .alpha = GOLDEN_ALPHA };
        char base[256], golden[300];
        size_t bytes;
        struct golden g;
        int32_t *id;

        snprintf(base, sizeof(base), GOLDEN_DIR "%s", names[i]);
        snprintf(golden, sizeof(golden), "%s/tokens.safetensors", base);
        golden_open_files(&g, names[i], base, golden);
        id = golden_copy(&g, "tokens", &bytes);
        for (size_t k = 0; k < bytes / sizeof(*id); k++) {
            adapter_tokens_add(&a, NULL, id[k], id[k]);
            if (!g.desc.tied)
                adapter_tokens_add(&a, "lm_head", id[k], id[k]);
        }
        for (size_t k = 0; k < n; k++)
            saved_case(&g, &t[k], &a);
        adapter_tokens_release(&a);
        free(id);
        golden_close(&g);
    }
    targets_close(t, n);
}

/* A family that nothing is held against transformers of is named. */
TEST(every_family_has_a_model)
{
    const struct family *f;

    for (size_t i = 0; (f = family_at(i)) != NULL; i++) {
        bool found = false;

        for (size_t k = 0; k < N_GOLDEN && !found; k++) {
            struct golden g;

            golden_open(&g, golden_names[k]);
            found = g.desc.family == f;
            golden_close(&g);
        }
        if (!CHECK(found))
            printf("  no golden model of %s\n", f->model_type);
    }
}

static const struct test tests[] = {
    RUN(every_family_has_a_model),
    RUN(gradients_of_every_parameter), RUN(gradients_of_an_adapter),
    RUN(losses_of_rows), RUN(logits_with_a_cache), RUN(dora_is_pefts),
    RUN(modules_to_save_are_pefts), RUN(trainable_tokens_are_pefts)
};

TEST_MAIN("model_golden", tests)
