/* prompts.c - prompt files as people write them and as nobody should, and how
 * a completion ends: by the model, by a stop string, by its length. Long, for
 * each member of a line has what can be wrong with it. */
#include "eval/prompts.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/rng.h"
#include "test.h"
#include "tiny_model.h"

#define FILE_NAME "prompts-test.tmp"

static const struct prompts_opts opts = { .max_tokens = 33 };

static int
read_bytes(struct prompts *p, const char *text, size_t n, struct err *e)
{
    int rc;

    memset(e, 0, sizeof(*e));
    CHECK(file_write(FILE_NAME, text, n, e) == 0);
    rc = prompts_read(p, FILE_NAME, &opts, e);
    CHECK(remove(FILE_NAME) == 0);
    return rc;
}

static int
read_text(struct prompts *p, const char *text, struct err *e)
{
    return read_bytes(p, text, strlen(text), e);
}

TEST(what_a_line_says_is_what_a_prompt_has)
{
    struct prompts p;
    struct err e;

    if (!CHECK(read_text(&p,
        "{\"prompt\": \"first\"}\n \t\r\n\n"
        "{\"id\": \"b\", \"prompt\": \"na\\u00efve\\n\", \"max_tokens\": 1,"
        " \"stop\": [\"x\", \"yz\"], \"contains\": [\"1\", \"2\"],"
        " \"exact\": \"\"}\r\n"
        "{\"prompt\": \"p\", \"max_tokens\": 1048576, \"stop\": \"s\","
        " \"regex\": \"^a\", \"forbidden\": \"f\", \"id\": \"\"}\n"
        "{\"prompt\": \"p\", \"stop\": []}\n", &e) == 0))
        return;
    CHECK_EQ_U64(p.n, 4);
    CHECK_STR(p.item[0].id, "1");
    CHECK_STR(p.item[0].text, "first");
    CHECK_EQ_U64(p.item[0].len, 5);
    CHECK_EQ_U64(p.item[0].max_tokens, 33);
    CHECK_EQ_U64(p.item[0].n_stop, 0);
    CHECK(!prompt_checks(&p.item[0]));
    CHECK_STR(p.item[1].id, "b");
    CHECK_STR(p.item[1].text, "na\303\257ve\n");
    CHECK_EQ_U64(p.item[1].max_tokens, 1);
    CHECK_EQ_U64(p.item[1].n_stop, 2);
    CHECK_STR(p.item[1].stop[1], "yz");
    CHECK_EQ_U64(p.item[1].checks.n[CHECK_CONTAINS], 2);
    CHECK_EQ_U64(p.item[1].checks.n[CHECK_EXACT], 1);
    CHECK(prompt_checks(&p.item[1]));
    CHECK_STR(p.item[2].id, "");
    CHECK_EQ_U64(p.item[2].max_tokens, 1048576);
    CHECK_STR(p.item[2].stop[0], "s");
    CHECK_EQ_U64(p.item[2].checks.n[CHECK_REGEX], 1);
    CHECK_EQ_U64(p.item[2].checks.n[CHECK_FORBIDDEN], 1);
    CHECK_STR(p.item[3].id, "6"); /* the line's number, not the prompt's */
    CHECK(!prompt_checks(&p.item[3]));
    prompts_release(&p);
    CHECK(p.n == 0 && p.item == NULL);
}

TEST(a_file_of_nothing_has_no_prompts)
{
    struct prompts p;
    struct err e;

    CHECK(read_text(&p, "", &e) == 0);
    CHECK_EQ_U64(p.n, 0);
    prompts_release(&p);
    CHECK(read_text(&p, "\n \n", &e) == 0);
    CHECK_EQ_U64(p.n, 0);
    prompts_release(&p);
    CHECK(prompts_read(&p, "no/such", &opts, &e) == ERR_IO);
}

