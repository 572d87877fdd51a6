/* gguf.c - GGUF files: what is read of good ones, and what bad ones say. */
#include "tensor/gguf.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "gguf_made.h"
#include "test.h"

static const uint64_t four[2] = { 4, 1 };

/* Parses file[n]; the code, and whether the message holds `part`. */
static int
parse_bytes(const void *file, size_t n, const char *part)
{
    void *copy = mem_dup(file, n); /* so that valgrind sees its end */
    struct err e = { 0 };
    struct gguf g;
    int rc = gguf_parse(&g, copy, n, "x.gguf", &e);

    if (rc == 0)
        gguf_release(&g);
    CHECK(rc == 0 || strncmp(e.text, "x.gguf", 6) == 0);
    if (part != NULL && strstr(e.text, part) == NULL)
        CHECK_STR(e.text, part);
    free(copy);
    return rc;
}

/* The same of what was made, which is released. */
static int
parse_made(struct gguf_made *m, const char *part)
{
    struct buf file;
    int rc;

    buf_init(&file);
    made_file(m, &file);
    rc = parse_bytes(file.data, file.len, part);
    buf_release(&file);
    made_release(m);
    return rc;
}

static int
parse_head(uint32_t version, uint64_t tensors, uint64_t keys,
           const char *part)
{
    struct buf file;
    int rc;

    buf_init(&file);
    made_head(&file, version, tensors, keys);
    rc = parse_bytes(file.data, file.len, part);
    buf_release(&file);
    return rc;
}

/* A small file with something of everything. */
static void
make_good(struct gguf_made *m)
{
    static const uint64_t square[2] = { 32, 2 };

    made_init(m);
    made_string(m, "general.architecture", "llama");
    made_u32(m, "llama.block_count", 3000000000u);
    made_f32(m, "llama.rope.freq_base", 1e4f);
    made_bool(m, "on", true);
    made_key(m, "big", GGUF_U64);
    buf_u64(&m->keys, UINT64_MAX);
    made_key(m, "minus", GGUF_I16);
    buf_add(&m->keys, "\xfe\xff", 2);
    made_array(m, "words", GGUF_STRING, 3);
    made_text(&m->keys, "one");
    made_text(&m->keys, "");
    made_text(&m->keys, "three");
    made_array(m, "types", GGUF_I32, 2);
    buf_u32(&m->keys, 7);
    buf_u32(&m->keys, 0xffffffff);
    made_array(m, "none", GGUF_STRING, 0);
    made_tensor(m, "a", 0, 1, four, "0123456789abcdef", 16);
    made_tensor(m, "b", 8, 2, square, NULL, 68);
}

TEST(a_file_is_read)
{
    struct err e = { 0 };
    struct gguf_made m;
    struct gguf g;

    make_good(&m);
    CHECK(made_write(&m, "gguf-test.tmp"));
    made_release(&m);
    CHECK(gguf_is("gguf-test.tmp"));
    CHECK(gguf_open(&g, "gguf-test.tmp", &e) == 0);
    CHECK_EQ_U64(g.version, 3);
    CHECK_EQ_U64(g.n_keys, 9);
    CHECK_EQ_U64(g.n_tensors, 2);
    CHECK(gguf_text_is(g.tensor[1].name, "b"));
    CHECK_STR(gguf_format(g.tensor[1].type)->name, "Q8_0");
    CHECK_EQ_U64(g.tensor[1].bytes, 68);
    CHECK_EQ_U64(g.tensor[1].ne[0], 32);
    CHECK_EQ_U64(g.tensor[1].ne[1], 2);
    CHECK_EQ_U64(g.tensor[1].ne[3], 1);
    CHECK(memcmp(gguf_data(&g, &g.tensor[0]), "0123456789abcdef", 16) == 0);
    CHECK((uintptr_t)gguf_data(&g, &g.tensor[1]) % 32 == 0);
    gguf_release(&g);
    unlink("gguf-test.tmp");
    CHECK(!gguf_is("gguf-test.tmp"));
    CHECK(gguf_open(&g, "gguf-test.tmp", &e) == ERR_IO);
    CHECK(gguf_open(&g, ".", &e) == ERR_USAGE);
}

