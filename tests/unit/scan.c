/* scan.c - pieces that are told 64 bytes at a time are those that come out
 * one by one, whatever stands where, at every place in the block. */
#include "test.h"

#include <stdlib.h>

#include "base/rng.h"
#include "text/scan.h"
#include "text/uclass.h"

#define TEXT 300

/* What the rules look at, and words that they know. */
static const char *const part[] = {
    " ", " ", "  ", "\t", "\n", "\n", "\r\n", "\n\n", " \n", "a", "ab", "B",
    "It", "(", ";", "/", "*/", "'", "'s", "'ll", "'RE", "7", "42", "12345",
    "\xc3\xa9", "\xc2\xa0", "\xe3\x80\x80", "\xc5\xbf", "\xff", "\xd9\xa3"
};

/* A text of n bytes; of the parts the first `parts`. */
static void
make_text(uint8_t *p, size_t n, size_t parts, struct rng *r)
{
    size_t at = 0, len, i;
    const char *s;

    while (at < n) {
        s = part[rng_below(r, parts)];
        len = strlen(s);
        for (i = rng_below(r, 8) == 0 ? rng_below(r, 40) : 1; i > 0; i--)
            for (size_t k = 0; k < len && at < n; k++)
                p[at++] = (uint8_t)s[k];
    }
}

static bool
same_pieces(enum scan_kind kind, const uint8_t *table, const uint8_t *p,
            const uint8_t *end)
{
    const uint8_t *stop[SCAN_MOST];
    size_t i, n;

    while (p < end) {
        n = scan_pieces(kind, table, p, end, stop);
        for (i = 0; i < n; p = stop[i++])
            if (stop[i] != p + scan_piece(kind, table, p, end))
                return false;
    }
    return p == end;
}

TEST(blocks_are_as_single_pieces)
{
    static const size_t parts[] = { 24, sizeof(part) / sizeof(part[0]) };
    enum scan_kind kind;
    struct rng r;

    for (kind = SCAN_GPT2; kind <= SCAN_TEKKEN; kind++) {
        uint8_t *own = scan_table(kind), *all = uclass_new();
        size_t bad = 0;

        rng_init(&r, 1, kind);
        for (size_t i = 0; i < 5000; i++) {
            uint8_t text[TEXT];
            size_t n = rng_below(&r, TEXT) + 1;

            make_text(text, n, parts[i % 2], &r);
            bad += !same_pieces(kind, own ? own : all, text, text + n);
        }
        if (!CHECK_EQ_U64(bad, 0))
            printf("of scanner %d\n", (int)kind);
        free(own);
        free(all);
    }
}

static const struct test tests[] = {RUN(blocks_are_as_single_pieces)};

TEST_MAIN("scan", tests)
