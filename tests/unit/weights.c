/* weights.c - a base opened from a model directory. */
#include "weights/weights.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/io.h"
#include "record/tensor.h"
#include "stream/set_out.h"
#include "test.h"
#include "weights/weights_source.h"

#define DIR "weights-test.tmp"

/* Writes header and data as the directory's only weights. */
static void
write_base(const char *header, const void *data, size_t n)
{
    struct err e = { 0 };
    struct buf b;

    buf_init(&b);
    buf_u64(&b, strlen(header));
    buf_addstr(&b, header);
    buf_add(&b, data, n);
    CHECK(dir_make(DIR, &e) == 0);
    CHECK(file_write(DIR "/model.safetensors", b.data, b.len, &e) == 0);
    CHECK(file_write(DIR "/config.json", "{\"a\":1}", 7, &e) == 0);
    CHECK(file_write(DIR "/merges.txt", "a b", 3, &e) == 0);
    buf_release(&b);
}

static void
finish(void)
{
    struct err e = { 0 };

    CHECK(path_remove(DIR, &e) == 0);
}

/* 72 characters with the blank: the data starts 8-aligned; without: odd. */
#define HEADER "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":" \
    "[0,8]},\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[8,9]}}"

static void
check_floats(const char *header, uint64_t copied)
{
    const float x[3] = { 1.5f, -2, 0 };
    const struct weight *t;
    struct weights w;
    struct err e = { 0 };

    write_base(header, x, 9);
    CHECK(weights_open(&w, DIR, &e) == 0);
    CHECK_EQ_U64(w.n, 2);
    CHECK_STR(w.item[0].name, "b");
    t = weights_find(&w, "w");
    CHECK(t && t->dtype == DTYPE_F32 && t->n_dims == 1 && t->bytes == 8);
    CHECK(t && (uintptr_t)t->data % 4 == 0 && memcmp(t->data, x, 8) == 0);
    CHECK(t && t->scale == NULL);
    CHECK(weights_find(&w, "v") == NULL);
    CHECK_EQ_U64(w.copied, copied);
    CHECK_EQ_U64(w.mapped, 8 + strlen(header) + 9);
    weights_release(&w);
}

TEST(data_is_mapped_and_copied_only_when_unaligned)
{
    struct buf padded;

    buf_init(&padded);
    buf_addstr(&padded, HEADER);
    while (padded.len % 8)
        buf_addc(&padded, ' ');
    check_floats(padded.data, 0);
    buf_addc(&padded, ' ');
    check_floats(padded.data, 8);
    buf_release(&padded);
    finish();
}

TEST(assets_come_along)
{
    struct weights w;
    struct err e = { 0 };
    const char *text;
    size_t n;

    write_base(HEADER, "123456789", 9);
    CHECK(weights_open(&w, DIR, &e) == 0);
    CHECK(weights_config(&w, &text, &n, &e) == 0);
    CHECK_EQ_U64(n, 7);
    CHECK_STR(text, "{\"a\":1}");
    CHECK(weights_asset(&w, "merges.txt") != NULL);
    CHECK(weights_asset(&w, "tokenizer.json") == NULL);
    weights_release(&w);
    CHECK(path_remove(DIR "/config.json", &e) == 0);
    CHECK(weights_open(&w, DIR, &e) == 0);
    CHECK(weights_config(&w, &text, &n, &e) == ERR_DATA);
    weights_release(&w);
    finish();
}

static struct id
id_of_base(const char *header, const char *data, size_t n)
{
    struct weights w;
    struct err e = { 0 };
    struct id id;

    write_base(header, data, n);
    CHECK(weights_open(&w, DIR, &e) == 0);
    id = weights_id(&w);
    weights_release(&w);
    return id;
}

TEST(the_id_covers_data_and_names)
{
    struct id first = id_of_base(HEADER, "123456789", 9), other;

    other = id_of_base(HEADER " ", "123456789", 9);
    CHECK(id_equal(&first, &other));
    other = id_of_base(HEADER, "123456780", 9);
    CHECK(!id_equal(&first, &other));
    other = id_of_base("{\"w\":{\"dtype\":\"I32\",\"shape\":[2],"
                       "\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"U8\","
                       "\"shape\":[1],\"data_offsets\":[8,9]}}",
                       "123456789", 9);
    CHECK(!id_equal(&first, &other));
    finish();
}

#define INT8(scale_type, scale_shape, end) \
    "{\"w\":{\"dtype\":\"I8\",\"shape\":[2,130],\"data_offsets\":[0,260]}," \
    "\"w.scale\":{\"dtype\":\"" scale_type "\",\"shape\":" scale_shape "," \
    "\"data_offsets\":[260," #end "]}}"

TEST(int8_finds_its_scales)
{
    char data[260 + 16] = { 0 };
    struct weights w;
    struct err e = { 0 };

    memcpy(data + 260, "\1\2\3\4\5\6\7\10", 8);
    write_base(INT8("F16", "[2,2]", 268), data, 268);
    CHECK(weights_open(&w, DIR, &e) == 0);
    CHECK_EQ_U64(w.n, 1);
    CHECK(w.item[0].scale && memcmp(w.item[0].scale, data + 260, 8) == 0);
    weights_release(&w);

    write_base(INT8("F16", "[2,1]", 264), data, 264);
    CHECK(weights_open(&w, DIR, &e) == ERR_DATA);
    write_base(INT8("F32", "[2,2]", 276), data, 276);
    CHECK(weights_open(&w, DIR, &e) == ERR_DATA);
    write_base(INT8("F16", "[4]", 268), data, 268);
    CHECK(weights_open(&w, DIR, &e) == ERR_DATA);
    CHECK(strstr(e.text, "does not fit") != NULL);
    finish();
}

