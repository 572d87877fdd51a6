/* cost.c - work and traffic of ops, against counts by hand for a model of 24
 * columns, 4 heads of 8 (2 of keys), 40 inner columns and 61 tokens, and
 * against the sums of programs. */
#include "model/cost.h"

#include "model/op_info.h"
#include "test.h"
#include "tests/bench/op_rows.h"
#include "tiny_model.h"

enum { N = 32, DIM = 24, QKV = 64, Q = 32, FF = 40, VOCAB = 61, RANK = 4,
       HEAD_ROWS = 20, CHUNK = 8, CHUNKS = 3, BF16 = 2, REAL = 4 };

static uint64_t
some_scratch(const struct backend *b, const struct op *op)
{
    (void)b;
    (void)op;
    return 4096; /* not counted */
}

static const struct backend mock = { .name = "mock", .real_size = REAL,
                                     .activation = DTYPE_BF16,
                                     .kept = DTYPE_BF16,
                                     .kinds = UINT64_MAX,
                                     .scratch = some_scratch };

struct made {
    struct tiny_model model;
    struct prog prog;
};

static bool
make(struct made *m, const char *config, int mode, int method)
{
    const struct prog_opts o = { .mode = (uint8_t)mode,
                                 .method = (uint8_t)method, .batch = 2,
                                 .seq_len = N / 2, .head_chunk = CHUNK,
                                 .cache_len = N, .rank = RANK, .alpha = 8 };
    struct err e;

    tiny_open(&m->model, config);
    return CHECK(prog_build(&m->prog, &m->model.desc, &o, &m->model.base,
                            &mock, &e) == 0);
}

static void
drop(struct made *m)
{
    prog_release(&m->prog);
    tiny_close(&m->model);
}

/* Op number nth of a kind. */
static const struct op *
find(const struct prog *p, enum op_kind kind, int nth)
{
    for (size_t i = 0; i < p->n_ops; i++)
        if (p->op[i].kind == kind && nth-- == 0)
            return &p->op[i];
    CHECK(!"an op of the kind");
    return &p->op[0];
}

static void
check_cost(const struct prog *p, enum op_kind kind, int nth, double flops,
           double bytes)
{
    struct op_cost c = op_cost(p, find(p, kind, nth), HEAD_ROWS);

    if (!CHECK(c.flops == flops) || !CHECK(c.bytes == bytes))
        printf("  %s: %g flops, expected %g; %g bytes, expected %g\n",
               op_info(kind)->name, c.flops, flops, c.bytes, bytes);
}

/* The last q|k|v, of layer 0, has an embedding below it that is frozen. */
TEST(ops_of_an_adapter_cost_what_they_do_by_hand)
{
    double lora = RANK * (3 * DIM + QKV) * REAL, h = 3 * N * RANK * BF16;
    double x = N * DIM * BF16, qkv = N * QKV * BF16;
    double w = DIM * QKV * REAL; /* of an F32 base */
    struct made m;

    if (!make(&m, tiny_llama, PROG_TRAIN, METHOD_LORA))
        return;
    check_cost(&m.prog, OP_EMBED, 0, 0, N * DIM * REAL + x);
    check_cost(&m.prog, OP_NORM, 0, 0, x + DIM * REAL + x + N * 2 * REAL);
    check_cost(&m.prog, OP_LINEAR, 0,
               2.0 * N * (DIM * QKV + RANK * (3 * DIM + QKV)),
               x + w + lora + qkv + h);
    check_cost(&m.prog, OP_LINEAR, 1,
               2.0 * N * (DIM * Q + RANK * (DIM + Q)),
               N * Q * BF16 + x + DIM * Q * REAL + RANK * (DIM + Q) * REAL
                   + x + N * RANK * BF16);
    check_cost(&m.prog, OP_ROPE, 0, 0, 2.0 * N * 48 * BF16 + 4 * REAL);
    check_cost(&m.prog, OP_ATTENTION, 0, 2 * 2.0 * N * 8 * Q,
               qkv + N * Q * BF16 + N * 4 * REAL);
    check_cost(&m.prog, OP_ATTENTION_BWD, 0, 5 * 2.0 * N * 8 * Q,
               2 * qkv + 2 * N * Q * BF16 + N * 4 * REAL);
    check_cost(&m.prog, OP_GLU, 0, 0, 3.0 * N * FF * BF16);
    check_cost(&m.prog, OP_LINEAR_BWD, 3,
               2.0 * N * (DIM * QKV + RANK * (2 * QKV + 6 * DIM)),
               x + qkv + w + 3 * lora + h + x);
    check_cost(&m.prog, OP_LINEAR_BWD, 11,
               2.0 * N * RANK * (2 * QKV + 3 * DIM),
               x + qkv + 3 * lora - 3 * RANK * DIM * REAL + h);
    drop(&m);
}

