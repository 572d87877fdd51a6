/* spans.c - texts in pieces: the ids are those of the text as one, and a
 * token is learned if a byte of it is. */
#include "text/spans.h"

#include <stdlib.h>

#include "test.h"

/* Merges: " a", "ab", "bc", "abc"; é is e and an accent in NFC. */
static const char file[] =
    "{\"normalizer\":{\"type\":\"NFC\"},"
    "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"
    "\"added_tokens\":[{\"id\":11,\"content\":\"<s>\",\"special\":true,"
    "\"rstrip\":true}],"
    "\"model\":{\"merges\":[[\"\xc4\xa0\",\"a\"],[\"a\",\"b\"],"
    "[\"b\",\"c\"],[\"ab\",\"c\"],[\"\xc3\x83\",\"\xc2\xa9\"]],"
    "\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"\xc4\xa0\":3,\"<\":4,\"s\":5,"
    "\">\":6,\"\xc4\xa0""a\":7,\"ab\":8,\"bc\":9,\"abc\":10,\"<s>\":11,"
    "\"\xc3\x83\":12,\"\xc2\xa9\":13,\"\xc3\x83\xc2\xa9\":14,\"e\":15,"
    "\"\xc4\x8a\":16}}}";

struct world {
    struct tokenizer t;
    struct encoder en;
    struct spans s;
    struct ids ids;
    uint8_t mask[4096];
};

static void
world_open(struct world *w)
{
    struct err e;

    if (!CHECK(tokenizer_read(&w->t, file, strlen(file), "t.json",
                              &e) == 0)) {
        printf("  %s\n", e.text);
        exit(1);
    }
    encoder_init(&w->en, &w->t);
    spans_init(&w->s, &w->t);
    ids_init(&w->ids);
}

static void
world_close(struct world *w)
{
    ids_release(&w->ids);
    spans_release(&w->s);
    encoder_release(&w->en);
    tokenizer_release(&w->t);
}

static void
finish(struct world *w)
{
    w->ids.n = 0;
    spans_encode(&w->s, &w->en, &w->ids);
    CHECK(w->ids.n <= sizeof(w->mask));
    spans_mask(&w->s, w->ids.id, w->ids.n, w->mask);
    spans_reset(&w->s);
}

/* "10+ 3" for ids 10, learned, and 3. */
static void
expect(struct world *w, const char *want)
{
    struct buf b;

    finish(w);
    buf_init(&b);
    for (size_t i = 0; i < w->ids.n; i++)
        buf_addf(&b, "%s%u%s", i > 0 ? " " : "", w->ids.id[i],
                 w->mask[i] ? "+" : "");
    CHECK_STR(b.data, want);
    buf_release(&b);
}

static void
add(struct world *w, const char *text, bool learned, bool marks)
{
    spans_add(&w->s, text, strlen(text), learned, marks);
}

TEST(a_token_is_learned_if_a_byte_of_it_is)
{
    struct world w;

    world_open(&w);
    add(&w, "a", false, false);
    add(&w, "b", true, false);
    add(&w, "c a", false, false);
    expect(&w, "10+ 7");
    add(&w, "ab", false, false);
    add(&w, "", true, false);
    add(&w, "c a", false, false);
    expect(&w, "10 7");
    add(&w, "abc", true, false);
    add(&w, "a", true, false);
    expect(&w, "10+ 0+");
    expect(&w, "");
    world_close(&w);
}

TEST(a_composed_letter_is_learned_by_its_accent)
{
    struct world w;

    world_open(&w);
    add(&w, "cae", false, false);
    add(&w, "\xcc\x81", true, false);
    add(&w, "a", false, false);
    expect(&w, "2 0 14+ 0");
    world_close(&w);
}

TEST(marks_are_tokens_in_the_pieces_that_say_so)
{
    struct world w;

    world_open(&w);
    add(&w, "<s>", false, true);
    add(&w, " <s>a", true, false);
    add(&w, "b<s>", false, true);
    add(&w, " c", true, false);
    expect(&w, "11+ 4+ 5+ 6+ 8+ 11+ 2+");
    add(&w, "a<", false, true);
    add(&w, "s>", true, true);
    expect(&w, "0 11+");
    add(&w, "a<", false, true);
    add(&w, "s>", false, false);
    expect(&w, "0 4 5 6");
    world_close(&w);
}

/* Random pieces: the ids are those of the whole, the mask that of a count
 * byte by byte. */
TEST(how_a_text_is_cut_does_not_change_its_ids)
{
    static const char letters[] = "abcab \ns<>";
    char text[200], learned[200];
    struct world w;
    struct ids whole;
    struct buf bytes;
    uint32_t seed = 7;

    world_open(&w);
    ids_init(&whole);
    buf_init(&bytes);
    for (int round = 0; round < 2000; round++) {
        size_t at = 0, n, i;

        for (i = 0; i < sizeof(text); i++) {
            seed = seed * 1664525 + 1013904223;
            text[i] = letters[(seed >> 16) % 10];
        }
        for (; at < sizeof(text); at += n) {
            seed = seed * 1664525 + 1013904223;
            n = 1 + (seed >> 28);
            n = n < sizeof(text) - at ? n : sizeof(text) - at;
            memset(learned + at, seed >> 20 & 1, n);
            spans_add(&w.s, text + at, n, learned[at], false);
        }
        finish(&w);
        whole.n = 0;
        encoder_add(&w.en, text, sizeof(text), false, &whole);
        if (!CHECK(whole.n == w.ids.n
                   && memcmp(whole.id, w.ids.id, whole.n * 4) == 0))
            break;
        for (at = 0, i = 0; i < whole.n; i++, at += n) {
            buf_reset(&bytes);
            tokenizer_decode(&w.t, &whole.id[i], 1, &bytes);
            n = bytes.len;
            CHECK_EQ_U64(w.mask[i], memchr(learned + at, 1, n) != NULL);
        }
    }
    ids_release(&whole);
    buf_release(&bytes);
    world_close(&w);
}

static const struct test tests[] = {
    RUN(a_token_is_learned_if_a_byte_of_it_is),
    RUN(a_composed_letter_is_learned_by_its_accent),
    RUN(marks_are_tokens_in_the_pieces_that_say_so),
    RUN(how_a_text_is_cut_does_not_change_its_ids),
};

TEST_MAIN("spans", tests)
