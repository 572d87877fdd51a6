/* render.c - the layouts of every template and family, what is learnt of
 * them, and fitting into a limit of tokens. */
#include "render_world.h"

/* Special tokens that make a tokenizer of each family. */
static const char *const starcoder[] = {
    "<|endoftext|>", "<reponame>", "<filename>", "<commit_before>",
    "<commit_msg>", "<commit_after>", NULL
};
static const char *const starcoder2[] = {
    "<|endoftext|>", "<repo_name>", "<file_sep>", "<pr>", "<pr_file>",
    "<pr_base_code>", "<pr_diff>", "<pr_diff_hunk>", NULL
};
static const char *const qwen[] = {
    "<|endoftext|>", "<|repo_name|>", "<|file_sep|>", NULL
};
static const char *const text[] = { "<|endoftext|>", "<reponame>", NULL };

static const char change[] =
    "3 3\n@@ -2,1 +2,1 @@\n-old\n+<file_sep>\n";
static const char added[] = "- 1\n@@ -0,0 +1,1 @@\n+new\n";
static const char deleted[] = "1 -\n@@ -1,1 +0,0 @@\n-old\n";

static void
make_commit(struct world *w, const char *edit)
{
    struct text_rec r;

    text_init(&r);
    text_begin(&r, TEXT_COMMIT);
    text_add_str(&r, "repo", "R");
    text_add_str(&r, "ordinal", "7");
    text_add_str(&r, "time", "1600000000");
    text_add_str(&r, "subject", "Subject");
    text_add_str(&r, "body", "Body.\n");
    text_add_str(&r, "path", "p.c");
    text_add_str(&r, "change", edit);
    world_set(w, &r);
}

static void
make_file(struct world *w, const char *repo)
{
    struct text_rec r;

    text_init(&r);
    text_begin(&r, TEXT_FILE);
    if (repo)
        text_add_str(&r, "repo", repo);
    text_add_str(&r, "path", "p.c");
    text_add_str(&r, "text", "int x;\n");
    world_set(w, &r);
}

/* Renders the record and takes token record i. */
static struct tokens
rendered(struct world *w, enum template_kind kind, size_t i)
{
    struct err e;

    CHECK(render_use(&w->r, kind, &e) == 0);
    world_render(w);
    render_result_group(&w->out, 5);
    return world_take(w, i);
}

/* What is learnt is in brackets. */
static void
expect(struct world *w, enum template_kind kind, const char *want)
{
    struct buf all, learnt;
    bool inside = false;

    buf_init(&all);
    buf_init(&learnt);
    for (; *want; want++) {
        if (*want == '[' || *want == ']') {
            inside = *want == '[';
            continue;
        }
        buf_addc(&all, *want);
        if (inside)
            buf_addc(&learnt, *want);
    }
    rendered(w, kind, 0);
    CHECK_STR(w->back.data, all.data);
    CHECK_STR(w->learnt.data, learnt.data);
    w->r.loss = LOSS_ALL; /* the mask is of the target in any case */
    rendered(w, kind, 0);
    CHECK_STR(w->learnt.data, learnt.data ? learnt.data : "");
    w->r.loss = LOSS_TARGET;
    buf_release(&all);
    buf_release(&learnt);
}

static void
expect_message(struct world *w, const char *before)
{
    static const char diff[] =
        "diff --git a/p.c b/p.c\n--- a/p.c\n+++ b/p.c\n"
        "@@ -2,1 +2,1 @@\n-old\n+<file_sep>\n";
    static const char message[] = "Subject\n\nBody.<|endoftext|>";
    const char *cut = strstr(before, "DIFF");
    struct buf want;

    buf_init(&want);
    buf_add(&want, before, (size_t)(cut - before));
    buf_addstr(&want, diff);
    buf_addstr(&want, cut + 4);
    buf_addstr(&want, message);
    rendered(w, TEMPLATE_MESSAGE, 0);
    CHECK_STR(w->back.data, want.data);
    CHECK_STR(w->learnt.data, message);
    buf_release(&want);
}