TEST(the_head_reads_its_weight_for_each_product_of_a_chunk)
{
    double w = DIM * VOCAB * REAL, product = 2.0 * HEAD_ROWS * DIM * VOCAB;
    double x = HEAD_ROWS * DIM * BF16, scores = HEAD_ROWS * VOCAB * BF16;
    struct made m;

    if (make(&m, tiny_llama, PROG_TRAIN, METHOD_LORA))
        check_cost(&m.prog, OP_HEAD_CE, 0, 2 * product,
                   2 * CHUNKS * w + 2 * x + 2 * scores);
    drop(&m);
    if (make(&m, tiny_llama, PROG_TRAIN, METHOD_FULL))
        check_cost(&m.prog, OP_HEAD_CE, 0, 3 * product,
                   4 * CHUNKS * w + 2 * x + 2 * scores);
    drop(&m);
    if (make(&m, tiny_llama, PROG_EVAL, METHOD_NONE))
        check_cost(&m.prog, OP_HEAD_CE, 0, product,
                   CHUNKS * w + x + HEAD_ROWS * REAL);
    drop(&m);
    if (make(&m, tiny_llama, PROG_DECODE, METHOD_NONE)) {
        check_cost(&m.prog, OP_LOGITS, 0, product,
                   w + x + HEAD_ROWS * VOCAB * REAL);
        check_cost(&m.prog, OP_CACHE, 0, 0, 2.0 * N * 16 * BF16);
    }
    drop(&m);
}

TEST(ops_of_full_training_cost_what_they_do_by_hand)
{
    struct made m;
    double n;

    if (!make(&m, tiny_gpt2, PROG_TRAIN, METHOD_FULL))
        return;
    n = (double)m.prog.grads.cols * REAL;
    check_cost(&m.prog, OP_EMBED, 0, 0,
               2.0 * N * DIM * REAL + N * DIM * BF16);
    check_cost(&m.prog, OP_EMBED_BWD, 0, 0,
               N * DIM * BF16 + 2 * 2.0 * N * DIM * REAL);
    check_cost(&m.prog, OP_LINEAR_BWD, 0, 2 * 2.0 * N * 96 * DIM,
               N * (2 * 96 + DIM) * BF16 + 3 * 96 * DIM * REAL
                   + 2 * DIM * REAL);
    check_cost(&m.prog, OP_ZERO, 0, 0, n);
    check_cost(&m.prog, OP_SQNORM, 0, 0, n);
    check_cost(&m.prog, OP_CLIP, 0, 0, 0);
    drop(&m);
}

/* Scales are a sixteen-bit float for each 128 elements of a row. */
TEST(an_int8_base_is_read_as_it_is_stored)
{
    struct made m;
    double embed, bwd;
    struct prog p;
    struct err e;

    if (!make(&m, tiny_llama, PROG_TRAIN, METHOD_LORA))
        return;
    embed = op_cost(&m.prog, find(&m.prog, OP_EMBED, 0), 0).bytes;
    bwd = op_cost(&m.prog, find(&m.prog, OP_LINEAR_BWD, 3), 0).bytes;
    for (size_t i = 0; i < m.model.desc.n_tensors; i++)
        if (m.model.desc.tensor[i].n_dims == 2)
            m.model.base.tensor[i].dtype = DTYPE_I8;
    if (CHECK(prog_build(&p, &m.model.desc, &m.prog.opts, &m.model.base,
                         &mock, &e) == 0)) {
        CHECK(op_cost(&p, find(&p, OP_EMBED, 0), 0).bytes
              == embed - N * DIM * 3 + N * 2);
        CHECK(op_cost(&p, find(&p, OP_LINEAR_BWD, 3), 0).bytes
              == bwd - DIM * QKV * 3 + QKV * 2);
        prog_release(&p);
    }
    drop(&m);
}

