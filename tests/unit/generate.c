/* generate.c - completions: how far they go, what they go on from, and how
 * often sampling takes each token. */
#include "eval/generate.h"

#include <math.h>

#include "test.h"
#include "tiny_world.h"
#include "weights/lora.h"

#define VOCAB 61
#define DRAWS 2000

struct some {
    int32_t id[64];
    size_t n, most;
};

static bool
take(void *ctx, int32_t id)
{
    struct some *s = ctx;

    s->id[s->n++] = id;
    return s->n < s->most;
}

static void
open_generator(struct generator *g, struct tiny_world *w,
               const struct adapter *a, uint32_t context)
{
    struct err e;

    if (!CHECK(generator_open(g, &w->model.desc, &w->model.base,
                              &w->model.backend, a, 1, context, &e) == 0)) {
        printf("  %s\n", e.text);
        exit(1);
    }
}

static void
fill(int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ids[i] = (int32_t)((i * i * 7 + 3 * i + 5) % VOCAB);
}

/* How many tokens come after a prompt of n. */
static size_t
tokens_after(struct generator *g, size_t n, uint32_t max_tokens, size_t most)
{
    struct sampling s = { .max_tokens = max_tokens, .top_p = 1 };
    struct some got = { .most = most };
    int32_t ids[64];
    struct err e;

    fill(ids, n);
    CHECK(generate(g, ids, n, &s, take, &got, &e) == 0);
    return got.n;
}

TEST(it_ends_at_the_limit_the_context_or_when_told)
{
    struct tiny_world w;
    struct generator g;

    tiny_world_open(&w, tiny_llama, NULL);
    open_generator(&g, &w, NULL, 24);
    CHECK_EQ_U64(tokens_after(&g, 9, 12, 60), 12);
    CHECK_EQ_U64(tokens_after(&g, 9, 1, 60), 1);
    CHECK_EQ_U64(tokens_after(&g, 9, 0, 60), 0);
    CHECK_EQ_U64(tokens_after(&g, 9, 12, 5), 5);
    CHECK_EQ_U64(tokens_after(&g, 9, 50, 60), 15); /* all 24 positions */
    CHECK_EQ_U64(tokens_after(&g, 23, 50, 60), 1);
    generator_release(&g);
    tiny_world_close(&w);
}

TEST(the_context_is_what_the_positions_allow_up_to_4096)
{
    struct model_desc d = { .max_pos = 64 };

    CHECK_EQ_U64(generator_opts(&d, 1, 0).cache_len, 64);
    CHECK_EQ_U64(generator_opts(&d, 1, 9).cache_len, 9);
    CHECK_EQ_U64(generator_opts(&d, 1, 100).cache_len, 100);
    d.max_pos = 131072;
    CHECK_EQ_U64(generator_opts(&d, 1, 0).cache_len, 4096);
    CHECK_EQ_U64(generator_opts(&d, 1, 5000).cache_len, 5000);
}

TEST(ids_outside_the_vocabulary_are_refused)
{
    struct sampling s = { .max_tokens = 1 };
    int32_t ids[] = { 1, VOCAB - 1, 0 };
    struct some got = { .most = 60 };
    struct tiny_world w;
    struct generator g;
    struct err e;

    tiny_world_open(&w, tiny_llama, NULL);
    open_generator(&g, &w, NULL, 24);
    CHECK(generate(&g, ids, 3, &s, take, &got, &e) == 0);
    ids[1] = VOCAB;
    CHECK(generate(&g, ids, 3, &s, take, &got, &e) == ERR_DATA);
    ids[1] = -1;
    CHECK(generate(&g, ids, 3, &s, take, &got, &e) == ERR_DATA);
    CHECK_EQ_U64(got.n, 1);
    generator_release(&g);
    tiny_world_close(&w);
}

TEST(positions_that_are_not_learned_are_refused)
{
    struct tiny_world w;
    struct generator g;
    struct err e;

    tiny_world_open(&w, tiny_gpt2, NULL);
    CHECK(generator_open(&g, &w.model.desc, &w.model.base,
                         &w.model.backend, NULL, 1, 65, &e) == ERR_USAGE);
    open_generator(&g, &w, NULL, 64);
    generator_release(&g);
    tiny_world_close(&w);
}

TEST(a_model_that_is_not_finite_says_nothing)
{
    struct sampling s = { .max_tokens = 4 };
    struct some got = { .most = 60 };
    int32_t ids[5];
    uint32_t head;
    struct tiny_world w;
    struct generator g;
    struct err e;

    tiny_world_open(&w, tiny_llama, NULL);
    head = desc_module(&w.model.desc, ROLE_HEAD, 0)->weight;
    ((float *)w.model.base.tensor[head].data)[24 * 7] = INFINITY;
    open_generator(&g, &w, NULL, 24);
    fill(ids, 5);
    CHECK(generate(&g, ids, 5, &s, take, &got, &e) == ERR_DATA);
    CHECK(strstr(e.text, "not finite (token 7 has ") != NULL);
    CHECK_EQ_U64(got.n, 0);
    generator_release(&g);
    tiny_world_close(&w);
}

