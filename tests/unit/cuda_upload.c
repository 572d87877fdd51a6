/* cuda_upload.c - what the base becomes on its way to the card: rows of a
 * table that goes up in several pieces, as an EMBED reads them. */
#include "cuda_device.h"

#include <math.h>

#include "base/mem.h"

enum { ROWS = 600000, COLS = 16, READ = 4 };

static const int32_t ids[READ] = { 0, 262143, 524288, ROWS - 1 };

/* EMBED of ids from the whole of buffer 1 into buffer 2. */
struct program {
    struct op_list list;
    struct op op;
    struct tensor_buf buf[3];
};

static void
lay(struct program *p, const void *table, uint8_t stored, uint8_t kept)
{
    uint64_t size = (uint64_t)ROWS * COLS * dtype_size(kept);

    *p = (struct program){ .op = { .kind = OP_EMBED } };
    p->buf[1] = (struct tensor_buf){ .bytes = size, .source = table,
                                     .zone = ZONE_BASE, .dtype = kept,
                                     .source_dtype = stored };
    p->buf[2] = (struct tensor_buf){ .bytes = READ * COLS * 2,
                                     .zone = ZONE_ARENA };
    p->op.x[0] = (struct view){ 1, ROWS, COLS, COLS, 0, kept, 0 };
    p->op.y[0] = (struct view){ 2, READ, COLS, COLS, 0, DTYPE_BF16, 0 };
    p->list = (struct op_list){ .op = &p->op, .n = 1, .buf = p->buf,
                                .n_bufs = 3, .rows = READ, .seqs = 1,
                                .head_chunk = 1 };
    p->list.zone_bytes[ZONE_BASE] = size;
    p->list.zone_bytes[ZONE_ARENA] = p->buf[2].bytes;
    for (int r = RANGE_FWD + 1; r <= RANGE_COUNT; r++)
        p->list.range[r] = 1;
}

static void
run(struct backend *b, struct program *p, uint16_t *out)
{
    static const int32_t zero[READ];
    static const float weight[READ];
    const struct batch batch = { .ids = ids, .target = zero, .pos = zero,
                                 .doc_first = zero, .head_row = zero,
                                 .weight = weight, .n = READ };
    const struct inputs in = { .n_head = 0 };
    struct memory *m = NULL;
    struct err e = { 0 };

    if (!CHECK(b->prepare(b, &m, &p->list, NULL, &e) == 0
               && b->batch(m, &batch, &in, &e) == 0
               && b->run(m, RANGE_FWD, &e) == 0
               && b->get(m, &p->op.y[0], out, &e) == 0))
        printf("    %s\n", e.text);
    b->release(m);
}

static void
try_table(struct backend *b, const float *x, uint8_t stored, uint8_t kept)
{
    size_t n = (size_t)ROWS * COLS, size = dtype_size(stored);
    char *table = mem_array(n, size);
    uint16_t out[READ * COLS] = { 0 };
    struct program p;
    float back;

    floats_store(table, stored, x, n);
    lay(&p, table, stored, kept);
    run(b, &p, out);
    for (size_t i = 0; i < READ * COLS; i++) {
        size_t at = (size_t)ids[i / COLS] * COLS + i % COLS;

        floats_load(&back, table + at * size, stored, 1);
        CHECK_EQ_U64(out[i], f32_to_bf16(back));
    }
    free(table);
}

TEST(a_base_is_converted_on_its_way_or_not)
{
    float *x = mem_array((size_t)ROWS * COLS, sizeof(*x));
    struct backend b;

    for (size_t i = 0; i < (size_t)ROWS * COLS; i++)
        x[i] = (float)(i * 7919 % 1000003) * 0x1p-20f - 0.4f;
    x[(size_t)ids[1] * COLS + 3] = NAN;
    x[(size_t)ids[3] * COLS + 5] = -INFINITY;
    if (device_here(&b, "bf16")) {
        CHECK(b.operand == DTYPE_BF16);
        try_table(&b, x, DTYPE_F32, DTYPE_BF16);
        try_table(&b, x, DTYPE_F16, DTYPE_BF16);
        try_table(&b, x, DTYPE_BF16, DTYPE_BF16);
        try_table(&b, x, DTYPE_F32, DTYPE_F32);
        device_done(&b);
    }
    free(x);
}

static const struct test tests[] = {
    RUN(a_base_is_converted_on_its_way_or_not),
};

TEST_MAIN("cuda_upload", tests)
