/* dropout.c - keys and draws of dropout masks, on Philox. */
#include "kernels/dropout.h"

#include <math.h>

#include "base/rng.h"
#include "kernels/ops.h"

/* Sets the draw of keys apart from other streams of the same seed. */
#define KEY_PURPOSE 0x64726f70u

void
dropout_key(uint32_t key[2], uint64_t seed, uint64_t site)
{
    const uint32_t seed_key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
    const uint32_t counter[4] = { (uint32_t)site, (uint32_t)(site >> 32),
                                  KEY_PURPOSE, 0 };
    uint32_t out[4];

    philox(out, counter, seed_key);
    key[0] = out[0];
    key[1] = out[1];
}

void
dropout_draw(uint32_t out[4], const uint32_t key[2], uint64_t step,
             uint32_t row, uint32_t quad)
{
    const uint32_t counter[4] = { (uint32_t)step, (uint32_t)(step >> 32),
                                  row, quad };

    philox(out, counter, key);
}

uint64_t
dropout_limit(float dropout)
{
    return (uint64_t)ceil((double)dropout * 0x1p32);
}