/* ---- what comes next ---- */

/* The loss of target after ids[n], by a program of evaluation. */
static double
evaluated(struct tiny_world *w, const struct adapter *a, int32_t *ids,
          uint32_t n, int32_t target)
{
    struct prog_opts o = { .mode = PROG_EVAL, .batch = 1, .seq_len = n,
                           .head_chunk = 16 };
    int32_t pos[200], zero[200] = { 0 }, targets[200] = { 0 }, row[200] = { 0 };
    float weight[200] = { 0 };
    struct batch batch = { .ids = ids, .target = targets, .pos = pos,
                           .doc_first = zero, .head_row = row,
                           .weight = weight, .n = n };
    struct lora_part *parts = NULL;
    double loss[200];
    struct prog p;
    struct exec x;
    struct err e;

    if (a != NULL)
        CHECK(lora_opts(&o, a, &w->model.desc, &parts, &e) == 0);
    for (uint32_t i = 0; i < n; i++)
        pos[i] = (int32_t)i;
    row[0] = (int32_t)n - 1;
    targets[n - 1] = target;
    weight[n - 1] = 1;
    CHECK(prog_build(&p, &w->model.desc, &o, &w->model.base,
                     &w->model.backend, &e) == 0);
    CHECK(exec_open(&x, &p, &w->model.backend, NULL, &e) == 0);
    if (a != NULL)
        CHECK(lora_load(&x, a, &e) == 0);
    x.in = (struct inputs){ .n_head = 1 };
    CHECK(exec_batch(&x, &batch, &e) == 0);
    CHECK(exec_forward(&x, &e) == 0);
    CHECK(exec_get(&x, &p.row_loss, loss, &e) == 0);
    exec_release(&x);
    prog_release(&p);
    free(parts);
    return loss[n - 1];
}

/* The logits are those of evaluation, and the token the likeliest. */
static void
check_next(struct tiny_world *w, const struct adapter *a, uint32_t n)
{
    struct sampling s = { .max_tokens = 1 };
    struct some got = { .most = 60 };
    struct generator g;
    double sum = 0;
    int32_t ids[200];
    int best = 0;
    struct err e;

    open_generator(&g, w, a, 160);
    fill(ids, n);
    CHECK(generate(&g, ids, n, &s, take, &got, &e) == 0);
    for (int i = 0; i < VOCAB; i++) {
        sum += exp(g.logits[i]);
        best = g.logits[i] > g.logits[best] ? i : best;
    }
    CHECK_EQ_U64(got.id[0], best);
    for (int32_t id = 0; id < VOCAB; id += 30) {
        double loss = evaluated(w, a, ids, n, id);

        if (!CHECK(fabs(log(sum) - g.logits[id] - loss) < 1e-4))
            printf("  %u tokens: %g, expected %g\n", n,
                   log(sum) - g.logits[id], loss);
    }
    generator_release(&g);
}

/* Prompts of less than a chunk, of some, and of one token more. */
TEST(the_likeliest_token_follows_prompts_of_any_length)
{
    static const uint32_t length[] = { 1, 2, 63, 64, 65, 128, 129 };
    struct tiny_world w;

    tiny_world_open(&w, tiny_llama, NULL);
    tiny_adapter(&w);
    for (size_t i = 0; i < sizeof(length) / sizeof(length[0]); i++)
        check_next(&w, NULL, length[i]);
    check_next(&w, w.model.with, 70);
    tiny_world_close(&w);
}

/* ---- sampling ---- */

/* The share of each token: the least set of the likeliest that sum to top_p,
 * by their softmax at that temperature. */
static void
expected_shares(const double *logits, double temperature, double top_p,
                double *share)
{
    double sum = 0, kept = 0, p[VOCAB];

    for (int i = 0; i < VOCAB; i++)
        sum += p[i] = exp(logits[i] / temperature);
    memset(share, 0, VOCAB * sizeof(*share));
    for (int n = 0; n < VOCAB && kept < top_p * sum; n++) {
        int best = 0;

        for (int i = 1; i < VOCAB; i++)
            best = p[i] > p[best] ? i : best;
        share[best] = p[best];
        kept += p[best];
        p[best] = -1;
    }
    for (int i = 0; i < VOCAB; i++)
        share[i] /= kept;
}

/* Every token comes as often as its share says, within five standard
 * deviations; one outside the set never. */
