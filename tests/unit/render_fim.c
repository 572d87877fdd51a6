/* render_fim.c - prefix, suffix and middle: of the places of an edit, and of
 * texts that are taken apart; in every family, and within a limit. */
#include "record/render_fim.h"

#include "render_world.h"

static const char *const starcoder[] = {
    "<|endoftext|>", "<reponame>", "<filename>", "<fim_prefix>",
    "<fim_suffix>", "<fim_middle>", NULL
};
static const char *const starcoder2[] = {
    "<|endoftext|>", "<repo_name>", "<file_sep>", "<fim_prefix>",
    "<fim_suffix>", "<fim_middle>", NULL
};
static const char *const qwen[] = {
    "<|endoftext|>", "<|repo_name|>", "<|file_sep|>", "<|fim_prefix|>",
    "<|fim_suffix|>", "<|fim_middle|>", NULL
};
static const char *const bare[] = {
    "<|endoftext|>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>", NULL
};
static const char *const deepseek[] = {
    "<｜end▁of▁sentence｜>", "<｜fim▁begin｜>", "<｜fim▁hole｜>",
    "<｜fim▁end｜>", NULL
};
static const char *const none[] = { "<|endoftext|>", "<fim_prefix>", NULL };

/* As world_open, for the layout fim; returns w. */
static struct world *
open_fim(struct world *w, const char *const *special, double spm_rate)
{
    struct err e;

    world_open(w, special);
    w->r.fim = (struct fim){ 1, spm_rate, 0 };
    CHECK(render_use(&w->r, TEMPLATE_FIM, &e) == 0);
    return w;
}

/* Renders a record of that kind, whose text or edit is p. */
static void
render(struct world *w, enum text_kind kind, const char *p)
{
    struct text_rec r;

    text_init(&r);
    text_begin(&r, kind);
    if (kind != TEXT_DOC) {
        text_add_str(&r, "repo", "R");
        text_add_str(&r, "path", "p.c");
    }
    text_add_str(&r, kind == TEXT_COMMIT ? "change" : "text", p);
    world_set(w, &r);
    world_render(w);
}

static void
expect(struct world *w, size_t i, const char *want, const char *learnt)
{
    if (world_take(w, i).n == 0)
        return;
    CHECK_STR(w->back.data, want);
    CHECK_STR(w->learnt.data, learnt);
}

/* ---- edits ---- */

static const char edit[] =
    "9 9\n@@ -2,7 +2,7 @@\n a\n-b\n+B\n+<file_sep>\n c\n+C\n d\n-e\n-f\n g\n";

TEST(each_place_is_a_middle)
{
    struct world room, *w = open_fim(&room, starcoder2, 0);

    render(w, TEXT_COMMIT, edit);
    CHECK_EQ_U64(w->out.n, 2);
    expect(w, 0, "<repo_name>R<file_sep><fim_prefix>p.c\na\n<fim_suffix>c\n"
           "C\nd\ng\n<fim_middle>B\n<file_sep>\n<|endoftext|>",
           "B\n<file_sep>\n<|endoftext|>");
    expect(w, 1, "<repo_name>R<file_sep><fim_prefix>p.c\na\nB\n<file_sep>\n"
           "c\n<fim_suffix>d\ng\n<fim_middle>C\n<|endoftext|>",
           "C\n<|endoftext|>");
    CHECK_EQ_U64(w->out.there.edited, 6);
    CHECK_EQ_U64(w->out.kept.edited, 4);
    CHECK_EQ_U64(w->out.left[RENDER_REMOVES].records, 1);
    CHECK_EQ_U64(w->out.left[RENDER_REMOVES].edited, 2);
    world_close(w);
}

/* Two lines added to 400, 200 apart: neither shows all of them. */
TEST(without_a_limit_a_place_shows_what_is_near)
{
    struct world room, *w = open_fim(&room, bare, 0);
    struct buf change;

    buf_init(&change);
    buf_addstr(&change, "400 402\n@@ -1,400 +1,402 @@\n");
    for (int i = 0; i < 400; i++)
        buf_addf(&change, "%s %d\n", i == 100 || i == 300 ? "+new\n" : "",
                 i);
    render(w, TEXT_COMMIT, change.data);
    CHECK_EQ_U64(w->out.n, 2);
    world_take(w, 1);
    CHECK(strncmp(w->back.data, "<fim_prefix>236\n", 16) == 0);
    CHECK(strstr(w->back.data, "\n299\n<fim_suffix>300\n") != NULL);
    CHECK(strstr(w->back.data, "\n363\n<fim_middle>new\n") != NULL);
    buf_release(&change);
    world_close(w);
}

