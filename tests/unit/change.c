/* change.c - encoding, decoding and views of changes. */
#include "record/change.h"

#include <stdlib.h>
#include <string.h>

#include "base/lines.h"
#include "base/mem.h"
#include "repo/edit.h"
#include "test.h"

#define TEN "ten bytes "

static int
decode(const char *text, struct err *e)
{
    struct change c;
    int rc;

    change_init(&c);
    rc = change_decode(&c, text, strlen(text), e);
    change_release(&c);
    return rc;
}

TEST(views_of_a_small_change)
{
    static const char text[] =
        "4 4\n@@ -2,2 +2,2 @@\n two\n-three\n+drei\n";
    struct change c;
    struct buf b;
    struct err e;

    change_init(&c);
    buf_init(&b);
    if (CHECK(change_decode(&c, text, strlen(text), &e) == 0)) {
        change_side(&b, &c, CHANGE_BEFORE);
        CHECK_STR(b.data, "two\nthree\n");
        buf_reset(&b);
        change_side(&b, &c, CHANGE_AFTER);
        CHECK_STR(b.data, "two\ndrei\n");
        buf_reset(&b);
        change_encode(&b, &c);
        CHECK_STR(b.data, text);
        CHECK(!change_whole(&c));
    }
    buf_release(&b);
    change_release(&c);
}

TEST(a_hunk_tells_what_it_is_in)
{
    static const char text[] =
        "9 9\n@@ -2,2 +2,2 @@ int main(void)\n one\n-2\n+_\n";
    struct change c;
    struct buf b;
    struct err e;

    change_init(&c);
    buf_init(&b);
    if (CHECK(change_decode(&c, text, strlen(text), &e) == 0)) {
        CHECK_EQ_U64(c.hunk[0].scope.n, strlen("int main(void)"));
        change_encode(&b, &c);
        CHECK_STR(b.data, text);
    }
    buf_release(&b);
    change_release(&c);
}

TEST(a_scope_is_cut_as_git_cuts_it)
{
    static const char text[] = "aa\n b\n$c \t\r\n\n-\n";
    static const char wide[] = "f" TEN TEN TEN TEN TEN TEN TEN "12345678"
                               "\303\244";
    struct change_scope s = { NULL, 0 };

    change_scope_above(&s, text, 0, 6);
    CHECK(s.p == text && s.n == 2);
    change_scope_above(&s, text, 6, strlen(text));
    CHECK(s.p == text + 6 && s.n == 2);
    change_scope_above(&s, text, 11, strlen(text));
    CHECK(s.p == text + 6);
    CHECK(change_scope_of(&s, wide, strlen(wide)) && s.n == 79);
    CHECK(!change_scope_of(&s, "", 0) && !change_scope_of(&s, "\303x", 2));
}

TEST(absent_is_not_empty)
{
    static const char *const text[] = {"- 0\n", "0 -\n", "0 0\n"};
    static const bool before[] = {false, true, true};
    static const bool after[] = {true, false, true};
    struct change c;
    struct err e;
    size_t i;

    change_init(&c);
    for (i = 0; i < 3; i++) {
        CHECK(change_decode(&c, text[i], strlen(text[i]), &e) == 0);
        CHECK(c.present[0] == before[i] && c.present[1] == after[i]);
        CHECK(c.n_hunks == 0 && change_whole(&c));
    }
    change_release(&c);
}

TEST(names_in_a_diff_are_quoted_as_git_does)
{
    static const bool added[] = { false, true }, both[] = { true, true };
    struct buf b;

    buf_init(&b);
    change_put_file(&b, added, true, "a \"b\n\377", 6, NULL, 0);
    CHECK_STR(b.data, "diff --git \"a/a \\\"b\\n\\377\" "
              "\"b/a \\\"b\\n\\377\"\nnew file mode 100644\n"
              "--- /dev/null\n+++ \"b/a \\\"b\\n\\377\"\t\n");
    buf_reset(&b);
    change_put_file(&b, both, false, "x", 1, "y", 1);
    CHECK_STR(b.data, "diff --git a/y b/x\nrename from y\nrename to x\n");
    buf_release(&b);
}

TEST(what_cannot_be_is_refused)
{
    static const char *const text[] = {
        "", "1 1", "- -\n", "01 1\n", "1  1\n", "1 2\n", "x 1\n",
        "0 1\n",                                   /* a line is nowhere */
        "- 1\n@@ -0,0 +1,1 @@\n",                  /* cut short */
        "- 1\n@@ -0,0 +1,1 @@\n+x",                /* no newline */
        "- 1\n@@ -0,0 +0,1 @@\n+x\n",              /* from line 0 */
        "- 1\n@@ -0,0 +2,1 @@\n+x\n",              /* beyond the end */
        "- 1\n@@ -0,0 +1,1 @@\n x\n",              /* kept of nothing */
        "- 1\n@@ -0,0 +1,1 @@\n+x\n+y\n",          /* one too many */
        "- 1\n@@ -0,0 +1,1@@\n+x\n",
        "- 1\n@@ -0,0 +1,1 @@ \n+x\n",             /* an empty scope */
        "- 1\n@@ -0,0 +1,1 @@f\n+x\n",
        "- 1\n@@ -0,0 +1,1 @@ " TEN TEN TEN TEN TEN TEN TEN TEN "x\n+x\n",
        "- 2\n@@ -0,0 +1,1 @@\n+x\n",              /* absent, not whole */
        "3 3\n@@ -1,1 +2,1 @@\n-x\n+y\n",          /* numbers differ */
        "3 3\n@@ -2,1 +2,1 @@\n-x\n+y\n@@ -1,1 +1,1 @@\n-x\n+y\n",
        "3 3\n@@ -2,0 +2,0 @@\n",                  /* empty hunk */
        "2 2\n@@ -1,1 +1,1 @@\n-x\n+y\n\\ No newline at end of file\n",
        "1 1\n@@ -1,1 +1,1 @@\n-x\n+y\n\\ No newline\n",
        "18446744073709551616 1\n",
        "9 9\n@@ -999999999999999999,9 +999999999999999999,9 @@\n x\n"
    };
    struct err e;
    size_t i;

    for (i = 0; i < sizeof(text) / sizeof(*text); i++) {
        if (!CHECK(decode(text[i], &e) == ERR_DATA))
            printf("  number %zu: %s\n", i, text[i]);
    }
}

