/* decode.c - decoding with a cache says what evaluation says, row by row. */
#include <math.h>

#include "eval/generate.h"
#include "test.h"
#include "tiny_model.h"

#define N 20 /* tokens of the text: more than a chunk, no multiple of it */
#define CHUNK 8

static int32_t ids[N + 1];

static void
fill_ids(void)
{
    for (int i = 0; i <= N; i++)
        ids[i] = (i * i * 7 + 11) % 61;
}

/* loss[i]: of ids[i + 1] after ids[0..i], by evaluation. */
static void
evaluate_text(struct tiny_model *t, const struct backend *b, double *loss)
{
    struct prog_opts o = { .mode = PROG_EVAL, .batch = 1, .seq_len = N,
                           .head_chunk = 7 };
    int32_t pos[N], zero[N] = { 0 }, row[N];
    struct batch batch = { .ids = ids, .target = ids + 1, .pos = pos,
                           .doc_first = zero, .head_row = row, .n = N };
    float weight[N];
    struct prog p;
    struct exec x;
    struct err e;

    for (int i = 0; i < N; i++) {
        pos[i] = row[i] = i;
        weight[i] = 1;
    }
    batch.weight = weight;
    CHECK(prog_build(&p, &t->desc, &o, &t->base, b, &e) == 0);
    CHECK(exec_open(&x, &p, b, NULL, &e) == 0);
    x.in = (struct inputs){ .n_head = N };
    CHECK(exec_batch(&x, &batch, &e) == 0);
    CHECK(exec_forward(&x, &e) == 0);
    CHECK(exec_get(&x, &p.row_loss, loss, &e) == 0);
    exec_release(&x);
    prog_release(&p);
}

static double
loss_from(const double *logits, uint32_t n, int32_t target)
{
    double top = logits[0], sum = 0;

    for (uint32_t i = 1; i < n; i++)
        top = fmax(top, logits[i]);
    for (uint32_t i = 0; i < n; i++)
        sum += exp(logits[i] - top);
    return log(sum) + top - logits[target];
}

/* The same by decoding in chunks of `rows`. */
static void
decode_text(struct tiny_model *t, const struct backend *b, uint32_t rows,
            double *loss)
{
    struct prog_opts o = { .mode = PROG_DECODE, .batch = 1, .seq_len = rows,
                           .cache_len = N };
    int32_t in[CHUNK], pos[CHUNK], zero[CHUNK] = { 0 }, row[CHUNK];
    float none[CHUNK] = { 0 };
    double *logits = mem_array((size_t)rows * t->desc.vocab,
                               sizeof(*logits));
    struct prog p;
    struct exec x;
    struct err e;

    CHECK(prog_build(&p, &t->desc, &o, &t->base, b, &e) == 0);
    CHECK(exec_open(&x, &p, b, NULL, &e) == 0);
    for (uint32_t at = 0; at < N; at += rows) {
        uint32_t n = N - at < rows ? N - at : rows;
        struct batch batch = { .ids = in, .target = zero, .pos = pos,
                               .doc_first = zero, .head_row = row,
                               .weight = none, .n = n };

        for (uint32_t i = 0; i < rows; i++) {
            in[i] = i < n ? ids[at + i] : 0;
            pos[i] = i < n ? (int32_t)(at + i) : 0;
            row[i] = (int32_t)i;
        }
        x.in = (struct inputs){ .n_head = n, .cache_at = at };
        CHECK(exec_batch(&x, &batch, &e) == 0);
        CHECK(exec_forward(&x, &e) == 0);
        CHECK(exec_get(&x, &p.logits, logits, &e) == 0);
        for (uint32_t i = 0; i < n; i++)
            loss[at + i] = loss_from(logits + i * t->desc.vocab,
                                     t->desc.vocab, ids[at + i + 1]);
    }
    free(logits);
    exec_release(&x);
    prog_release(&p);
}

static void
compare(const struct backend *b)
{
    for (size_t m = 0; m < N_TINY; m++) {
        double whole[N], part[N];
        struct tiny_model t;

        tiny_open(&t, tiny_configs[m]);
        evaluate_text(&t, b, whole);
        for (uint32_t rows = 1; rows <= CHUNK; rows += CHUNK - 1) {
            decode_text(&t, b, rows, part);
            for (int i = 0; i < N; i++) {
                if (!CHECK(fabs(whole[i] - part[i]) < 1e-4))
                    printf("  model %zu, chunks of %u, row %d: %g, %g\n", m,
                           rows, i, whole[i], part[i]);
            }
        }
        tiny_close(&t);
    }
}

TEST(decoding_is_evaluation)
{
    struct backend b;
    struct err e;

    fill_ids();
    ref_open(&b);
    compare(&b);
    if (CHECK(cpu_open(&b, NULL, "f32", &e) == 0)) {
        compare(&b);
        cpu_close(&b);
    }
}

struct tokens {
    int32_t id[64];
    size_t n;
};

static bool
keep_token(void *ctx, int32_t id)
{
    struct tokens *t = ctx;

    t->id[t->n++] = id;
    return true;
}

static struct tokens
generate_some(struct generator *g, double temperature, uint64_t seed)
{
    struct sampling s = { .max_tokens = 12, .temperature = temperature,
                          .top_p = 0.9, .seed = seed };
    struct tokens t = { .n = 0 };
    struct err e;

    CHECK(generate(g, ids, 9, &s, keep_token, &t, &e) == 0);
    return t;
}

TEST(generation_depends_on_prompt_and_seed_alone)
{
    struct tokens greedy, sampled, other;
    struct sampling s = { .max_tokens = 1, .top_p = 1 };
    struct tiny_model t;
    struct generator g;
    struct backend b;
    struct err e;

    fill_ids();
    tiny_open(&t, tiny_llama);
    ref_open(&b);
    CHECK(generator_open(&g, &t.desc, &t.base, &b, NULL, 24, &e) == 0);
    greedy = generate_some(&g, 0, 1);
    sampled = generate_some(&g, 1, 1);
    other = generate_some(&g, 1, 2);
    CHECK_EQ_U64(greedy.n, 12);
    CHECK(memcmp(&sampled, &other, sizeof(sampled)) != 0);
    other = generate_some(&g, 1, 1);
    CHECK(memcmp(&sampled, &other, sizeof(sampled)) == 0);
    other = generate_some(&g, 0, 9);
    CHECK(memcmp(&greedy, &other, sizeof(greedy)) == 0);
    CHECK(generate(&g, ids, 24, &s, keep_token, &other, &e) == ERR_LIMIT);
    CHECK(generate(&g, ids, 0, &s, keep_token, &other, &e) == ERR_DATA);
    generator_release(&g);
    tiny_close(&t);
}

static const struct test tests[] = {
    RUN(decoding_is_evaluation),
    RUN(generation_depends_on_prompt_and_seed_alone),
};

TEST_MAIN("decode", tests)
