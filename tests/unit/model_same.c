/* model_same.c - what must not change the bits of a step, and does not:
 * threads, recomputation, offloading, reuse of memory, what dead buffers
 * hold, other documents; and that accumulated micro-batches make one batch.
 *
 * Every check runs a whole step of training, with dropout, of every golden
 * model, on the reference and on the CPU back end, in floats and in bf16.
 */
#include "cpu_isa.h"
#include "golden_model.h"

/* What a step leaves behind. */
struct result {
    double *param, *grad; /* [n] */
    uint64_t n;
    double loss_sum, gnorm2;
};

typedef void test_case(const struct golden *g, const struct backend *b);

/* Calls fn for every model, on ref and on cpu. */
static void
for_all(test_case *fn)
{
    struct backend b[3];
    size_t n = 2;
    struct err e;

    ref_open(&b[0]);
    if (!CHECK(cpu_open(&b[1], NULL, "f32", &e) == 0)) {
        printf("%s\n", e.text);
        return;
    }
    n += isa_open(&b[2], "bf16");
    par_set_threads(2);
    for (size_t i = 0; i < N_GOLDEN; i++) {
        struct golden g;

        golden_open(&g, golden_names[i]);
        for (size_t k = 0; k < n; k++)
            fn(&g, &b[k]);
        golden_close(&g);
    }
    while (--n > 0)
        cpu_close(&b[n]);
}

static struct prog_opts
train_opts(const struct golden *g, enum method method)
{
    struct prog_opts o = golden_opts(g, PROG_TRAIN, method);

    o.dropout = method == METHOD_LORA ? 0.25f : 0;
    return o;
}

static double *
copy_flat(const struct session *s, const struct view *v)
{
    const void *from = view_at(s->run, v);
    double *to = mem_array((size_t)s->prog.n_flat, sizeof(*to));

    for (uint64_t i = 0; i < s->prog.n_flat; i++)
        to[i] = session_at(s, from, (size_t)i);
    return to;
}

static struct result
result_of(const struct session *s)
{
    return (struct result){ copy_flat(s, &s->prog.params),
                            copy_flat(s, &s->prog.grads), s->prog.n_flat,
                            s->out.loss_sum, s->out.gnorm2 };
}

static void
result_free(struct result *r)
{
    free(r->param);
    free(r->grad);
}

static struct result
train_step(const struct golden *g, const struct prog_opts *o,
           const struct backend *b)
{
    struct session s;
    struct result r;

    session_open(&s, g, o, b);
    session_gradients(&s);
    session_range(&s, RANGE_UPDATE);
    CHECK(s.out.skipped == 0 && s.out.gnorm2 > 0);
    r = result_of(&s);
    session_close(&s);
    return r;
}

/* Bit for bit; frees b. */
static void
check_same(const struct golden *g, const struct backend *on,
           const struct result *a, struct result *b, const char *what)
{
    size_t bytes = (size_t)a->n * sizeof(double);
    bool same = a->n == b->n && memcmp(a->param, b->param, bytes) == 0
        && memcmp(a->grad, b->grad, bytes) == 0
        && memcmp(&a->loss_sum, &b->loss_sum, sizeof(double)) == 0
        && memcmp(&a->gnorm2, &b->gnorm2, sizeof(double)) == 0;

    if (!CHECK(same))
        printf("    %s on %s: %s\n", g->name, on->name, what);
    result_free(b);
}

static void
threads_case(const struct golden *g, const struct backend *b)
{
    static const enum method methods[] = { METHOD_LORA, METHOD_FULL };

    for (int i = 0; i < 2; i++) {
        struct prog_opts o = train_opts(g, methods[i]);
        struct result one, three;

        par_set_threads(1);
        one = train_step(g, &o, b);
        par_set_threads(3);
        three = train_step(g, &o, b);
        par_set_threads(2);
        check_same(g, b, &one, &three, "1 and 3 threads");
        result_free(&one);
    }
}

TEST(one_and_three_threads)
{
    for_all(threads_case);
}

/* Recomputation, offloading and memory of its own for every buffer, in all
 * ways at once. */
