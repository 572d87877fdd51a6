/* quantize.c - tensors in every format, read back from the stream. */
#include "weights/quantize.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "record/tensor.h"
#include "stored_fill.h"
#include "tensor/int8.h"
#include "test.h"

#define FILE_NAME "quantize-test.tmp"
#define COLS 16600 /* more than a piece, and a short last group */

static float values[3 * COLS];
static enum weight_use use = WEIGHT_LINEAR; /* of what is written */

static struct weight
matrix(void)
{
    struct weight t = {
        .name = "w.weight", .dtype = DTYPE_F32, .n_dims = 2,
        .shape = { 3, COLS }, .data = values, .bytes = sizeof(values),
    };
    struct rng r;

    rng_init(&r, 1, 1);
    for (size_t i = 0; i < 3 * COLS; i++)
        values[i] = (float)rng_normal(&r) * 0.05f;
    return t;
}

/* What quantize_tensor makes of t, as a stream of one segment. */
static int
write_stream(struct quantize *q, const struct weight *t, struct err *e)
{
    struct stream_head head;
    struct stream_out out;
    int rc;

    stream_head_init(&head, "weights");
    CHECK(stream_out_open(&out, FILE_NAME, e) == 0);
    CHECK(stream_out_begin(&out, &head, e) == 0);
    q->out = &out;
    rc = quantize_tensor(q, t, use, e);
    if (rc == 0)
        rc = quantize_end(q, e);
    quantize_release(q);
    if (rc == 0) {
        CHECK(stream_out_end(&out, e) == 0);
        CHECK(stream_out_close(&out, e) == 0);
    } else {
        stream_out_release(&out);
    }
    stream_head_release(&head);
    return rc;
}

/* The next tensor of the stream: its data (to be freed), and *d. */
static void *
next_tensor(struct stream_in *in, struct tensor_desc *d, char *name)
{
    struct stream_rec rec;
    struct err e = { 0 };
    uint8_t *data;
    size_t got, at = 0;

    CHECK(stream_in_record(in, &rec, &e) == 1);
    CHECK_EQ_U64(rec.kind, FRAME_TENSOR);
    CHECK(tensor_decode(d, rec.p, rec.n, rec.data, &e) == 0);
    snprintf(name, 64, "%s", d->name);
    data = mem_alloc(d->bytes);
    do {
        CHECK(stream_in_data(in, data + at, d->bytes - at, &got, &e) == 0);
        at += got;
    } while (got > 0);
    CHECK_EQ_U64(at, d->bytes);
    return data;
}

static void
open_stream(struct stream_in *in)
{
    struct err e = { 0 };

    CHECK(stream_in_open(in, FILE_NAME, "weights", &e) == 0);
    CHECK(stream_in_segment(in, &e) == 1);
}

static void
close_stream(struct stream_in *in)
{
    struct stream_rec rec;
    struct err e = { 0 };

    CHECK(stream_in_record(in, &rec, &e) == 0);
    stream_in_release(in);
    CHECK(path_remove(FILE_NAME, &e) == 0);
}

static void
check_floats(unsigned dtype, double bound)
{
    struct quantize q = { .dtype = dtype };
    struct weight t = matrix();
    struct stream_in in;
    struct tensor_desc d;
    struct err e = { 0 };
    size_t wrong = 0;
    char name[64];
    uint8_t *data;
    float x;

    CHECK(write_stream(&q, &t, &e) == 0);
    open_stream(&in);
    data = next_tensor(&in, &d, name);
    CHECK_STR(name, "w.weight");
    CHECK_EQ_U64(d.dtype, dtype);
    CHECK_EQ_U64(d.n_dims, 2);
    CHECK_EQ_U64(d.shape[0], 3);
    CHECK_EQ_U64(d.shape[1], COLS);
    for (size_t i = 0; i < 3 * COLS; i++) {
        floats_load(&x, data + i * dtype_size(dtype), dtype, 1);
        wrong += !(fabs((double)x - (double)values[i])
                   <= bound * fabs((double)values[i]) + bound * 1e-4);
    }
    CHECK_EQ_U64(wrong, 0);
    CHECK_EQ_U64(q.n_in, sizeof(values));
    CHECK_EQ_U64(q.n_out, d.bytes);
    free(data);
    close_stream(&in);
}