static void
check_values(const struct gguf *g)
{
    struct gguf_text t;
    double real = -1;
    int64_t v = -1;

    CHECK(gguf_string(gguf_find(g, "general.architecture"), &t)
          && gguf_text_is(t, "llama"));
    CHECK(gguf_whole(gguf_find(g, "llama.block_count"), 0, &v)
          && v == 3000000000);
    CHECK(gguf_real(gguf_find(g, "llama.block_count"), 0, &real)
          && real == 3e9);
    CHECK(gguf_real(gguf_find(g, "llama.rope.freq_base"), 0, &real)
          && real == 1e4);
    CHECK(!gguf_whole(gguf_find(g, "llama.rope.freq_base"), 0, &v));
    CHECK(!gguf_string(gguf_find(g, "llama.rope.freq_base"), &t));
    CHECK(gguf_whole(gguf_find(g, "on"), 0, &v) && v == 1);
    CHECK(!gguf_whole(gguf_find(g, "big"), 0, &v));
    CHECK(gguf_whole(gguf_find(g, "minus"), 0, &v) && v == -2);
    CHECK(gguf_whole(gguf_find(g, "types"), 1, &v) && v == -1);
    CHECK(gguf_find(g, "wor") == NULL);
}

TEST(values_are_found)
{
    static const char *const words[] = { "one", "", "three" };
    struct err e = { 0 };
    struct gguf_strings s;
    struct gguf_made m;
    struct gguf_text t;
    struct buf file;
    struct gguf g;
    size_t n = 0;

    buf_init(&file);
    make_good(&m);
    made_file(&m, &file);
    made_release(&m);
    CHECK(gguf_parse(&g, file.data, file.len, "x.gguf", &e) == 0);
    check_values(&g);
    for (s = gguf_strings(gguf_find(&g, "words")); gguf_next(&s, &t); n++)
        CHECK(n < 3 && gguf_text_is(t, words[n]));
    CHECK_EQ_U64(n, 3);
    s = gguf_strings(gguf_find(&g, "none"));
    CHECK(!gguf_next(&s, &t));
    s = gguf_strings(gguf_find(&g, "types"));
    CHECK(!gguf_next(&s, &t));
    gguf_release(&g);
    buf_release(&file);
}

/* The last 28 bytes are padding, which a file may lack. */
TEST(a_file_cut_anywhere_is_refused)
{
    struct gguf_made m;
    struct buf file;

    buf_init(&file);
    make_good(&m);
    made_file(&m, &file);
    made_release(&m);
    for (size_t n = 0; n < file.len - 28; n++)
        CHECK(parse_bytes(file.data, n, NULL) == ERR_DATA);
    CHECK(parse_bytes(file.data, file.len - 28, NULL) == 0);
    buf_addc(&file, 0);
    CHECK(parse_bytes(file.data, file.len, "1 bytes after the last tensor")
          == ERR_DATA);
    buf_release(&file);
}

TEST(versions)
{
    CHECK(parse_head(2, 0, 0, NULL) == 0);
    CHECK(parse_head(3, 0, 0, NULL) == 0);
    CHECK(parse_head(1, 0, 0, "x.gguf:4: GGUF version 1 (expected 2 or 3)")
          == ERR_DATA);
    CHECK(parse_head(4, 0, 0, "version 4") == ERR_DATA);
    CHECK(parse_head(0, 0, 0, "version 0") == ERR_DATA);
    CHECK(parse_head(0x03000000, 0, 0, "big-endian") == ERR_DATA);
    CHECK(parse_bytes("GGML", 4, "x.gguf:0: no GGUF file") == ERR_DATA);
    CHECK(parse_bytes("", 0, "no GGUF file") == ERR_DATA);
}

