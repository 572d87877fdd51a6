/* prompt_score.c - prompts under a base and an adapter: a line for each, and
 * totals that are those of the lines. */
#include "eval/prompt_score.h"

#include <cjson/cJSON.h>
#include <math.h>

#include "base/io.h"
#include "said.h"
#include "test.h"
#include "tiny_world.h"

#define PROMPTS "prompt-score-test.tmp"
#define LINES "prompt-score-lines.tmp"
#define OTHER "prompt-score-tok.tmp"

#define LETTERS \
    "\"a\":0,\"b\":1,\"c\":2,\"d\":3,\"e\":4,\"f\":5,\"g\":6,\"h\":7," \
    "\"i\":8,\"j\":9,\"k\":10,\"l\":11,\"m\":12,\"n\":13,\"o\":14,\"p\":15," \
    "\"q\":16,\"r\":17,\"s\":18,\"t\":19,\"u\":20,\"v\":21,\"w\":22," \
    "\"x\":23,\"y\":24,\"z\":25"

/* Letters, and a token that ends a text, of the model's 61 rows. */
static const char tokenizer[] =
    "{\"pre_tokenizer\": {\"type\": \"ByteLevel\","
    " \"add_prefix_space\": false}, \"added_tokens\": [{\"id\": 26,"
    " \"content\": \"<|endoftext|>\", \"special\": true}],"
    " \"model\": {\"vocab\": {" LETTERS "}, \"merges\": []}}";

/* What came of one run. */
struct result {
    cJSON *line[16];
    size_t n;
    cJSON *totals; /* the object "prompts" */
    cJSON *root;
};

static void
release_result(struct result *r)
{
    for (size_t i = 0; i < r->n; i++)
        cJSON_Delete(r->line[i]);
    cJSON_Delete(r->root);
}

static struct prompt_opts
some_opts(void)
{
    return (struct prompt_opts){ .path = PROMPTS, .max_tokens = 12,
                                 .context = 40, .temperature = 1,
                                 .top_p = 1, .seed = 4, .samples = 1 };
}

/* prompts_score on that file's text, into LINES and *summary. */
static int
score_text(const struct tiny_world *w, const struct prompt_opts *o,
           const char *text, struct buf *summary, struct err *e)
{
    struct out out;
    int rc;

    memset(e, 0, sizeof(*e));
    CHECK(file_write(PROMPTS, text, strlen(text), e) == 0);
    CHECK(out_open(&out, LINES, e) == 0);
    rc = prompts_score(&w->model, o, &out, summary, e);
    if (rc == 0)
        CHECK(out_commit(&out, e) == 0);
    out_release(&out);
    CHECK(remove(PROMPTS) == 0);
    return rc;
}

static void
read_lines(struct result *r)
{
    bool got, ended;
    struct buf line;
    struct in in;
    struct err e;

    buf_init(&line);
    CHECK(in_open(&in, LINES, &e) == 0);
    while (in_line(&in, &line, 1 << 16, &got, &ended, &e) == 0 && got) {
        r->line[r->n] = cJSON_Parse(line.data);
        CHECK(ended && r->line[r->n] != NULL);
        r->n++;
    }
    in_release(&in);
    buf_release(&line);
    CHECK(remove(LINES) == 0);
}

static struct result
score(const struct tiny_world *w, const struct prompt_opts *o,
      const char *text)
{
    struct result r = { .n = 0 };
    struct buf b;
    struct err e;

    buf_init(&b);
    buf_addstr(&b, "{\"x\": 0");
    if (!CHECK(score_text(w, o, text, &b, &e) == 0)) {
        printf("  %s\n", e.text);
        exit(1);
    }
    buf_addc(&b, '}');
    r.root = cJSON_Parse(b.data);
    r.totals = cJSON_GetObjectItem(r.root, "prompts");
    if (!CHECK(r.totals != NULL))
        printf("  %s\n", b.data);
    buf_release(&b);
    read_lines(&r);
    return r;
}

static const char *
text_of(const cJSON *line)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(line, "completion"));
}

static double
number(const cJSON *o, const char *key)
{
    const cJSON *v = cJSON_GetObjectItem(o, key);

    return cJSON_IsNumber(v) ? v->valuedouble : NAN;
}