static void
check_family(const char *const *special, const char *psm, const char *spm)
{
    static const char one[] = "2 3\n@@ -1,2 +1,3 @@\n a\n+B\n c\n\\ No newline"
                              " at end of file\n";
    struct world room, *w = open_fim(&room, special, 0);

    render(w, TEXT_COMMIT, one);
    world_take(w, 0);
    CHECK_STR(w->back.data, psm);
    w->r.fim.spm_rate = 1;
    render(w, TEXT_COMMIT, one);
    world_take(w, 0);
    CHECK_STR(w->back.data, spm);
    world_close(w);
}

TEST(the_orders_of_each_family)
{
    check_family(starcoder, "<fim_prefix><reponame>R<filename>p.c\na\n"
                 "<fim_suffix>c<fim_middle>B\n<|endoftext|>",
                 "<fim_prefix><fim_suffix>c<fim_middle><reponame>R<filename>"
                 "p.c\na\nB\n<|endoftext|>");
    check_family(starcoder2, "<repo_name>R<file_sep><fim_prefix>p.c\na\n"
                 "<fim_suffix>c<fim_middle>B\n<|endoftext|>",
                 "<repo_name>R<file_sep><fim_prefix><fim_suffix>c<fim_middle>"
                 "p.c\na\nB\n<|endoftext|>");
    check_family(qwen, "<|repo_name|>R\n<|file_sep|>p.c\n<|fim_prefix|>a\n"
                 "<|fim_suffix|>c<|fim_middle|>B\n<|endoftext|>",
                 "<|repo_name|>R\n<|file_sep|>p.c\n<|fim_prefix|>"
                 "<|fim_suffix|>c<|fim_middle|>a\nB\n<|endoftext|>");
    check_family(bare, "<fim_prefix>a\n<fim_suffix>c<fim_middle>B\n"
                 "<|endoftext|>", "<fim_prefix><fim_suffix>c<fim_middle>a\n"
                 "B\n<|endoftext|>");
    check_family(deepseek,
                 "<｜fim▁begin｜>a\n<｜fim▁hole｜>c<｜fim▁end｜>B\n"
                 "<｜end▁of▁sentence｜>",
                 "<｜fim▁begin｜><｜fim▁hole｜>c<｜fim▁end｜>a\nB\n"
                 "<｜end▁of▁sentence｜>");
}

#define BLANK "\xe2\x96\x81"

/* A tokenizer as Code Llama's: ids 0 to 6, bytes, then the marks. */
static void
llama_tokenizer(struct tokenizer *t)
{
    static const char *const word[] = { "<u>", BLANK, "a", "b", "ab",
                                        BLANK "a", "</s>" };
    static const char *const mark[] = { "PRE", "SUF", "MID", "EOT" };
    struct buf b;
    struct err e;
    int n = 0;

    buf_init(&b);
    buf_addstr(&b, "{\"pre_tokenizer\":null,\"normalizer\":{\"type\":"
               "\"Sequence\",\"normalizers\":["
               "{\"type\":\"Prepend\",\"prepend\":\"" BLANK "\"},{\"type\":"
               "\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\""
               BLANK "\"}]},\"model\":{\"byte_fallback\":true,"
               "\"unk_token\":\"<u>\",\"vocab\":{");
    for (; n < 7; n++)
        buf_addf(&b, "\"%s\":%d,", word[n], n);
    for (int i = 0; i < 256; i++)
        buf_addf(&b, "\"<0x%02X>\":%d%s", (unsigned)i, n++,
                 i < 255 ? "," : "");
    buf_addstr(&b, "},\"merges\":[\"a b\",\"" BLANK " a\"]},"
               "\"added_tokens\":[");
    for (int i = 0; i < 4; i++)
        buf_addf(&b, "{\"id\":%d,\"content\":\"" BLANK "<%s>\","
                 "\"special\":true}%s", n++, mark[i], i < 3 ? "," : "");
    buf_addstr(&b, "]}");
    if (!CHECK(tokenizer_read(t, b.data, b.len, "t.json", &e) == 0)) {
        printf("  %s\n", e.text);
        exit(1);
    }
    buf_release(&b);
}

/* Prefix "a", suffix "a", middle "b", in that variant. */
static void
check_llama(const struct template *tp, const char *variant, const char *want,
            const char *learned)
{
    struct template_input in = { .variant = template_variant(tp, variant) };
    struct template_out out;
    struct encoder en;
    struct buf got[2];

    encoder_init(&en, tp->t);
    template_out_init(&out, tp->t);
    buf_init(&got[0]);
    buf_init(&got[1]);
    template_set(&in, FIELD_PREFIX, "a", 1);
    template_set(&in, FIELD_SUFFIX, "a", 1);
    template_set(&in, FIELD_MIDDLE, "b", 1);
    template_encode(tp, &en, &in, &out);
    for (size_t i = 0; i < out.ids.n; i++) {
        uint32_t id = out.ids.id[i];

        buf_addf(&got[0], "%u ", id < 263 ? id : id - 163);
        buf_addc(&got[1], out.loss[i] ? '1' : '0');
    }
    CHECK_STR(got[0].data, want);
    CHECK_STR(got[1].data, learned);
    buf_release(&got[0]);
    buf_release(&got[1]);
    encoder_release(&en);
    template_out_release(&out);
}

