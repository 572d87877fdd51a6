/* card.h - what cards can do by their maker's figures: dense products in bf16
 * with sums in float, multiply-adds in float without tensor cores, and
 * memory.
 *
 * From NVIDIA's datasheets of H100 (2023), H200 (2024), A100 (2022), L4 and
 * L40S (2023) and A10 (2021), where half of a rate "with sparsity" is meant,
 * the technical brief of the Blackwell architecture (B200, HGX), and the
 * whitepapers of GA102 (RTX 3090) and Ada (RTX 4090).
 */
#ifndef BENCH_CARD_H
#define BENCH_CARD_H

#include <stddef.h>
#include <string.h>

#include "base/buf.h"

struct card {
    const char *name;
    double bf16, f32; /* TFLOP/s */
    double memory;    /* GB/s */
};

static const struct card cards[] = {
    { "B200", .bf16 = 2250, .f32 = 80, .memory = 8000 },
    { "H200", .bf16 = 989, .f32 = 67, .memory = 4800 },
    { "H100", .bf16 = 989, .f32 = 67, .memory = 3350 }, /* SXM */
    { "H100 PCIe", .bf16 = 756, .f32 = 51, .memory = 2000 },
    { "A100", .bf16 = 312, .f32 = 19.5, .memory = 2039 }, /* SXM, 80 GB */
    { "L40S", .bf16 = 362, .f32 = 91.6, .memory = 864 },
    { "L4", .bf16 = 121, .f32 = 30.3, .memory = 300 },
    { "A10", .bf16 = 125, .f32 = 31.2, .memory = 600 },
    { "RTX 4090", .bf16 = 165.2, .f32 = 82.6, .memory = 1008 },
    { "RTX 3090", .bf16 = 71, .f32 = 35.6, .memory = 936 },
};

#define N_CARDS (sizeof(cards) / sizeof(cards[0]))

/* NULL: none of that name; their names are added to *names then. */
static inline const struct card *
card_named(const char *name, struct buf *names)
{
    for (size_t i = 0; i < N_CARDS; i++)
        if (strcmp(cards[i].name, name) == 0)
            return &cards[i];
    for (size_t i = 0; i < N_CARDS; i++)
        buf_addf(names, "%s%s", i ? ", " : "", cards[i].name);
    return NULL;
}

#endif
