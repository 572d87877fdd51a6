/* repo.c - globs, dates, languages, commits and trees by themselves. */
#include <string.h>

#include "repo/commit.h"
#include "repo/date.h"
#include "repo/glob.h"
#include "repo/lang.h"
#include "repo/tree.h"
#include "test.h"

static bool
matches(const char *pattern, const char *path)
{
    return glob_match(pattern, path, strlen(path));
}

TEST(globs_that_match)
{
    static const char *const pair[][2] = {
        {"*.c", "a.c"}, {"*.c", "src/deep/a.c"}, {"src", "src/a.c"},
        {"src/", "src/a.c"}, {"src/*.c", "src/a.c"}, {"**/a.c", "a.c"},
        {"**/a.c", "x/y/a.c"}, {"src/**/a.c", "src/a.c"},
        {"src/**/a.c", "src/x/y/a.c"}, {"src/**", "src/x/y"},
        {"/a.c", "a.c"}, {"a?c", "a.c"}, {"[a-c].c", "b.c"},
        {"[!a]", "b"}, {"[]]", "]"}, {"a[", "a["}, {"\\*", "*"},
        {"src/*/a", "src/x/a/below"}, {"**", "anything/at all"},
        {"a*b*c", "aXbYbZc"}, {"x/**/y/**/z", "x/1/y/2/y/3/z"},
        {"a**b", "a/x/b"}, {"*", ""}
    };
    size_t i;

    for (i = 0; i < sizeof(pair) / sizeof(*pair); i++) {
        if (!CHECK(matches(pair[i][0], pair[i][1])))
            printf("  %s should match %s\n", pair[i][0], pair[i][1]);
    }
}

TEST(globs_that_do_not)
{
    static const char *const pair[][2] = {
        {"*.c", "a.h"}, {"src/*.c", "src/x/a.c"}, {"src/*.c", "a.c"},
        {"/a.c", "src/a.c"}, {"src", "source/a.c"}, {"a?c", "a/c"},
        {"[a-c]", "d"}, {"[!a]", "a"}, {"src/", "src"}, {"a", ""},
        {"\\*", "x"}, {"**/a.c", "xa.c"}, {"src/**/a.c", "src/xa.c"},
        {"x/**/y", "x/1/2"}, {"", "a"}, {"[^/]x", "/x"}
    };
    size_t i;

    for (i = 0; i < sizeof(pair) / sizeof(*pair); i++) {
        if (!CHECK(!matches(pair[i][0], pair[i][1])))
            printf("  %s should not match %s\n", pair[i][0], pair[i][1]);
    }
}

/* Would take for ever if stars were tried in all ways. */
TEST(globs_take_no_time)
{
    char path[2001];

    memset(path, 'a', 2000);
    path[2000] = '\0';
    CHECK(!matches("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", path));
    CHECK(!matches("**a**a**a**a**a**a**a**a**a**a/b", path));
}

TEST(dates)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } good[] = {
        {"1970-01-01", 0}, {"2000-02-29", 951782400},
        {"2024-02-29T13:00:59", 1709211659},
        {"2024-02-29 13:00Z", 1709211600},
        {"2024-02-29T13:00+01:30", 1709206200},
        {"2024-02-29T13:00:00-0800", 1709240400},
        {"1969-12-31T23:59:59Z", -1}, {"0", 0}, {"@1700000000", 1700000000},
        {"-5", -5}, {"2024", 2024}, {"1900-03-01", -2203891200}
    };
    static const char *const bad[] = {
        "", "yesterday", "2023-02-29", "2024-13-01", "2024-1-1", "1e9",
        "2024-01-01T", "2024-01-01T25:00", "2024-01-01T10", "@", "-",
        "2024-01-01x", "99999999999999999999", "2024-01-01T10:00+1",
        "0000-01-01", "2024-00-10", "2024-01-01T10:00:00ZZ"
    };
    int64_t got;
    size_t i;

    for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
        got = 42;
        if (!CHECK(date_parse(good[i].text, &got) &&
                   got == good[i].seconds))
            printf("  %s: %lld\n", good[i].text, (long long)got);
    }
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (!CHECK(!date_parse(bad[i], &got)))
            printf("  %s\n", bad[i]);
    }
}

TEST(languages)
{
    static const char *const pair[][2] = {
        {"a.c", "c"}, {"x/y/a.py", "python"}, {"Makefile", "makefile"},
        {"x/Makefile", "makefile"}, {"A.PY", "python"}, {"a.C", "c++"},
        {"CMakeLists.txt", "cmake"}, {"a.txt", "text"}, {"go.mod", "go-module"}
    };
    static const char *const none[] = {"README", ".py", "x.py/a", "a.", ""};
    const char *got;
    size_t i;

    for (i = 0; i < sizeof(pair) / sizeof(*pair); i++) {
        got = lang_of_path(pair[i][0], strlen(pair[i][0]));
        CHECK_STR(got ? got : "none", pair[i][1]);
    }
    for (i = 0; i < sizeof(none) / sizeof(*none); i++)
        CHECK(lang_of_path(none[i], strlen(none[i])) == NULL);
}

#define HEX "0123456789abcdef0123456789abcdef01234567"

TEST(commits_are_taken_apart)
{
    static const char text[] =
        "tree " HEX "\nparent " HEX "\nparent " HEX "\n"
        "author A > B <a@b> 1 +0000\ncommitter C <c> 1700000000 +0100\n"
        "encoding latin-1\ngpgsig x\n author not this one\n\n"
        "\n  subject \n second line\n\n\nbody\n\n more  \n\n";
    struct commit c;
    struct span body;
    struct buf b;
    struct err e;

    buf_init(&b);
    if (CHECK(commit_parse(&c, text, strlen(text), &e) == 0)) {
        CHECK_EQ_U64(c.n_parents, 2);
        CHECK(c.time == 1700000000);
        CHECK(c.author.n == 11 && memcmp(c.author.p, "A > B <a@b>", 11) == 0);
        commit_subject(&b, c.message);
        CHECK_STR(b.data, "  subject  second line");
        body = commit_body(c.message);
        CHECK(body.n == 11 && memcmp(body.p, "body\n\n more", 11) == 0);
    }
    CHECK(commit_parse(&c, "tree x\n", 7, &e) == ERR_DATA);
    CHECK(commit_parse(&c, "", 0, &e) == ERR_DATA);
    CHECK(commit_parse(&c, "tree " HEX, 45, &e) == 0);
    CHECK(c.n_parents == 0 && c.author.n == 0 && c.message.n == 0);
    buf_release(&b);
}

TEST(tree_entries_are_read_with_care)
{
    static const char id[20] = "aaaaaaaaaaaaaaaaaaa";
    struct tree_entry entry;
    char text[64] = "";
    const char *p;
    size_t n, cut;

    n = (size_t)snprintf(text, sizeof(text), "100644 name") + 1;
    memcpy(text + n, id, 20);
    n += 20;
    p = text;
    CHECK(tree_next(&p, text + n, &entry) && p == text + n);
    CHECK(entry.mode == 0100644 && entry.name_len == 4);
    for (cut = 0; cut < n; cut++) {
        p = text;
        CHECK(!tree_next(&p, text + cut, &entry) && p == text);
    }
    memcpy(text, "100844 name", 11);
    p = text;
    CHECK(!tree_next(&p, text + n, &entry));
}

static const struct test tests[] = {
    RUN(globs_that_match), RUN(globs_that_do_not), RUN(globs_take_no_time),
    RUN(dates), RUN(languages), RUN(commits_are_taken_apart),
    RUN(tree_entries_are_read_with_care)
};

TEST_MAIN("repo", tests)
