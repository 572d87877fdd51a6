/* repo.c - globs, dates, languages, commits and trees by themselves. */
#include <string.h>

#include "repo/commit.h"
#include "repo/date.h"
#include "repo/effort.h"
#include "repo/glob.h"
#include "repo/lang.h"
#include "repo/salt.h"
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
        int64_t first, length;
    } good[] = {
        {"1970-01-01", 0, 86400}, {"2000-02-29", 951782400, 86400},
        {"2024-02-29T13:00:59", 1709211659, 1},
        {"2024-02-29 13:00Z", 1709211600, 60},
        {"2024-02-29T13:00+01:30", 1709206200, 60},
        {"2024-02-29T13:00:00-0800", 1709240400, 1},
        {"1969-12-31T23:59:59Z", -1, 1}, {"@0", 0, 1},
        {"@1700000000", 1700000000, 1}, {"1700000000", 1700000000, 1},
        {"100000000", 100000000, 1}, {"@-5", -5, 1}, {"@20240131", 20240131, 1},
        {"1900-03-01", -2203891200, 86400}, {"2024-02-29Z", 1709164800, 86400},
        {"2024", 1704067200, 366 * 86400}, {"1970", 0, 365 * 86400},
        {"2024-02", 1706745600, 29 * 86400},
        {"2023-12", 1701388800, 31 * 86400}, {"1970-01", 0, 31 * 86400}
    };
    static const char *const bad[] = {
        "", "yesterday", "2023-02-29", "2024-13-01", "2024-1-1", "1e9",
        "2024-01-01T", "2024-01-01T25:00", "2024-01-01T10", "@", "-",
        "2024-01-01x", "99999999999999999999", "2024-01-01T10:00+1",
        "0000-01-01", "2024-00-10", "2024-01-01T10:00:00ZZ", "0", "-5",
        "20240131", "202401", "0000", "2024-", "2024-00", "2024-13",
        "2024-1", "2024-01-", "2024Z", "2024-01Z", "24", "24-01-31",
        "2024/01/31", "2024.01.31", "12345", "now", "@@5"
    };
    struct date got;
    size_t i;

    for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
        got.first = got.last = 42;
        if (!CHECK(date_parse(good[i].text, &got)
                   && got.first == good[i].first
                   && got.last == got.first + good[i].length - 1))
            printf("  %s: %lld to %lld\n", good[i].text,
                   (long long)got.first, (long long)got.last);
    }
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (!CHECK(!date_parse(bad[i], &got)))
            printf("  %s\n", bad[i]);
    }
}