/* Refused, or a change that is encoded as it was. */
static bool
refused_or_right(const char *p, size_t n)
{
    struct change c;
    struct buf b;
    struct err e;
    bool ok = true;

    change_init(&c);
    buf_init(&b);
    if (change_decode(&c, p, n, &e) == 0) {
        change_encode(&b, &c);
        ok = b.len == n && memcmp(b.data, p, n) == 0;
    }
    buf_release(&b);
    change_release(&c);
    return ok;
}

/* At every cut and with every bit turned. */
TEST(damage_is_never_more_than_an_error)
{
    static const char text[] =
        "6 7\n@@ -1,3 +1,4 @@\n a\n-b\n+B\n+bb\n c\n"
        "@@ -6,1 +7,1 @@\n-f\n+g\n\\ No newline at end of file\n";
    size_t n = strlen(text), i;
    struct err e;
    char *copy;
    int bit;

    CHECK(decode(text, &e) == 0);
    for (i = 0; i < n; i++) {
        copy = mem_dup(text, i);
        CHECK(refused_or_right(copy, i));
        free(copy);
        for (bit = 0; bit < 8; bit++) {
            copy = mem_dup(text, n);
            copy[i] = (char)(copy[i] ^ 1 << bit);
            CHECK(refused_or_right(copy, n));
            free(copy);
        }
    }
}

/* ---- edits between random texts ---- */

static uint32_t state = 1;

static uint32_t
draw(uint32_t below)
{
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
}

/* Lines over a few letters, the last sometimes without newline. */
static void
draw_text(struct buf *b, uint32_t max_lines)
{
    uint32_t n = draw(max_lines + 1), i, k;

    buf_reset(b);
    for (i = 0; i < n; i++) {
        for (k = draw(3); k > 0; k--)
            buf_addc(b, 'a' + (int)draw(3));
        if (i + 1 < n || draw(3) > 0)
            buf_addc(b, '\n');
    }
}

/* Changes some lines of a into b. */
static void
mutate(struct buf *b, const struct buf *a)
{
    const char *p = a->data, *end = p + a->len, *eol;

    buf_reset(b);
    for (; p < end; p = eol) {
        eol = memchr(p, '\n', (size_t)(end - p));
        eol = eol ? eol + 1 : end;
        if (draw(40) == 0)
            buf_addstr(b, "new\n");
        if (draw(40) != 0)
            buf_add(b, p, (size_t)(eol - p));
    }
}

static bool
agrees(struct edit_list *l, const struct buf *text, size_t context)
{
    struct change_text t[2];
    struct change c;
    struct buf b, view;
    struct err e;
    bool ok = true, too_hard;
    int s;

    for (s = 0; s < 2; s++) {
        t[s].p = text[s].data;
        t[s].n = text[s].len;
        t[s].n_lines = lines_count(text[s].data, text[s].len);
    }
    if (edit_list_make(l, t[0].p, t[0].n, t[0].n_lines, t[1].p, t[1].n,
                       &too_hard, &e) < 0 || too_hard) {
        printf("%s\n", too_hard ? "too hard" : e.text);
        return false;
    }
    if (l->n_lines[1] != t[1].n_lines)
        return false;
    change_init(&c);
    buf_init(&b);
    buf_init(&view);
    change_build(&b, &t[0], &t[1], l->edit, l->n, context);
    ok = change_decode(&c, b.data, b.len, &e) == 0;
    for (s = 0; ok && context == CHANGE_ALL && s < 2; s++) {
        buf_reset(&view);
        change_side(&view, &c, s);
        ok = view.len == t[s].n && memcmp(view.data, t[s].p, t[s].n) == 0;
    }
    buf_release(&b);
    buf_release(&view);
    change_release(&c);
    return ok;
}

TEST(edits_of_random_texts)
{
    struct buf text[2];
    struct edit_list l;
    int i;

    edit_list_init(&l);
    buf_init(&text[0]);
    buf_init(&text[1]);
    for (i = 0; i < 3000; i++) {
        draw_text(&text[0], i % 3 == 0 ? 300 : 8);
        if (i % 3 == 0)
            mutate(&text[1], &text[0]);
        else
            draw_text(&text[1], 8);
        CHECK(agrees(&l, text, CHANGE_ALL));
        CHECK(agrees(&l, text, (size_t)i % 5));
    }
    buf_release(&text[0]);
    buf_release(&text[1]);
    edit_list_release(&l);
}

static const struct test tests[] = {
    RUN(views_of_a_small_change), RUN(a_hunk_tells_what_it_is_in),
    RUN(a_scope_is_cut_as_git_cuts_it), RUN(absent_is_not_empty),
    RUN(names_in_a_diff_are_quoted_as_git_does),
    RUN(what_cannot_be_is_refused), RUN(damage_is_never_more_than_an_error),
    RUN(edits_of_random_texts)
};

TEST_MAIN("change", tests)