static void
put_tensor(struct set_out *o, const char *name, enum dtype dtype,
           uint64_t cols, const void *data, size_t n)
{
    struct tensor_desc d = {
        .name = name, .dtype = dtype, .n_dims = 2, .shape = { 2, cols },
    };
    struct err e = { 0 };
    struct buf b;

    buf_init(&b);
    CHECK(tensor_encode(&b, &d, &e) == 0);
    CHECK(set_out_tensor(o, b.data, b.len, n, &e) == 0);
    CHECK(set_out_data(o, NULL, data, n, &e) == 0);
    buf_release(&b);
}

/* A set of that type: config.json, an I8 tensor and its scales. */
static void
write_set(const char *type)
{
    char data[260 + 8] = { 0 };
    struct stream_head head;
    struct set_out o;
    struct err e = { 0 };
    struct buf b;

    memcpy(data + 258, "\1\2\3\4\5\6\7\10\11\12", 10);
    buf_init(&b);
    stream_head_init(&head, type);
    CHECK(set_out_open(&o, DIR, true, &e) == 0);
    CHECK(set_out_begin(&o, &head, 1 << 20, &e) == 0);
    CHECK(asset_encode(&b, "config.json", "{\"a\":1}", 7, &e) == 0);
    CHECK(set_out_record(&o, b.data, b.len, &e) == 0);
    put_tensor(&o, "w", DTYPE_I8, 130, data, 260);
    put_tensor(&o, "w.scale", DTYPE_F16, 2, data + 260, 8);
    CHECK(set_out_finish(&o, &e) == 0);
    set_out_release(&o);
    stream_head_release(&head);
    buf_release(&b);
}

TEST(a_shard_set_is_a_base_too)
{
    struct weights w;
    struct err e = { 0 };
    struct id id;
    const char *text;
    size_t n;

    write_set("weights");
    CHECK(weights_open(&w, DIR, &e) == 0);
    CHECK_EQ_U64(w.n, 1);
    CHECK_STR(w.item[0].name, "w");
    CHECK_EQ_U64(((const uint8_t *)w.item[0].data)[259], 2);
    CHECK(w.item[0].scale
          && ((const uint16_t *)w.item[0].scale)[3] == 0x0a09);
    CHECK_EQ_U64(w.copied, 0);
    CHECK(w.mapped > 268);
    CHECK(weights_config(&w, &text, &n, &e) == 0);
    CHECK_STR(text, "{\"a\":1}");
    CHECK(weights_check(&w, &e) == 0);
    id = weights_id(&w);
    CHECK(id_equal(&id, &w.source->set->manifest.content));
    weights_release(&w);
    finish();
}

/* Flips a bit of the set's byte that holds the I8 tensor's last element. */
static void
damage_set(void)
{
    static const char last[] = "\1\2";
    struct err e = { 0 };
    char **names;
    size_t n, i;

    CHECK(dir_list(&names, &n, DIR, &e) == 0);
    for (i = 0; i < n; i++) {
        char *path = path_join(DIR, names[i]);
        struct buf b;
        char *at;

        buf_init(&b);
        CHECK(file_read(&b, path, 1 << 20, &e) == 0);
        at = memmem(b.data, b.len, last, 2);
        if (at && strstr(names[i], ".graft")) {
            at[1] ^= 4;
            CHECK(file_write(path, b.data, b.len, &e) == 0);
        }
        buf_release(&b);
        free(path);
    }
    dir_list_free(names, n);
}

TEST(a_flipped_bit_in_a_set_is_found_by_the_check)
{
    struct weights w;
    struct err e = { 0 };

    write_set("weights");
    damage_set();
    CHECK(weights_open(&w, DIR, &e) == 0);
    CHECK(((const uint8_t *)w.item[0].data)[259] == 6);
    CHECK(weights_check(&w, &e) == ERR_DATA);
    CHECK(strstr(e.text, DIR) != NULL);
    weights_release(&w);
    finish();
}

TEST(a_set_of_something_else_is_no_base)
{
    struct weights w;
    struct err e = { 0 };

    write_set("text");
    CHECK(weights_open(&w, DIR, &e) == ERR_DATA);
    finish();
}

TEST(what_is_no_base)
{
    struct weights w;
    struct err e = { 0 };

    CHECK(weights_open(&w, "no-such-base", &e) == ERR_IO);
    CHECK(dir_make(DIR, &e) == 0);
    CHECK(weights_open(&w, DIR, &e) == ERR_DATA);
    finish();
}

static const struct test tests[] = {
    RUN(data_is_mapped_and_copied_only_when_unaligned),
    RUN(assets_come_along),
    RUN(the_id_covers_data_and_names),
    RUN(int8_finds_its_scales),
    RUN(a_shard_set_is_a_base_too),
    RUN(a_flipped_bit_in_a_set_is_found_by_the_check),
    RUN(a_set_of_something_else_is_no_base),
    RUN(what_is_no_base),
};

TEST_MAIN("weights", tests)