TEST(counts_that_lie)
{
    CHECK(parse_head(3, 0, 1000000000, "1000000000 keys (limit") == ERR_DATA);
    CHECK(parse_head(3, UINT64_MAX, 0, "tensors (limit") == ERR_DATA);
    CHECK(parse_head(3, 0, 1, "1 keys in a file of 24 bytes") == ERR_DATA);
    CHECK(parse_head(3, 1000000, 0, "in a file of 24 bytes") == ERR_DATA);
}

/* A key whose value is those n bytes. */
static int
parse_key(const char *name, enum gguf_type type, const void *p, size_t n,
          const char *part)
{
    struct gguf_made m;

    made_init(&m);
    made_key(&m, name, type);
    buf_add(&m.keys, p, n);
    return parse_made(&m, part);
}

/* An array that says it has n elements. */
static int
parse_array(uint32_t type, uint64_t n, const char *part)
{
    struct gguf_made m;

    made_init(&m);
    made_array(&m, "a", type, n);
    buf_u64(&m.keys, 0);
    return parse_made(&m, part);
}

TEST(values_that_lie)
{
    static const char long_text[] = "\0\0\0\0\0\0\0\x10" "abc";
    char name[GGUF_MAX_NAME + 2];

    CHECK(parse_key("a", GGUF_STRING, long_text, 11, "run past the end")
          == ERR_DATA);
    CHECK(parse_key("a", GGUF_U64, "1234567", 7, NULL) == 0); /* padding */
    CHECK(parse_key("a", 13, "", 0, "unknown type (found type 13)")
          == ERR_DATA);
    CHECK(parse_key("", GGUF_U8, "1", 1, "a name of 0 bytes") == ERR_DATA);
    CHECK(parse_key("\xff", GGUF_U8, "1", 1, "is no text") == ERR_DATA);
    memset(name, 'x', sizeof(name));
    name[GGUF_MAX_NAME + 1] = '\0';
    CHECK(parse_key(name, GGUF_U8, "1", 1, "of 513 bytes") == ERR_DATA);
    CHECK(parse_array(GGUF_ARRAY, 1, "an array of arrays") == ERR_DATA);
    CHECK(parse_array(GGUF_F64, UINT64_MAX / 8 + 1, "run past") == ERR_DATA);
    CHECK(parse_array(GGUF_F64, UINT64_MAX / 8 + 2, "run past") == ERR_DATA);
    CHECK(parse_array(GGUF_STRING, UINT64_MAX, "run past") == ERR_DATA);
    CHECK(parse_array(GGUF_U8, 9, NULL) == 0); /* padding */
    CHECK(parse_array(GGUF_U8, 99, "99 of type u8 run past") == ERR_DATA);
}

TEST(a_name_twice)
{
    struct gguf_made m;

    made_init(&m);
    made_u32(&m, "a", 1);
    made_u32(&m, "a", 1);
    CHECK(parse_made(&m, "key a is there twice") == ERR_DATA);
    made_init(&m);
    made_tensor(&m, "t", 0, 1, four, NULL, 16);
    made_tensor(&m, "t", 0, 1, four, NULL, 16);
    CHECK(parse_made(&m, "tensor t is there twice") == ERR_DATA);
}

static int
parse_aligned(uint32_t align, const char *part)
{
    struct gguf_made m;

    made_init(&m);
    made_u32(&m, "general.alignment", align);
    return parse_made(&m, part);
}

TEST(alignment)
{
    struct gguf_made m;

    CHECK(parse_aligned(8, NULL) == 0);
    CHECK(parse_aligned(32, NULL) == 0);
    CHECK(parse_aligned(0, "general.alignment (found 0") == ERR_DATA);
    CHECK(parse_aligned(4, "general.alignment (found 4") == ERR_DATA);
    CHECK(parse_aligned(24, "power of two") == ERR_DATA);
    CHECK(parse_aligned(0x80000000, "power of two") == ERR_DATA);
    made_init(&m);
    made_string(&m, "general.alignment", "32");
    CHECK(parse_made(&m, "no whole number (found type string)") == ERR_DATA);
}