static void
memory_case(const struct golden *g, const struct backend *b)
{
    static const enum method methods[] = { METHOD_LORA, METHOD_FULL };

    for (int i = 0; i < 2; i++) {
        struct prog_opts o = train_opts(g, methods[i]);
        struct result plain = train_step(g, &o, b), other;

        for (int way = 1; way < 12; way++) {
            char what[64];

            o.no_reuse = way & 1;
            o.offload = way & 2 ? OFFLOAD_ACTIVATIONS : OFFLOAD_NONE;
            o.recompute = (uint8_t)(way / 4);
            snprintf(what, sizeof(what), "%s%srecompute %s",
                     o.no_reuse ? "no reuse, " : "",
                     o.offload ? "offloading, " : "",
                     recompute_name(o.recompute));
            other = train_step(g, &o, b);
            check_same(g, b, &plain, &other, what);
        }
        result_free(&plain);
    }
}

TEST(recomputation_offloading_and_reuse)
{
    for_all(memory_case);
}

/* Fills what lives at op `at` for the last time, or not yet, with NaN. */
static void
poison(struct session *s, int32_t at)
{
    for (size_t i = 1; i < s->prog.n_bufs; i++) {
        const struct tensor_buf *t = &s->prog.buf[i];
        bool dead = t->dies <= at || t->born > at;

        if (t->zone == ZONE_ARENA && dead)
            memset((char *)s->run->zone[ZONE_ARENA] + t->at, 0xff,
                   (size_t)t->bytes);
    }
}

static void
poisoned_range(struct session *s, enum range r)
{
    const struct prog *p = &s->prog;
    struct err e;

    for (size_t i = p->range[r]; i < p->range[r + 1]; i++) {
        CHECK(host_run(s->exec.backend, s->run, &p->op[i], 1, &e) == 0);
        poison(s, (int32_t)i);
    }
}

static struct result
poisoned_step(const struct golden *g, struct prog_opts o,
              const struct backend *b)
{
    struct session s;
    struct result r;
    struct err e;

    o.no_reuse = true;
    o.head_chunk = g->n_head; /* the head is run once, so ops are in order */
    session_open(&s, g, &o, b);
    CHECK(exec_batch(&s.exec, &s.batch, &e) == 0);
    s.run->in = &s.in;
    s.run->out = &s.out;
    for (int range = 0; range < RANGE_COUNT; range++)
        poisoned_range(&s, (enum range)range);
    r = result_of(&s);
    session_close(&s);
    return r;
}

static void
poison_case(const struct golden *g, const struct backend *b)
{
    static const enum method methods[] = { METHOD_LORA, METHOD_FULL };

    for (int i = 0; i < 8; i++) {
        struct prog_opts o = train_opts(g, methods[i / 4]);
        struct result plain, other;

        o.recompute = i % 2 ? RECOMPUTE_BLOCK : RECOMPUTE_NONE;
        o.offload = i / 2 % 2;
        o.head_chunk = g->n_head;
        plain = train_step(g, &o, b);
        other = poisoned_step(g, o, b);
        check_same(g, b, &plain, &other, "NaN in dead buffers");
        result_free(&plain);
    }
}

TEST(dead_buffers_full_of_nan)
{
    for_all(poison_case);
}

/* Losses of rows, of a batch whose ids are given. */
static double *
row_losses(const struct golden *g, const struct backend *b,
           const int32_t *ids)
{
    struct prog_opts o = golden_opts(g, PROG_EVAL, METHOD_NONE);
    double *out = mem_array(g->rows, sizeof(*out));
    struct session s;

    session_open(&s, g, &o, b);
    s.batch.ids = ids;
    session_forward(&s);
    for (uint32_t k = 0; k < g->n_head; k++) {
        size_t row = (size_t)g->head_row[k];

        out[row] = session_at(&s, view_at(s.run, &s.prog.row_loss),
                              row);
    }
    session_close(&s);
    return out;
}

