/* render_split.c - records that fall into parts: nothing edited is lost or
 * told twice, no part is too long, parts begin at good places, and what of
 * them is learned. Tokens are bytes here, save the marks. */
#include "record/render_parts.h"

#include "base/utf8.h"
#include "render_world.h"

static const char *const special[] = {
    "<|endoftext|>", "<reponame>", "<filename>", "<commit_before>",
    "<commit_msg>", "<commit_after>", NULL
};

/* An edit, and what its lines are; rendered in a world. */
struct edits {
    struct world in;
    struct buf change, removed, added;
    uint64_t edited;
};

static void
edits_open(struct edits *w)
{
    world_open(&w->in, special);
    buf_init(&w->change);
    buf_init(&w->removed);
    buf_init(&w->added);
    w->edited = 0;
}

static void
edits_close(struct edits *w)
{
    world_close(&w->in);
    buf_release(&w->change);
    buf_release(&w->removed);
    buf_release(&w->added);
}

static void
render(struct edits *w, enum text_kind kind, enum template_kind as,
       uint64_t max_tokens)
{
    struct text_rec r;
    struct err e;

    text_init(&r);
    text_begin(&r, kind);
    text_add_str(&r, "path", "p");
    if (kind == TEXT_COMMIT)
        text_add_str(&r, "subject", "It is done");
    text_add(&r, kind == TEXT_COMMIT ? "change" : "text", w->change.data,
             w->change.len);
    world_set(&w->in, &r);
    CHECK(render_use(&w->in.r, as, &e) == 0);
    w->in.r.max_tokens = max_tokens;
    world_render(&w->in);
}

/* ---- random changes ---- */

static uint32_t state = 7;

static uint32_t
draw(uint32_t below)
{
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
}

/* Line number n of its kind; some are long, some are not ASCII. */
static void
add_line(struct edits *w, char kind, int n)
{
    struct buf *side = kind == '-' ? &w->removed : &w->added;
    size_t from;

    buf_addc(&w->change, kind);
    from = w->change.len;
    buf_addf(&w->change, "%c%d", kind == ' ' ? 'k' : 'e', n);
    for (uint32_t i = draw(draw(20) > 0 ? 8 : 200); kind != ' ' && i > 0; i--)
        buf_addstr(&w->change, draw(4) > 0 ? "x" : draw(2) ? " " : "\303\244");
    buf_addc(&w->change, '\n');
    if (kind == ' ')
        return;
    buf_add(side, w->change.data + from, w->change.len - from);
    w->edited++;
}

static void
add_lines(struct edits *w, char kind, uint32_t n, uint64_t count[2])
{
    for (uint32_t i = 0; i < n; i++)
        add_line(w, kind, (int)(count[0] + count[1]) + (int)i);
    count[0] += kind != '+' ? n : 0;
    count[1] += kind != '-' ? n : 0;
}

static void
draw_change(struct edits *w)
{
    uint64_t at[2] = { 0, 0 }, count[2];
    struct buf lines, all;

    buf_reset(&w->removed);
    buf_reset(&w->added);
    w->edited = 0;
    buf_init(&lines);
    buf_init(&all);
    for (uint32_t hunks = 1 + draw(5); hunks > 0; hunks--) {
        buf_reset(&w->change);
        count[0] = count[1] = 0;
        add_lines(w, ' ', draw(12), count);
        for (uint32_t edits = 1 + draw(4); edits > 0; edits--) {
            add_lines(w, '-', draw(draw(5) > 0 ? 4 : 60), count);
            add_lines(w, '+', 1 + draw(draw(5) > 0 ? 4 : 60), count);
            add_lines(w, ' ', 1 + draw(12), count);
        }
        at[0] += 7;
        at[1] += 7;
        buf_addf(&all, "@@ -%d,%d +%d,%d @@ f%d(\n", (int)at[0] + 1,
                 (int)count[0], (int)at[1] + 1, (int)count[1], (int)hunks);
        buf_add(&all, w->change.data, w->change.len);
        at[0] += count[0];
        at[1] += count[1];
    }
    buf_reset(&w->change);
    buf_addf(&w->change, "%d %d\n", (int)at[0], (int)at[1]);
    buf_add(&w->change, all.data, all.len);
    buf_release(&lines);
    buf_release(&all);
}