TEST(languages)
{
    static const struct {
        const char *path, *text, *lang;
    } file[] = {
        {"a.c", "", "c"}, {"x/y/a.py", "", "python"},
        {"Makefile", "", "makefile"}, {"x/Makefile", NULL, "makefile"},
        {"A.PY", "", "python"}, {"a.C", "", "c++"}, {"a.t", "", "perl"},
        {"CMakeLists.txt", "", "cmake"}, {"a.txt", "", "text"},
        {"go.mod", "", "go-module"}, {"README", "", "text"},
        {"LICENSE.GPL", "", "text"}, {".gitignore", "", "gitignore"},
        {"x/config.h.in", "", "c"}, {"Makefile.in", "", "makefile"},
        {"Dockerfile.arm", "", "dockerfile"}, {"a.sh.j2", "", "shell"},
        /* a known name is believed */
        {"a.c", "#!/bin/sh\n", "c"}, {"a.txt", "<?xml", "text"},
        {"run", "#!/bin/sh\n", "shell"}, {"run", "#!/bin/sh", "shell"},
        {"run", "#! /usr/bin/env python3.11 -u\n", "python"},
        {"run", "#!/usr/bin/env -S A=b node --x\r\n", "javascript"},
        {"run", "#!/opt/x/bin/perl5.8.0 -w\n", "perl"},
        {"run.in", "#!@PYTHON@\n# -*- python -*-\n", "python"},
        {"run", "#!/usr/bin/tclsh8.6\n", "tcl"},
        {"x.j2", "{{ x }}", "jinja"}, {"x.html.j2", "", "html"},
        {"x", "// -*- mode: C++; tab-width: 4 -*-\n", "c++"},
        {"x", "/* -*- coding: utf-8; Mode: c -*- */\n", "c"},
        {"x", "a\nb\n\n\n\n\n# vim: set ts=4 ft=ruby et:\n", "ruby"},
        {"x", "# vi: syntax=make\n", "makefile"},
        {"x", "<?xml version=\"1.0\"?>\n<a/>", "xml"},
        {"x", "\xef\xbb\xbf<?xml version=\"1.0\"?>\n<svg/>", "svg"},
        {"x", "<!DOCTYPE HTML>\n", "html"}, {"x", "<?php\n", "php"},
        {"x", "%!PS-Adobe", "postscript"}, {"x", "{\n \"a\": 1}", "json"},
        {"x", "diff --git a/x b/x\n", "diff"},
        {"x", "--- a\n+++ b\n", "diff"},
        {"x.1", ".TH X 1\n", "troff"}, {"x.3pm", ".de Sp\n", "troff"},
        {"x.8.in", ".SH NAME\n", "troff"}, {"x.1", "'\\\" t\n", "troff"},
        {".py", "", NULL}, {"x.py/a", "", NULL}, {"a.", "", NULL},
        {"", "", NULL}, {"x.1", "1.0 2.0\n", NULL}, {"x.1", NULL, NULL},
        {"x", "#!\n", NULL}, {"x", "#!/usr/bin/env\n", NULL},
        {"x", "#!/bin/what\n", NULL}, {"x", "-*-", NULL},
        {"x", "-*- -*-", NULL}, {"x", "vim: ft=", NULL}, {"x", "{", NULL},
        {"x.in", "", NULL}, {"x.in.in.in.in.in", "", NULL}
    };
    const char *got;
    size_t i;

    for (i = 0; i < sizeof(file) / sizeof(*file); i++) {
        got = lang_of(file[i].path, strlen(file[i].path), file[i].text,
                      file[i].text ? strlen(file[i].text) : 0);
        if (!CHECK_STR(got ? got : "none", file[i].lang ? file[i].lang
                                                        : "none"))
            printf("  %s: %s\n", file[i].path, file[i].text);
    }
}

#define LONG 600000 /* lines; twice as many are beyond what is cheap */

/* Lines of which at most n_kinds differ, in a random order. */
static void
random_lines(struct buf *b, uint64_t seed, uint64_t n_kinds)
{
    size_t i;

    buf_reset(b);
    for (i = 0; i < LONG; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        buf_addf(b, "%06u\n", (unsigned)((seed >> 33) % n_kinds));
    }
}

static bool
bearable(const struct buf *before, const struct buf *after)
{
    const struct effort_text side[2] = {
        {before->data, before->len, before->len / 7},
        {after->data, after->len, after->len / 7}
    };

    return effort_bearable(side);
}

/* Long texts are compared where they are nearly the same or wholly
 * different, and not where each has the lines of the other elsewhere. */
TEST(effort_is_bounded)
{
    struct buf a, b;
    size_t i;

    buf_init(&a);
    buf_init(&b);
    random_lines(&a, 1, 1000);
    random_lines(&b, 2, 1000);
    CHECK(!bearable(&a, &b));
    a.len = b.len = 7 * LONG / 2;
    CHECK(bearable(&a, &b));
    random_lines(&a, 1, 1000);
    buf_reset(&b);
    buf_add(&b, a.data, a.len);
    CHECK(bearable(&a, &b));
    for (i = 0; i < 300; i++) /* 600 edits of the 894 that may be */
        memcpy(b.data + 7 * (LONG / 300 * i), "edited", 6);
    CHECK(bearable(&a, &b));
    for (i = 0; i < 600; i++)
        memcpy(b.data + 7 * (LONG / 600 * i), "edited", 6);
    CHECK(!bearable(&a, &b));
    for (i = 0; i < b.len; i += 7)
        b.data[i] = 'x';
    CHECK(bearable(&a, &b));
    buf_reset(&b);
    CHECK(bearable(&a, &b) && bearable(&b, &a));
    buf_release(&a);
    buf_release(&b);
}

