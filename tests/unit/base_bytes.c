/* base_bytes.c - integers, hex digits, cursors, buffers, sizes, UTF-8,
 * messages. */
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>

#include "test.h"

TEST(varints_come_back)
{
    static const uint64_t values[] = {
        0, 1, 127, 128, 16383, 16384, 0xffffffff, UINT64_MAX - 1, UINT64_MAX
    };
    struct buf b;
    struct cursor c;
    size_t i;

    buf_init(&b);
    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        buf_varint(&b, values[i]);
    c = cursor_on(b.data, b.len);
    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        CHECK_EQ_U64(cursor_varint(&c), values[i]);
    CHECK(c.ok && c.left == 0);
    buf_release(&b);
}

TEST(bad_varints_are_refused)
{
    static const struct {
        const char *text;
        size_t n;
    } bad[] = {
        {"", 0}, {"\x80", 1}, {"\x80\x00", 2}, {"\xff\x80\x00", 3},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},
    };
    struct cursor c;
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        c = cursor_on(bad[i].text, bad[i].n);
        CHECK_EQ_U64(cursor_varint(&c), 0);
        CHECK(!c.ok);
    }
}

TEST(a_cursor_stops_at_its_end_for_good)
{
    struct cursor c = cursor_on("\1\2\3\4\5\6\7\10\11", 9);

    CHECK_EQ_U64(cursor_u64(&c), 0x0807060504030201);
    CHECK_EQ_U64(cursor_u64(&c), 0);
    CHECK(!c.ok);
    CHECK_EQ_U64(cursor_u8(&c), 0);
    CHECK(!cursor_bytes(&c, 0));
}

TEST(stores_are_little_endian_at_any_alignment)
{
    uint8_t raw[16] = {0};

    store_u64(raw + 1, 0x0807060504030201);
    CHECK(memcmp(raw + 1, "\1\2\3\4\5\6\7\10", 8) == 0);
    CHECK_EQ_U64(load_u64(raw + 1), 0x0807060504030201);
    store_u16(raw + 3, 0xfffe);
    CHECK_EQ_U64(load_u16(raw + 3), 0xfffe);
    CHECK_EQ_U64(load_u32(raw + 3), 0x0605fffe);
}

TEST(a_buffer_is_always_a_string)
{
    struct buf b;
    size_t i;

    buf_init(&b);
    CHECK_STR(b.data, "");
    for (i = 0; i < 1000; i++)
        buf_addf(&b, "%zu,", i);
    CHECK_EQ_U64(b.len, 10 * 2 + 90 * 3 + 900 * 4);
    CHECK_EQ_U64(strlen(b.data), b.len);
    buf_reset(&b);
    CHECK_STR(b.data, "");
    buf_addf(&b, "%0200d", 7);
    CHECK_EQ_U64(b.len, 200);
    CHECK(b.data[199] == '7' && b.data[200] == '\0');
    buf_release(&b);
    CHECK_STR(b.data, "");
}

TEST(a_buffer_is_one_text_and_no_other)
{
    struct buf b;

    buf_init(&b);
    CHECK(buf_is(&b, ""));
    CHECK(!buf_is(&b, "a"));
    buf_add(&b, "vocab\0more", 10);
    CHECK(!buf_is(&b, "vocab"));
    b.len = 5;
    CHECK(buf_is(&b, "vocab"));
    CHECK(!buf_is(&b, "voca"));
    CHECK(!buf_is(&b, "vocabs"));
    buf_release(&b);
}

TEST(sizes_do_not_wrap)
{
    uint64_t v = 42;

    CHECK(!size_mul(1ull << 32, 1ull << 32, &v));
    CHECK(!size_add(UINT64_MAX, 1, &v));
    CHECK_EQ_U64(v, 42);
    CHECK(size_mul(3, 5, &v));
    CHECK_EQ_U64(v, 15);
    CHECK_EQ_U64(size_round(65, 64), 128);
    CHECK_EQ_U64(size_round(64, 64), 64);
    CHECK(mem_try(SIZE_MAX - 3) == NULL);
}

TEST(mem_try_is_aligned)
{
    void *p = mem_try(1);

    CHECK(p && ((uintptr_t)p & 63) == 0);
    free(p);
}