TEST(a_byte_order_mark_before_the_first_line_is_none_of_it)
{
    static const char mark[] = "\xef\xbb\xbf";
    struct prompts p;
    struct buf b;
    struct err e;

    buf_init(&b);
    buf_addf(&b, "%s{\"prompt\": \"x\"}\r\n", mark);
    if (CHECK(read_text(&p, b.data, &e) == 0) && CHECK(p.n == 1))
        CHECK_STR(p.item[0].text, "x");
    prompts_release(&p);
    buf_addf(&b, "%s{\"prompt\": \"y\"}\n", mark);
    CHECK(read_text(&p, b.data, &e) == ERR_DATA);
    CHECK_STR(e.text, FILE_NAME ":2: byte 0: not a JSON value");
    buf_release(&b);
}

/* A good line, and then that one. */
static void
check_refused(const char *line, const char *want)
{
    struct prompts p;
    struct buf b;
    struct err e;
    int rc;

    buf_init(&b);
    buf_addf(&b, "{\"prompt\": \"x\"}\n%s\n", line);
    rc = read_bytes(&p, b.data, b.len, &e);
    if (!CHECK(rc == ERR_DATA && strstr(e.text, want) != NULL
               && strncmp(e.text, FILE_NAME ":2", strlen(FILE_NAME) + 2)
                  == 0))
        printf("  %s: %d \"%s\", expected \"%s\"\n", line, rc, e.text, want);
    CHECK(rc == 0 || (p.item == NULL && p.n == 0));
    if (rc == 0)
        prompts_release(&p);
    buf_release(&b);
}

TEST(a_line_that_says_nothing_clear_is_refused_by_number)
{
    static const char *const bad[][2] = {
        { "x", "" }, { "{", "" }, { "{\"prompt\": \"a\"} {}", "" },
        { "[\"prompt\"]", "not a JSON object" }, { "null", "not a JSON obj" },
        { "\"prompt\"", "not a JSON object" }, { "{}", "no prompt" },
        { "{\"prompt\": \"\"}", "no prompt" },
        { "{\"prompt\": 1}", "no prompt" },
        { "{\"prompt\": null}", "no prompt" },
        { "{\"prompt\": [\"a\"]}", "no prompt" },
        { "{\"Prompt\": \"a\"}", "unknown key 'Prompt'" },
        { "{\"prompt\": \"a\", \"contain\": \"b\"}",
          "unknown key 'contain' (did you mean 'contains'?)" },
        { "{\"prompt\": \"a\", \"prompt\": \"b\"}", "prompt" },
        { "{\"prompt\": \"a\\u0000b\"}", "NUL" },
        { "{\"prompt\": \"a\", \"stop\": \"b\\u0000\"}", "NUL" },
        { "{\"prompt\": \"\377\"}", "" }, { "{\"prompt\": \"\\ud800\"}", "" },
        { "{\"prompt\": \"a\", \"id\": 2}", "id is not a string" },
        { "{\"prompt\": \"a\", \"id\": null}", "id is not a string" },
        { "{\"prompt\": \"a\", \"id\": \"1\"}", "two prompts have the id" },
        { "{\"prompt\": \"a\", \"max_tokens\": 0}", "bad max_tokens" },
        { "{\"prompt\": \"a\", \"max_tokens\": -1}", "bad max_tokens" },
        { "{\"prompt\": \"a\", \"max_tokens\": 1.5}", "bad max_tokens" },
        { "{\"prompt\": \"a\", \"max_tokens\": 1e999}", "bad max_tokens" },
        { "{\"prompt\": \"a\", \"max_tokens\": 1048577}", "bad max_tokens" },
        { "{\"prompt\": \"a\", \"max_tokens\": \"9\"}", "bad max_tokens" },
        { "{\"prompt\": \"a\", \"max_tokens\": true}", "bad max_tokens" },
        { "{\"prompt\": \"a\", \"stop\": 1}", "stop is not a string" },
        { "{\"prompt\": \"a\", \"stop\": null}", "stop is not a string" },
        { "{\"prompt\": \"a\", \"stop\": \"\"}", "or an empty one" },
        { "{\"prompt\": \"a\", \"stop\": [\"b\", \"\"]}", "or an empty one" },
        { "{\"prompt\": \"a\", \"stop\": [\"b\", {}]}", "stop is not a str" },
        { "{\"prompt\": \"a\", \"exact\": [\"b\"]}", "exact" },
        { "{\"prompt\": \"a\", \"exact\": null}", "exact" },
        { "{\"prompt\": \"a\", \"contains\": 7}", "contains" },
        { "{\"prompt\": \"a\", \"contains\": [[]]}", "contains" },
        { "{\"prompt\": \"a\", \"forbidden\": \"\"}", "forbidden" },
        { "{\"prompt\": \"a\", \"regex\": \"(\"}", "regex" },
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check_refused(bad[i][0], bad[i][1]);
}

TEST(a_nul_byte_and_a_missing_newline_are_refused)
{
    struct prompts p;
    struct err e;

    CHECK(read_bytes(&p, "{\"prompt\": \"a\"}\0\n", 17, &e) == ERR_DATA);
    CHECK(read_bytes(&p, "\0\n", 2, &e) == ERR_DATA);
    CHECK(read_text(&p, "{\"prompt\": \"a\"}\n{\"prompt\": \"b\"}", &e)
          == ERR_DATA);
    CHECK(strstr(e.text, ":2: the last line has no newline") != NULL);
    CHECK(read_text(&p, "\n ", &e) == ERR_DATA);
}

/* {"prompt": "a", KEY: ["b", ...]} with n strings. */
static int
read_many(struct prompts *p, const char *key, int n, struct err *e)
{
    struct buf b;
    int rc;

    buf_init(&b);
    buf_addf(&b, "{\"prompt\": \"a\", \"%s\": [\"b\"", key);
    for (int i = 1; i < n; i++)
        buf_addstr(&b, ", \"b\"");
    buf_addstr(&b, "]}\n");
    rc = read_bytes(p, b.data, b.len, e);
    buf_release(&b);
    return rc;
}

TEST(a_list_has_a_thousand_strings_at_most)
{
    static const char *const lists[] = { "stop", "contains", "regex",
                                         "forbidden" };
    struct prompts p;
    struct err e;

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (CHECK(read_many(&p, lists[i], 1000, &e) == 0))
            prompts_release(&p);
        CHECK(read_many(&p, lists[i], 1001, &e) == ERR_LIMIT);
        CHECK(strstr(e.text, ":1: 1001 items of ") != NULL);
    }
}