TEST(copies_to_the_host_have_one_end_on_the_device)
{
    struct made m;
    struct prog_opts o;
    struct prog p;
    struct err e;

    if (!make(&m, tiny_llama, PROG_TRAIN, METHOD_LORA))
        return;
    o = m.prog.opts;
    o.offload = OFFLOAD_ACTIVATIONS;
    if (CHECK(prog_build(&p, &m.model.desc, &o, &m.model.base, &mock,
                         &e) == 0)) {
        check_cost(&p, OP_STASH, 0, 0, N * DIM * BF16);
        check_cost(&p, OP_FETCH, 0, 0, N * FF * BF16);
        check_cost(&p, OP_WAIT, 0, 0, 0);
        prog_release(&p);
    }
    drop(&m);
}

TEST(the_ops_of_a_range_add_up_to_its_work)
{
    for (size_t i = 0; i < N_TINY; i++) {
        struct made m;

        if (!make(&m, tiny_configs[i], PROG_TRAIN, METHOD_LORA))
            continue;
        for (int r = 0; r < RANGE_COUNT; r++) {
            double sum = 0;

            for (size_t k = m.prog.range[r]; k < m.prog.range[r + 1]; k++) {
                struct op_cost c = op_cost(&m.prog, &m.prog.op[k],
                                           HEAD_ROWS);

                sum += c.flops;
                CHECK(c.bytes > 0 || m.prog.op[k].kind == OP_CLIP);
            }
            CHECK(sum == prog_flops(&m.prog, r, HEAD_ROWS));
        }
        drop(&m);
    }
}

/* The table of tests/bench/op_times.c: what it sums up are all ops, and each
 * row's are alike. */
TEST(every_op_is_in_one_row_of_the_table)
{
    struct rows t;
    struct made m;
    size_t ops = 0;
    double flops = 0, whole = 0;

    if (!make(&m, tiny_qwen2, PROG_TRAIN, METHOD_LORA))
        return;
    rows_make(&t, &m.prog);
    for (size_t i = 0; i < t.n; i++) {
        const struct row *row = &t.row[i];

        ops += row->n;
        flops += (double)row->n * row->cost.flops;
        CHECK(row->op[row->n - 1].kind == row->op->kind);
        CHECK(row->n == 1 || row->op[1].layer != row->op[0].layer
              || row->op->kind == OP_NORM || row->op->kind == OP_NORM_BWD);
        CHECK(op_info(row->op->kind)->parts == PARTS_NONE || *row->of);
    }
    for (int r = 0; r < RANGE_COUNT; r++)
        whole += prog_flops(&m.prog, r, N);
    CHECK_EQ_U64(ops, m.prog.n_ops);
    CHECK(flops == whole);
    CHECK_STR(t.row[3].of, "q|k|v");
    rows_release(&t);
    drop(&m);
}

static const struct test tests[] = {
    RUN(ops_of_an_adapter_cost_what_they_do_by_hand),
    RUN(the_head_reads_its_weight_for_each_product_of_a_chunk),
    RUN(ops_of_full_training_cost_what_they_do_by_hand),
    RUN(an_int8_base_is_read_as_it_is_stored),
    RUN(copies_to_the_host_have_one_end_on_the_device),
    RUN(the_ops_of_a_range_add_up_to_its_work),
    RUN(every_op_is_in_one_row_of_the_table),
};

TEST_MAIN("cost", tests)