TEST(floats_are_rounded)
{
    check_floats(DTYPE_F32, 0);
    check_floats(DTYPE_BF16, 0x1p-8);
    check_floats(DTYPE_F16, 0x1p-11);
}

TEST(a_matrix_becomes_int8_with_its_scales_behind)
{
    struct quantize q = { .dtype = DTYPE_I8 };
    struct weight t = matrix();
    struct stream_in in;
    struct tensor_desc d;
    struct err e = { 0 };
    size_t wrong = 0, groups = int8_groups(COLS);
    char name[64];
    float *row = mem_array(COLS, sizeof(*row));
    uint16_t *scale;
    int8_t *data;

    CHECK(write_stream(&q, &t, &e) == 0);
    open_stream(&in);
    data = next_tensor(&in, &d, name);
    CHECK_STR(name, "w.weight");
    CHECK_EQ_U64(d.dtype, DTYPE_I8);
    CHECK_EQ_U64(d.bytes, 3 * COLS);
    scale = next_tensor(&in, &d, name);
    CHECK_STR(name, "w.weight.scale");
    CHECK_EQ_U64(d.dtype, DTYPE_F16);
    CHECK_EQ_U64(d.shape[0], 3);
    CHECK_EQ_U64(d.shape[1], groups);
    for (size_t r = 0; r < 3; r++) {
        int8_decode(row, data + r * COLS, scale + r * groups, COLS);
        for (size_t i = 0; i < COLS; i++) {
            double s = f16_to_f32(scale[r * groups + i / 128]);
            double error = (double)row[i] - (double)values[r * COLS + i];

            wrong += !(fabs(error) <= s / 2 && s > 0);
        }
    }
    CHECK_EQ_U64(wrong, 0);
    free(row);
    free(scale);
    free(data);
    close_stream(&in);
}

/* The matrix, its side if the format has one, and nothing else. */
static void
check_format(const struct stored *s)
{
    struct quantize q = { .dtype = s->dtype };
    struct weight t = matrix();
    struct stream_in in;
    struct tensor_desc d;
    struct err e = { 0 };
    size_t row = (size_t)stored_row_bytes(s, COLS), wrong = 0;
    size_t side_row = (size_t)stored_blocks(s, COLS)
                      * dtype_size(s->side_dtype);
    char name[64], *data, *side = NULL;
    float x[COLS];

    CHECK(write_stream(&q, &t, &e) == 0);
    open_stream(&in);
    data = next_tensor(&in, &d, name);
    CHECK_EQ_U64(d.dtype, s->dtype);
    CHECK_EQ_U64(d.bytes, 3 * row);
    if (s->side_dtype != DTYPE_NONE) {
        side = next_tensor(&in, &d, name);
        CHECK_STR(name, "w.weight" SCALE_SUFFIX);
        CHECK_EQ_U64(d.dtype, s->side_dtype);
        CHECK_EQ_U64(d.bytes, 3 * side_row);
    }
    for (size_t r = 0; r < 3; r++) {
        s->widen(x, data + r * row, side ? side + r * side_row : NULL, 0,
                 COLS);
        for (size_t i = 0; i < COLS; i++)
            wrong += !(fabs((double)x[i] - (double)values[r * COLS + i])
                       <= s->bound(0.5));
    }
    CHECK_EQ_U64(wrong, 0);
    free(data);
    free(side);
    close_stream(&in);
}

TEST(a_matrix_in_every_format)
{
    const struct stored *s;

    for (size_t i = 0; (s = stored_at(i)) != NULL; i++)
        if (s->encode != NULL)
            check_format(s);
}

/* Two rows of Q6_K, the last block of each in part. */
static struct weight
blocks(uint8_t data[4 * 210])
{
    float x[300];

    for (int i = 0; i < 300; i++)
        x[i] = (float)(i + 1);
    for (int i = 0; i < 2; i++)
        stored_fill(stored_of(DTYPE_Q6_K), data + i * 420, NULL, x + i, 299);
    return (struct weight){ .name = "w.weight", .dtype = DTYPE_Q6_K,
                            .n_dims = 2, .shape = { 2, 299 }, .data = data,
                            .bytes = 4 * 210 };
}

