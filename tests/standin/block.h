/* block.h - runs the blocks of a launch, thread by thread. */
#ifndef STANDIN_BLOCK_H
#define STANDIN_BLOCK_H

#include <functional>

#include "cuda_runtime.h"

constexpr int BLOCK_SHARED = 227 << 10; /* bytes that a block can have */

struct launch {
    dim3 grid, block;
    size_t shared;
    std::function<void()> body;
};

/* All blocks, in an order of the seed. */
void block_run(const struct launch *l, uint64_t seed);

/* Dynamic shared memory that the kernel may ask for: 48 KiB until allowed
 * more. */
size_t block_shared(const void *kernel);
void block_allow(const void *kernel, size_t bytes);

#endif