static void
check_draws(struct generator *g, double temperature, double top_p)
{
    struct sampling s = { .max_tokens = 1, .temperature = temperature,
                          .top_p = top_p, .site = 3 };
    double share[VOCAB], count[VOCAB] = { 0 };
    int32_t prompt = 17;
    size_t some = 0;
    struct err e;

    for (s.seed = 0; s.seed < DRAWS; s.seed++) {
        struct some got = { .most = 60 };

        if (!CHECK(generate(g, &prompt, 1, &s, take, &got, &e) == 0))
            return;
        count[got.id[0]]++;
    }
    expected_shares(g->logits, temperature, top_p, share);
    for (int i = 0; i < VOCAB; i++) {
        double want = DRAWS * share[i];

        some += share[i] > 0;
        if (!CHECK(fabs(count[i] - want) <= 5 * sqrt(want * (1 - share[i]))))
            printf("  token %d: %g times, expected %g\n", i, count[i], want);
    }
    CHECK(some > 1);
}

TEST(tokens_are_drawn_as_often_as_they_are_likely)
{
    static const char small[] =
        "{\"model_type\": \"llama\", \"vocab_size\": 61,"
        " \"hidden_size\": 8, \"intermediate_size\": 8,"
        " \"num_hidden_layers\": 1, \"num_attention_heads\": 1}";
    struct tiny_world w;
    struct generator g;

    tiny_world_open(&w, small, NULL);
    open_generator(&g, &w, NULL, 24);
    check_draws(&g, 1, 1);
    check_draws(&g, 3, 0.6);
    generator_release(&g);
    tiny_world_close(&w);
}

static void
sample(struct generator *g, uint64_t seed, uint64_t site, double temperature,
       double top_p, struct some *got)
{
    struct sampling s = { .max_tokens = 12, .temperature = temperature,
                          .top_p = top_p, .seed = seed, .site = site };
    int32_t ids[9];
    struct err e;

    fill(ids, 9);
    *got = (struct some){ .most = 60 };
    CHECK(generate(g, ids, 9, &s, take, got, &e) == 0);
}

static bool
same(const struct some *a, const struct some *b)
{
    return a->n == b->n && memcmp(a->id, b->id, sizeof(a->id)) == 0;
}

TEST(draws_follow_from_seed_and_site)
{
    struct some a, b, greedy;
    struct tiny_world w;
    struct generator g;

    tiny_world_open(&w, tiny_llama, NULL);
    open_generator(&g, &w, NULL, 24);
    sample(&g, 1, 2, 1, 1, &a);
    sample(&g, 1, 2, 1, 1, &b);
    CHECK(same(&a, &b));
    sample(&g, 2, 2, 1, 1, &b);
    CHECK(!same(&a, &b));
    sample(&g, 1, 1000, 1, 1, &b);
    CHECK(!same(&a, &b));
    sample(&g, 1, 2, 0, 1, &greedy);
    CHECK(!same(&a, &greedy));
    sample(&g, 1, 2, 1, 1e-9, &b); /* the first of the likeliest alone */
    CHECK(same(&b, &greedy));
    sample(&g, 1, 2, 1e-6, 1, &b);
    CHECK(same(&b, &greedy));
    generator_release(&g);
    tiny_world_close(&w);
}

/* Where every token is as likely as before, the next draw is another. */
TEST(each_position_has_a_draw_of_its_own)
{
    struct tiny_world w;
    struct generator g;
    struct some got;
    bool differs = false;
    uint32_t norm;

    tiny_world_open(&w, tiny_gpt2, NULL);
    norm = desc_module(&w.model.desc, ROLE_NORM_F, 0)->weight;
    memset((float *)w.model.base.tensor[norm].data, 0, 24 * sizeof(float));
    open_generator(&g, &w, NULL, 24);
    sample(&g, 1, 2, 1, 1, &got);
    for (size_t i = 1; i < got.n; i++)
        differs |= got.id[i] != got.id[0];
    CHECK(differs);
    generator_release(&g);
    tiny_world_close(&w);
}

static const struct test tests[] = {
    RUN(it_ends_at_the_limit_the_context_or_when_told),
    RUN(the_context_is_what_the_positions_allow_up_to_4096),
    RUN(ids_outside_the_vocabulary_are_refused),
    RUN(positions_that_are_not_learned_are_refused),
    RUN(a_model_that_is_not_finite_says_nothing),
    RUN(the_likeliest_token_follows_prompts_of_any_length),
    RUN(tokens_are_drawn_as_often_as_they_are_likely),
    RUN(draws_follow_from_seed_and_site),
    RUN(each_position_has_a_draw_of_its_own),
};

TEST_MAIN("generate", tests)
