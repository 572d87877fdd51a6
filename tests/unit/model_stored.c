/* model_stored.c - a base in a stored format is the base it decodes to.
 *
 * Every golden model is encoded in memory, and once more as the floats that
 * this means. Losses and gradients of an adapter have the same bits on the
 * reference, and agree to 1e-5 on the CPU back end.
 */
#include "golden_model.h"

#include "stored_fill.h"

/* x[rows][cols] as s stores it (one that is only read: what is drawn from it);
 * and what that means, in x. */
static void
encode_matrix(struct frozen_tensor *t, const struct stored *s, float *x,
              size_t rows, size_t cols)
{
    size_t row = (size_t)stored_row_bytes(s, cols);
    size_t side_row = (size_t)stored_blocks(s, cols)
                      * dtype_size(s->side_dtype);

    stored_matrix(t, s, x, rows, cols);
    for (size_t i = 0; i < rows; i++)
        s->widen(x + i * cols, (const char *)t->data + i * row,
                 side_row ? (const char *)t->side + i * side_row : NULL, 0,
                 cols);
}

/* *coded = the base in that format (vectors in bf16 if it is for matrices),
 * *plain = the same numbers in F32. */
static void
encode_base(const struct golden *g, const struct stored *s,
            struct frozen *coded, struct frozen *plain)
{
    const struct model_desc *d = &g->desc;
    size_t size = d->n_tensors * sizeof(*g->base.tensor);

    *coded = *plain = g->base;
    coded->tensor = mem_dup(g->base.tensor, size);
    plain->tensor = mem_dup(g->base.tensor, size);
    for (size_t i = 0; i < d->n_tensors; i++) {
        const struct model_tensor *own = &d->tensor[i];
        struct frozen_tensor *t = &coded->tensor[i];
        size_t n = (size_t)own->rows * own->cols;
        float *x = mem_dup(t->data, n * sizeof(*x));

        encode_matrix(t, own->n_dims == 1 && !dtype_is_float(s->dtype)
                         ? stored_of(DTYPE_BF16) : s, x, own->rows,
                      own->cols);
        plain->tensor[i].data = x;
    }
}

static void
free_base(struct frozen *f, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free((void *)f->tensor[i].data);
        free((void *)f->tensor[i].side);
    }
    free(f->tensor);
}

/* Loss and gradients as doubles, [1 + n_flat]. */
static double *
gradients(const struct golden *g, const struct frozen *base,
          const struct backend *b, size_t *n)
{
    struct prog_opts o = golden_opts(g, PROG_TRAIN, METHOD_LORA);
    struct golden with = *g;
    struct session s;
    double *out;

    with.base = *base;
    session_open(&s, &with, &o, b);
    session_gradients(&s);
    *n = 1 + (size_t)s.prog.n_flat;
    out = mem_array(*n, sizeof(*out));
    out[0] = s.out.loss_sum;
    for (size_t i = 1; i < *n; i++)
        out[i] = session_at(&s, view_at(s.run, &s.prog.grads), i - 1);
    session_close(&s);
    return out;
}

static double
distance(const double *a, const double *b, size_t n)
{
    double diff = 0, norm = 0;

    for (size_t i = 0; i < n; i++) {
        diff += (a[i] - b[i]) * (a[i] - b[i]);
        norm += b[i] * b[i];
    }
    return sqrt(diff / norm);
}

/* Also, that encoding changed the numbers at all. */
static void
check_base(const struct golden *g, const struct backend *ref,
           const struct backend *cpu, const struct stored *s)
{
    struct frozen coded, plain;
    double *want, *got, *fast, *exact;
    size_t n;

    encode_base(g, s, &coded, &plain);
    exact = gradients(g, &g->base, ref, &n);
    want = gradients(g, &plain, ref, &n);
    got = gradients(g, &coded, ref, &n);
    fast = gradients(g, &coded, cpu, &n);
    if (!CHECK(memcmp(got, want, n * sizeof(*got)) == 0))
        printf("    %s in %s on ref64\n", g->name, s->name);
    CHECK(memcmp(exact, want, n * sizeof(*exact)) != 0);
    CHECK(fabs(fast[0] - want[0]) <= 1e-5 * want[0]);
    if (!CHECK(distance(fast + 1, want + 1, n - 1) <= 1e-5))
        printf("    %s in %s on %s: gradients are off by %.2e\n", g->name,
               s->name, cpu->name,
               distance(fast + 1, want + 1, n - 1));
    free(want);
    free(got);
    free(fast);
    free(exact);
    free_base(&coded, g->desc.n_tensors);
    free_base(&plain, g->desc.n_tensors);
}

static void
check_format(const struct stored *s)
{
    struct backend ref, cpu;
    struct err e;

    ref64_open(&ref);
    if (!CHECK(cpu_open(&cpu, NULL, "f32", &e) == 0)) {
        printf("%s\n", e.text);
        return;
    }
    par_set_threads(2);
    for (size_t i = 0; i < N_GOLDEN; i++) {
        struct golden g;

        golden_open(&g, golden_names[i]);
        check_base(&g, &ref, &cpu, s);
        golden_close(&g);
    }
    cpu_close(&cpu);
}

/* All but f32, which the models are in. */
TEST(every_format)
{
    const struct stored *s;

    for (size_t i = 0; (s = stored_at(i)) != NULL; i++)
        if (s->dtype != DTYPE_F32)
            check_format(s);
}

static const struct test tests[] = { RUN(every_format) };

TEST_MAIN("model_stored", tests)