TEST(starcoder_layouts)
{
    struct world w;

    world_open(&w, starcoder);
    make_commit(&w, change);
    expect(&w, TEMPLATE_COMMIT, "<reponame>R<filename>p.c<commit_before>old\n"
           "<commit_msg>[Subject\n\nBody.<commit_after><file_sep>\n"
           "<|endoftext|>]");
    expect_message(&w, "<reponame>R\nDIFF<commit_msg>");
    make_file(&w, "R");
    expect(&w, TEMPLATE_FILE, "[<reponame>R<filename>p.c\nint x;\n"
           "<|endoftext|>]");
    world_close(&w);
}

TEST(starcoder2_layouts)
{
    struct world w;
    struct tokens t;
    uint32_t ids[4096];
    size_t i, n = 0;

    world_open(&w, starcoder2);
    make_commit(&w, change);
    expect(&w, TEMPLATE_COMMIT, "<repo_name>R<pr_file>p.c<pr_base_code>old\n"
           "<pr>[Subject\n\nBody.<file_sep><file_sep>\n<|endoftext|>]");
    t = rendered(&w, TEMPLATE_COMMIT, 0);
    tokens_ids(&t, ids);
    for (i = 0; i < t.n; i++)
        n += ids[i] == tokenizer_find(&w.t, "<file_sep>", 10);
    CHECK_EQ_U64(n, 1); /* the one in the text is text */
    CHECK_EQ_U64(t.origin.ordinal, 7);
    CHECK_EQ_U64(t.origin.time, 1600000000);
    CHECK_EQ_U64(t.origin.group, 5);
    expect_message(&w, "<repo_name>R<pr_diff>DIFF<pr>");
    make_file(&w, NULL);
    expect(&w, TEMPLATE_FILE, "[<file_sep>p.c\nint x;\n<|endoftext|>]");
    world_close(&w);
}

TEST(qwen_layouts)
{
    struct world w;

    world_open(&w, qwen);
    make_commit(&w, change);
    expect(&w, TEMPLATE_COMMIT, "<|repo_name|>R\n<|file_sep|>before\nold\n"
           "<|file_sep|>message\n[Subject\n\nBody.\n<|file_sep|>]p.c\n["
           "<file_sep>\n<|endoftext|>]");
    expect_message(&w, "<|repo_name|>R\n<|file_sep|>diff\nDIFF"
                   "<|file_sep|>message\n");
    make_file(&w, "R");
    expect(&w, TEMPLATE_FILE, "[<|repo_name|>R\n<|file_sep|>p.c\nint x;\n"
           "<|endoftext|>]");
    world_close(&w);
}

TEST(text_layouts)
{
    struct world w;

    world_open(&w, text);
    make_commit(&w, change);
    expect(&w, TEMPLATE_COMMIT, "### Repository: R\n### File: p.c\n"
           "### Before:\nold\n### Message: [Subject\n\nBody.\n### After:\n"
           "<file_sep>\n<|endoftext|>]");
    expect_message(&w, "### Repository: R\n### Diff:\nDIFF### Message: ");
    make_file(&w, NULL);
    expect(&w, TEMPLATE_FILE, "[### File: p.c\nint x;\n<|endoftext|>]");
    expect(&w, TEMPLATE_PLAIN, "[int x;\n<|endoftext|>]");
    expect(&w, RENDER_AUTO, "[### File: p.c\nint x;\n<|endoftext|>]");
    world_close(&w);
}

/* An absent side has no part, an empty end adds none. */
TEST(what_is_absent_is_left_out)
{
    struct world w;

    world_open(&w, starcoder);
    make_commit(&w, added);
    expect(&w, TEMPLATE_COMMIT, "<reponame>R<filename>p.c"
           "<commit_msg>[Subject\n\nBody.<commit_after>new\n<|endoftext|>]");
    make_commit(&w, deleted);
    expect(&w, TEMPLATE_COMMIT, "<reponame>R<filename>p.c<commit_before>"
           "old\n<commit_msg>[Subject\n\nBody.<|endoftext|>]");
    expect(&w, TEMPLATE_PLAIN, "[Subject\n\nBody.\n\ndiff --git a/p.c b/p.c\n"
           "deleted file mode 100644\n--- a/p.c\n+++ /dev/null\n"
           "@@ -1,1 +0,0 @@\n-old\n<|endoftext|>]");
    w.r.end = TOKEN_NONE;
    make_file(&w, "R");
    expect(&w, TEMPLATE_PLAIN, "[int x;\n]");
    world_close(&w);
}