/* ---- both sides ---- */

/* Appends what is between the marks, or to the end. */
static void
between(struct buf *b, const char *text, const char *from, const char *to)
{
    const char *p = strstr(text, from), *end;

    if (!CHECK(p != NULL))
        return;
    p += strlen(from);
    end = strstr(p, to);
    buf_add(b, p, end ? (size_t)(end - p) : strlen(p));
}

/* Without the kept lines and the marks of gaps. */
static void
drop_kept(struct buf *b)
{
    char *p = b->data, *to = p, *eol;

    for (; *p; p = eol + 1) {
        eol = strchr(p, '\n');
        if (!CHECK(eol != NULL))
            break;
        if (*p != 'k' && *p != '@') {
            memmove(to, p, (size_t)(eol + 1 - p));
            to += eol + 1 - p;
        }
    }
    b->len = (size_t)(to - b->data);
    *to = '\0';
}

TEST(parts_have_every_edited_line_once_and_in_order)
{
    struct buf before, after;
    struct edits w;
    uint64_t messages;

    edits_open(&w);
    buf_init(&before);
    buf_init(&after);
    for (int i = 0; i < 400; i++) {
        draw_change(&w);
        render(&w, TEXT_COMMIT, TEMPLATE_COMMIT, 60 + draw(1000));
        buf_reset(&before);
        buf_reset(&after);
        messages = 0;
        for (size_t k = 0; k < w.in.out.n; k++) {
            world_take(&w.in, k);
            between(&before, w.in.back.data, "<commit_before>", "<commit_msg>");
            between(&after, w.in.learnt.data, "<commit_after>", "<|endof");
            messages += strstr(w.in.learnt.data, "It is done") != NULL;
            CHECK(strstr(w.in.back.data, "<commit_msg>It is done<") != NULL);
            CHECK(utf8_valid(w.in.back.data, w.in.back.len) == w.in.back.len);
        }
        drop_kept(&before);
        drop_kept(&after);
        CHECK_STR(before.data, w.removed.data);
        CHECK_STR(after.data, w.added.data);
        CHECK_EQ_U64(messages, 1);
        CHECK_EQ_U64(w.in.out.there.edited, w.edited);
        CHECK_EQ_U64(w.in.out.kept.edited, w.edited);
        CHECK_EQ_U64(w.in.out.kept.records, w.in.out.n);
        CHECK_EQ_U64(w.in.out.left[RENDER_LONG].records, 0);
    }
    buf_release(&before);
    buf_release(&after);
    edits_close(&w);
}

/* Of a replacement too long for one part, each has some of both sides. */
TEST(what_goes_and_what_comes_for_it_stay_together)
{
    struct edits w;

    edits_open(&w);
    buf_addstr(&w.change, "30 60\n@@ -1,30 +1,60 @@\n");
    for (int i = 0; i < 30; i++)
        buf_addf(&w.change, "-old %d\n", i + 10);
    for (int i = 0; i < 60; i++)
        buf_addf(&w.change, "+new %d\n", i + 10);
    render(&w, TEXT_COMMIT, TEMPLATE_COMMIT, 130);
    CHECK(w.in.out.n > 5);
    for (size_t k = 0; k < w.in.out.n; k++) {
        world_take(&w.in, k);
        CHECK(strstr(w.in.back.data, "old") != NULL);
        CHECK(strstr(w.in.back.data, "new") != NULL);
    }
    world_take(&w.in, w.in.out.n - 1);
    CHECK(strstr(w.in.back.data, "old 39\n<")
          && strstr(w.in.back.data, "new 69\n<"));
    edits_close(&w);
}

