/* nearest.c - how long one query takes, and as many as are answered at a time,
 * among N random vectors of 768 elements that are in memory.
 */
#include "eval/vector_search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/par.h"
#include "rounds.h"

#define DIM 768
#define BEST 10
#define ROUNDS 5

/* Elements in +-1, by a generator that takes no time beside the writing. */
static void
fill(float *x, size_t n)
{
    uint32_t state = 1;

    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(int32_t)state / 2147483648.0f;
    }
}

/* The median time of n queries at once. */
static double
measure(const struct vector_search *s, size_t n)
{
    struct vector_hit hit[SEARCH_QUERIES * BEST];
    struct vector_queries q = { .n = n, .x = s->x };
    size_t n_hits[SEARCH_QUERIES];
    double seconds[ROUNDS];

    for (int i = 0; i < ROUNDS; i++) {
        seconds[i] = clock_now(CLOCK_MONOTONIC);
        search_find(s, &q, BEST, false, hit, n_hits);
        seconds[i] = clock_now(CLOCK_MONOTONIC) - seconds[i];
    }
    return median(seconds, ROUNDS);
}

int
main(int argc, char **argv)
{
    struct vector_search s;

    if (argc != 2)
        return 2;
    par_set_threads(0);
    search_init(&s);
    s.dim = DIM;
    s.n = (size_t)strtoull(argv[1], NULL, 10);
    s.x = mem_array(s.n * DIM, sizeof(*s.x));
    s.place = mem_array(s.n, sizeof(*s.place));
    memset(s.place, 0, s.n * sizeof(*s.place));
    fill(s.x, s.n * DIM);
    printf("%.4f %.4f\n", measure(&s, 1), measure(&s, SEARCH_QUERIES));
    search_release(&s);
    return 0;
}