static void
documents_case(const struct golden *g, const struct backend *b)
{
    double *before = row_losses(g, b, g->ids), *after;
    int32_t *ids = mem_dup(g->ids, g->rows * sizeof(*ids));

    for (uint32_t d = 0; d < g->n_docs; d++) {
        size_t first = (size_t)g->doc[2 * d];
        size_t end = first + (size_t)g->doc[2 * d + 1];
        bool others = true, own = true;

        for (size_t i = first; i < end; i++)
            ids[i] = (g->ids[i] + 7) % (int32_t)g->desc.vocab;
        after = row_losses(g, b, ids);
        for (size_t i = 0; i < g->rows; i++) {
            if (i < first || i >= end)
                others &= memcmp(&before[i], &after[i], sizeof(*after)) == 0;
            else if (g->weight[i] > 0)
                own &= before[i] != after[i];
        }
        if (!CHECK(others && own))
            printf("    %s on %s: document %u\n", g->name, b->name, d);
        memcpy(ids, g->ids, g->rows * sizeof(*ids));
        free(after);
    }
    free(before);
    free(ids);
}

TEST(documents_do_not_see_each_other)
{
    for_all(documents_case);
}

/* The step of the whole batch, a sequence at a time. */
static struct result
accumulated_step(const struct golden *g, struct prog_opts o,
                 const struct backend *b)
{
    int32_t *index = mem_array(2 * g->rows, sizeof(*index));
    int32_t *head_row = index + g->rows;
    struct session s;
    struct result r;

    o.batch = 1;
    session_open(&s, g, &o, b);
    session_range(&s, RANGE_START);
    for (uint32_t at = 0; at < g->rows; at += g->seq_len) {
        s.in.n_head = 0;
        for (uint32_t k = 0; k < g->n_head; k++) {
            uint32_t row = (uint32_t)g->head_row[k];

            if (row >= at && row < at + g->seq_len)
                head_row[s.in.n_head++] = (int32_t)(row - at);
        }
        for (uint32_t i = 0; i < g->seq_len; i++)
            index[i] = g->doc_first[at + i] - (int32_t)at;
        s.batch = (struct batch){ .ids = g->ids + at,
                                  .target = g->target + at,
                                  .pos = g->pos + at, .doc_first = index,
                                  .head_row = head_row,
                                  .weight = g->weight + at,
                                  .n = g->seq_len };
        s.in.row0 = at;
        session_forward(&s);
        session_range(&s, RANGE_BWD);
    }
    session_range(&s, RANGE_UPDATE);
    r = result_of(&s);
    session_close(&s);
    free(index);
    return r;
}

/* Gradients agree to the rounding of sums over rows taken in another order:
 * some hundred roundings of a real. (Parameters after AdamW's first step
 * would not: it divides a gradient by its own size.) */
static void
check_near(const struct golden *g, const struct backend *on,
           const struct result *a, const struct result *b)
{
    double eps = on->real_size == sizeof(float) ? 0x1p-24 : 0x1p-53;
    double diff = 0, norm = 0;

    for (uint64_t i = 0; i < a->n; i++) {
        diff += (a->grad[i] - b->grad[i]) * (a->grad[i] - b->grad[i]);
        norm += a->grad[i] * a->grad[i];
    }
    if (!CHECK(diff <= 128 * eps * 128 * eps * norm))
        printf("    %s on %s: gradients are off by %.2e\n", g->name,
               on->name, sqrt(diff / norm));
    CHECK(fabs(a->loss_sum - b->loss_sum) <= 128 * eps * a->loss_sum);
}

static void
accumulation_case(const struct golden *g, const struct backend *b)
{
    static const enum method methods[] = { METHOD_LORA, METHOD_FULL };

    for (int i = 0; i < 2; i++) {
        struct prog_opts o = train_opts(g, methods[i]);
        struct result whole = train_step(g, &o, b);
        struct result parts = accumulated_step(g, o, b);

        check_near(g, b, &whole, &parts);
        result_free(&whole);
        result_free(&parts);
    }
}

TEST(accumulation_is_a_batch)
{
    struct backend b;

    for_all(accumulation_case);
    ref64_open(&b);
    for (size_t i = 0; i < N_GOLDEN; i++) {
        struct golden g;

        golden_open(&g, golden_names[i]);
        accumulation_case(&g, &b);
        golden_close(&g);
    }
}

static const struct test tests[] = {
    RUN(one_and_three_threads), RUN(recomputation_offloading_and_reuse),
    RUN(dead_buffers_full_of_nan), RUN(documents_do_not_see_each_other),
    RUN(accumulation_is_a_batch)
};

TEST_MAIN("model_same", tests)
