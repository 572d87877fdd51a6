/* clock.h - the time that passes, of no known beginning. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t
clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline int64_t
clock_ms(void)
{
    return (int64_t)(clock_ns() / 1000000);
}

static inline double
clock_seconds(void)
{
    return 1e-9 * (double)clock_ns();
}

#endif