TEST(utf8_is_checked_by_rfc_3629)
{
    static const struct {
        const char *text;
        size_t valid;
    } rows[] = {
        {"plain ascii over eight bytes", 28},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9},
        {"a\xc0\x80", 1}, {"\xc1\xbf", 0}, {"\xe0\x9f\xbf", 0},
        {"\xed\xa0\x80", 0}, {"\xed\x9f\xbf", 3}, {"\xef\xbf\xbf", 3},
        {"\xf0\x8f\xbf\xbf", 0}, {"\xf4\x8f\xbf\xbf", 4},
        {"\xf4\x90\x80\x80", 0}, {"\xf5\x80\x80\x80", 0}, {"\x80", 0},
        {"ab\xe2\x82", 2}, {"\xe2\x82 ", 0}, {"12345678\xff", 8},
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_EQ_U64(utf8_valid(rows[i].text, strlen(rows[i].text)),
                     rows[i].valid);
}

TEST(utf8_code_points_come_back)
{
    uint32_t code, back;
    char raw[4];
    size_t n;

    for (code = 0; code < 0x111000; code += code < 0x900 ? 1 : 61) {
        n = utf8_encode(code, raw);
        if ((code >= 0xd800 && code < 0xe000) || code > 0x10ffff) {
            CHECK_EQ_U64(n, 0);
            continue;
        }
        CHECK_EQ_U64(utf8_valid(raw, n), n);
        CHECK_EQ_U64(utf8_decode(raw, &back), n);
        CHECK_EQ_U64(back, code);
    }
}

TEST(messages_are_one_printable_line)
{
    struct err e = {0};

    CHECK(err_set(&e, ERR_DATA, "a\nb\x1b[31m\xc3\xa9\xff\xc2\x9b") ==
          ERR_DATA);
    CHECK_STR(e.text, "a\\nb\\x1b[31m\xc3\xa9\\xff\\xc2\\x9b");
    errno = ENOSPC;
    CHECK(err_errno(&e, ERR_IO, "%s: write", "x") == ERR_IO);
    CHECK_STR(e.text, "x: write: No space left on device");
    CHECK(err_prefix(&e, "%d", 7) == ERR_IO);
    CHECK_STR(e.text, "7: x: write: No space left on device");
    err_set(&e, ERR_DATA, "%3000d", 1);
    CHECK_EQ_U64(strlen(e.text), sizeof(e.text) - 1);
}

TEST(hex_digits_come_back)
{
    static const uint8_t bytes[] = {0, 0x0f, 0xa0, 0xff};
    uint8_t out[4] = {1, 2, 3, 4};
    char hex[9];

    CHECK(strcmp(hex_put(hex, bytes, 4), "000fa0ff") == 0);
    CHECK(hex_put(hex, bytes, 0)[0] == '\0');
    CHECK(!hex_take(out, 4, "000Fa0fF", false));
    CHECK(!hex_take(out, 4, "000fa0fg", true));
    CHECK(!hex_take(out, 4, "000fa0f", true));
    CHECK(!hex_take(out, 4, "/00fa0ff", true));
    CHECK(!hex_take(out, 4, "000f@0ff", true));
    CHECK(out[0] == 1 && out[3] == 4);
    CHECK(hex_take(out, 4, "000Fa0fF", true));
    CHECK(memcmp(out, bytes, 4) == 0);
    out[1] = 0;
    CHECK(hex_take(out, 4, "000fa0ff", false));
    CHECK(memcmp(out, bytes, 4) == 0);
}

static const struct test tests[] = {
    RUN(hex_digits_come_back),
    RUN(varints_come_back),
    RUN(bad_varints_are_refused),
    RUN(a_cursor_stops_at_its_end_for_good),
    RUN(stores_are_little_endian_at_any_alignment),
    RUN(a_buffer_is_always_a_string),
    RUN(a_buffer_is_one_text_and_no_other),
    RUN(sizes_do_not_wrap),
    RUN(mem_try_is_aligned),
    RUN(utf8_is_checked_by_rfc_3629),
    RUN(utf8_code_points_come_back),
    RUN(messages_are_one_printable_line),
};

TEST_MAIN("base_bytes", tests)