TEST(what_gguf_has_in_blocks_is_converted)
{
    struct quantize q = { .dtype = DTYPE_F32 };
    uint8_t data[4 * 210];
    struct weight t = blocks(data);
    struct stream_in in;
    struct tensor_desc d;
    struct err e = { 0 };
    char name[64];
    float want[2][299];
    void *got;

    CHECK_EQ_U64(weight_elements(&t), 598);
    for (int i = 0; i < 2; i++)
        stored_of(DTYPE_Q6_K)->widen(want[i], data + i * 420, NULL, 0, 299);
    CHECK(write_stream(&q, &t, &e) == 0);
    open_stream(&in);
    got = next_tensor(&in, &d, name);
    CHECK_EQ_U64(d.dtype, DTYPE_F32);
    CHECK_EQ_U64(d.bytes, sizeof(want));
    CHECK(memcmp(got, want, sizeof(want)) == 0);
    free(got);
    close_stream(&in);

    q.dtype = DTYPE_I8;
    CHECK(write_stream(&q, &t, &e) == 0);
    open_stream(&in);
    free(next_tensor(&in, &d, name));
    CHECK_EQ_U64(d.dtype, DTYPE_I8);
    free(next_tensor(&in, &d, name));
    CHECK_EQ_U64(d.dtype, DTYPE_F16);
    close_stream(&in);
}

/* An embedding stays in blocks where nf4 is for the linears. */
TEST(blocks_stay_where_floats_stay)
{
    struct quantize q = { .dtype = DTYPE_NF4 };
    uint8_t data[4 * 210];
    struct weight t = blocks(data);
    struct stream_in in;
    struct tensor_desc d;
    struct err e = { 0 };
    char name[64];
    void *got;

    use = WEIGHT_OTHER;
    CHECK(write_stream(&q, &t, &e) == 0);
    use = WEIGHT_LINEAR;
    open_stream(&in);
    got = next_tensor(&in, &d, name);
    CHECK_EQ_U64(d.dtype, DTYPE_Q6_K);
    CHECK_EQ_U64(d.shape[1], 299);
    CHECK_EQ_U64(d.bytes, sizeof(data));
    CHECK(memcmp(got, data, sizeof(data)) == 0);
    free(got);
    close_stream(&in);
}

/* With int8, what is no matrix stays F32; integers always stay. */
TEST(other_tensors_with_int8)
{
    static const uint16_t half[2] = { 0x3c00, 0xc000 };
    static const int64_t whole[1] = { -7 };
    struct quantize q = { .dtype = DTYPE_I8 };
    struct weight t = {
        .name = "norm.weight", .dtype = DTYPE_F16, .n_dims = 1,
        .shape = { 2 }, .data = half, .bytes = sizeof(half),
    };
    struct stream_in in;
    struct tensor_desc d;
    struct err e = { 0 };
    char name[64];
    float *x;
    int64_t *i;

    CHECK(write_stream(&q, &t, &e) == 0);
    open_stream(&in);
    x = next_tensor(&in, &d, name);
    CHECK_EQ_U64(d.dtype, DTYPE_F32);
    CHECK(x[0] == 1 && x[1] == -2);
    free(x);
    close_stream(&in);

    t = (struct weight){ .name = "count", .dtype = DTYPE_I64, .data = whole,
                         .bytes = sizeof(whole) };
    CHECK(write_stream(&q, &t, &e) == 0);
    open_stream(&in);
    i = next_tensor(&in, &d, name);
    CHECK_EQ_U64(d.dtype, DTYPE_I64);
    CHECK_EQ_U64(d.n_dims, 0);
    CHECK(i[0] == -7);
    free(i);
    close_stream(&in);
}

static void
check_refused(unsigned dtype, float value, bool allow, const char *part)
{
    struct quantize q = { .dtype = dtype, .allow_bad = allow };
    struct weight t = matrix();
    struct err e = { 0 };

    values[COLS + 16500] = value;
    CHECK(write_stream(&q, &t, &e) == ERR_DATA);
    if (!strstr(e.text, part))
        CHECK_STR(e.text, part);
    CHECK(!path_exists(FILE_NAME));
}

