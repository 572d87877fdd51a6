/* mem.c - allocation that aborts, and checked sizes. */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/log.h"

#define LARGE_PAGE (2u << 20)

_Noreturn void
mem_out(size_t n)
{
    log_error("out of memory (%zu bytes)", n);
    exit(1);
}

void *
mem_alloc(size_t n)
{
    void *p = calloc(n ? n : 1, 1);

    if (!p)
        mem_out(n);
    return p;
}

void *
mem_array(size_t count, size_t size)
{
    uint64_t n;

    if (!size_mul(count, size, &n))
        mem_out(SIZE_MAX);
    return mem_alloc(n);
}

void *
mem_table(size_t count, size_t size)
{
    uint64_t n;
    void *p;

    if (!size_mul(count, size, &n) || n > SIZE_MAX - LARGE_PAGE)
        mem_out(SIZE_MAX);
    if (n < LARGE_PAGE / 2) {
        p = mem_try(n);
    } else {
        n = size_round(n, LARGE_PAGE);
        p = aligned_alloc(LARGE_PAGE, n);
        if (p)
            madvise(p, n, MADV_HUGEPAGE);
    }
    if (!p)
        mem_out(n);
    return memset(p, 0, n);
}

void *
mem_grow(void *p, size_t n)
{
    p = realloc(p, n ? n : 1);
    if (!p)
        mem_out(n);
    return p;
}

void *
mem_dup(const void *p, size_t n)
{
    char *copy;

    if (n == SIZE_MAX)
        mem_out(n);
    copy = mem_grow(NULL, n + 1);
    if (n > 0)
        memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}

char *
mem_strdup(const char *s)
{
    return mem_dup(s, strlen(s));
}

void *
mem_try(size_t n)
{
    if (n > SIZE_MAX - 64)
        return NULL;
    return aligned_alloc(64, n ? size_round(n, 64) : 64);
}

void
mem_trim(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

uint64_t
mem_peak(void)
{
    FILE *f = fopen("/proc/self/status", "re");
    unsigned long long kib = 0;
    char line[256];

    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "VmHWM: %llu kB", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return (uint64_t)kib << 10;
}

bool
size_mul(uint64_t a, uint64_t b, uint64_t *out)
{
    uint64_t r;

    if (__builtin_mul_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

bool
size_add(uint64_t a, uint64_t b, uint64_t *out)
{
    uint64_t r;

    if (__builtin_add_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

uint64_t
size_round(uint64_t n, uint64_t align)
{
    return (n + align - 1) & ~(align - 1);
}