/* Each line goes on with something that depends on all of it. */
TEST(salted_lines_stay_what_they_are)
{
    static const char text[] = "a\n\tb\na\n\n \t\n\n\ta";
    const char *p, *end, *line[8];
    struct buf b;
    size_t n[8], i;

    buf_init(&b);
    salt_lines(&b, text, strlen(text));
    p = b.data;
    for (i = 0; i < 7; i++, p = end + 1) {
        end = memchr(p, '\n', (size_t)(b.data + b.len - p));
        if (!CHECK(i == 6 ? !end : end != NULL))
            break;
        end = end ? end : b.data + b.len;
        line[i] = p;
        n[i] = (size_t)(end - p);
    }
    if (i == 7) {
        CHECK(n[0] == 17 && n[2] == 17 && !memcmp(line[0], line[2], 17));
        CHECK(n[1] == 18 && !memcmp(line[1], "\tb", 2));
        CHECK(n[6] == 18 && !memcmp(line[6], "\ta", 2));
        CHECK(n[3] == 64 && n[5] == 64 && !memcmp(line[3], line[5], 64));
        CHECK(strspn(line[3], "\f\v") == 64);
        CHECK(n[4] == 66 && !memcmp(line[4], " \t", 2));
        CHECK(strspn(line[4] + 2, "\f\v") == 64);
        CHECK(memcmp(line[4] + 2, line[3], 64) != 0);
        CHECK(memcmp(line[0] + 1, line[1] + 2, 16) != 0);
    }
    salt_lines(&b, "", 0);
    CHECK(b.len == 0);
    buf_release(&b);
}

#define HEX "0123456789abcdef0123456789abcdef01234567"
#define BODY "body\n\n more  \n\n"

TEST(commits_are_taken_apart)
{
    static const char text[] =
        "tree " HEX "\nparent " HEX "\nparent " HEX "\n"
        "author A > B <a@b> 1 +0000\ncommitter C <c> 1700000000 +0100\n"
        "encoding latin-1\ngpgsig x\n author not this one\n\n"
        "\n  subject \n second line\n\n\n" BODY;
    /* Passed over, these would make a root of the commit. */
    static const char *const odd[] = {
        "tree " HEX "\nparent  " HEX "\nauthor A <a> 1 +0\n\n",
        "tree " HEX "\nparent " HEX "\r\nauthor A <a> 1 +0\n\n",
        "tree " HEX "\nparent " HEX "00\nauthor A <a> 1 +0\n\n",
        "tree " HEX "\nparent\t" HEX "\nauthor A <a> 1 +0\n\n",
        "tree " HEX "\nParent " HEX "\nauthor A <a> 1 +0\n\n",
        "tree " HEX "\n parent " HEX "\nauthor A <a> 1 +0\n\n",
        "tree " HEX "\nparent " HEX "\nparent x\nauthor A <a> 1 +0\n\n",
        "tree " HEX "\nauthor A <a> 1 +0\nparent " HEX "\n\n",
        "tree " HEX "\nparent"
    };
    struct commit c;
    struct span body;
    struct buf b;
    struct err e;
    size_t i;

    buf_init(&b);
    if (CHECK(commit_parse(&c, text, strlen(text), &e) == 0)) {
        CHECK_EQ_U64(c.n_parents, 2);
        CHECK(c.time == 1700000000);
        CHECK(c.author.n == 11 && memcmp(c.author.p, "A > B <a@b>", 11) == 0);
        commit_subject(&b, c.message);
        CHECK_STR(b.data, "  subject  second line");
        body = commit_body(c.message);
        CHECK(body.n == strlen(BODY) && memcmp(body.p, BODY, body.n) == 0);
        CHECK(c.encoding.n == 7 && memcmp(c.encoding.p, "latin-1", 7) == 0);
    }
    CHECK(commit_parse(&c, "tree x\n", 7, &e) == ERR_DATA);
    for (i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
        if (!CHECK(commit_parse(&c, odd[i], strlen(odd[i]), &e) ==
                   ERR_DATA))
            printf("  %s\n", odd[i]);
    }
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
    RUN(dates), RUN(languages), RUN(effort_is_bounded),
    RUN(salted_lines_stay_what_they_are),
    RUN(commits_are_taken_apart), RUN(tree_entries_are_read_with_care)
};

TEST_MAIN("repo", tests)
