/* record_split.c - what is held out: by time and by group. */
#include "record/split.h"

#include "base/mem.h"
#include "record/tokens.h"

#include <stdlib.h>

#include "test.h"

/* Gives the split a token record of n ids. */
static void
add_tokens(struct split *s, uint64_t ordinal, uint64_t group, size_t n)
{
    struct tokens_origin origin = {.ordinal = ordinal, .group = group};
    uint32_t *ids = mem_array(n, sizeof(*ids));
    struct buf b;
    struct err e;

    buf_init(&b);
    CHECK(tokens_encode(&b, &origin, ids, NULL, n, 0, &e) == 0);
    CHECK(split_record(s, b.data, b.len, &e) == 0);
    buf_release(&b);
    free(ids);
}

/* The ranges of a split as text: "0-3 5-6 (TOKENS)". */
static const char *
ranges(const struct manifest *m, const char *name)
{
    static char text[4096];
    const struct set_split *s = manifest_split(m, name);
    size_t i, at = 0;

    text[0] = '\0';
    for (i = 0; s && i < s->n && at < sizeof(text) - 60; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at,
                               "%" PRIu64 "-%" PRIu64 " ",
                               s->range[i].begin, s->range[i].end);
    if (s)
        snprintf(text + at, sizeof(text) - at, "(%" PRIu64 ")", s->tokens);
    return text;
}

/* A set of one segment: commit i has sizes[i] records of one id each. */
static void
by_time(struct manifest *m, double val, double test, const char *sizes)
{
    struct split s = {.by = SPLIT_BY_TIME, .val = val, .test = test};
    uint64_t i;
    int k;

    manifest_init(m, "tokens");
    split_begin(&s, "tokens", 0, m);
    for (i = 0; sizes[i]; i++) {
        if (sizes[i] == '|')
            split_end_segment(&s);
        for (k = sizes[i] - '0'; k > 0 && sizes[i] != '|'; k--)
            add_tokens(&s, i, 0, 1);
    }
    split_end_segment(&s);
    split_end(&s);
    split_release(&s);
}

TEST(the_last_commits_are_tested_on)
{
    static const struct {
        double val, test;
        const char *sizes, *train, *vals, *tests;
    } rows[] = {
        {0.2, 0.2, "1111111111", "0-6 (6)", "6-8 (2)", "8-10 (2)"},
        {0, 0, "111", "0-3 (3)", "", ""},
        {0, 0.5, "1111", "0-2 (2)", "", "2-4 (2)"},
        {0.5, 0, "1111", "0-2 (2)", "2-4 (2)", ""},
        /* never within a commit, the nearest boundary */
        {0, 0.1, "19", "0-1 (1)", "", "1-10 (9)"},
        {0, 0.3, "5221", "0-7 (7)", "", "7-10 (3)"},
        {0, 0.25, "4222", "0-8 (8)", "", "8-10 (2)"},
        {0, 0.35, "55", "0-5 (5)", "", "5-10 (5)"},
        /* a part that was asked for is not empty if that can be */
        {0.01, 0.01, "111", "0-1 (1)", "1-2 (1)", "2-3 (1)"},
        {0.01, 0.01, "11", "0-1 (1)", "", "1-2 (1)"},
        {0.01, 0.01, "3", "0-3 (3)", "", ""},
        {0.01, 0.01, "", "", "", ""},
        {0.4, 0.4, "9111", "0-9 (9)", "9-10 (1)", "10-12 (2)"},
        /* each segment has its own end */
        {0, 0.5, "11|1111", "0-1 2-4 (3)", "", "1-2 4-6 (3)"},
    };
    struct manifest m;
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        by_time(&m, rows[i].val, rows[i].test, rows[i].sizes);
        if (!(CHECK_STR(ranges(&m, "train"), rows[i].train) &
              CHECK_STR(ranges(&m, "val"), rows[i].vals) &
              CHECK_STR(ranges(&m, "test"), rows[i].tests)))
            printf("  sizes %s\n", rows[i].sizes);
        manifest_release(&m);
    }
}

/* Gives the split a text record of a commit. */
static void
add_commit(struct split *s, const char *repo, int ordinal)
{
    struct text_rec r;
    struct buf b;
    struct err e;
    char n[24];

    text_init(&r);
    buf_init(&b);
    snprintf(n, sizeof(n), "%d", ordinal);
    text_begin(&r, TEXT_COMMIT);
    text_add_str(&r, "repo", repo);
    text_add_str(&r, "ordinal", n);
    text_add_str(&r, "commit", n);
    CHECK(text_encode(&b, &r, &e) == 0);
    CHECK(split_record(s, b.data, b.len, &e) == 0);
    buf_release(&b);
    text_release(&r);
}

