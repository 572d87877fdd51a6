/* philox.h - the constants of Philox4x32-10, for its vector forms.
 *
 * One round of counter (x, y, z, w) under key (k0, k1):
 *   x' = high(z M1) ^ y ^ k0;  y' = low(z M1)
 *   z' = high(x M0) ^ w ^ k1;  w' = low(x M0);  k0 += W0;  k1 += W1
 * Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
 */
#ifndef KERNELS_CPU_PHILOX_H
#define KERNELS_CPU_PHILOX_H

#define PHILOX_ROUNDS 10
#define PHILOX_M0 0xD2511F53u
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u
#define PHILOX_W1 0xBB67AE85u

#endif