/* {"id": "1", "prompt": "abc", "exact": TEXT} and so on: the base passes 1,
 * 2 and 4, the adapter 3 and 4; 5 has no check. */
static void
put_prompts(struct buf *b, const struct result *bare)
{
    static const char *const start[] = {
        "{\"prompt\": \"abc\"", "{\"prompt\": \"xyz\"",
        "{\"prompt\": \"hello\"", "{\"prompt\": \"q\"", "{\"prompt\": \"m\"",
    };

    buf_reset(b);
    for (size_t i = 0; i < 5; i++) {
        buf_addstr(b, start[i]);
        if (bare != NULL && i < 3)
            buf_addf(b, ", \"exact\": \"%s\", \"forbidden\": [\"!\", \"?\"]",
                     text_of(bare->line[i + (i == 2 ? 5 : 0)]));
        else if (bare != NULL && i == 3)
            buf_addstr(b, ", \"regex\": \".*\"");
        buf_addstr(b, "}\n");
    }
}

/* The ends of Wilson's interval are the shares p of which k of n are just
 * 1.96 standard deviations away. */
static void
check_share(const cJSON *o, double k, double n)
{
    static const char *const ends[] = { "share_low", "share_high" };

    CHECK(number(o, "passed") == k);
    CHECK(fabs(number(o, "share") - k / n) < 1e-12);
    for (int i = 0; i < 2; i++) {
        double p = number(o, ends[i]), z = 1.959963984540054;

        CHECK(fabs(fabs(k / n - p) - z * sqrt(p * (1 - p) / n)) < 1e-9);
        CHECK(i == 0 ? p <= k / n : p >= k / n);
    }
}

static void
check_pair(const cJSON *o, const char *key, double held, double given)
{
    const cJSON *v = cJSON_GetObjectItem(o, key);

    CHECK(cJSON_GetArraySize(v) == 2
          && cJSON_GetArrayItem(v, 0)->valuedouble == held
          && cJSON_GetArrayItem(v, 1)->valuedouble == given);
}

TEST(totals_are_those_of_the_lines)
{
    static const double length[] = { 3, 3, 5, 1, 1 };
    struct prompt_opts o = some_opts();
    struct result bare, r;
    struct tiny_world w;
    const cJSON *base, *with;
    struct buf b;

    tiny_world_open(&w, tiny_llama, tokenizer);
    tiny_adapter(&w);
    buf_init(&b);
    put_prompts(&b, NULL);
    bare = score(&w, &o, b.data);
    CHECK_EQ_U64(bare.n, 10);
    CHECK(number(bare.totals, "n") == 5);
    CHECK(number(bare.totals, "checked") == 0);
    base = cJSON_GetObjectItem(bare.totals, "base");
    CHECK(isnan(number(base, "share")) && isnan(number(base, "share_low"))
          && isnan(number(base, "share_high")));
    put_prompts(&b, &bare);
    r = score(&w, &o, b.data);
    CHECK_EQ_U64(r.n, 10);
    for (size_t i = 0; i < r.n; i++) {
        const cJSON *model = cJSON_GetObjectItem(r.line[i], "model");
        const cJSON *id = cJSON_GetObjectItem(r.line[i], "id");

        CHECK_STR(text_of(r.line[i]), text_of(bare.line[i]));
        CHECK_STR(model->valuestring, i < 5 ? "base" : "adapter");
        CHECK(id->valuestring[0] == (char)('1' + i % 5));
        CHECK(number(r.line[i], "prompt_tokens") == length[i % 5]);
    }
    for (size_t i = 0; i < 3; i++)
        CHECK(strcmp(text_of(r.line[i]), text_of(r.line[i + 5])) != 0);
    base = cJSON_GetObjectItem(r.totals, "base");
    with = cJSON_GetObjectItem(r.totals, "adapter");
    CHECK(number(r.totals, "n") == 5 && number(r.totals, "checked") == 4);
    CHECK(number(r.totals, "gained") == 1 && number(r.totals, "lost") == 2);
    check_share(base, 3, 4);
    check_share(with, 2, 4);
    check_pair(base, "exact", 2, 3);
    check_pair(with, "exact", 1, 3);
    check_pair(base, "forbidden", 3, 3);
    check_pair(with, "regex", 1, 1);
    CHECK(cJSON_GetObjectItem(base, "contains") == NULL);
    release_result(&bare);
    release_result(&r);
    buf_release(&b);
    tiny_world_close(&w);
}