/* One tensor of that type, dimensions and place, in a file with n bytes of
 * data. */
static int
parse_tensor(uint32_t type, uint32_t n_dims, const uint64_t *ne,
             uint64_t begin, size_t n, const char *part)
{
    struct gguf_made m;

    made_init(&m);
    made_info(&m, "t", type, n_dims, ne, begin);
    memset(buf_room(&m.data, n), 0, n);
    m.data.len += n;
    return parse_made(&m, part);
}

TEST(tensors_that_lie)
{
    static const uint64_t huge[5] = { 1ull << 40, 1ull << 40, 1, 1, 1 };
    static const uint64_t wraps[4] = { 1ull << 62, 4, 1, 1 };
    static const uint64_t odd[1] = { 33 }, none[2] = { 0, 3 };

    CHECK(parse_tensor(0, 1, four, 0, 16, NULL) == 0);
    CHECK(parse_tensor(0, 0, four, 0, 4, NULL) == 0);
    CHECK(parse_tensor(0, 2, none, 0, 0, NULL) == 0);
    CHECK(parse_tensor(0, 5, huge, 0, 16, "more than 4 dimensions (found 5)")
          == ERR_DATA);
    CHECK(parse_tensor(4, 1, four, 0, 16, "unknown type (found 4)")
          == ERR_DATA);
    CHECK(parse_tensor(99, 1, four, 0, 16, "unknown type") == ERR_DATA);
    CHECK(parse_tensor(8, 1, odd, 0, 64, "no whole blocks of Q8_0")
          == ERR_DATA);
    CHECK(parse_tensor(0, 2, huge, 0, 16, "size over 2^64") == ERR_DATA);
    CHECK(parse_tensor(0, 2, wraps, 0, 16, "size over 2^64") == ERR_DATA);
    CHECK(parse_tensor(0, 1, four, 8, 64, "no multiple of 32") == ERR_DATA);
    CHECK(parse_tensor(0, 1, four, 64, 64, "past the end") == ERR_DATA);
    CHECK(parse_tensor(0, 1, four, 1ull << 60, 64, "past the end")
          == ERR_DATA);
    CHECK(parse_tensor(0, 1, four, UINT64_MAX - 31, 64, "past the end")
          == ERR_DATA);
    CHECK(parse_tensor(0, 1, four, 32, 64, "leave a hole (data offset 32, "
                       "expected 0)") == ERR_DATA);
    CHECK(parse_tensor(0, 1, four, 0, 64, "32 bytes after the last")
          == ERR_DATA);
}

TEST(tensors_that_overlap)
{
    struct gguf_made m;

    made_init(&m);
    made_tensor(&m, "t", 0, 1, four, NULL, 16);
    made_info(&m, "u", 0, 1, four, 0);
    CHECK(parse_made(&m, "overlap (data offset 0, expected 32)")
          == ERR_DATA);
}

/* Bytes of a type's blocks and of the element type that stores them. */
TEST(formats_are_stored_as_they_are)
{
    const struct gguf_format *f;

    for (uint32_t i = 0; i < 64; i++) {
        f = gguf_format(i);
        if (f != NULL && f->dtype != DTYPE_NONE)
            CHECK_EQ_U64(dtype_units(f->dtype, 512) * dtype_size(f->dtype),
                         512 / f->block * f->bytes);
    }
    CHECK(gguf_format(UINT32_MAX) == NULL);
}

static const struct test tests[] = {
    RUN(a_file_is_read),
    RUN(values_are_found),
    RUN(a_file_cut_anywhere_is_refused),
    RUN(versions),
    RUN(counts_that_lie),
    RUN(values_that_lie),
    RUN(a_name_twice),
    RUN(alignment),
    RUN(tensors_that_lie),
    RUN(tensors_that_overlap),
    RUN(formats_are_stored_as_they_are),
};

TEST_MAIN("gguf", tests)
