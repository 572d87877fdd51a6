/* record_split.c - what is held out: by time and by group. */
#include "record/split.h"

#include "base/mem.h"
#include "record/tokens.h"

#include <math.h>
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

/* A history of n commits: most of one file, some of a few; files have numbers
 * that follow a rule, of which some are many a commit's and most few's. */
static size_t
history(uint64_t *ordinal, uint64_t *group, size_t n)
{
    size_t i, k, files, records = 0;

    for (i = 0; i < n; i++) {
        files = i * 7 % 5 < 3 ? 1 : i * 11 % 4 + 1;
        for (k = 0; k < files; k++) {
            ordinal[records] = i;
            group[records++] = (i * i + 3 * k) % (i % 3 ? 97 : 7);
        }
    }
    return records;
}

/* It, split by group: how many records are in no split. */
static uint64_t
by_group(struct manifest *m, uint64_t seed, const uint64_t *ordinal,
         const uint64_t *group, size_t n, double val, double test)
{
    struct split s = {.by = SPLIT_BY_GROUP, .val = val, .test = test,
                      .seed = seed};
    uint64_t i, dropped;

    manifest_init(m, "tokens");
    split_begin(&s, "tokens", 0, m);
    for (i = 0; i < n; i++)
        add_tokens(&s, ordinal[i], group[i], 1 + i % 3);
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

#define COMMITS 2000

static bool
is_held(char side)
{
    return side == 'v' || side == 'e';
}

/* No group is on two sides, no commit both trained on and held out, and a
 * record that is in no split has one of its commit on the other side. */
static void
check_sides(const char *side, const uint64_t *ordinal, const uint64_t *group,
            size_t n)
{
    char of_group[97] = {0};
    bool trained[COMMITS] = {false}, held[COMMITS] = {false};
    size_t i;

    for (i = 0; i < n; i++) {
        if (side[i] == '-')
            continue;
        CHECK(!of_group[group[i]] || of_group[group[i]] == side[i]);
        of_group[group[i]] = side[i];
        trained[ordinal[i]] |= side[i] == 't';
        held[ordinal[i]] |= is_held(side[i]);
    }
    for (i = 0; i < n; i++) {
        CHECK(!(trained[ordinal[i]] && held[ordinal[i]]));
        CHECK(side[i] != '-' || trained[ordinal[i]] || held[ordinal[i]]);
    }
}

TEST(groups_stay_whole_and_commits_are_on_one_side)
{
    static const struct {
        double val, test;
    } share[] = {{0.05, 0.05}, {0.1, 0}, {0, 0.02}, {0, 0}, {0.2, 0.3}};
    static uint64_t ordinal[COMMITS * 4], group[COMMITS * 4];
    static char side[COMMITS * 4];
    size_t n = history(ordinal, group, COMMITS), i, k;
    struct manifest m;
    double got[2];
    uint64_t dropped, seed;

    for (i = 0; i < 4 * sizeof(share) / sizeof(*share); i++) {
        k = i / 4;
        seed = i % 4;
        dropped = by_group(&m, seed, ordinal, group, n, share[k].val,
                           share[k].test);
        sides(side, n, &m);
        manifest_release(&m);
        check_sides(side, ordinal, group, n);
        CHECK(dropped * 20 <= n);
        got[0] = got[1] = 0;
        for (size_t r = 0; r < n; r++) {
            got[0] += side[r] == 'v';
            got[1] += side[r] == 'e';
            dropped -= side[r] == '-';
        }
        CHECK_EQ_U64(dropped, 0);
        got[0] -= share[k].val * (double)n;
        got[1] -= share[k].test * (double)n;
        if (!CHECK(fabs(got[0]) + fabs(got[1]) < 0.02 * (double)n))
            printf("  %zu: %g %g of %zu\n", i, got[0], got[1], n);
    }
}

TEST(a_split_by_group_is_the_same_each_time_and_another_by_another_seed)
{
    static uint64_t ordinal[COMMITS * 4], group[COMMITS * 4];
    static char a[COMMITS * 4], b[COMMITS * 4], c[COMMITS * 4];
    size_t n = history(ordinal, group, COMMITS);
    struct manifest m;

    by_group(&m, 1, ordinal, group, n, 0.1, 0.05);
    sides(a, n, &m);
    manifest_release(&m);
    by_group(&m, 1, ordinal, group, n, 0.1, 0.05);
    sides(b, n, &m);
    manifest_release(&m);
    by_group(&m, 2, ordinal, group, n, 0.1, 0.05);
    sides(c, n, &m);
    manifest_release(&m);
    CHECK(memcmp(a, b, n) == 0);
    CHECK(memcmp(a, c, n) != 0);
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
        key = group_key_of(&r, b.data, b.len, NULL);
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
    RUN(groups_stay_whole_and_commits_are_on_one_side),
    RUN(a_split_by_group_is_the_same_each_time_and_another_by_another_seed),
    RUN(a_renamed_file_keeps_its_group),
};

TEST_MAIN("record_split", tests)