TEST(kinds_without_a_layout_are_counted)
{
    struct world w;
    struct err e;

    world_open(&w, text);
    make_file(&w, "R");
    CHECK(render_use(&w.r, TEMPLATE_COMMIT, &e) == 0);
    CHECK(render_record(&w.r, &w.w, w.rec.data, w.rec.len, 0, &w.out,
                        &e) == 0);
    make_commit(&w, change);
    CHECK(render_use(&w.r, TEMPLATE_FILE, &e) == 0);
    CHECK(render_record(&w.r, &w.w, w.rec.data, w.rec.len, 0, &w.out,
                        &e) == 0);
    CHECK_EQ_U64(w.out.n, 0);
    CHECK_EQ_U64(w.out.left[RENDER_KIND].records, 2);
    make_commit(&w, "3 3\n");
    CHECK(render_use(&w.r, TEMPLATE_COMMIT, &e) == 0);
    CHECK(render_record(&w.r, &w.w, w.rec.data, w.rec.len, 0, &w.out,
                        &e) == 0);
    CHECK_EQ_U64(w.out.left[RENDER_EDIT].records, 1);
    make_commit(&w, "nonsense\n");
    CHECK(render_record(&w.r, &w.w, w.rec.data, w.rec.len, 0, &w.out,
                        &e) == ERR_DATA);
    CHECK_EQ_U64(w.out.n, 0);
    world_close(&w);
}

/* Of a layout's variants a record gets one by its content: always the same,
 * and each of them some. */
TEST(a_record_gets_a_variant_by_its_content)
{
    static const char own[] =
        "records file\nfamily x\nvariant a\nlearn \"A\" repo\n"
        "variant b\nlearn \"B\" repo\n";
    size_t got[2] = { 0, 0 };
    struct world w;
    struct err e;
    char repo[8];

    world_open(&w, text);
    CHECK(render_use_own(&w.r, own, sizeof(own) - 1, "own", &e) == 0);
    for (int i = 0; i < 40; i++) {
        snprintf(repo, sizeof(repo), "%d", i % 20);
        make_file(&w, repo);
        world_render(&w);
        tokenizer_decode(&w.t, w.w.out.ids.id, w.w.out.ids.n, &w.back);
        CHECK_STR(w.back.data + 1, repo);
        got[w.back.data[0] - 'A']++;
        buf_reset(&w.back);
    }
    CHECK_EQ_U64(got[0] + got[1], 40);
    CHECK(got[0] % 2 == 0 && got[0] > 0 && got[1] > 0);
    world_close(&w);
}

/* A hunk with `context` kept lines around an edit, each of 4 bytes and none
 * the name of a function. */
static void
add_hunk(struct buf *b, int start, int context, const char *edit)
{
    int i;

    buf_addf(b, "@@ -%d,%d +%d,%d @@\n", start, 2 * context + 1, start,
             2 * context + 1);
    for (i = 0; i < context; i++)
        buf_addf(b, " =%02d\n", i);
    buf_addf(b, "-%s\n+%s\n", edit, edit);
    for (i = 0; i < context; i++)
        buf_addf(b, " ~%02d\n", i);
}