/* 100 to 103 are the marks. The blank stands before the prefix alone, and
 * prefix and middle are one text where nothing is between them. */
TEST(code_llamas_blank)
{
    struct tokenizer t;
    struct template tp;
    struct err e;

    llama_tokenizer(&t);
    if (CHECK(template_open(&tp, TEMPLATE_FIM, &t, 6, &e) == 0)) {
        check_llama(&tp, "psm", "100 5 101 2 102 3 103 ", "0000011");
        check_llama(&tp, "spm", "100 101 2 102 1 4 103 ", "0000011");
        template_release(&tp);
    }
    tokenizer_release(&t);
}

TEST(a_tokenizer_without_the_tokens_is_refused)
{
    struct tokenizer t;
    struct render r;
    struct err e;

    byte_tokenizer(&t, none);
    render_init(&r, &t, tokenizer_end(&t));
    CHECK(render_use(&r, TEMPLATE_FIM, &e) == ERR_DATA);
    CHECK(strstr(e.text, "fim: the tokenizer is of none of its families"));
    render_release(&r);
    tokenizer_release(&t);
}

/* An edit of n lines "line 0000\n", a kept line before and behind each run
 * of 50. */
static void
long_edit(struct buf *b, size_t n)
{
    buf_addf(b, "%zu %zu\n@@ -1,%zu +1,%zu @@\n", n / 50, n + n / 50, n / 50,
             n + n / 50);
    for (size_t i = 0; i < n; i++) {
        if (i % 50 == 0)
            buf_addstr(b, " kept\n");
        buf_addf(b, "+line %04zu\n", i);
    }
}

TEST(every_added_line_is_learned_once)
{
    struct world room, *w = open_fim(&room, starcoder2, 0.5);
    uint64_t limits[] = { 0, 60, 100, 500, 3000 };
    struct buf b;

    buf_init(&b);
    long_edit(&b, 400);
    for (size_t k = 0; k < sizeof(limits) / sizeof(limits[0]); k++) {
        size_t line = 0, orders[2] = { 0, 0 };

        w->r.max_tokens = limits[k];
        render(w, TEXT_COMMIT, b.data);
        for (size_t i = 0; i < w->out.n; i++) {
            size_t n = world_take(w, i).n;
            const char *p = w->learnt.data;

            CHECK(limits[k] == 0 || n <= limits[k]);
            orders[strstr(w->back.data, "<fim_prefix><fim_suffix>") != NULL]++;
            for (; strncmp(p, "line ", 5) == 0; p += 10)
                CHECK_EQ_U64(strtoul(p + 5, NULL, 10), line++);
            CHECK_STR(p, "<|endoftext|>");
        }
        CHECK_EQ_U64(line, 400);
        CHECK(orders[0] > 0 && orders[1] > 0);
        CHECK_EQ_U64(w->out.kept.edited, 400);
        CHECK_EQ_U64(w->out.there.edited, 400);
    }
    buf_release(&b);
    world_close(w);
}

/* The parts of a middle show the lines around them. */
TEST(what_is_cut_stands_in_its_context)
{
    struct world room, *w = open_fim(&room, bare, 0);
    struct buf b;

    buf_init(&b);
    long_edit(&b, 50);
    w->r.max_tokens = 200;
    render(w, TEXT_COMMIT, b.data);
    CHECK(w->out.n > 4);
    for (size_t i = 1; i + 1 < w->out.n; i++) {
        CHECK(world_take(w, i).n > 180);
        CHECK(strncmp(w->back.data, "<fim_prefix>line ", 17) == 0
              || strncmp(w->back.data, "<fim_prefix>kept\n", 17) == 0);
        CHECK(strstr(w->back.data, "<fim_suffix>line ") != NULL);
    }
    buf_release(&b);
    world_close(w);
}