/* A hunk that fits by itself is not cut to fill up the part before. */
TEST(a_hunk_that_fits_is_whole)
{
    struct edits w;

    edits_open(&w);
    buf_addstr(&w.change, "50 50\n@@ -1,1 +1,1 @@\n-a\n+b\n"
               "@@ -20,8 +20,8 @@\n");
    for (int i = 0; i < 8; i++)
        buf_addf(&w.change, "-g%d\n", i);
    for (int i = 0; i < 8; i++)
        buf_addf(&w.change, "+n%d\n", i);
    render(&w, TEXT_COMMIT, TEMPLATE_COMMIT, 15 + 50);
    if (CHECK(w.in.out.n == 2)) {
        world_take(&w.in, 1);
        CHECK(strstr(w.in.back.data, "g0\n") && strstr(w.in.back.data, "n7\n"));
    }
    edits_close(&w);
}

/* What was left out and what was kept is all there was, at any limit. */
TEST(counts_add_up)
{
    struct edits w;

    edits_open(&w);
    for (int i = 0; i < 400; i++) {
        draw_change(&w);
        render(&w, TEXT_COMMIT, i % 2 ? TEMPLATE_COMMIT : TEMPLATE_PLAIN,
               1 + draw(200));
        CHECK_EQ_U64(w.in.out.there.edited, w.edited);
        CHECK_EQ_U64(w.in.out.kept.edited + w.in.out.left[RENDER_LONG].edited,
                     w.edited);
        CHECK((w.in.out.left[RENDER_LONG].tokens > 0)
              == (w.in.out.left[RENDER_LONG].records > 0));
    }
    edits_close(&w);
}

/* ---- unified diffs ---- */

/* Appends the lines of that mark, of a diff that ends with END, without
 * newlines: one that was cut goes on in the next part. */
static void
marked(struct buf *b, const char *text, char mark)
{
    const char *p = strstr(text, "\n@@"), *end = strstr(text, "<|endof"), *eol;

    if (!CHECK(p != NULL && end != NULL))
        return;
    for (p++; p < end; p = eol) {
        eol = memchr(p, '\n', (size_t)(end - p));
        eol = eol ? eol + 1 : end;
        if (*p == mark)
            buf_add(b, p + 1, (size_t)(eol - p - 1) - (eol[-1] == '\n'));
    }
}

static void
drop_newlines(struct buf *b)
{
    size_t n = 0;

    for (size_t i = 0; i < b->len; i++)
        if (b->data[i] != '\n')
            b->data[n++] = b->data[i];
    b->len = n;
    b->data[n] = '\0';
}

TEST(parts_of_a_diff_have_every_edited_line_once)
{
    struct buf before, after;
    struct edits w;

    edits_open(&w);
    buf_init(&before);
    buf_init(&after);
    for (int i = 0; i < 200; i++) {
        draw_change(&w);
        render(&w, TEXT_COMMIT, TEMPLATE_PLAIN, 200 + draw(1000));
        buf_reset(&before);
        buf_reset(&after);
        for (size_t k = 0; k < w.in.out.n; k++) {
            world_take(&w.in, k);
            marked(&before, w.in.back.data, '-');
            marked(&after, w.in.back.data, '+');
            CHECK((strstr(w.in.learnt.data, "It is") != NULL) == (k == 0));
        }
        drop_newlines(&w.removed);
        drop_newlines(&w.added);
        CHECK_STR(before.data, w.removed.data);
        CHECK_STR(after.data, w.added.data);
        CHECK_EQ_U64(w.in.out.kept.edited, w.edited);
    }
    buf_release(&before);
    buf_release(&after);
    edits_close(&w);
}

