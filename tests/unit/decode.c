/* decode.c - decoding with a cache says what evaluation says, row by row. */
#include <math.h>

#include "eval/generate.h"
#include "test.h"
#include "tiny_model.h"

#define N 20 /* tokens of the text: more than a chunk, no multiple of it */
#define CHUNK 8

static int32_t ids[N + 5];

static void
fill_ids(void)
{
    for (int i = 0; i < N + 5; i++)
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
        int32_t before = (int32_t)at, fed = (int32_t)n;
        struct batch batch = { .ids = in, .target = zero, .pos = pos,
                               .doc_first = zero, .head_row = row,
                               .weight = none, .n = n, .cache_at = &before,
                               .seq_n = &fed };

        for (uint32_t i = 0; i < rows; i++) {
            in[i] = i < n ? ids[at + i] : 0;
            pos[i] = i < n ? (int32_t)(at + i) : 0;
            row[i] = (int32_t)i;
        }
        x.in = (struct inputs){ .n_head = n };
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

#define SEQS 3

/* Of three texts, of these lengths, side by side or alone: the logits after
 * each token, [N, vocab] each. A pass feeds a sequence up to CHUNK tokens,
 * while it has any. */
static const uint32_t lengths[SEQS] = { 3, N, 11 };

struct texts {
    uint32_t n, first; /* how many of the three, from which on */
    double *logits;    /* [n][N][vocab] */
};

/* What a pass feeds. */
struct pass {
    int32_t in[SEQS * CHUNK], pos[SEQS * CHUNK], row[SEQS * CHUNK];
    int32_t at[SEQS], n[SEQS]; /* by sequence: fed before, fed now */
    uint32_t n_head, rows;
};

/* Every sequence's next tokens. */
static void
fill_pass(struct pass *p, const struct texts *t)
{
    p->n_head = p->rows = 0;
    for (uint32_t s = 0; s < t->n; s++) {
        const int32_t *text = ids + 2 * (t->first + s);
        int32_t left;

        p->at[s] += p->n[s];
        left = (int32_t)lengths[t->first + s] - p->at[s];
        p->n[s] = left < CHUNK ? left : CHUNK;
        for (int32_t i = 0; i < CHUNK; i++) {
            uint32_t r = s * CHUNK + (uint32_t)i;
            bool there = i < p->n[s];

            p->in[r] = there ? text[p->at[s] + i] : 0;
            p->pos[r] = there ? p->at[s] + i : 0;
            if (!there)
                continue;
            p->row[p->n_head++] = (int32_t)r;
            p->rows = r + 1;
        }
    }
}

static void
keep_pass(struct texts *t, uint32_t vocab, const double *logits,
          const struct pass *p)
{
    for (uint32_t s = 0; s < t->n; s++) {
        memcpy(t->logits + ((size_t)s * N + (size_t)p->at[s]) * vocab,
               logits, (size_t)p->n[s] * vocab * sizeof(*logits));
        logits += (size_t)p->n[s] * vocab;
    }
}

static void
decode_texts(struct texts *t, struct tiny_model *m, const struct backend *b)
{
    struct prog_opts o = { .mode = PROG_DECODE, .batch = t->n,
                           .seq_len = CHUNK, .cache_len = N };
    const int32_t zero[SEQS * CHUNK] = { 0 };
    const float none[SEQS * CHUNK] = { 0 };
    struct pass pass = { .n_head = 0 };
    uint32_t vocab = m->desc.vocab;
    struct batch batch = { .ids = pass.in, .target = zero, .pos = pass.pos,
                           .doc_first = zero, .head_row = pass.row,
                           .weight = none, .cache_at = pass.at,
                           .seq_n = pass.n };
    double *logits = mem_array((size_t)t->n * CHUNK * vocab,
                               sizeof(*logits));
    struct prog p;
    struct exec x;
    struct err e;

    t->logits = mem_array((size_t)t->n * N * vocab, sizeof(*t->logits));
    CHECK(prog_build(&p, &m->desc, &o, &m->base, b, &e) == 0);
    CHECK(exec_open(&x, &p, b, NULL, &e) == 0);
    for (fill_pass(&pass, t); pass.n_head > 0; fill_pass(&pass, t)) {
        batch.n = pass.rows;
        x.in = (struct inputs){ .n_head = pass.n_head };
        CHECK(exec_batch(&x, &batch, &e) == 0);
        CHECK(exec_forward(&x, &e) == 0);
        CHECK(exec_get(&x, &p.logits, logits, &e) == 0);
        keep_pass(t, vocab, logits, &pass);
    }
    free(logits);
    exec_release(&x);
    prog_release(&p);
}

/* bound 0: the same bits. */
static void
compare_texts(const struct backend *b, double bound)
{
    for (size_t m = 0; m < N_TINY; m++) {
        struct texts all = { .n = SEQS };
        struct tiny_model t;
        size_t size;

        tiny_open(&t, tiny_configs[m]);
        size = (size_t)N * t.desc.vocab;
        decode_texts(&all, &t, b);
        for (uint32_t s = 0; s < SEQS; s++) {
            struct texts one = { .n = 1, .first = s };
            double worst = 0;

            decode_texts(&one, &t, b);
            for (size_t i = 0; i < size; i++)
                worst = fmax(worst, fabs(one.logits[i]
                                         - all.logits[s * size + i]));
            if (!CHECK(worst <= bound))
                printf("  model %zu, sequence %u: off by %g on %s\n", m, s,
                       worst, b->name);
            free(one.logits);
        }
        free(all.logits);
        tiny_close(&t);
    }
}

/* The reference computes row by row; the CPU in tiles that depend on how many
 * rows there are: to rounding. */
TEST(sequences_of_different_lengths_decode_together)
{
    struct backend b;
    struct err e;

    fill_ids();
    ref_open(&b);
    compare_texts(&b, 0);
    if (CHECK(cpu_open(&b, NULL, "f32", &e) == 0)) {
        compare_texts(&b, 1e-4);
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
    CHECK(generator_open(&g, &t.desc, &t.base, &b, NULL, 1, 24, &e) == 0);
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

/* Runs a prompt to its end; its last logits are copied to out. */
static void
feed(struct generator *g, const int32_t *prompt, size_t n, double *out)
{
    size_t size = g->prefill.desc->vocab * sizeof(*out);
    struct err e;

    CHECK(generator_begin(g, 0, prompt, n, true, &e) == 0);
    do
        CHECK(generator_pass(g, &e) == 0);
    while (g->text[0].logits == NULL);
    memcpy(out, g->text[0].logits, size);
}

/* Of a text before, another's begins the next one, all of it does, or more
 * than all of the next: what is said is what is said with nothing kept. */
TEST(what_is_kept_of_a_text_changes_nothing)
{
    static const struct { size_t n, other; } text[] = {
        { 12, 20 }, { 14, 6 }, { 19, 20 }, { 7, 20 }
    };
    struct backend b;
    struct err e;

    fill_ids();
    ref_open(&b);
    for (size_t m = 0; m < N_TINY; m++) {
        double kept[61], fresh[61];
        struct generator g, alone;
        struct tiny_model t;

        tiny_open(&t, tiny_configs[m]);
        CHECK(generator_open(&g, &t.desc, &t.base, &b, NULL, 1, 24, &e) == 0);
        for (size_t i = 0; i < 4; i++) {
            double worst = 0;
            int32_t in[N];

            memcpy(in, ids, sizeof(in));
            if (text[i].other < N)
                in[text[i].other] = (in[text[i].other] + 1) % 61;
            feed(&g, in, text[i].n, kept);
            CHECK(generator_open(&alone, &t.desc, &t.base, &b, NULL, 1, 24,
                                 &e) == 0);
            feed(&alone, in, text[i].n, fresh);
            generator_release(&alone);
            for (size_t k = 0; k < 61; k++)
                worst = fmax(worst, fabs(kept[k] - fresh[k]));
            if (!CHECK(worst <= 1e-4))
                printf("  model %zu, text %zu: off by %g\n", m, i, worst);
        }
        generator_release(&g);
        tiny_close(&t);
    }
}

static const struct test tests[] = {
    RUN(decoding_is_evaluation),
    RUN(sequences_of_different_lengths_decode_together),
    RUN(generation_depends_on_prompt_and_seed_alone),
    RUN(what_is_kept_of_a_text_changes_nothing),
};

TEST_MAIN("decode", tests)