/* Commits 0 to 9 of repositories a and b: "a0", and '|' ends a segment. */
TEST(each_history_has_an_end_that_is_tested_on)
{
    static const struct {
        const char *stream, *train, *tests;
    } rows[] = {
        {"a0a1a2a3b0b1b2b3", "0-2 4-6 (0)", "2-4 6-8 (0)"},
        {"a0a1b2b3b4b5", "0-1 2-4 (0)", "1-2 4-6 (0)"},
        {"a0a1a2a3a0a1a2a3", "0-2 4-6 (0)", "2-4 6-8 (0)"},
        {"a0a1|a2a3|a3a4", "0-3 (0)", "3-6 (0)"},
        {"a0a1|a0a1", "0-1 2-3 (0)", "1-2 3-4 (0)"},
        {"a0a1|b2b3", "0-1 2-3 (0)", "1-2 3-4 (0)"},
    };
    struct manifest m;
    const char *p;
    char repo[2] = "";

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct split s = {.by = SPLIT_BY_TIME, .test = 0.4};

        manifest_init(&m, "text");
        split_begin(&s, "text", 0, &m);
        for (p = rows[i].stream; *p; p++) {
            if (*p == '|')
                split_end_segment(&s);
            else if (*p >= 'a')
                repo[0] = *p;
            else
                add_commit(&s, repo, *p - '0');
        }
        split_end_segment(&s);
        split_end(&s);
        split_release(&s);
        if (!(CHECK_STR(ranges(&m, "train"), rows[i].train) &
              CHECK_STR(ranges(&m, "test"), rows[i].tests)))
            printf("  stream %s\n", rows[i].stream);
        manifest_release(&m);
    }
}

/* 200 commits of four files each out of 50 groups, split by group. */
static uint64_t
by_group(struct manifest *m, uint64_t seed, uint64_t n)
{
    struct split s = {.by = SPLIT_BY_GROUP, .val = 0.1, .test = 0.2,
                      .seed = seed};
    uint64_t i, dropped;

    manifest_init(m, "tokens");
    split_begin(&s, "tokens", 0, m);
    for (i = 0; i < n; i++)
        add_tokens(&s, i / 4, i * 7 % 50, 1 + i % 3);
    split_end_segment(&s);
    split_end(&s);
    dropped = s.n_dropped;
    split_release(&s);
    return dropped;
}

/* The split of record i: 't', 'v', 'e' (test) or '-'. */
static void
sides(char *side, size_t n, const struct manifest *m)
{
    static const char *const name[] = {"train", "val", "test"};
    const struct set_split *s;
    size_t k, r;
    uint64_t i;

    memset(side, '-', n);
    for (k = 0; k < 3; k++) {
        s = manifest_split(m, name[k]);
        for (r = 0; s && r < s->n; r++)
            for (i = s->range[r].begin; i < s->range[r].end; i++) {
                CHECK(side[i] == '-');
                side[i] = "tve"[k];
            }
    }
}

TEST(groups_stay_whole_and_their_commits_are_not_trained_on)
{
    char side[800], of_group[50] = {0};
    uint64_t dropped, found = 0, i, k, held;
    struct manifest m;

    dropped = by_group(&m, 1, 800);
    sides(side, 800, &m);
    for (i = 0; i < 800; i++) {
        if (side[i] == '-') {
            found++;
            for (held = 0, k = i / 4 * 4; k < i / 4 * 4 + 4; k++)
                held += side[k] == 'v' || side[k] == 'e';
            CHECK(held > 0);
        } else if (of_group[i * 7 % 50]) {
            CHECK(of_group[i * 7 % 50] == side[i]);
        } else {
            of_group[i * 7 % 50] = side[i];
        }
    }
    CHECK(found > 0 && manifest_split(&m, "val")
          && manifest_split(&m, "test") && manifest_split(&m, "train"));
    CHECK_EQ_U64(found, dropped);
    manifest_release(&m);
}

TEST(adding_records_changes_no_side_and_another_seed_does)
{
    char a[800], b[800], c[800];
    struct manifest m;

    by_group(&m, 1, 800);
    sides(a, 800, &m);
    manifest_release(&m);
    memset(b, 0, sizeof(b));
    by_group(&m, 1, 400);
    sides(b, 400, &m);
    manifest_release(&m);
    by_group(&m, 2, 800);
    sides(c, 800, &m);
    manifest_release(&m);
    CHECK(memcmp(a, b, 400) == 0);
    CHECK(memcmp(a, c, 800) != 0);
}

TEST(a_renamed_file_keeps_its_group)
{
    static const char *const path[] = {"a", "b", "c", "b", "d", "d"};
    static const char *const old[] = {NULL, "a", "b", NULL, NULL, "c"};
    struct group_key key;
    struct groups g;
    struct text_rec r;
    struct buf b;
    struct err e;
    uint64_t group[6];
    int i;

    groups_init(&g);
    text_init(&r);
    buf_init(&b);
    for (i = 0; i < 6; i++) {
        text_begin(&r, TEXT_COMMIT);
        text_add_str(&r, "repo", "x");
        text_add_str(&r, "path", path[i]);
        text_add_str(&r, "old_path", old[i]);
        buf_reset(&b);
        CHECK(text_encode(&b, &r, &e) == 0);
        key = group_key_of(&r, b.data, b.len);
        group[i] = groups_next(&g, &key);
    }
    CHECK(group[0] == group[1] && group[1] == group[2]);
    CHECK(group[3] == group[2] && group[4] != group[0]);
    CHECK(group[5] == group[0]);
    groups_release(&g);
    text_release(&r);
    buf_release(&b);
}

static const struct test tests[] = {
    RUN(the_last_commits_are_tested_on),
    RUN(each_history_has_an_end_that_is_tested_on),
    RUN(groups_stay_whole_and_their_commits_are_not_trained_on),
    RUN(adding_records_changes_no_side_and_another_seed_does),
    RUN(a_renamed_file_keeps_its_group),
};

TEST_MAIN("record_split", tests)
