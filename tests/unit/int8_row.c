/* int8_row.c - the codec of int8 by row against bitsandbytes' bytes, which
 * tests/golden/int8_row.py made. */
#include "tensor/int8_row.h"

#include "golden_bytes.h"

#define GOLDEN "tests/golden/int8_row.safetensors"

TEST(bytes_are_those_of_bitsandbytes)
{
    struct safetensors f;
    struct err e;
    uint64_t rows, cols, one;
    const int8_t *code;
    const float *x, *absmax, *back;
    int8_t own[512];
    float most, y[512];
    size_t bad;

    if (!CHECK(safetensors_open(&f, GOLDEN, SAFETENSORS_MAX_HEADER, &e) == 0))
        return;
    absmax = golden_matrix(&f, "absmax", &rows, &one);
    back = golden_matrix(&f, "back", &rows, &cols);
    code = golden_matrix(&f, "code", &rows, &cols);
    x = golden_matrix(&f, "x", &rows, &cols);
    CHECK(rows > 10 && one == 1 && cols <= sizeof(own));
    for (uint64_t r = 0; r < rows && cols <= sizeof(own); r++) {
        CHECK(int8_row_encode(own, &most, x + r * cols, (size_t)cols, &bad));
        if (!CHECK(memcmp(own, code + r * cols, (size_t)cols) == 0)
            || !CHECK(memcmp(&most, absmax + r, sizeof(most)) == 0))
            printf("  row %llu\n", (unsigned long long)r);
        int8_row_decode(y, code + r * cols, absmax[r], (size_t)cols);
        CHECK(memcmp(y, back + r * cols, (size_t)cols * sizeof(y[0])) == 0);
    }
    safetensors_release(&f);
}

static const struct test tests[] = {
    RUN(bytes_are_those_of_bitsandbytes),
};

TEST_MAIN("int8_row", tests)
