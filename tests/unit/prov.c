/* prov.c - lines of provenance: their options, and chains that are joined. */
#include "record/prov.h"

#include <string.h>

#include "base/word.h"
#include "test.h"

TEST(options_are_found_by_their_whole_names)
{
    const char *line = "gitscrape 1.0 xrepo=1 repo=a%20b%zz%4 revision=";
    struct buf b;

    buf_init(&b);
    CHECK(prov_option(line, "repo", &b));
    CHECK_STR(b.data, "a b%zz%4");
    buf_reset(&b);
    CHECK(prov_option(line, "revision", &b));
    CHECK_STR(b.data, "");
    CHECK(!prov_option(line, "rep", &b));
    CHECK(!prov_option(NULL, "repo", &b));
    CHECK(!prov_option("gitscrape", "repo", &b));
    buf_release(&b);
}

TEST(any_bytes_are_a_word_and_come_back)
{
    char bytes[256];
    struct buf word, back;

    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    buf_init(&word);
    buf_init(&back);
    word_put(&word, bytes, sizeof(bytes));
    for (size_t i = 0; i < word.len; i++)
        CHECK(word.data[i] > ' ' && word.data[i] < 127);
    word_take(&back, word.data, word.len);
    CHECK_EQ_U64(back.len, sizeof(bytes));
    CHECK(memcmp(back.data, bytes, sizeof(bytes)) == 0);
    buf_release(&word);
    buf_release(&back);
}

/* *h becomes the head with these lines, parted by commas. */
static void
head_of(struct stream_head *h, const char *lines)
{
    char one[64];
    size_t n;

    stream_head_init(h, "text");
    for (; *lines; lines += n + (lines[n] == ',')) {
        n = strcspn(lines, ",");
        memcpy(one, lines, n);
        one[n] = '\0';
        stream_head_prov(h, one);
    }
}

TEST(chains_are_joined_by_what_they_went_through)
{
    static const struct {
        const char *to, *from, *want;
    } row[] = {
        {"", "", ""},
        {"gitscrape a,scrub", "gitscrape a,scrub", "gitscrape a,scrub"},
        {"gitscrape a,scrub", "gitscrape b,scrub",
         "gitscrape a,gitscrape b,scrub"},
        {"gitscrape a,scrub", "gitscrape b",
         "gitscrape a,scrub,gitscrape b"},
        {"gitscrape a,scrub,gitscrape b", "gitscrape c,scrub",
         "gitscrape a,gitscrape c,scrub,gitscrape b"},
        {"gitscrape a,scrub,gitscrape b", "gitscrape c",
         "gitscrape a,scrub,gitscrape b,gitscrape c"},
        {"gitscrape a,gitscrape b,scrub", "gitscrape b,scrub",
         "gitscrape a,gitscrape b,scrub"},
        {"gitscrape a", "", "gitscrape a,not-recorded"},
        {"", "gitscrape a,scrub", "gitscrape a,scrub,not-recorded"},
        {"scrub", "gitscrape a,scrub", "not-recorded,gitscrape a,scrub"},
        {"gitscrape a", "gitscrape b,scrub",
         "gitscrape b,scrub,gitscrape a"},
        {"gitscrape b,scrub,gitscrape a", "fromjsonl,tokenize",
         "gitscrape b,scrub,fromjsonl,tokenize,gitscrape a"},
        {"gitscrape a,scrub,gitscrape b", "gitscrape a,scrub,gitscrape b",
         "gitscrape a,scrub,gitscrape b"},
        {"gitscrape a", "gitscrape b,x,gitscrape c",
         "gitscrape b,x,gitscrape a,gitscrape c"},
    };
    struct stream_head to, from, want;

    for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
        head_of(&to, row[i].to);
        head_of(&from, row[i].from);
        head_of(&want, row[i].want);
        prov_join(&to, &from);
        CHECK_EQ_U64(to.n_prov, want.n_prov);
        for (size_t k = 0; k < to.n_prov && k < want.n_prov; k++)
            CHECK_STR(to.prov[k], want.prov[k]);
        stream_head_release(&to);
        stream_head_release(&from);
        stream_head_release(&want);
    }
}

TEST(sources_beyond_the_room_there_is_are_said_to_be_not_recorded)
{
    struct stream_head to, from;
    char line[1100];

    memset(line, 'x', sizeof(line));
    memcpy(line, "gitscrape ", 10);
    line[sizeof(line) - 1] = '\0';
    stream_head_init(&to, "text");
    for (int i = 0; i < 400; i++) {
        stream_head_init(&from, "text");
        snprintf(line + 10, 8, "%06d", i);
        line[16] = 'x';
        stream_head_prov(&from, line);
        stream_head_prov(&from, "scrub");
        prov_join(&to, &from);
        stream_head_release(&from);
    }
    CHECK(to.n_prov > 200 && to.n_prov < 300);
    CHECK_STR(to.prov[to.n_prov - 1], PROV_UNKNOWN);
    stream_head_release(&to);
}

static const struct test tests[] = {
    RUN(options_are_found_by_their_whole_names),
    RUN(any_bytes_are_a_word_and_come_back),
    RUN(chains_are_joined_by_what_they_went_through),
    RUN(sources_beyond_the_room_there_is_are_said_to_be_not_recorded),
};

TEST_MAIN("prov", tests)
