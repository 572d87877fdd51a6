/* bitsandbytes_int8.c - 8-bit checkpoints: the numbers of bitsandbytes itself,
 * by tests/golden/eight_bit.py, and what does not fit together. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/mem.h"
#include "tensor/safetensors.h"
#include "golden_bytes.h"
#include "test.h"
#include "weights/base.h"
#include "weights/bitsandbytes.h"

#define GOLDEN "tests/golden/eight_bit/"
#define DIR "bitsandbytes-int8-test.tmp"

TEST(eight_bits_stand_for_what_bitsandbytes_makes_of_them)
{
    golden_checkpoint(GOLDEN "llama", DTYPE_I8_ROW, false);
    golden_checkpoint(GOLDEN "gpt2", DTYPE_I8_ROW, false);
}

/* transformers turns those of GPT-2 that it converts. */
TEST(a_matrix_that_was_left_is_the_other_way_round)
{
    struct weights w;
    struct model_desc d;
    struct err e = { 0 };
    size_t unused;
    struct weight *t;

    if (!CHECK(weights_open(&w, GOLDEN "gpt2", &e) == 0))
        return;
    t = (struct weight *)weights_find(&w,
                                      "transformer.h.0.attn.c_proj.weight");
    CHECK(t->shape[0] == 16 && t->shape[1] == 16);
    t->dtype = DTYPE_F32;
    CHECK(base_describe(&d, &unused, &w, &e) == ERR_DATA);
    CHECK(strstr(e.text, "attn.c_proj.weight: is not turned") != NULL);
    weights_release(&w);
}

/* A checkpoint by hand: a matrix of 2 x 3. */
struct made {
    const char *name, *type;  /* of the weight: "m.weight", I8 */
    const char *layout, *layout_type;
    size_t scales;            /* elements of m.SCB, F32 unless small */
    bool small;               /* F16 */
};

static const struct made whole = { "m.weight", "I8", "m.weight_format", "U8",
                                   .scales = 2 };

/* The data are those of one file of 64 bytes, all of them 0 or, from 32 on,
 * 1.0f. */
static void
write_made(const struct made *m, uint8_t layout)
{
    struct buf head, file;
    struct err e = { 0 };
    float ones[8];
    uint8_t first[32] = { [31] = layout };

    for (int i = 0; i < 8; i++)
        ones[i] = 1;
    buf_init(&head);
    buf_init(&file);
    buf_addf(&head, "{\"m.SCB\":{\"dtype\":\"%s\",\"shape\":[%zu],"
             "\"data_offsets\":[32,%zu]}", m->small ? "F16" : "F32",
             m->scales, 32 + (m->small ? 2 : 4) * m->scales);
    buf_addf(&head, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[2,3],"
             "\"data_offsets\":[0,6]}", m->name, m->type);
    buf_addf(&head, ",\"x\":{\"dtype\":\"U8\",\"shape\":[25],"
             "\"data_offsets\":[6,31]}");
    buf_addf(&head, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[],"
             "\"data_offsets\":[31,32]}}", m->layout, m->layout_type);
    while (head.len % 8 != 0)
        buf_addstr(&head, " ");
    buf_u64(&file, head.len);
    buf_add(&file, head.data, head.len);
    buf_add(&file, first, sizeof(first));
    buf_add(&file, ones, (m->small ? 2 : 4) * m->scales);
    CHECK(dir_make(DIR, &e) == 0);
    CHECK(file_write(DIR "/model.safetensors", file.data, file.len, &e) == 0);
    CHECK(file_write(DIR "/config.json", "{}", 2, &e) == 0);
    buf_release(&head);
    buf_release(&file);
}

TEST(scales_and_layout_are_parts_of_their_weight)
{
    struct made m = whole;
    struct weights w;
    struct err e = { 0 };

    for (int i = 0; i < 2; i++) {
        m.layout = i == 0 ? "m.weight_format" : "other";
        write_made(&m, 0);
        if (CHECK(weights_open(&w, DIR, &e) == 0)) {
            CHECK_EQ_U64(w.bitsandbytes, 8);
            CHECK_EQ_U64(w.n, i == 0 ? 2 : 3);
            CHECK(weights_find(&w, "m.weight")->dtype == DTYPE_I8_ROW);
            CHECK(weights_find(&w, "m.SCB") == NULL);
            weights_release(&w);
        }
        CHECK(path_remove(DIR, &e) == 0);
    }
}

static void
check_refused(const struct made *m, uint8_t layout, const char *part)
{
    struct weights w;
    struct err e = { 0 };

    write_made(m, layout);
    CHECK(weights_open(&w, DIR, &e) == ERR_DATA);
    if (!strstr(e.text, part))
        CHECK_STR(e.text, part);
    CHECK(path_remove(DIR, &e) == 0);
}

TEST(parts_that_don_t_fit_are_refused)
{
    struct made m = whole;

    m.name = "n.weight";
    check_refused(&m, 0, "m.SCB: is there without its weight");
    m = whole;
    m.type = "U8";
    check_refused(&m, 0, "m.SCB: its weight is no matrix of I8");
    m = whole;
    m.scales = 3;
    check_refused(&m, 0, "m.SCB: is not an F32 for each row");
    m.scales = 2;
    m.small = true;
    check_refused(&m, 0, "m.SCB: is not an F32 for each row");
    m = whole;
    check_refused(&m, 2, "m.SCB: weight_format is not 0");
    m.layout_type = "I8";
    check_refused(&m, 0, "m.SCB: weight_format is not 0");
}

static const struct test tests[] = {
    RUN(eight_bits_stand_for_what_bitsandbytes_makes_of_them),
    RUN(a_matrix_that_was_left_is_the_other_way_round),
    RUN(scales_and_layout_are_parts_of_their_weight),
    RUN(parts_that_don_t_fit_are_refused),
};

TEST_MAIN("bitsandbytes_int8", tests)
