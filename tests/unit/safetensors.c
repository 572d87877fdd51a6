/* safetensors.c - hostile headers, and files that go round. */
#include "tensor/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "test.h"

#define F32(shape, begin, end) "{\"dtype\":\"F32\",\"shape\":" shape \
    ",\"data_offsets\":[" #begin "," #end "]}"

static const char path[] = "safetensors-test.tmp";

/* Opens a file of `bytes`; the code, and whether text holds `part`. */
static int
open_bytes(const void *bytes, size_t n, const char *part)
{
    struct safetensors s;
    struct err e = { 0 };
    FILE *f = fopen(path, "wb");
    int rc;

    CHECK(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
    rc = safetensors_open(&s, path, SAFETENSORS_MAX_HEADER, &e);
    if (rc == 0)
        safetensors_release(&s);
    else if (part && !strstr(e.text, part))
        CHECK_STR(e.text, part);
    CHECK(rc == 0 || strncmp(e.text, path, strlen(path)) == 0);
    unlink(path);
    return rc;
}

/* A file of that header and n_data zero bytes. */
static int
open_header(const char *header, size_t n_data, const char *part)
{
    struct buf b;
    int rc;

    buf_init(&b);
    buf_u64(&b, strlen(header));
    buf_addstr(&b, header);
    memset(buf_room(&b, n_data), 0, n_data);
    b.len += n_data;
    rc = open_bytes(b.data, b.len, part);
    buf_release(&b);
    return rc;
}

static int
open_length(uint64_t len, size_t n_more, const char *part)
{
    struct buf b;
    int rc;

    buf_init(&b);
    buf_u64(&b, len);
    memset(buf_room(&b, n_more), ' ', n_more);
    b.len += n_more;
    rc = open_bytes(b.data, b.len, part);
    buf_release(&b);
    return rc;
}

TEST(row_33_header_length)
{
    CHECK(open_bytes("", 0, "expected at least 8") == ERR_DATA);
    CHECK(open_bytes("1234567", 7, "expected at least 8") == ERR_DATA);
    CHECK(open_length(0, 0, "empty header") == ERR_DATA);
    CHECK(open_length(0, 8, "empty header") == ERR_DATA);
    CHECK(open_length(9, 8, "in a file of 16") == ERR_DATA);
    CHECK(open_length(UINT64_MAX, 8, "in a file of 16") == ERR_DATA);
    CHECK(open_length(UINT64_MAX - 7, 8, "in a file") == ERR_DATA);
}

/* A sparse file that really is that long: refused before it is read. */
TEST(row_33_header_over_the_limit)
{
    struct safetensors s;
    struct err e = { 0 };
    uint8_t head[8];
    FILE *f = fopen(path, "wb");

    store_u64(head, SAFETENSORS_MAX_HEADER + 1);
    CHECK(f && fwrite(head, 1, 8, f) == 8 && fclose(f) == 0);
    CHECK(truncate(path, SAFETENSORS_MAX_HEADER + 100) == 0);
    CHECK(safetensors_open(&s, path, SAFETENSORS_MAX_HEADER, &e)
          == ERR_DATA);
    CHECK(strstr(e.text, "limit 100000000") != NULL);
    unlink(path);
}

TEST(row_34_not_such_an_object)
{
    CHECK(open_header("[]", 0, "byte 0") == ERR_DATA);
    CHECK(open_header("{", 0, NULL) == ERR_DATA);
    CHECK(open_header("{}x", 0, NULL) == ERR_DATA);
    CHECK(open_header("{\"a\":1}", 0, "tensor a") == ERR_DATA);
    CHECK(open_header("{\"\xff\":{}}", 0, NULL) == ERR_DATA);
    CHECK(open_header("{\"a\\u0000b\":{}}", 0, NULL) == ERR_DATA);
    CHECK(open_header("{\"__metadata__\":{\"a\":1}}", 0, "__metadata__")
          == ERR_DATA);
    CHECK(open_header("{\"__metadata__\":[]}", 0, "__metadata__")
          == ERR_DATA);
    CHECK(open_header("{\"a\":" F32("[1]", 0, 4) ",\"a\":"
                      F32("[1]", 0, 4) "}", 4, NULL) == ERR_DATA);
    CHECK(open_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4,
                      "lacks") == ERR_DATA);
    CHECK(open_header("{\"a\":{\"dtype\":\"F4\",\"shape\":[1],"
                      "\"data_offsets\":[0,1]}}", 1, "F4") == ERR_DATA);
    CHECK(open_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],"
                      "\"data_offsets\":[0]}}", 4, "1 numbers") == ERR_DATA);
    CHECK(open_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],"
                      "\"data_offsets\":[0,4,4]}}", 4, "more than 2")
          == ERR_DATA);
}