/* All or none passed: the interval ends at 1 or 0, and not before. */
TEST(a_share_of_all_or_nothing_stays_within_bounds)
{
    struct prompt_opts o = some_opts();
    struct tiny_world w;
    struct result r;

    tiny_world_open(&w, tiny_llama, tokenizer);
    r = score(&w, &o, "{\"prompt\": \"a\", \"regex\": \".*\"}\n");
    CHECK_EQ_U64(r.n, 1);
    check_share(cJSON_GetObjectItem(r.totals, "base"), 1, 1);
    CHECK(cJSON_GetObjectItem(r.totals, "adapter") == NULL);
    CHECK(cJSON_GetObjectItem(r.totals, "gained") == NULL);
    release_result(&r);
    r = score(&w, &o, "{\"prompt\": \"a\", \"exact\": \"!\"}\n"
              "{\"prompt\": \"b\", \"exact\": \"!\"}\n");
    CHECK(number(cJSON_GetObjectItem(r.totals, "base"), "share_low") == 0);
    release_result(&r);
    r = score(&w, &o, "");
    CHECK(r.n == 0 && number(r.totals, "n") == 0);
    release_result(&r);
    tiny_world_close(&w);
}

/* Whether one prompt's completion is the same under both choices. */
static bool
says_the_same(const struct tiny_world *w, const struct prompt_opts *a,
              const struct prompt_opts *b)
{
    struct result r = score(w, a, "{\"prompt\": \"abc\"}\n");
    struct result s = score(w, b, "{\"prompt\": \"abc\"}\n");
    bool same = strcmp(text_of(r.line[0]), text_of(s.line[0])) == 0;

    release_result(&r);
    release_result(&s);
    return same;
}

TEST(seed_temperature_and_top_p_are_obeyed)
{
    struct prompt_opts o = some_opts(), other = o, greedy = o, narrow = o;
    struct tiny_world w;

    other.seed = 5;
    greedy.temperature = 0;
    narrow.top_p = 1e-9;
    tiny_world_open(&w, tiny_llama, tokenizer);
    CHECK(says_the_same(&w, &o, &o));
    CHECK(!says_the_same(&w, &o, &other));
    CHECK(!says_the_same(&w, &o, &greedy));
    CHECK(says_the_same(&w, &narrow, &greedy));
    tiny_world_close(&w);
}

/* The finish of the only prompt, and how many tokens it took. */
static void
check_finish(const struct tiny_world *w, const char *finish, double tokens)
{
    struct prompt_opts o = some_opts();
    struct result r = score(w, &o, "{\"prompt\": \"a<|endoftext|>b\"}\n");

    CHECK_STR(cJSON_GetObjectItem(r.line[0], "finish")->valuestring, finish);
    CHECK(number(r.line[0], "tokens") == tokens);
    CHECK(number(r.line[0], "prompt_tokens") == 3);
    release_result(&r);
}

/* A base in which token `id` comes next, whatever was before: gpt2's last
 * norm gives its bias alone. */
static void
make_certain(struct tiny_world *w, size_t id)
{
    const struct model_desc *d = &w->model.desc;
    const struct module *norm = desc_module(d, ROLE_NORM_F, 0);
    const struct module *embed = desc_module(d, ROLE_EMBED, 0);
    const struct frozen_tensor *t = w->model.base.tensor;
    float *gain = (float *)t[norm->weight].data;
    float *bias = (float *)t[norm->bias].data;
    float *rows = (float *)t[embed->weight].data;

    for (size_t k = 0; k < d->dim; k++) {
        gain[k] = 0;
        bias[k] = k == 0 ? 1 : 0;
    }
    for (size_t k = 0; k < d->vocab; k++)
        rows[d->dim * k] = k == id ? 1000 : 0;
}

TEST(a_text_ends_where_tokenizer_or_model_say)
{
    struct tiny_world w;

    tiny_world_open(&w, tiny_gpt2, tokenizer);
    make_certain(&w, 26);
    check_finish(&w, "end", 1);
    make_certain(&w, 60); /* no text of the tokenizer's */
    check_finish(&w, "length", 12);
    w.asset[1] = (struct weight_asset){
        "config.json", "{\"eos_token_id\": [1, 60]}", 25
    };
    w.model.weights.n_assets = 2;
    check_finish(&w, "end", 1);
    make_certain(&w, 2);
    check_finish(&w, "length", 12);
    tiny_world_close(&w);
}