TEST(one_long_line_falls_apart_between_characters)
{
    struct world room, *w = open_fim(&room, bare, 0);
    struct buf b, all;

    buf_init(&b);
    buf_init(&all);
    buf_addstr(&b, "- 1\n@@ -0,0 +1,1 @@\n+");
    for (int i = 0; i < 1000; i++)
        buf_addstr(&b, "\xe2\x82\xac");
    buf_addstr(&b, "\n");
    w->r.max_tokens = 64;
    render(w, TEXT_COMMIT, b.data);
    for (size_t i = 0; i < w->out.n; i++) {
        CHECK(world_take(w, i).n <= 64);
        w->learnt.len -= strlen("<|endoftext|>");
        CHECK((w->learnt.data[0] & 0xc0) != 0x80);
        buf_add(&all, w->learnt.data, w->learnt.len);
    }
    CHECK_EQ_U64(all.len, 3001);
    CHECK(memcmp(all.data, strchr(b.data, '+') + 9, 3) == 0);
    CHECK_EQ_U64(w->out.kept.edited, 1);
    buf_release(&b);
    buf_release(&all);
    world_close(w);
}

TEST(no_room_for_text_is_told)
{
    struct world room, *w = open_fim(&room, starcoder2, 0);

    w->r.max_tokens = 12;
    render(w, TEXT_COMMIT, edit);
    CHECK_EQ_U64(w->out.n, 0);
    CHECK_EQ_U64(w->out.left[RENDER_LONG].edited, 6);
    world_close(w);
}

/* ---- texts ---- */

/* The text that the record was made of, from either order: into w->learnt,
 * and whether the suffix is first; -1: it is whole. */
static int
put_together(struct world *w)
{
    static const char pre[] = "<fim_prefix>", suf[] = "<fim_suffix>";
    static const char mid[] = "<fim_middle>", end[] = "<|endoftext|>";
    const char *p = w->back.data, *s = strstr(p, suf), *m = strstr(p, mid);
    size_t n = w->back.len - strlen(end);
    bool spm;

    buf_reset(&w->learnt);
    if (strncmp(p, pre, strlen(pre)) != 0) {
        buf_add(&w->learnt, p, n);
        return -1;
    }
    p += strlen(pre);
    spm = p == s;
    s += strlen(suf);
    m += strlen(mid);
    if (!spm)
        buf_add(&w->learnt, p, (size_t)(s - strlen(suf) - p));
    buf_add(&w->learnt, m, n - (size_t)(m - w->back.data));
    buf_add(&w->learnt, s, (size_t)(m - strlen(mid) - s));
    return spm;
}

TEST(a_text_can_be_put_together_again)
{
    struct world room, *w = open_fim(&room, bare, 0.5);
    size_t how[3] = { 0, 0, 0 };
    char text[64];

    w->r.fim.rate = 0.6;
    for (int i = 0; i < 300; i++) {
        snprintf(text, sizeof(text), "number %d\xe2\x82\xac\nand on\n", i);
        render(w, TEXT_DOC, text);
        CHECK_EQ_U64(w->out.n, 1);
        world_take(w, 0);
        how[put_together(w) + 1]++;
        CHECK_STR(w->learnt.data, text);
    }
    CHECK(how[0] > 80 && how[1] > 50 && how[2] > 50);
    world_close(w);
}

TEST(a_long_text_falls_apart_at_line_ends)
{
    struct world room, *w = open_fim(&room, bare, 0.5);
    struct buf b, all;

    buf_init(&b);
    buf_init(&all);
    for (int i = 0; i < 500; i++)
        buf_addf(&b, "this is line %d\n", i);
    w->r.fim.rate = 0.5;
    w->r.max_tokens = 300;
    render(w, TEXT_FILE, b.data);
    CHECK(w->out.n > 20);
    for (size_t i = 0; i < w->out.n; i++) {
        size_t n = world_take(w, i).n;

        CHECK(n <= 300);
        put_together(w);
        if (strncmp(w->learnt.data, "### ", 4) == 0) {
            const char *p = strstr(w->learnt.data, "p.c\n") + 4;

            buf_addstr(&all, p);
        } else {
            buf_add(&all, w->learnt.data, w->learnt.len);
        }
        CHECK(all.data[all.len - 1] == '\n');
    }
    CHECK_EQ_U64(all.len, b.len);
    CHECK_STR(all.data, b.data);
    buf_release(&b);
    buf_release(&all);
    world_close(w);
}

static const struct test tests[] = {
    RUN(each_place_is_a_middle),
    RUN(without_a_limit_a_place_shows_what_is_near),
    RUN(the_orders_of_each_family),
    RUN(code_llamas_blank),
    RUN(a_tokenizer_without_the_tokens_is_refused),
    RUN(every_added_line_is_learned_once),
    RUN(what_is_cut_stands_in_its_context),
    RUN(one_long_line_falls_apart_between_characters),
    RUN(no_room_for_text_is_told),
    RUN(a_text_can_be_put_together_again),
    RUN(a_long_text_falls_apart_at_line_ends),
};

TEST_MAIN("render_fim", tests)