/* Tokens are bytes here, save the marks. */
TEST(max_tokens_shrinks_context_then_splits)
{
    static const char both[] =
        "<commit_before>edit1\n@@ ... @@\nedit2\n<";
    static const char with_one[] = "<commit_before>=15\nedit1\n~00\n<";
    struct world w;
    struct buf b;
    size_t whole, i;

    world_open(&w, starcoder);
    buf_init(&b);
    buf_addstr(&b, "300 300\n");
    add_hunk(&b, 10, 16, "edit1");
    add_hunk(&b, 100, 16, "edit2");
    make_commit(&w, b.data);
    whole = rendered(&w, TEMPLATE_COMMIT, 0).n;
    CHECK(strstr(w.back.data, "=00\n") != NULL);
    w.r.max_tokens = whole;
    CHECK_EQ_U64(rendered(&w, TEMPLATE_COMMIT, 0).n, whole);
    for (i = whole - 1; i > whole - 200; i -= 50) {
        w.r.max_tokens = i;
        CHECK(rendered(&w, TEMPLATE_COMMIT, 0).n <= i);
        CHECK_EQ_U64(w.out.n, 1);
        CHECK(strstr(w.back.data, "edit2") != NULL);
        CHECK(strstr(w.back.data, "=00\n") == NULL);
    }
    /* marks 6, R, p.c, message 14, sides of 4 lines of 6 bytes, 2 gaps */
    w.r.max_tokens = 6 + 1 + 3 + 14 + 4 * 6 + 2 * 10;
    CHECK_EQ_U64(rendered(&w, TEMPLATE_COMMIT, 0).n, w.r.max_tokens);
    CHECK(strstr(w.back.data, both) != NULL);
    w.r.max_tokens -= 1;
    rendered(&w, TEMPLATE_COMMIT, 0);
    CHECK_EQ_U64(w.out.n, 2);
    CHECK(strstr(w.back.data, "edit2") == NULL);
    rendered(&w, TEMPLATE_COMMIT, 1);
    CHECK(strstr(w.back.data, "edit1") == NULL);
    w.r.max_tokens = 6 + 1 + 3 + 14 + 2 * 14 + 2 * 10;
    rendered(&w, TEMPLATE_COMMIT, 0);
    CHECK(strstr(w.back.data, both) != NULL);
    w.r.max_tokens = 6 + 1 + 3 + 14 + 2 * 6 - 1;
    world_render(&w);
    CHECK_EQ_U64(w.out.n, 2); /* with half of the message */
    CHECK_EQ_U64(w.out.left[RENDER_LONG].records, 0);
    CHECK_EQ_U64(w.out.left[RENDER_MESSAGE].records, 1);
    CHECK_EQ_U64(w.out.kept.edited, 4);
    w.r.max_tokens = 6 + 1 + 3;
    world_render(&w);
    CHECK_EQ_U64(w.out.n, 0);
    CHECK_EQ_U64(w.out.left[RENDER_LONG].records, 1);
    CHECK_EQ_U64(w.out.left[RENDER_LONG].edited, 4);
    buf_reset(&b);
    buf_addstr(&b, "300 300\n");
    add_hunk(&b, 10, 16, "edit1");
    make_commit(&w, b.data);
    w.r.max_tokens = 6 + 1 + 3 + 14 + 2 * 14;
    rendered(&w, TEMPLATE_COMMIT, 0);
    CHECK(strstr(w.back.data, with_one) != NULL);
    make_file(&w, "R");
    w.r.max_tokens = 3;
    render_result_reset(&w.out);
    CHECK(render_record(&w.r, &w.w, w.rec.data, w.rec.len, 0, &w.out,
                        &(struct err){ 0 }) != 0 || w.out.n == 0);
    buf_release(&b);
    world_close(&w);
}

/* What was tried and did not fit is not counted. */
TEST(lost_bytes_are_those_of_what_was_kept)
{
    struct world w;
    struct buf b;

    world_open(&w, starcoder);
    w.t.byte['='] = TOKEN_NONE;
    buf_init(&b);
    buf_addstr(&b, "300 300\n");
    add_hunk(&b, 10, 16, "edit1");
    make_commit(&w, b.data);
    w.r.max_tokens = 6 + 1 + 3 + 14 + 2 * (3 + 6 + 4);
    rendered(&w, TEMPLATE_COMMIT, 0);
    CHECK(strstr(w.back.data, "<commit_before>15\nedit1\n~00\n<") != NULL);
    CHECK_EQ_U64(w.out.lost, 2);
    buf_release(&b);
    world_close(&w);
}

static const struct test tests[] = {
    RUN(starcoder_layouts),
    RUN(starcoder2_layouts),
    RUN(qwen_layouts),
    RUN(text_layouts),
    RUN(what_is_absent_is_left_out),
    RUN(a_record_gets_a_variant_by_its_content),
    RUN(kinds_without_a_layout_are_counted),
    RUN(max_tokens_shrinks_context_then_splits),
    RUN(lost_bytes_are_those_of_what_was_kept),
};

TEST_MAIN("render", tests)