/* {"prompt": "aaa..."} of so many bytes, with its newline. */
static int
read_long(struct prompts *p, size_t bytes, struct err *e)
{
    char *text = mem_alloc(bytes);
    int rc;

    memset(text, 'a', bytes);
    memcpy(text, "{\"prompt\": \"", 12);
    memcpy(text + bytes - 3, "\"}\n", 3);
    rc = read_bytes(p, text, bytes, e);
    free(text);
    return rc;
}

TEST(a_line_may_have_sixteen_mebibytes)
{
    struct prompts p;
    struct err e;

    if (CHECK(read_long(&p, (16 << 20) + 1, &e) == 0)) {
        CHECK_EQ_U64(p.item[0].len, (16 << 20) - 14);
        prompts_release(&p);
    }
    CHECK(read_long(&p, (16 << 20) + 2, &e) == ERR_LIMIT);
    CHECK(strncmp(e.text, FILE_NAME, strlen(FILE_NAME)) == 0);
}

/* ---- completing ---- */

/* Token i is the byte '@' + i, but for that which is NUL. The last ends a
 * text. */
struct letters {
    int32_t last, nul;
};

static int
encode_letters(void *ctx, const struct prompt *p, struct ids *ids,
               struct err *e)
{
    (void)ctx;
    for (size_t i = 0; i < p->len; i++) {
        if (p->text[i] == '!')
            return err_set(e, ERR_DATA, "no such letter");
        if (p->text[i] != ' ')
            ids_add(ids, (uint32_t)(p->text[i] - '@'));
    }
    return 0;
}