TEST(row_34_whitespace_is_allowed)
{
    CHECK(open_header(" \n{\"a\":" F32("[1]", 0, 4) "} \t ", 4, NULL) == 0);
    CHECK(open_header("{}", 0, NULL) == 0);
    CHECK(open_header("{\"__metadata__\":{\"format\":\"pt\"}}", 0, NULL)
          == 0);
}

TEST(row_35_offsets)
{
    /* Overlap, hole, a first one that isn't at 0, backwards, past the end:
     * each message names the tensors. */
    CHECK(open_header("{\"a\":" F32("[2]", 0, 8) ",\"b\":" F32("[2]", 4, 12)
                      "}", 12, "tensors a and b overlap") == ERR_DATA);
    CHECK(open_header("{\"a\":" F32("[1]", 0, 4) ",\"b\":" F32("[1]", 8, 12)
                      "}", 12, "tensors a and b leave a hole") == ERR_DATA);
    CHECK(open_header("{\"a\":" F32("[1]", 4, 8) "}", 8,
                      "(start) and a leave a hole") == ERR_DATA);
    CHECK(open_header("{\"a\":" F32("[1]", 4, 0) "}", 4, "backwards")
          == ERR_DATA);
    CHECK(open_header("{\"a\":" F32("[2]", 0, 8) "}", 4, "past the end")
          == ERR_DATA);
    CHECK(open_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],"
                      "\"data_offsets\":[-4,0]}}", 4, NULL) == ERR_DATA);
    CHECK(open_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],"
                      "\"data_offsets\":[18446744073709551612,"
                      "18446744073709551616]}}", 4, NULL) == ERR_DATA);
    CHECK(open_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],"
                      "\"data_offsets\":[18446744073709551611,"
                      "18446744073709551615]}}", 4, "hole") == ERR_DATA);
}

TEST(row_36_shapes)
{
    CHECK(open_header("{\"a\":" F32("[3]", 0, 8) "}", 8, "needs 12 bytes")
          == ERR_DATA);
    CHECK(open_header("{\"a\":" F32("[4294967296,4294967296]", 0, 0) "}", 0,
                      "overflows") == ERR_DATA);
    CHECK(open_header("{\"a\":" F32("[4611686018427387904]", 0, 0) "}", 0,
                      "overflows") == ERR_DATA);
    CHECK(open_header("{\"a\":" F32("[4611686018427387904,0]", 0, 0) "}", 0,
                      "overflows") == ERR_DATA);
    CHECK(open_header("{\"a\":" F32("[1,1,1,1,1,1,1,1]", 0, 4) "}", 4, NULL)
          == 0);
    CHECK(open_header("{\"a\":" F32("[1,1,1,1,1,1,1,1,1]", 0, 4) "}", 4,
                      "dimensions") == ERR_DATA);
    CHECK(open_header("{\"a\":" F32("[1.0]", 0, 4) "}", 4, NULL)
          == ERR_DATA);
    CHECK(open_header("{\"a\":" F32("[-1]", 0, 4) "}", 4, NULL) == ERR_DATA);
}

TEST(row_37_empty_and_scalar)
{
    CHECK(open_header("{\"a\":" F32("[]", 0, 4) "}", 4, NULL) == 0);
    CHECK(open_header("{\"a\":" F32("[0]", 0, 0) "}", 0, NULL) == 0);
    CHECK(open_header("{\"z\":" F32("[5,0,3]", 4, 4) ",\"a\":"
                      F32("[1]", 0, 4) ",\"b\":" F32("[1]", 4, 8) "}", 8,
                      NULL) == 0);
    CHECK(open_header("{\"z\":" F32("[0]", 2, 2) ",\"a\":" F32("[1]", 0, 4)
                      "}", 4, "overlap") == ERR_DATA);
}

