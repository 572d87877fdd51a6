/* cpu_vec.c - what rows of floats promise on every instruction set: errors in
 * units of the last place, and values that don't depend on where in a row an
 * element stands. */
#include <math.h>

#include "kernels/cpu/vec.h"
#include "kernels/ops.h"
#include "cpu_isa.h"
#include "test.h"

enum { N = 4099 };

static float x[N], y[N];

/* The tables that this machine can run, then NULL. */
static const struct vec *const *
tables(void)
{
    static const struct vec *all[4];
    int n = 0;

    all[n++] = &vec_generic;
    if (!isa_here("avx2"))
        SKIP_PART("avx2", "this processor lacks it");
    if (!isa_here("avx512"))
        SKIP_PART("avx512", "this processor lacks it");
#if defined(__x86_64__)
    if (isa_here("avx2"))
        all[n++] = &vec_avx2;
    if (isa_here("avx512"))
        all[n++] = &vec_avx512;
#endif
    all[n] = NULL;
    return all;
}

static void
fill(double from, double to)
{
    for (int i = 0; i < N; i++)
        x[i] = (float)(from + (to - from) * i / (N - 1));
}

/* The largest error of got against want, in units of want's last place. */
static double
ulps(double got, double want)
{
    int e;

    frexp(want, &e);
    return fabs(got - want) / ldexp(1, (e < -125 ? -125 : e) - 24);
}

TEST(exponentials_are_within_two_units_of_the_last_place)
{
    for (const struct vec *const *v = tables(); *v; v++) {
        double worst = 0;

        fill(-103, 88.7);
        (*v)->exp_sum(y, x, N, 1, 0);
        for (int i = 0; i < N; i++)
            worst = fmax(worst, ulps((double)y[i], exp((double)x[i])));
        if (!CHECK(worst <= 2))
            printf("    %s: %.2f ulp\n", (*v)->name, worst);
    }
}

TEST(exponentials_keep_infinities_and_nans)
{
    for (const struct vec *const *v = tables(); *v; v++) {
        const float in[] = { -INFINITY, -1000, 0, 1000, INFINITY, NAN };
        float out[6];

        (*v)->exp_sum(out, in, 6, 1, 0);
        CHECK(out[0] == 0 && out[1] == 0 && out[2] == 1);
        CHECK(isinf(out[3]) && isinf(out[4]) && isnan(out[5]));
    }
}

/* x sigmoid(x) near 0 and far out: exp's error, and one of each operation
 * around it. Where the sigmoid underflows, absolutely. */
TEST(silu_is_within_six_units_of_the_last_place)
{
    for (const struct vec *const *v = tables(); *v; v++) {
        double worst = 0;

        fill(-80, 80);
        (*v)->act(y, x, N, ACT_SILU, false);
        for (int i = 0; i < N; i++) {
            double t = (double)x[i], want = t / (1 + exp(-t));

            worst = fmax(worst, ulps((double)y[i], want));
        }
        if (!CHECK(worst <= 6))
            printf("    %s: %.2f ulp\n", (*v)->name, worst);
    }
}

TEST(an_element_does_not_depend_on_its_place)
{
    for (const struct vec *const *v = tables(); *v; v++)
        for (int kind = 0; kind < 4; kind++) {
            float one;
            int bad = 0;

            fill(-9, 9);
            (*v)->act(y, x, N, kind, false);
            for (int i = 0; i < N; i++) {
                (*v)->act(&one, x + i, 1, kind, false);
                bad += memcmp(&one, y + i, sizeof(one)) != 0;
            }
            CHECK_EQ_U64(bad, 0);
        }
}

TEST(turning_twice_gives_the_matrix_back)
{
    enum { ROWS = 37, COLS = 50 };
    static float turned[COLS * 40], back[ROWS * 60];

    for (const struct vec *const *v = tables(); *v; v++) {
        int bad = 0;

        fill(0, N);
        (*v)->transpose(turned, 40, x, 61, ROWS, COLS);
        (*v)->transpose(back, 60, turned, 40, COLS, ROWS);
        for (int r = 0; r < ROWS; r++)
            for (int c = 0; c < COLS; c++) {
                bad += turned[c * 40 + r] < x[r * 61 + c];
                bad += turned[c * 40 + r] > x[r * 61 + c];
                bad += back[r * 60 + c] < x[r * 61 + c];
                bad += back[r * 60 + c] > x[r * 61 + c];
            }
        CHECK_EQ_U64(bad, 0);
    }
}

static const struct test tests[] = {
    RUN(exponentials_are_within_two_units_of_the_last_place),
    RUN(exponentials_keep_infinities_and_nans),
    RUN(silu_is_within_six_units_of_the_last_place),
    RUN(an_element_does_not_depend_on_its_place),
    RUN(turning_twice_gives_the_matrix_back),
};

TEST_MAIN("cpu_vec", tests)