static void
decode_letter(void *ctx, int32_t id, struct buf *out)
{
    const struct letters *l = ctx;

    buf_addc(out, id == l->nul ? '\0' : (char)('@' + id));
}

static bool
ends_letters(void *ctx, int32_t id)
{
    const struct letters *l = ctx;

    return id == l->last;
}

struct world {
    struct tiny_model model;
    struct backend backend;
    struct generator generator;
    struct letters letters;
    struct codec codec;
    struct sampling sampling;
};

static void
open_world(struct world *w)
{
    struct err e;

    w->letters = (struct letters){ .last = -1, .nul = -1 };
    w->codec = (struct codec){ .encode = encode_letters,
                               .decode = decode_letter,
                               .ends = ends_letters, .ctx = &w->letters };
    w->sampling = (struct sampling){ .temperature = 1, .top_p = 1,
                                     .seed = 5, .site = 99,
                                     .max_tokens = 1 };
    tiny_open(&w->model, tiny_llama);
    ref_open(&w->backend);
    if (!CHECK(generator_open(&w->generator, &w->model.desc,
                              &w->model.base, &w->backend, NULL, 1, 24,
                              &e)
               == 0))
        exit(1);
}

static void
close_world(struct world *w)
{
    generator_release(&w->generator);
    tiny_close(&w->model);
}

static struct prompt
prompt_of(const char *id, const char *text)
{
    return (struct prompt){ .id = (char *)id, .text = (char *)text,
                            .len = strlen(text), .max_tokens = 12 };
}

static int
complete(struct world *w, const struct prompt *p, struct completion *c,
         struct err *e)
{
    memset(e, 0, sizeof(*e));
    return prompt_complete(c, p, &w->generator, &w->codec, &w->sampling, e);
}

/* The completion of p; released with it. */
static struct completion
completed(struct world *w, const struct prompt *p)
{
    struct completion c;
    struct err e;

    if (!CHECK(complete(w, p, &c, &e) == 0)) {
        printf("  %s\n", e.text);
        exit(1);
    }
    return c;
}

static bool
add_letter(void *ctx, int32_t id)
{
    buf_addc(ctx, (char)('@' + id));
    return true;
}

TEST(a_completion_draws_from_its_name)
{
    struct prompt p = prompt_of("one", "HELLO"), q = prompt_of("two", "HELLO");
    static const int32_t hello[] = { 8, 5, 12, 12, 15 };
    struct completion c, d;
    struct world w;
    struct buf want;
    struct err e;

    open_world(&w);
    c = completed(&w, &p);
    CHECK(c.finish == FINISH_LENGTH);
    CHECK_EQ_U64(c.n_prompt, 5);
    CHECK_EQ_U64(c.n_tokens, 12);
    CHECK(c.result.passed);
    w.sampling.site = rng_site("one");
    w.sampling.max_tokens = 12;
    buf_init(&want);
    CHECK(generate(&w.generator, hello, 5, &w.sampling, add_letter, &want,
                   &e) == 0);
    CHECK_STR(c.text.data, want.data);
    d = completed(&w, &q);
    CHECK(strcmp(c.text.data, d.text.data) != 0);
    completion_release(&d);
    completion_release(&c);
    CHECK(c.n_tokens == 0 && c.n_prompt == 0);
    buf_release(&want);
    close_world(&w);
}

/* With these stop strings the text is whole[0, len) after so many tokens. */
static void
check_stop(struct world *w, struct prompt *p, const char *whole,
           const char *a, const char *b, size_t len, size_t tokens)
{
    const char *stop[] = { a, b };
    struct completion c;

    p->stop = (char **)stop;
    p->n_stop = b != NULL ? 2 : 1;
    c = completed(w, p);
    CHECK(c.finish == (len < strlen(whole) ? FINISH_STOP : FINISH_LENGTH));
    CHECK_EQ_U64(c.n_tokens, tokens);
    CHECK_EQ_U64(c.text.len, len);
    CHECK(memcmp(c.text.data, whole, len) == 0 && c.text.data[len] == '\0');
    completion_release(&c);
    p->n_stop = 0;
}

