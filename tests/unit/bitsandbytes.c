/* bitsandbytes.c - 4-bit checkpoints: the numbers of bitsandbytes itself, by
 * tests/golden/four_bit.py, and what does not fit together. */
#include "weights/bitsandbytes.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/mem.h"
#include "tensor/nf4.h"
#include "tensor/safetensors.h"
#include "golden_bytes.h"
#include "test.h"
#include "weights/base.h"

#define GOLDEN "tests/golden/four_bit/"
#define DIR "bitsandbytes-test.tmp"
#define STATE ".quant_state.bitsandbytes__"

TEST(four_bits_stand_for_what_bitsandbytes_makes_of_them)
{
    golden_checkpoint(GOLDEN "nf4", DTYPE_NF4, false);
    golden_checkpoint(GOLDEN "nf4_double", DTYPE_NF4, true);
}

/* A checkpoint by hand: a matrix of 2 x 128. */
struct made {
    const char *type;       /* behind STATE */
    const char *state;      /* JSON */
    size_t codes, absmax;   /* bytes, elements */
    bool nested;
    size_t factors;         /* elements of nested_absmax */
    float one;              /* the last value of quant_map */
};

static const struct made whole = {
    .type = "nf4", .codes = 128, .absmax = 4, .factors = 2, .one = 1,
    .state = "{\"quant_type\": \"nf4\", \"blocksize\": 64,"
             " \"shape\": [2, 128]}",
};

#define NESTED_STATE "{\"quant_type\": \"nf4\", \"blocksize\": 64," \
    " \"shape\": [2, 128], \"nested_blocksize\": 3, \"nested_offset\": 0.5}"

static void
put(struct buf *head, struct buf *data, const char *part, const char *dtype,
    size_t count, const void *p, size_t n)
{
    buf_addf(head, "%s\"w%s\":{\"dtype\":\"%s\",\"shape\":[%zu],"
             "\"data_offsets\":[%zu,%zu]}", head->len > 1 ? "," : "", part,
             dtype, count, data->len, data->len + n);
    buf_add(data, p, n);
}

static void
write_made(const struct made *m)
{
    static uint8_t codes[128], eights[16];
    float map[16], absmax[16], nested[256], factor[4] = { 2, 4 };
    struct buf head, data, name, file;
    struct err e = { 0 };

    for (int i = 0; i < 128; i++)
        codes[i] = (uint8_t)(i * 2 + 1);
    for (int i = 0; i < 256; i++)
        nested[i] = (float)(i - 128) / 128;
    for (int i = 0; i < 16; i++) {
        absmax[i] = (float)(i + 1);
        eights[i] = (uint8_t)(128 + 32 * (i % 4));
    }
    memcpy(map, nf4_value, sizeof(map));
    map[15] = m->one;
    buf_init(&head);
    buf_init(&data);
    buf_init(&name);
    buf_init(&file);
    buf_addstr(&head, "{");
    put(&head, &data, "", "U8", m->codes, codes, m->codes);
    put(&head, &data, ".quant_map", "F32", 16, map, sizeof(map));
    if (m->nested) {
        put(&head, &data, ".nested_quant_map", "F32", 256, nested, 1024);
        put(&head, &data, ".nested_absmax", "F32", m->factors, factor,
            4 * m->factors);
        put(&head, &data, ".absmax", "U8", m->absmax, eights, m->absmax);
    } else {
        put(&head, &data, ".absmax", "F32", m->absmax, absmax,
            4 * m->absmax);
    }
    buf_addf(&name, STATE "%s", m->type);
    put(&head, &data, name.data, "U8", strlen(m->state), m->state,
        strlen(m->state));
    buf_addstr(&head, "}");
    while (head.len % 8 != 0)
        buf_addstr(&head, " ");
    buf_u64(&file, head.len);
    buf_add(&file, head.data, head.len);
    buf_add(&file, data.data, data.len);
    CHECK(dir_make(DIR, &e) == 0);
    CHECK(file_write(DIR "/model.safetensors", file.data, file.len, &e) == 0);
    CHECK(file_write(DIR "/config.json", "{}", 2, &e) == 0);
    buf_release(&head);
    buf_release(&data);
    buf_release(&name);
    buf_release(&file);
}

/* The scales that m's matrix has. */
static void
check_scales(const struct made *m, const float want[4])
{
    const struct weight *t;
    struct weights w;
    struct err e = { 0 };

    write_made(m);
    if (CHECK(weights_open(&w, DIR, &e) == 0)) {
        CHECK_EQ_U64(w.n, 1);
        t = weights_find(&w, "w");
        CHECK(t->dtype == DTYPE_NF4 && t->shape[0] == 2 && t->bytes == 128);
        CHECK_EQ_U64(weight_side_bytes(t), 16);
        CHECK(memcmp(t->scale, want, 16) == 0);
        weights_release(&w);
    } else {
        printf("  %s\n", e.text);
    }
    CHECK(path_remove(DIR, &e) == 0);
}