TEST(row_38_bytes_after_the_last_tensor)
{
    CHECK(open_header("{\"a\":" F32("[1]", 0, 4) "}", 5,
                      "1 bytes after the last tensor") == ERR_DATA);
    CHECK(open_header("{}", 1, "1 bytes after") == ERR_DATA);
}

TEST(names_and_counts_have_limits)
{
    struct buf b;

    buf_init(&b);
    buf_addstr(&b, "{\"");
    for (int i = 0; i < SAFETENSORS_MAX_NAME; i++)
        buf_addc(&b, 'n');
    buf_addstr(&b, "\":" F32("[0]", 0, 0) "}");
    CHECK(open_header(b.data, 0, NULL) == 0);
    buf_reset(&b);
    buf_addstr(&b, "{\"");
    for (int i = 0; i <= SAFETENSORS_MAX_NAME; i++)
        buf_addc(&b, 'n');
    buf_addstr(&b, "\":" F32("[0]", 0, 0) "}");
    CHECK(open_header(b.data, 0, "513 bytes") == ERR_DATA);
    buf_release(&b);
}

TEST(what_is_no_file)
{
    struct safetensors s;
    struct err e = { 0 };

    CHECK(safetensors_open(&s, "no-such-file", 100, &e) == ERR_IO);
    CHECK(safetensors_open(&s, "/", 100, &e) == ERR_USAGE);
    CHECK(safetensors_open(&s, "/dev/zero", 100, &e) == ERR_DATA);
    CHECK(mkfifo(path, 0600) == 0);
    CHECK(safetensors_open(&s, path, 100, &e) == ERR_DATA);
    unlink(path);
}

static struct safetensor
tensor(const char *name, unsigned dtype, uint64_t rows, uint64_t cols)
{
    struct safetensor t = {
        .name = mem_strdup(name), .dtype = (uint8_t)dtype, .n_dims = 2,
        .shape = { rows, cols },
    };

    return t;
}

/* Every byte of a tensor's data is its name. */
static void
write_file(struct safetensor *t, size_t n)
{
    const struct safetensors_meta meta[] = {
        { "format", "pt" }, { "quote \"", "line\nbreak" },
    };
    struct err e = { 0 };
    struct out out;

    CHECK(out_open(&out, path, &e) == 0);
    CHECK(safetensors_start(&out, t, n, meta, 2, &e) == 0);
    for (size_t i = 0; i < n; i++)
        for (uint64_t k = 0; k < t[i].bytes; k++)
            CHECK(out_write(&out, t[i].name, 1, &e) == 0);
    CHECK(out_commit(&out, &e) == 0);
}

TEST(a_written_file_is_read_back)
{
    struct safetensor t[] = {
        tensor("d", DTYPE_F16, 3, 1), tensor("b", DTYPE_F32, 2, 2),
        tensor("c", DTYPE_I8, 1, 5), tensor("a", DTYPE_F16, 1, 1),
        tensor("e", DTYPE_F64, 0, 7), tensor("A", DTYPE_U8, 1, 3),
        tensor("f", DTYPE_BF16, 1, 2),
    };
    static const char order[] = "ebfadcA"; /* type, then name */
    struct safetensors s;
    struct err e = { 0 };

    write_file(t, 7);
    CHECK(safetensors_open(&s, path, 1000, &e) == 0);
    CHECK_EQ_U64(s.n, 7);
    CHECK_EQ_U64(s.data_at % 8, 0);
    CHECK_EQ_U64(s.n_meta, 2);
    CHECK_STR(s.meta[1].key, "quote \"");
    CHECK_STR(s.meta[1].value, "line\nbreak");
    for (size_t i = 0; i < s.n; i++) {
        const struct safetensor *x = &s.item[i];
        const char *data = safetensors_data(&s, x);

        CHECK_EQ_U64(x->name[0], order[i]);
        CHECK(safetensors_find(&s, x->name) == x);
        CHECK_EQ_U64((s.data_at + x->begin) % dtype_align(x->dtype), 0);
        for (uint64_t k = 0; k < x->bytes; k++)
            CHECK_EQ_U64(data[k], order[i]);
        free(t[i].name);
    }
    CHECK(safetensors_find(&s, "g") == NULL);
    safetensors_release(&s);
    CHECK(safetensors_open(&s, path, 100, &e) == ERR_DATA);
    unlink(path);
}