static void
check_fails(const struct tiny_world *w, const struct prompt_opts *o,
            const char *text, int code, const char *want)
{
    struct buf b;
    struct err e;

    buf_init(&b);
    if (!CHECK(score_text(w, o, text, &b, &e) == code
               && strstr(e.text, want) != NULL))
        printf("  \"%s\", expected \"%s\"\n", e.text, want);
    CHECK_EQ_U64(b.len, 0);
    CHECK(!path_exists(LINES));
}

TEST(what_can_not_be_scored_is_refused)
{
    static const char good[] = "{\"prompt\": \"a\"}\n";
    struct prompt_opts o = some_opts();
    struct tiny_world w;
    struct err e;

    tiny_world_open(&w, tiny_llama, tokenizer);
    check_fails(&w, &o, "{}\n", ERR_DATA, PROMPTS ":1: no prompt");
    check_fails(&w, &o, "{\"prompt\": \"A\"}\n", ERR_DATA,
                "prompt 1: an empty prompt");
    o.tokenizer = OTHER;
    check_fails(&w, &o, good, ERR_IO, OTHER);
    CHECK(file_write(OTHER, "{}", 2, &e) == 0);
    check_fails(&w, &o, good, ERR_DATA, OTHER);
    CHECK(file_write(OTHER, tokenizer, strlen(tokenizer), &e) == 0);
    w.model.weights.n_assets = 0;
    o.context = 3;
    check_fails(&w, &o, "{\"prompt\": \"abc\"}\n", ERR_LIMIT, "context of 3");
    o.tokenizer = NULL;
    check_fails(&w, &o, good, ERR_USAGE, "tiny: has no tokenizer.json");
    w.asset[1] = (struct weight_asset){
        "config.json", "{\"eos_token_id\": \"z\"}", 21
    };
    w.model.weights.n_assets = 2;
    check_fails(&w, &o, good, ERR_DATA, "tiny/config.json: eos_token_id");
    w.model.weights.n_assets = 1;
    w.model.desc.vocab = 26;
    check_fails(&w, &o, good, ERR_DATA,
                "the tokenizer has 27 tokens, the model 26");
    CHECK(remove(OTHER) == 0);
    tiny_world_close(&w);
}

/* A position's keys and values take 256 KiB, and here are 2^31 of them. */
TEST(caches_that_do_not_fit_are_refused_before)
{
    static const char wide[] =
        "{\"model_type\": \"llama\", \"vocab_size\": 61, \"hidden_size\": 8,"
        " \"intermediate_size\": 8, \"num_hidden_layers\": 4,"
        " \"num_attention_heads\": 8, \"head_dim\": 1024}";
    struct prompt_opts o = some_opts();
    struct err e = { 0 };
    struct tiny_world w;
    struct said said;

    tiny_world_open(&w, wide, NULL);
    CHECK(prompts_fit(&w.model, &o, &e) == 0);
    o.context = 1u << 31;
    CHECK(prompts_fit(&w.model, &o, &e) == ERR_LIMIT);
    CHECK(strstr(e.text, "generation") != NULL);
    o.force = true;
    said_begin(&said);
    CHECK(prompts_fit(&w.model, &o, &e) == 0);
    CHECK(strstr(said_end(&said), "generation") != NULL);
    tiny_world_close(&w);
    tiny_world_open(&w, tiny_gpt2, NULL);
    o.force = false;
    CHECK(prompts_fit(&w.model, &o, &e) == 0); /* refused later, by length */
    tiny_world_close(&w);
}

static const struct test tests[] = {
    RUN(totals_are_those_of_the_lines),
    RUN(a_share_of_all_or_nothing_stays_within_bounds),
    RUN(seed_temperature_and_top_p_are_obeyed),
    RUN(a_text_ends_where_tokenizer_or_model_say),
    RUN(what_can_not_be_scored_is_refused),
    RUN(caches_that_do_not_fit_are_refused_before),
};

TEST_MAIN("prompt_score", tests)
