/* card.c - text of anybody's in a card, and whether a program ran. */
#include "record/card_parts.h"

#include <string.h>

#include "test.h"

TEST(what_markdown_would_obey_is_escaped)
{
    static const struct {
        const char *text, *want;
    } row[] = {
        {"plain-1.0 text, x=y", "plain-1.0 text, x=y"},
        {"a|b<c>&", "a&#124;b&#60;c&#62;&#38;"},
        {"`*_[]()", "\\`\\*\\_\\[\\]\\(\\)"},
        {"#!~$:{}", "\\#\\!\\~\\$\\:\\{\\}"},
        {"a\nb\x1b\x7f", "a\\\\x0ab\\\\x1b\\\\x7f"},
        {"\xff\xc3\xa9\xc3", "\\\\xff\xc3\xa9\\\\xc3"},
        {"\xe2\x80\xae\xc2\x85", "\\\\u\\{202e\\}\\\\u\\{85\\}"},
        {"", ""},
    };
    struct buf b;

    buf_init(&b);
    for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
        buf_reset(&b);
        card_puts(&b, row[i].text);
        CHECK_STR(b.data, row[i].want);
    }
    buf_release(&b);
}

TEST(long_text_is_cut)
{
    char text[300];
    struct buf b;

    memset(text, 'x', sizeof(text));
    buf_init(&b);
    card_put(&b, text, sizeof(text));
    CHECK_EQ_U64(b.len, 160 + 3);
    buf_reset(&b);
    card_put(&b, text, 160);
    CHECK_EQ_U64(b.len, 160);
    buf_reset(&b);
    card_put_yaml(&b, "a\"b\n", 4);
    CHECK_STR(b.data, "\"a\\\"b\\\\x0a\"");
    buf_release(&b);
}

TEST(days_have_names_as_far_as_years_have_four_digits)
{
    static const struct {
        int64_t at;
        const char *want;
    } row[] = {
        {0, "1970-01-01"}, {-1, "1969-12-31"}, {951782400, "2000-02-29"},
        {253402300799, "9999-12-31"}, {253402300800, "@253402300800"},
        {INT64_MIN, "@-9223372036854775808"},
        {INT64_MAX, "@9223372036854775807"},
    };
    struct buf b;

    buf_init(&b);
    for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
        buf_reset(&b);
        card_put_day(&b, row[i].at);
        CHECK_STR(b.data, row[i].want);
    }
    buf_release(&b);
}

/* What is told of scrub by these lines of provenance. */
static enum card_ran
ran(const char *lines, const char *ledger)
{
    struct manifest m;
    const char *line;
    enum card_ran r;
    size_t n;
    char one[64];

    manifest_init(&m, "text");
    for (; *lines; lines += n + (lines[n] == ',')) {
        n = strcspn(lines, ",");
        memcpy(one, lines, n);
        one[n] = '\0';
        stream_head_prov(&m.head, one);
    }
    if (ledger)
        ledger_add(&m.ledger, ledger, "x", 1);
    r = card_ran(&m, "scrub", &line);
    CHECK(!line || strncmp(line, "scrub ", 6) == 0);
    manifest_release(&m);
    return r;
}

TEST(a_program_ran_over_all_or_it_is_said)
{
    CHECK(ran("", NULL) == CARD_UNKNOWN);
    CHECK(ran("shard 1", NULL) == CARD_UNKNOWN);
    CHECK(ran("gitscrape 1,shard 1", NULL) == CARD_NOT);
    CHECK(ran("gitscrape 1,scrubs 1,shard 1", NULL) == CARD_NOT);
    CHECK(ran("gitscrape 1,scrub 1 a=b,shard 1", NULL) == CARD_RAN);
    CHECK(ran("gitscrape 1,fromjsonl 1,scrub 1,shard 1", NULL) == CARD_RAN);
    CHECK(ran("gitscrape 1,scrub 1,gitscrape 1 x=y,shard 1", NULL)
          == CARD_PARTLY);
    CHECK(ran("gitscrape 1,scrub 1,gitscrape 2,scrub 1,shard 1", NULL)
          == CARD_RAN);
    CHECK(ran("scrub 1,shard 1", NULL) == CARD_PARTLY);
    CHECK(ran("not-recorded,shard 1", NULL) == CARD_UNKNOWN);
    CHECK(ran("not-recorded,scrub 1,shard 1", NULL) == CARD_RAN);
    CHECK(ran("shard 1", "scrub") == CARD_PARTLY);
    CHECK(ran("gitscrape 1,shard 1", "dedup") == CARD_NOT);
}

static const struct test tests[] = {
    RUN(what_markdown_would_obey_is_escaped),
    RUN(long_text_is_cut),
    RUN(days_have_names_as_far_as_years_have_four_digits),
    RUN(a_program_ran_over_all_or_it_is_said),
};

TEST_MAIN("card", tests)
