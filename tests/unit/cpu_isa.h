/* cpu_isa.h - the CPU back end with one instruction set, where there is it.
 *
 * Whether there is, CPUID says, not the back end: one that refuses what the
 * machine has fails the test, and what the machine lacks is told as skipped.
 */
#ifndef CPU_ISA_H
#define CPU_ISA_H

#include "kernels/ops.h"
#include "test.h"

static inline bool
isa_here(const char *name)
{
    if (strcmp(name, "generic") == 0)
        return true;
#if defined(__x86_64__)
    bool avx2 = __builtin_cpu_supports("avx2")
        && __builtin_cpu_supports("fma");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f")
        && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl");

    if (strcmp(name, "avx2") == 0)
        return avx2;
    if (strcmp(name, "avx512") == 0)
        return avx512;
    if (strcmp(name, "bf16") == 0)
        return avx512 && __builtin_cpu_supports("avx512bf16");
#endif
    return false;
}

/* Opens b with an instruction set, or, for "bf16", with the best one and
 * products of bfloat16. False, and told, where the machine lacks it. */
static inline bool
isa_open(struct backend *b, const char *name)
{
    bool bf16 = strcmp(name, "bf16") == 0;
    struct err e = { 0 };
    int rc = cpu_open(b, bf16 ? NULL : name, bf16 ? "bf16" : "f32", &e);

    if (!isa_here(name)) {
        CHECK(rc == ERR_USAGE);
        SKIP_PART(name, "this processor lacks it");
        return false;
    }
    if (!CHECK(rc == 0))
        printf("    %s: %s\n", name, e.text);
    return rc == 0;
}

#endif
