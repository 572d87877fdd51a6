/* nf4_nested.c - double quantisation against bitsandbytes' bytes, which
 * tests/golden/nf4_nested.py made, and scales that no matrix should have. */
#include "tensor/nf4_nested.h"

#include "golden_bytes.h"
#include "tensor/dynamic8.h"

#define GOLDEN "tests/golden/nf4_nested.safetensors"
#define BLOCK NF4_NESTED_BLOCK

/* The elements of a vector, or NULL. */
static const void *
find(const struct safetensors *f, const char *part, const char *of,
     uint64_t *n)
{
    const struct safetensor *t;
    char name[64];

    snprintf(name, sizeof(name), "%s%s", part, of);
    t = safetensors_find(f, name);
    if (t == NULL)
        return NULL;
    *n = t->shape[0];
    return safetensors_data(f, t);
}

static float *
scales(size_t n)
{
    float *x = mem_array(n, sizeof(*x));

    for (size_t i = 0; i < n; i++) {
        uint32_t k = (uint32_t)(i * 2654435761u) / 512;

        x[i] = (1 + (float)k * 0x1p-23f) / 32;
    }
    return x;
}

/* What the file has of x[n]; true if that is codes, too. */
static bool
check_case(const struct safetensors *f, const char *of, const float *x,
           size_t n)
{
    uint64_t n_code = 0, n_nested = 0, one = 0;
    const float *offset = find(f, "offset.", of, &one);
    const uint8_t *code = find(f, "code.", of, &n_code);
    const float *nested = find(f, "nested.", of, &n_nested);
    float own = nf4_nested_offset(x, n), *by;
    uint8_t *got;

    if (!CHECK(offset != NULL && own == *offset))
        printf("  %s: offset %.9g, expected %.9g\n", of, (double)own,
               offset ? (double)*offset : 0);
    if (code == NULL || !CHECK(nested != NULL))
        return false;
    CHECK_EQ_U64(n_code, n);
    CHECK_EQ_U64(n_nested, (n + BLOCK - 1) / BLOCK);
    got = mem_alloc(n);
    by = mem_array((size_t)n_nested, sizeof(*by));
    nf4_nested_encode(got, by, x, n, own);
    if (!CHECK(memcmp(got, code, n) == 0)
        || !CHECK(memcmp(by, nested, (size_t)n_nested * sizeof(*by)) == 0))
        printf("  %s\n", of);
    free(got);
    free(by);
    return true;
}

TEST(bytes_are_those_of_bitsandbytes)
{
    static const size_t sizes[] = { 1, 2, 7, 8, 31, 33, 100, 1000, 5000,
                                    40000, 300001 };
    float map[256], same[300];
    struct safetensors f;
    struct err e;
    uint64_t n = 0;
    const void *want;
    size_t with_codes = 0;

    if (!CHECK(safetensors_open(&f, GOLDEN, SAFETENSORS_MAX_HEADER, &e) == 0))
        return;
    want = find(&f, "map", "", &n);
    dynamic8_values(map, true);
    CHECK(n == 256 && memcmp(want, map, sizeof(map)) == 0);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        float *x = scales(sizes[i]);
        char of[24];

        snprintf(of, sizeof(of), "%zu", sizes[i]);
        with_codes += check_case(&f, of, x, sizes[i]);
        free(x);
    }
    CHECK_EQ_U64(with_codes, 9);
    for (size_t i = 0; i < 300; i++)
        same[i] = 0.5f;
    CHECK(check_case(&f, "same", same, 300));
    safetensors_release(&f);
}

/* What is off by no more than a denormal number has no reciprocal. */
TEST(differences_may_be_as_small_as_floats_are)
{
    float x[3] = { 0x1p-149f, 0, 0x1p-148f }, nested = -1;
    uint8_t code[3];

    nf4_nested_encode(code, &nested, x, 3, 0x1p-149f);
    CHECK(nested == 0x1p-149f);
    CHECK_EQ_U64(code[0], 0);
    CHECK_EQ_U64(code[1], 0);
    CHECK_EQ_U64(code[2], 255);
}

static const struct test tests[] = {
    RUN(bytes_are_those_of_bitsandbytes),
    RUN(differences_may_be_as_small_as_floats_are),
};

TEST_MAIN("nf4_nested", tests)