TEST(row_39_a_file_cut_anywhere_is_refused)
{
    struct safetensor t[] = {
        tensor("a", DTYPE_F32, 2, 2), tensor("b", DTYPE_F16, 1, 3),
    };
    struct buf whole;
    struct err e = { 0 };

    write_file(t, 2);
    buf_init(&whole);
    CHECK(file_read(&whole, path, 10000, &e) == 0);
    CHECK(open_bytes(whole.data, whole.len, NULL) == 0);
    for (size_t n = 0; n < whole.len; n++)
        CHECK(open_bytes(whole.data, n, NULL) == ERR_DATA);
    buf_release(&whole);
    free(t[0].name);
    free(t[1].name);
}

/* Either the file is refused, or what it says still holds together. */
TEST(a_flipped_bit_is_refused_or_harmless)
{
    struct safetensor t[] = {
        tensor("a", DTYPE_F32, 2, 2), tensor("b", DTYPE_F16, 1, 3),
    };
    size_t refused = 0, opened = 0, header;
    struct safetensors s;
    struct buf whole;
    struct err e = { 0 };

    write_file(t, 2);
    buf_init(&whole);
    CHECK(file_read(&whole, path, 10000, &e) == 0);
    header = 8 + (size_t)load_u64(whole.data);
    for (size_t bit = 0; bit < 8 * header; bit++) {
        whole.data[bit / 8] ^= (char)(1 << bit % 8);
        CHECK(file_write(path, whole.data, whole.len, &e) == 0);
        whole.data[bit / 8] ^= (char)(1 << bit % 8);
        if (safetensors_open(&s, path, 10000, &e) < 0) {
            CHECK(e.code == ERR_DATA && strchr(e.text, ':') != NULL);
            refused++;
            continue;
        }
        opened++;
        CHECK_EQ_U64(s.data_at + s.item[1].begin + s.item[1].bytes,
                     whole.len);
        CHECK_EQ_U64(s.item[0].begin, 0);
        CHECK_EQ_U64(s.item[1].begin, s.item[0].bytes);
        safetensors_release(&s);
    }
    CHECK(refused > opened && opened > 0);
    unlink(path);
    buf_release(&whole);
    free(t[0].name);
    free(t[1].name);
}

TEST(two_tensors_of_one_name_are_not_written)
{
    struct safetensor t[] = {
        tensor("a", DTYPE_F32, 2, 2), tensor("a", DTYPE_F16, 1, 3),
    };
    struct err e = { 0 };
    struct out out;

    CHECK(out_open(&out, path, &e) == 0);
    CHECK(safetensors_start(&out, t, 2, NULL, 0, &e) == ERR_DATA);
    out_release(&out);
    free(t[0].name);
    free(t[1].name);
}

static const struct test tests[] = {
    RUN(row_33_header_length),
    RUN(row_33_header_over_the_limit),
    RUN(row_34_not_such_an_object),
    RUN(row_34_whitespace_is_allowed),
    RUN(row_35_offsets),
    RUN(row_36_shapes),
    RUN(row_37_empty_and_scalar),
    RUN(row_38_bytes_after_the_last_tensor),
    RUN(names_and_counts_have_limits),
    RUN(what_is_no_file),
    RUN(a_written_file_is_read_back),
    RUN(row_39_a_file_cut_anywhere_is_refused),
    RUN(a_flipped_bit_is_refused_or_harmless),
    RUN(two_tensors_of_one_name_are_not_written),
};

TEST_MAIN("safetensors", tests)