/* A copy of whole[at, at + n). */
static char *
part_of(const char *whole, size_t at, size_t n)
{
    char *part = mem_alloc(n + 1);

    memcpy(part, whole + at, n);
    part[n] = '\0';
    return part;
}

TEST(the_first_stop_string_ends_the_text_before_it)
{
    struct prompt p = prompt_of("one", "HELLO");
    struct completion c;
    struct world w;
    char *whole, *three, *within, *late, *last;

    open_world(&w);
    c = completed(&w, &p);
    whole = mem_strdup(c.text.data);
    completion_release(&c);
    three = part_of(whole, 4, 3);
    within = part_of(whole, 5, 2);
    late = part_of(whole, 8, 2);
    last = part_of(whole, 9, 3);
    CHECK(strstr(whole, three) == whole + 4); /* each comes once */
    CHECK(strstr(whole, within) == whole + 5);
    CHECK(strstr(whole, late) == whole + 8);
    check_stop(&w, &p, whole, three, NULL, 4, 7);
    check_stop(&w, &p, whole, late, three, 4, 7);
    check_stop(&w, &p, whole, three, late, 4, 7);
    check_stop(&w, &p, whole, within, three, 4, 7);
    check_stop(&w, &p, whole, three, within, 4, 7);
    check_stop(&w, &p, whole, late, "no such", 8, 10);
    check_stop(&w, &p, whole, last, NULL, 9, 12); /* with the last token */
    check_stop(&w, &p, whole, whole, NULL, 0, 12);
    check_stop(&w, &p, whole, "no such", NULL, 12, 12);
    free(three);
    free(within);
    free(late);
    free(last);
    free(whole);
    close_world(&w);
}

TEST(a_token_that_ends_the_text_is_counted_and_not_said)
{
    struct prompt p = prompt_of("one", "HELLO");
    struct completion whole, c;
    size_t first;
    struct world w;

    open_world(&w);
    whole = completed(&w, &p);
    w.letters.last = whole.text.data[6] - '@';
    first = (size_t)(strchr(whole.text.data, whole.text.data[6])
                     - whole.text.data);
    c = completed(&w, &p);
    CHECK(c.finish == FINISH_END);
    CHECK_EQ_U64(c.n_tokens, first + 1);
    CHECK_EQ_U64(c.text.len, first);
    CHECK(memcmp(c.text.data, whole.text.data, first) == 0);
    completion_release(&c);
    completion_release(&whole);
    close_world(&w);
}

/* Whether p's completion holds that text. */
static bool
says(struct world *w, const struct prompt *p, char *text)
{
    struct check_item item = { .text = text, .len = strlen(text) };
    struct prompt with = *p;
    struct completion c;
    bool held;

    with.checks.item[CHECK_CONTAINS] = &item;
    with.checks.n[CHECK_CONTAINS] = 1;
    c = completed(w, &with);
    held = c.result.held[CHECK_CONTAINS];
    CHECK(c.result.passed == held);
    completion_release(&c);
    return held;
}

/* Without what is behind a stop string, with what is behind a NUL. */
TEST(checks_are_of_the_text_that_is_left)
{
    struct prompt p = prompt_of("one", "HELLO");
    struct completion c;
    struct world w;
    char *stop[1], *late;

    open_world(&w);
    c = completed(&w, &p);
    late = part_of(c.text.data, 8, 2);
    stop[0] = part_of(c.text.data, 4, 3);
    CHECK(strchr(late, c.text.data[3]) == NULL);
    CHECK(says(&w, &p, late));
    w.letters.nul = c.text.data[3] - '@';
    CHECK(says(&w, &p, late));
    w.letters.nul = -1;
    p.stop = stop;
    p.n_stop = 1;
    CHECK(!says(&w, &p, late) && !says(&w, &p, stop[0]));
    completion_release(&c);
    free(late);
    free(stop[0]);
    close_world(&w);
}

