/* mem.h - allocation, and arithmetic on sizes that came from input.
 *
 * Small allocations abort the program when memory is out. What grows with a
 * model or a cache is allocated with mem_try, which can fail.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* n zeroed bytes (n may be 0); never NULL: prints and exits 1 when memory is
 * out. */
void *mem_alloc(size_t n);

/* count * size zeroed bytes; exits when the product overflows. */
void *mem_array(size_t count, size_t size);

/* As mem_array, for a table that is looked into all over: in pages as large
 * as the system gives, and not across two cache lines where size is a power
 * of two. */
void *mem_table(size_t count, size_t size);

/* Resizes p to n bytes, new bytes undefined. */
void *mem_grow(void *p, size_t n);

/* A copy of n bytes of p, with a NUL byte after them. */
void *mem_dup(const void *p, size_t n);

/* A copy of the string s. */
char *mem_strdup(const char *s);

/* Prints that there are no n bytes, and exits 1: where a small allocation of
 * somebody else failed. */
_Noreturn void mem_out(size_t n);

/* n bytes aligned to 64, not zeroed, or NULL; released by free. */
void *mem_try(size_t n);

/* The most bytes of memory that this process had so far (VmHWM: what the
 * process it was forked from had is not in it); 0 where /proc can't tell. */
uint64_t mem_peak(void);

/* Gives back to the system what was freed, as far as the C library can. */
void mem_trim(void);

/* *out = a * b or a + b; false, *out untouched, when that overflows. */
bool size_mul(uint64_t a, uint64_t b, uint64_t *out);
bool size_add(uint64_t a, uint64_t b, uint64_t *out);

/* n rounded up to a multiple of align, a power of two. */
uint64_t size_round(uint64_t n, uint64_t align);

#endif
