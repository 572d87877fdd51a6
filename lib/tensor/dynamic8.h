/* dynamic8.h - numbers of [-1, 1] in 8 bits whose resolution falls with their
 * size: the dynamic map of 8-bit optimisers (Dettmers et al.,
 * arXiv:2110.02861), with the values of bitsandbytes' create_dynamic_map.
 *
 * A vector has a scale for each DYNAMIC8_BLOCK elements, the largest magnitude
 * among them; a code's value times that is the element. Vectors that never are
 * negative have a map of their own.
 */
#ifndef TENSOR_DYNAMIC8_H
#define TENSOR_DYNAMIC8_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define DYNAMIC8_BLOCK 256

/* Below 2^-24 everything is 0; from there to 1 there are 128 steps a power of
 * two, in each of which at most one code ends and another begins. */
enum { DYNAMIC8_LEAST = 103 << 7, DYNAMIC8_STEPS = 24 * 128 + 1 };

struct dynamic8 {
    float value[256];           /* by code, rising */
    float low[256], high[256];  /* beyond which another code is nearer */
    uint8_t zero;               /* the code of 0 */
    uint8_t near[2][DYNAMIC8_STEPS]; /* by sign and step: of its end that is
                                        nearer to 0 */
};

void dynamic8_init(struct dynamic8 *d, bool is_signed);

/* The values alone. */
void dynamic8_values(float value[256], bool is_signed);

/* The code whose value is nearest to x, of two the lower one; of NaN some
 * code. */
static inline uint8_t
dynamic8_code(const struct dynamic8 *d, float x)
{
    uint32_t bits, step;
    unsigned code;

    memcpy(&bits, &x, sizeof(bits));
    step = bits >> 16 & 0x7fff;
    step = step < DYNAMIC8_LEAST ? 0 : step - DYNAMIC8_LEAST + 1;
    step = step < DYNAMIC8_STEPS ? step : (uint32_t)DYNAMIC8_STEPS;
    code = step == 0 ? d->zero : d->near[bits >> 31][step - 1];
    return (uint8_t)(code + (x > d->high[code]) - (x <= d->low[code]));
}

#endif
