/* ggml.c - the blocks of GGUF against what the gguf package makes of them
 * (tests/golden/ggml.py), in whole and in parts, and scales that are none. */
#include "tensor/ggml.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "tensor/safetensors.h"
#include "tensor/stored.h"
#include "test.h"

#define GOLDEN "tests/golden/ggml.safetensors"

static const char *const names[] = { "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1",
                                     "Q4_K", "Q5_K", "Q6_K" };

#define N_NAMES (sizeof(names) / sizeof(names[0]))

static const struct stored *
format(const char *name)
{
    return stored_of(dtype_parse(name, strlen(name)));
}

TEST(elements_are_those_of_gguf)
{
    struct safetensors f;
    struct err e;
    char name[16];
    float x[256];

    if (!CHECK(safetensors_open(&f, GOLDEN, SAFETENSORS_MAX_HEADER, &e) == 0))
        return;
    for (size_t i = 0; i < N_NAMES; i++) {
        const struct safetensor *t = safetensors_find(&f, names[i]), *back;
        const struct stored *s = format(names[i]);
        const uint8_t *row = safetensors_data(&f, t);
        const float *want;

        snprintf(name, sizeof(name), "%s.back", names[i]);
        back = safetensors_find(&f, name);
        want = safetensors_data(&f, back);
        CHECK_EQ_U64(t->shape[1], dtype_size(s->dtype));
        CHECK_EQ_U64(back->shape[1], s->block);
        CHECK(t->shape[0] > 10 && t->shape[0] == back->shape[0]);
        for (uint64_t r = 0; r < t->shape[0]; r++) {
            s->widen(x, row, NULL, r * s->block, s->block);
            if (!CHECK(memcmp(x, want + r * s->block,
                              s->block * sizeof(x[0])) == 0))
                printf("  %s: block %llu\n", names[i], (unsigned long long)r);
        }
    }
    safetensors_release(&f);
}

/* Three blocks and a part of a fourth, from any column on. */
TEST(parts_of_rows_are_those_of_the_whole)
{
    uint8_t row[4 * 210];
    float whole[4 * 256], part[4 * 256];

    for (size_t i = 0; i < sizeof(row); i++)
        row[i] = (uint8_t)(i * 31 % 97); /* no half of it is infinite */
    for (size_t i = 0; i < N_NAMES; i++) {
        const struct stored *s = format(names[i]);
        size_t n = 3 * s->block + 5, step = s->block == 32 ? 1 : 13;

        s->widen(whole, row, NULL, 0, n);
        for (size_t from = 0; from < n; from += step)
            for (size_t len = 1; from + len <= n; len += step) {
                s->widen(part, row, NULL, from, len);
                if (!CHECK(memcmp(part, whole + from,
                                  len * sizeof(part[0])) == 0))
                    return;
            }
    }
}

/* None of the block's elements is finite then, whatever its codes. */
TEST(a_scale_that_is_not_finite_is_seen_in_every_element)
{
    static const uint16_t bad[] = { 0x7c00, 0xfc00, 0x7e00 };
    uint8_t row[210];
    float x[256];

    for (size_t i = 0; i < N_NAMES * 3; i++) {
        const struct stored *s = format(names[i / 3]);
        size_t at = s->dtype == DTYPE_Q6_K ? 208 : 0;

        memset(row, 0, sizeof(row));
        store_u16(row + at, bad[i % 3]);
        s->widen(x, row, NULL, 0, s->block);
        for (size_t k = 0; k < s->block; k++)
            if (!CHECK(!isfinite(x[k])))
                return;
    }
}

static const struct test tests[] = {
    RUN(elements_are_those_of_gguf),
    RUN(parts_of_rows_are_those_of_the_whole),
    RUN(a_scale_that_is_not_finite_is_seen_in_every_element),
};

TEST_MAIN("ggml", tests)
