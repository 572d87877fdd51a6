/* telling.c - what of a text is told when: never a piece of a character, nor
 * of a stop string. */
#include "eval/telling.h"

#include <stdlib.h>

#include "test.h"

/* What is told of text[n] with these stop strings, given in pieces of so many
 * bytes; each piece is checked to be UTF-8 where it isn't bytes. */
struct told {
    struct buf out;
    size_t most_held;
    bool stopped;
};

static struct told
tell(const char *text, size_t n, size_t piece, const char *const *stop,
     size_t n_stop, enum tell_as as)
{
    struct told t = { .most_held = 0 };
    struct telling told;

    buf_init(&t.out);
    telling_begin(&told, stop, n_stop, as);
    for (size_t at = 0; at < n && !t.stopped; at += piece) {
        size_t k = n - at < piece ? n - at : piece;

        t.stopped = telling_add(&told, text + at, k, &t.out);
        if (at + k - t.out.len > t.most_held && as == TELL_BYTES)
            t.most_held = at + k - t.out.len;
    }
    telling_end(&told, &t.out);
    telling_release(&told);
    return t;
}

static void
check_text(const char *text, const char *want, enum tell_as as)
{
    for (size_t piece = 1; piece < 7; piece++) {
        struct told t = tell(text, strlen(text), piece, NULL, 0, as);

        CHECK_STR(t.out.data, want);
        CHECK(!t.stopped);
        buf_release(&t.out);
    }
}

#define BAD "\357\277\275"

/* As Python's bytes.decode("utf-8", "replace") has them. */
TEST(what_is_no_utf8_is_told_as_python_does)
{
    check_text("na\303\257ve \342\202\254 \360\237\230\200.",
               "na\303\257ve \342\202\254 \360\237\230\200.", TELL_TEXT);
    check_text("a\377b", "a" BAD "b", TELL_TEXT);
    check_text("\303", BAD, TELL_TEXT);
    check_text("\342\202", BAD, TELL_TEXT);
    check_text("\342\202x", BAD "x", TELL_TEXT);
    check_text("\360\237\230\303\257", BAD "\303\257", TELL_TEXT);
    check_text("\340\200\200", BAD BAD BAD, TELL_TEXT);   /* overlong */
    check_text("\355\240\200", BAD BAD BAD, TELL_TEXT);   /* a surrogate */
    check_text("\364\220\200\200", BAD BAD BAD BAD, TELL_TEXT);
    check_text("\200\300\257", BAD BAD BAD, TELL_TEXT);
    check_text("a\377\303", "a\377\303", TELL_BYTES);
}

static void
check_safe(const char *text, const char *want)
{
    struct buf b;

    buf_init(&b);
    telling_put_safe(&b, text, strlen(text));
    CHECK_STR(b.data, want);
    buf_release(&b);
}

TEST(a_terminal_gets_no_control_characters)
{
    check_safe("a\tb\n", "a\tb\n");
    check_safe("\033[2J\r\177\302\233x\007", "\\x1b[2J\\x0d\\x7f\\xc2\\x9bx"
               "\\x07");
    check_safe("\302\240\303\251\342\202\254", "\302\240\303\251\342\202\254");
}

/* In any pieces: all before the first stop string, never a byte of one. */
static void
check_stop(const char *text, const char *const *stop, size_t n,
           const char *want, size_t held)
{
    for (size_t piece = 1; piece <= strlen(text); piece++) {
        struct told t = tell(text, strlen(text), piece, stop, n, TELL_BYTES);

        if (piece == 1) /* in pieces two may be complete at once */
            CHECK_STR(t.out.data, want);
        CHECK(t.stopped == (strlen(want) < strlen(text)));
        CHECK(!t.stopped || strlen(t.out.data) <= strlen(want));
        CHECK(piece > 1 || t.most_held <= held || t.stopped);
        buf_release(&t.out);
    }
}

TEST(a_stop_string_is_never_told)
{
    const char *const end[] = { "END" };
    const char *const two[] = { "\n\n", "aab" };
    const char *const same[] = { "aaab", "ab" };

    check_stop("one END two", end, 1, "one ", 2);
    check_stop("one EN two E", end, 1, "one EN two E", 2);
    check_stop("EEND", end, 1, "E", 2);
    check_stop("a\nb\n\nc", two, 2, "a\nb", 2);
    check_stop("aaaab", two, 2, "aa", 2);
    check_stop("aaab", same, 2, "", 3);
    check_stop("", end, 1, "", 0);
}

TEST(of_what_comes_at_once_the_first_stop_string_ends_it)
{
    const char *const stop[] = { "zz", "b" };
    struct told t = tell("abczz", 5, 5, stop, 2, TELL_TEXT);

    CHECK(t.stopped);
    CHECK_STR(t.out.data, "a");
    buf_release(&t.out);
}

static const struct test tests[] = {
    RUN(what_is_no_utf8_is_told_as_python_does),
    RUN(a_terminal_gets_no_control_characters),
    RUN(a_stop_string_is_never_told),
    RUN(of_what_comes_at_once_the_first_stop_string_ends_it),
};

TEST_MAIN("telling", tests)