TEST(a_part_names_what_it_is_in)
{
    struct edits w;

    edits_open(&w);
    buf_addstr(&w.change, "- 10\n@@ -0,0 +1,10 @@\n+int f(void)\n+{\n"
               "+    one\n+    two\n+}\n+\n+int g(void)\n+{\n"
               "+    three\n+}\n");
    render(&w, TEXT_COMMIT, TEMPLATE_PLAIN, 150);
    if (CHECK(w.in.out.n == 2)) {
        world_take(&w.in, 0);
        CHECK(strstr(w.in.back.data, "\n@@ -0,0 +1,6 @@\n+int f(void)\n"));
        world_take(&w.in, 1);
        CHECK(strstr(w.in.back.data, "\n@@ -0,0 +7,4 @@ int f(void)\n+int g("));
    }
    render(&w, TEXT_COMMIT, TEMPLATE_PLAIN, 125);
    if (CHECK(w.in.out.n > 2)) {
        world_take(&w.in, 1);
        CHECK(strstr(w.in.back.data, "\n@@ -0,0 +5,2 @@ int f(void)\n+}\n"));
    }
    edits_close(&w);
}

/* ---- what is learned, and gaps ---- */

static void
expect_learned(struct edits *w, const char *change, const char *want)
{
    struct buf after;

    buf_init(&after);
    buf_reset(&w->change);
    buf_addstr(&w->change, change);
    render(w, TEXT_COMMIT, TEMPLATE_COMMIT, 0);
    world_take(&w->in, 0);
    between(&after, w->in.learnt.data, "<commit_after>", "<|endof");
    CHECK_STR(after.data, want);
    buf_release(&after);
}

TEST(added_lines_are_learned_and_the_kept_ones_next_to_an_edit)
{
    struct edits w;

    edits_open(&w);
    expect_learned(&w, "9 9\n@@ -2,6 +2,6 @@\n a\n b\n-c\n+C\n d\n e\n f\n",
                   "b\nC\nd\n");
    expect_learned(&w, "9 8\n@@ -2,6 +2,5 @@\n a\n b\n-c\n d\n e\n f\n",
                   "b\nd\n");
    expect_learned(&w, "- 2\n@@ -0,0 +1,2 @@\n+a\n+b\n", "a\nb\n");
    edits_close(&w);
}

TEST(between_hunks_is_a_gap_unless_they_are_neighbours)
{
    static const char change[] =
        "19 20\n@@ -2,1 +2,1 @@\n-a\n+A\n@@ -3,0 +4,1 @@\n+b\n"
        "@@ -4,1 +5,1 @@\n-c\n+C\n";
    struct render_part part = { .context = RENDER_ALL };
    struct template_piece *piece;
    struct change c;
    struct edits w;
    struct err e;

    edits_open(&w);
    change_init(&c);
    CHECK(change_decode(&c, change, strlen(change), &e) == 0);
    render_lines_of_change(&w.in.w.lines, &c);
    part.to = w.in.w.lines.n;
    render_sides(&w.in.w, &part, false);
    if (CHECK(w.in.w.pieces[0].n == 3 && w.in.w.pieces[1].n == 4)) {
        piece = w.in.w.pieces[0].piece;
        CHECK(piece[0].p && piece[1].n == 0 && !piece[1].p && piece[2].p);
        piece = w.in.w.pieces[1].piece;
        CHECK(piece[0].p && piece[1].n == 0 && !piece[1].p && piece[2].p);
        CHECK(memcmp(piece[3].p, "C\n", 2) == 0);
    }
    change_release(&c);
    edits_close(&w);
}

/* ---- texts ---- */

