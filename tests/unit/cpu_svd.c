/* cpu_svd.c - the largest singular triplets of matrices that are made of
 * known ones: cosines of the fourth kind, which are orthonormal. */
#include <math.h>
#include <string.h>

#include "kernels/ops.h"
#include "test.h"

enum { MOST = 48, RANK = 40 };

struct made {
    struct principal p;
    double ratio; /* of a value to the next; the first is 3 */
    float x[MOST * MOST], left[MOST * RANK], right[MOST * RANK];
    float value[RANK];
};

/* Element j of basis vector i, of n elements. */
static double
basis(size_t i, size_t j, size_t n)
{
    const double pi = 3.14159265358979323846;

    return sqrt(2.0 / (double)n)
           * cos(pi / (double)n * ((double)i + 0.5) * ((double)j + 0.5));
}

static void
make(struct made *m, uint32_t rows, uint32_t cols, uint32_t rank,
     uint32_t iterations, double ratio)
{
    uint32_t k = rows < cols ? rows : cols;

    m->p = (struct principal){ .x = m->x, .rows = rows, .cols = cols,
                               .rank = rank, .iterations = iterations,
                               .seed = 5, .site = 7, .left = m->left,
                               .value = m->value, .right = m->right };
    m->ratio = ratio;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++) {
            double sum = 0;

            for (size_t i = 0; i < k; i++)
                sum += 3 * pow(ratio, (double)i) * basis(i, r, rows)
                       * basis(i, c, cols);
            m->x[r * cols + c] = (float)sum;
        }
}

/* A value is off by rounding of the largest; vectors, whose common sign is
 * free, by as much over the gap to the next value. */
static void
check(const struct made *m)
{
    const struct principal *p = &m->p;
    double worst_value = 0, worst = 0;

    for (size_t i = 0; i < p->rank; i++) {
        double value = 3 * pow(m->ratio, (double)i), sign = 0;
        double gap = value * (1 - m->ratio) / 3;

        for (size_t r = 0; r < p->rows; r++)
            sign += (double)p->left[r * p->rank + i] * basis(i, r, p->rows);
        sign = sign < 0 ? -1 : 1;
        worst_value = fmax(worst_value,
                           fabs((double)p->value[i] - value) / 3);
        for (size_t r = 0; r < p->rows; r++)
            worst = fmax(worst, gap * fabs(sign * basis(i, r, p->rows)
                                - (double)p->left[r * p->rank + i]));
        for (size_t c = 0; c < p->cols; c++)
            worst = fmax(worst, gap * fabs(sign * basis(i, c, p->cols)
                                - (double)p->right[i * p->cols + c]));
    }
    if (!CHECK(worst_value < 0x1p-20) || !CHECK(worst < 0x1p-19))
        printf("    %u x %u, rank %u, %u iterations: %g, %g\n", p->rows,
               p->cols, p->rank, p->iterations, worst_value, worst);
}

TEST(largest_triplets)
{
    static const uint32_t shapes[][3] = {
        { 12, 37, 5 }, { 37, 12, 5 }, { 12, 37, 12 }, { 24, 24, 24 },
        { 48, 47, 3 }, { 1, 9, 1 }, { 9, 1, 1 }, { 48, 48, 40 },
    };
    static struct made m;
    struct err e = { 0 };
    struct backend b = { 0 };

    if (!CHECK(cpu_open(&b, NULL, "f32", &e) == 0))
        return;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        uint32_t rows = shapes[i][0], cols = shapes[i][1];

        make(&m, rows, cols, shapes[i][2], 0, 0.8);
        CHECK(b.principal(&b, &m.p, &e) == 0);
        check(&m);
        make(&m, rows, cols, shapes[i][2], 8, 0.8);
        CHECK(b.principal(&b, &m.p, &e) == 0);
        check(&m);
    }
    cpu_close(&b);
}

/* What is beyond the subspace is not found in one go. */
TEST(iterations_count)
{
    static struct made m;
    struct err e = { 0 };
    struct backend b = { 0 };
    double off[2];

    if (!CHECK(cpu_open(&b, NULL, "f32", &e) == 0))
        return;
    for (uint32_t i = 0; i < 2; i++) {
        make(&m, 48, 48, 4, i == 0 ? 1 : 30, 0.97);
        CHECK(b.principal(&b, &m.p, &e) == 0);
        off[i] = fabs((double)m.value[3] - 3 * pow(0.97, 3));
    }
    CHECK(off[0] > 1e-3 && off[1] < 1e-4);
    cpu_close(&b);
}

static const struct test tests[] = {
    RUN(largest_triplets),
    RUN(iterations_count),
};

TEST_MAIN("cpu_svd", tests)