TEST(scales_are_one_for_each_64)
{
    const float plain[4] = { 1, 2, 3, 4 }, twice[4] = { 1, 1, 2, 2 };
    const float nested[4] = { 0.5f, 1, 1.5f, 3.5f };
    struct made m = whole;

    check_scales(&m, plain);
    m.absmax = 2;
    m.state = "{\"quant_type\": \"nf4\", \"blocksize\": 128,"
              " \"shape\": [2, 128]}";
    check_scales(&m, twice);
    m = whole;
    m.nested = true;
    m.state = NESTED_STATE;
    check_scales(&m, nested);
}

/* The id covers the scales, whether in place or copied. */
TEST(another_scale_is_another_base)
{
    struct made m = whole;
    struct weights w;
    struct id id[2];
    struct err e = { 0 };

    m.nested = true;
    for (int i = 0; i < 2; i++) {
        m.state = i == 0 ? NESTED_STATE
                  : "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"shape\":"
                    " [2, 128], \"nested_blocksize\": 3,"
                    " \"nested_offset\": 1}";
        write_made(&m);
        CHECK(weights_open(&w, DIR, &e) == 0);
        id[i] = weights_id(&w);
        weights_release(&w);
        CHECK(path_remove(DIR, &e) == 0);
    }
    CHECK(!id_equal(&id[0], &id[1]));
}

static void
check_refused(const struct made *m, const char *part)
{
    struct weights w;
    struct err e = { 0 };

    write_made(m);
    CHECK(weights_open(&w, DIR, &e) == ERR_DATA);
    if (!strstr(e.text, part))
        CHECK_STR(e.text, part);
    CHECK(path_remove(DIR, &e) == 0);
}

static void
check_state(const char *state, bool nested, const char *part)
{
    struct made m = whole;

    m.state = state;
    m.nested = nested;
    check_refused(&m, part);
}

#define WITH(block, shape) "{\"quant_type\": \"nf4\", \"blocksize\": " block \
    ", \"shape\": " shape "}"

TEST(a_state_that_lies_is_refused)
{
    check_state("", false, "bitsandbytes__nf4");
    check_state("[]", false, "quant_type is not nf4");
    check_state("{\"quant_type\": \"fp4\"}", false, "quant_type is not nf4");
    check_state(WITH("32", "[2, 128]"), false, "blocksize is no multiple");
    check_state(WITH("-64", "[2, 128]"), false, "blocksize is no multiple");
    check_state(WITH("64.5", "[2, 128]"), false, "blocksize is no multiple");
    check_state(WITH("\"64\"", "[2, 128]"), false, "blocksize is no");
    check_state(WITH("64", "[256]"), false, "not that of a matrix");
    check_state(WITH("64", "[2, 1e99]"), false, "not that of a matrix");
    check_state(WITH("64", "[0, 128]"), false, "not that of a matrix");
    check_state(WITH("64", "[4, 32]"), false, "over the ends of rows");
    check_state(WITH("64", "[2, 192]"), false, "codes don't fit");
    check_state(WITH("64", "[2147483648, 2147483648]"), false,
                "codes don't fit");
    check_state(WITH("128", "[2, 128]"), false, "absmax does not fit");
    check_state(whole.state, true, "nested_blocksize is no");
    check_state("{\"quant_type\": \"nf4\", \"blocksize\": 64, \"shape\": [2,"
                " 128], \"nested_blocksize\": 3, \"nested_offset\": 1e99}",
                true, "nested_offset is no number");
}

TEST(parts_that_don_t_fit_are_refused)
{
    struct made m = whole;

    m.type = "fp4";
    check_refused(&m, "type fp4 are not supported");
    m = whole;
    m.one = 0.5f;
    check_refused(&m, "quant_map is not that of nf4");
    m = whole;
    m.codes = 64;
    check_refused(&m, "codes don't fit");
    m = whole;
    m.absmax = 3;
    check_refused(&m, "absmax does not fit");
    m = whole;
    m.nested = true;
    m.state = NESTED_STATE;
    m.factors = 1;
    check_refused(&m, "nested_absmax does not fit");
}

static const struct test tests[] = {
    RUN(four_bits_stand_for_what_bitsandbytes_makes_of_them),
    RUN(scales_are_one_for_each_64),
    RUN(another_scale_is_another_base),
    RUN(a_state_that_lies_is_refused),
    RUN(parts_that_don_t_fit_are_refused),
};

TEST_MAIN("bitsandbytes", tests)