TEST(row_41_what_is_not_finite_is_named)
{
    struct quantize q = { .dtype = DTYPE_BF16, .allow_bad = true };
    struct weight t;
    struct err e = { 0 };

    check_refused(DTYPE_F32, NAN, false, "tensor w.weight: element 33100 is");
    check_refused(DTYPE_BF16, INFINITY, false, "element 33100 is inf");
    check_refused(DTYPE_I8, -INFINITY, false, "element 33100 is -inf");
    check_refused(DTYPE_I8, NAN, true, "int8 can't hold");
    /* Finite, but not in the narrower type. */
    check_refused(DTYPE_F16, 1e5f, false, "which F16 can't hold");
    check_refused(DTYPE_BF16, 3.4e38f, false, "which BF16 can't hold");
    check_refused(DTYPE_I8, 1e7f, false, "too large for int8");
    check_refused(DTYPE_I8_ROW, 1e5f, false, "too large for int8_row");

    t = matrix();
    values[5] = NAN;
    CHECK(write_stream(&q, &t, &e) == 0);
    CHECK(path_remove(FILE_NAME, &e) == 0);
}

TEST(what_cannot_be_converted_is_refused)
{
    static const uint8_t bytes[32] = { 0 };
    struct quantize q = { .dtype = DTYPE_F32 };
    struct weight t = {
        .name = "x", .dtype = DTYPE_C64, .n_dims = 1, .shape = { 4 },
        .data = bytes, .bytes = sizeof(bytes),
    };
    struct err e = { 0 };

    CHECK(write_stream(&q, &t, &e) == ERR_DATA);
    CHECK(strstr(e.text, "C64") != NULL);
}

/* Two rows of int8 by row, with their scales. */
static const int8_t codes[2][3] = { { 127, -3, 0 }, { 1, 2, -127 } };
static const float absmax[2] = { 0.3f, 7 };

static void
check_from_int8_row(unsigned dtype, const void *want, size_t bytes,
                    const void *want_side, size_t side_bytes)
{
    struct quantize q = { .dtype = dtype };
    struct weight t = {
        .name = "w.weight", .dtype = DTYPE_I8_ROW, .n_dims = 2,
        .shape = { 2, 3 }, .data = codes, .scale = absmax, .bytes = 6
    };
    struct stream_in in;
    struct tensor_desc d;
    struct err e = { 0 };
    char name[64];
    void *got;

    CHECK(write_stream(&q, &t, &e) == 0);
    open_stream(&in);
    got = next_tensor(&in, &d, name);
    CHECK_EQ_U64(d.dtype, dtype);
    CHECK_EQ_U64(d.bytes, bytes);
    CHECK(memcmp(got, want, bytes) == 0);
    free(got);
    if (want_side != NULL) {
        got = next_tensor(&in, &d, name);
        CHECK_STR(name, "w.weight" SCALE_SUFFIX);
        CHECK_EQ_U64(d.bytes, side_bytes);
        CHECK(memcmp(got, want_side, side_bytes) == 0);
        free(got);
    }
    close_stream(&in);
}

/* In its own format it passes, with its scales; in another it is what it
 * stands for. */
TEST(what_has_scales_is_converted)
{
    int8_t q[2][3];
    uint16_t scale[2];
    float x[2][3];
    size_t bad;

    for (int r = 0; r < 2; r++) {
        stored_of(DTYPE_I8_ROW)->widen(x[r], codes[r], &absmax[r], 0, 3);
        int8_encode(q[r], &scale[r], x[r], 3, &bad);
    }
    check_from_int8_row(DTYPE_F32, x, sizeof(x), NULL, 0);
    check_from_int8_row(DTYPE_I8, q, sizeof(q), scale, sizeof(scale));
    check_from_int8_row(DTYPE_I8_ROW, codes, sizeof(codes), absmax,
                        sizeof(absmax));
}

static const struct test tests[] = {
    RUN(floats_are_rounded),
    RUN(a_matrix_becomes_int8_with_its_scales_behind),
    RUN(a_matrix_in_every_format),
    RUN(what_gguf_has_in_blocks_is_converted),
    RUN(blocks_stay_where_floats_stay),
    RUN(other_tensors_with_int8),
    RUN(row_41_what_is_not_finite_is_named),
    RUN(what_cannot_be_converted_is_refused),
    RUN(what_has_scales_is_converted),
};

TEST_MAIN("quantize", tests)