static void
check_fails(struct world *w, const char *text, int code, const char *want)
{
    struct prompt p = prompt_of("one", text);
    struct completion c;
    struct err e;

    CHECK(complete(w, &p, &c, &e) == code);
    CHECK_STR(e.text, want);
    CHECK(c.text.data == NULL && c.n_prompt == 0);
}

TEST(a_prompt_that_can_not_be_completed_is_named)
{
    struct world w;

    open_world(&w);
    check_fails(&w, "A!", ERR_DATA, "prompt one: no such letter");
    check_fails(&w, " ", ERR_DATA, "prompt one: an empty prompt");
    check_fails(&w, "A}", ERR_DATA, "prompt one: token 61 is outside the "
                "model's vocabulary of 61");
    check_fails(&w, "AAAAAAAAAAAAAAAAAAAAAAAA", ERR_LIMIT, "prompt one: a "
                "prompt of 24 tokens fills the context of 24");
    close_world(&w);
}

static void
check_json(const struct completion *c, const struct prompt *p,
           const char *want)
{
    struct buf b;

    buf_init(&b);
    completion_json(c, p, "base", 0, 1, &b);
    CHECK_STR(b.data, want);
    buf_release(&b);
}

TEST(a_completion_as_a_line_of_json)
{
    struct prompt p = prompt_of("a \"name\"", "x");
    struct completion c = { .n_prompt = 3, .n_tokens = 9,
                            .finish = FINISH_STOP };

    buf_init(&c.text);
    check_json(&c, &p, "{\"id\": \"a \\\"name\\\"\", \"model\": \"base\", "
               "\"prompt\": \"x\", \"completion\": \"\", \"finish\": \"stop\", "
               "\"prompt_tokens\": 3, \"tokens\": 9, \"checks\": {}, "
               "\"passed\": null}");
    buf_addstr(&c.text, "\303\257\n");
    c.finish = FINISH_END;
    c.result = (struct check_result){ .held = { [CHECK_EXACT] = true },
                                      .passed = false };
    p.checks.n[CHECK_EXACT] = p.checks.n[CHECK_FORBIDDEN] = 1;
    check_json(&c, &p, "{\"id\": \"a \\\"name\\\"\", \"model\": \"base\", "
               "\"prompt\": \"x\", \"completion\": \"\303\257\\n\", "
               "\"finish\": \"end\", \"prompt_tokens\": 3, "
               "\"tokens\": 9, \"checks\": {\"exact\": true, "
               "\"forbidden\": false}, \"passed\": false}");
    buf_add(&c.text, "\303\0", 2);
    c.finish = FINISH_LENGTH;
    c.result.passed = true;
    check_json(&c, &p, "{\"id\": \"a \\\"name\\\"\", \"model\": \"base\", "
               "\"prompt\": \"x\", \"completion\": {\"b64\": \"w68KwwA=\"}, "
               "\"finish\": \"length\", \"prompt_tokens\": 3, "
               "\"tokens\": 9, \"checks\": {\"exact\": true, "
               "\"forbidden\": false}, \"passed\": true}");
    completion_release(&c);
}

static const struct test tests[] = {
    RUN(what_a_line_says_is_what_a_prompt_has),
    RUN(a_file_of_nothing_has_no_prompts),
    RUN(a_byte_order_mark_before_the_first_line_is_none_of_it),
    RUN(a_line_that_says_nothing_clear_is_refused_by_number),
    RUN(a_nul_byte_and_a_missing_newline_are_refused),
    RUN(a_list_has_a_thousand_strings_at_most),
    RUN(a_line_may_have_sixteen_mebibytes),
    RUN(a_completion_draws_from_its_name),
    RUN(the_first_stop_string_ends_the_text_before_it),
    RUN(a_token_that_ends_the_text_is_counted_and_not_said),
    RUN(checks_are_of_the_text_that_is_left),
    RUN(a_prompt_that_can_not_be_completed_is_named),
    RUN(a_completion_as_a_line_of_json),
};

TEST_MAIN("prompts", tests)
