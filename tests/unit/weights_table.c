/* weights_table.c - the table of a weights stream: its lines, its sum, and
 * what is no asset or tensor. */
#include "record/weights_table.h"

#include "record/tensor.h"
#include "test.h"

static void
add_asset(struct weights_table *t, struct buf *b, const char *name, size_t n)
{
    static const char text[1 << 21];
    struct buf record;
    struct err e;

    buf_init(&record);
    CHECK(asset_encode(&record, name, text, n, &e) == 0);
    CHECK(weights_table_asset(t, b, record.data, record.len, &e) == 0);
    buf_addc(b, '\n');
    buf_release(&record);
}

static void
encode_tensor(struct buf *b, uint32_t n_dims)
{
    struct tensor_desc d = { .name = "model.norm.weight",
                             .dtype = DTYPE_BF16, .n_dims = n_dims,
                             .shape = { 512, 1024 } };
    struct err e;

    buf_init(b);
    CHECK(tensor_encode(b, &d, &e) == 0);
}

static void
add_tensor(struct weights_table *t, struct buf *b, uint32_t n_dims,
           uint64_t n_data)
{
    struct buf desc;
    struct err e;

    encode_tensor(&desc, n_dims);
    CHECK(weights_table_tensor(t, b, desc.data, desc.len, n_data, &e) == 0);
    buf_addc(b, '\n');
    buf_release(&desc);
}

/* 512 x 1024 numbers of two bytes are 1 MiB, one number nearly nothing. */
TEST(a_line_each_under_one_heading_and_the_sum)
{
    struct weights_table t = { 0 };
    struct buf b;

    buf_init(&b);
    add_asset(&t, &b, "config.json", 3 << 19);
    add_tensor(&t, &b, 2, 1 << 20);
    add_tensor(&t, &b, 1, 1024);
    add_tensor(&t, &b, 0, 2);
    weights_table_total(&t, &b);
    CHECK_STR(b.data,
              "name                                              "
              " type        shape        MiB\n"
              "config.json                                       "
              " file                    1.50\n"
              "model.norm.weight                                 "
              " BF16     512x1024       1.00\n"
              "model.norm.weight                                 "
              " BF16          512       0.00\n"
              "model.norm.weight                                 "
              " BF16                    0.00\n"
              "1 files, 3 tensors                                "
              "                         2.50");
    buf_release(&b);
}

TEST(nothing_is_a_heading_and_a_sum)
{
    struct weights_table t = { 0 };
    struct buf b;

    buf_init(&b);
    weights_table_total(&t, &b);
    CHECK(strncmp(b.data, "name ", 5) == 0);
    CHECK(strstr(b.data, "MiB\n0 files, 0 tensors ") != NULL);
    buf_release(&b);
}

/* No line, and nothing is counted. */
TEST(what_is_no_asset_or_tensor_is_refused)
{
    struct weights_table t = { 0 };
    struct buf b, desc;
    struct err e;

    buf_init(&b);
    encode_tensor(&desc, 2);
    CHECK(weights_table_asset(&t, &b, "x", 1, &e) == ERR_DATA);
    CHECK(weights_table_asset(&t, &b, "", 0, &e) == ERR_DATA);
    CHECK(weights_table_tensor(&t, &b, desc.data, desc.len - 1, 1 << 20, &e)
          == ERR_DATA);
    CHECK(weights_table_tensor(&t, &b, desc.data, desc.len, 7, &e)
          == ERR_DATA);
    CHECK_EQ_U64(b.len, 0);
    CHECK_EQ_U64(t.files + t.tensors + t.bytes, 0);
    buf_release(&desc);
    buf_release(&b);
}

static const struct test tests[] = {
    RUN(a_line_each_under_one_heading_and_the_sum),
    RUN(nothing_is_a_heading_and_a_sum),
    RUN(what_is_no_asset_or_tensor_is_refused),
};

TEST_MAIN("weights_table", tests)
