/* nf4.c - the codec of 4-bit NormalFloat against bitsandbytes' bytes, which
 * tests/golden/nf4.py made, and rows that are no whole blocks. */
#include "tensor/nf4.h"

#include "golden_bytes.h"

#define GOLDEN "tests/golden/nf4.safetensors"

TEST(bytes_are_those_of_bitsandbytes)
{
    struct safetensors f;
    struct err e;
    uint64_t rows, cols, half, blocks;
    const uint8_t *code;
    const float *x, *absmax, *back;
    uint8_t own[512];
    float scale[16], y[1024];

    if (!CHECK(safetensors_open(&f, GOLDEN, SAFETENSORS_MAX_HEADER, &e) == 0))
        return;
    code = golden_matrix(&f, "code", &rows, &half);
    absmax = golden_matrix(&f, "absmax", &rows, &blocks);
    back = golden_matrix(&f, "back", &rows, &cols);
    x = golden_matrix(&f, "x", &rows, &cols);
    CHECK(rows > 0 && cols == 2 * half && cols == blocks * NF4_BLOCK);
    for (uint64_t r = 0; r < rows && half <= sizeof(own); r++) {
        nf4_encode(own, scale, x + r * cols, (size_t)cols);
        if (!CHECK(memcmp(own, code + r * half, (size_t)half) == 0)
            || !CHECK(memcmp(scale, absmax + r * blocks,
                             (size_t)blocks * sizeof(scale[0])) == 0))
            printf("  row %llu\n", (unsigned long long)r);
        nf4_decode(y, code + r * half, absmax + r * blocks, 0, (size_t)cols);
        CHECK(memcmp(y, back + r * cols, (size_t)cols * sizeof(y[0])) == 0);
    }
    safetensors_release(&f);
}

/* 64 + 3: a short block, and half a byte at its end. */
TEST(the_last_block_may_be_short_and_odd)
{
    float x[67], absmax[2], all[67], part[5];
    uint8_t code[35];

    memset(code, 0xff, sizeof(code));
    for (int i = 0; i < 67; i++)
        x[i] = i < 64 ? (float)i - 31.5f : 0.25f * (float)(i - 65);
    nf4_encode(code, absmax, x, 67);
    CHECK(absmax[0] > 31.4f && absmax[0] < 31.6f);
    CHECK(absmax[1] > 0.24f && absmax[1] < 0.26f);
    CHECK_EQ_U64(code[32], 0x07); /* elements 64 and 65: -0.25 and 0 */
    CHECK_EQ_U64(code[33], 0xf0); /* 66: 0.25, and nothing behind it */
    CHECK_EQ_U64(code[34], 0xff); /* not touched */
    nf4_decode(all, code, absmax, 0, 67);
    nf4_decode(part, code, absmax, 62, 5);
    CHECK(memcmp(part, all + 62, sizeof(part)) == 0);
}

static const struct test tests[] = {
    RUN(bytes_are_those_of_bitsandbytes),
    RUN(the_last_block_may_be_short_and_odd),
};

TEST_MAIN("nf4", tests)