TEST(a_text_falls_apart_and_comes_back_whole)
{
    struct buf all;
    struct edits w;

    edits_open(&w);
    buf_init(&all);
    for (int i = 0; i < 200; i++) {
        draw_change(&w);
        if (i == 0)
            buf_addstr(&w.change, "no newline at the end");
        render(&w, TEXT_FILE, TEMPLATE_PLAIN, 8 + draw(300));
        buf_reset(&all);
        for (size_t k = 0; k < w.in.out.n; k++) {
            world_take(&w.in, k);
            CHECK_STR(w.in.back.data, w.in.learnt.data);
            buf_add(&all, w.in.back.data,
                    w.in.back.len - strlen("<|endoftext|>"));
        }
        CHECK_STR(all.data, w.change.data);
    }
    buf_release(&all);
    edits_close(&w);
}

TEST(a_file_is_cut_where_a_function_begins)
{
    struct edits w;

    edits_open(&w);
    for (int i = 0; i < 20; i++)
        buf_addf(&w.change, "int f%d(void)\n{\n    a;\n\n    b;\n}\n\n", i);
    render(&w, TEXT_FILE, TEMPLATE_FILE, 140);
    CHECK(w.in.out.n > 3);
    for (size_t k = 0; k < w.in.out.n; k++) {
        world_take(&w.in, k);
        CHECK(strncmp(strchr(w.in.back.data, '\n'), "\nint f", 6) == 0);
    }
    edits_close(&w);
}

/* 16 a's are one token, so of some the parts are more than the whole. */
static void
doubling_tokenizer(struct tokenizer *t)
{
    static const char json[] =
        "{\"pre_tokenizer\":{\"type\":\"ByteLevel\","
        "\"add_prefix_space\":false},"
        "\"added_tokens\":[{\"id\":5,\"content\":\"<|endoftext|>\","
        "\"special\":true}],\"model\":{\"vocab\":{\"a\":0,\"aa\":1,"
        "\"aaaa\":2,\"aaaaaaaa\":3,\"aaaaaaaaaaaaaaaa\":4},"
        "\"merges\":[\"a a\",\"aa aa\",\"aaaa aaaa\","
        "\"aaaaaaaa aaaaaaaa\"]}}";
    struct err e;

    if (!CHECK(tokenizer_read(t, json, sizeof(json) - 1, "t.json", &e) == 0))
        printf("  %s\n", e.text);
}

/* The end of the line has no token: how often it is lost is how often all
 * that is left of the line was encoded. */
TEST(what_is_left_of_a_line_is_seldom_encoded)
{
    struct edits w;
    size_t n = 0;

    edits_open(&w);
    world_close(&w.in);
    memset(&w.in, 0, sizeof(w.in));
    doubling_tokenizer(&w.in.t);
    world_begin(&w.in);
    for (int i = 0; i < 1000; i++)
        buf_addstr(&w.change, "aaaaaaaaaaaaaaaa");
    buf_addc(&w.change, '#');
    render(&w, TEXT_FILE, TEMPLATE_PLAIN, 5);
    CHECK(w.in.out.n > 500);
    for (size_t k = 0; k < w.in.out.n; k++) {
        world_take(&w.in, k);
        n += w.in.back.len - strlen("<|endoftext|>");
    }
    CHECK_EQ_U64(n, 16000);
    CHECK_EQ_U64(w.in.out.lost, 1);
    CHECK(w.in.w.en.n_lost < 40);
    edits_close(&w);
}

static const struct test tests[] = {
    RUN(parts_have_every_edited_line_once_and_in_order),
    RUN(what_goes_and_what_comes_for_it_stay_together),
    RUN(a_hunk_that_fits_is_whole),
    RUN(counts_add_up),
    RUN(parts_of_a_diff_have_every_edited_line_once),
    RUN(a_part_names_what_it_is_in),
    RUN(added_lines_are_learned_and_the_kept_ones_next_to_an_edit),
    RUN(between_hunks_is_a_gap_unless_they_are_neighbours),
    RUN(a_text_falls_apart_and_comes_back_whole),
    RUN(a_file_is_cut_where_a_function_begins),
    RUN(what_is_left_of_a_line_is_seldom_encoded),
};

TEST_MAIN("render_split", tests)
