/* ptx.cc - matrix instructions and asynchronous copies of the stand-in. */
#include "ptx.cuh"

#include <cstdio>
#include <map>
#include <vector>

#include "block.h"

namespace {

[[noreturn]] void
fatal(const char *what)
{
    fprintf(stderr, "stand-in: block (%u, %u, %u), thread (%u, %u, %u): %s\n",
            blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x, threadIdx.y,
            threadIdx.z, what);
    abort();
}

constexpr unsigned ALL = 0xffffffffu;

float
half_of(uint32_t pair, unsigned upper)
{
    return __uint_as_float((upper ? pair >> 16 : pair & 0xffff) << 16);
}

struct product {
    float *c;
    const uint32_t *a, *b;
};

float
a_at(void *const every[32], unsigned row, unsigned col)
{
    auto *p = static_cast<struct product *>(every[row % 8 * 4 + col % 8 / 2]);

    return half_of(p->a[row / 8 + 2 * (col / 8)], col % 2);
}

float
b_at(void *const every[32], unsigned row, unsigned col)
{
    auto *p = static_cast<struct product *>(every[col * 4 + row % 8 / 2]);

    return half_of(p->b[row / 8], row % 2);
}

void
multiply(void *const every[32], unsigned mask)
{
    float a[16][16], b[16][8];

    if (mask != ALL)
        fatal("mma without all lanes");
    for (unsigned k = 0; k < 16; k++) {
        for (unsigned row = 0; row < 16; row++)
            a[row][k] = a_at(every, row, k);
        for (unsigned col = 0; col < 8; col++)
            b[k][col] = b_at(every, k, col);
    }
    for (unsigned row = 0; row < 16; row++)
        for (unsigned col = 0; col < 8; col++) {
            auto *p = static_cast<struct product *>(
                every[row % 8 * 4 + col / 2]);
            float sum = 0;

            for (unsigned k = 0; k < 16; k++)
                sum += a[row][k] * b[k][col];
            p->c[row / 8 * 2 + col % 2] += sum;
        }
}

bool
in_shared(const void *p, size_t n)
{
    auto at = reinterpret_cast<uintptr_t>(p);
    auto from = reinterpret_cast<uintptr_t>(shared);

    return at >= from && at + n <= from + BLOCK_SHARED;
}

struct fragment {
    uint32_t *r;
    const void *row;
};

const uint16_t *
row_of(void *const every[32], unsigned matrix, unsigned row)
{
    auto *f = static_cast<struct fragment *>(every[matrix * 8 + row]);
    auto at = reinterpret_cast<uintptr_t>(f->row);

    if (at % 16 != 0)
        fatal("a row of ldmatrix that is not aligned to 16 bytes");
    if (!in_shared(f->row, 16))
        fatal("a row of ldmatrix that is not in shared memory");
    return static_cast<const uint16_t *>(f->row);
}

template <bool TRANSPOSED>
void
load(void *const every[32], unsigned mask)
{
    if (mask != ALL)
        fatal("ldmatrix without all lanes");
    for (unsigned m = 0; m < 4; m++)
        for (unsigned i = 0; i < 32; i++) {
            unsigned row = i / 4, col = i % 4 * 2;
            uint32_t low, high;

            if (TRANSPOSED) {
                low = row_of(every, m, col)[row];
                high = row_of(every, m, col + 1)[row];
            } else {
                low = row_of(every, m, row)[col];
                high = row_of(every, m, row)[col + 1];
            }
            static_cast<struct fragment *>(every[i])->r[m] = high << 16 | low;
        }
}

/* A thread's copies on their way. */
struct copy {
    void *to;
    size_t n;
    unsigned char bytes[16];
};

struct copies {
    std::vector<std::vector<struct copy>> group;
    std::vector<struct copy> open;
};

uint32_t
round_bf16(float x)
{
    uint32_t u = __float_as_uint(x);

    if (x != x)
        return 0x7fff;
    return (u + 0x7fff + (u >> 16 & 1)) >> 16;
}

} // namespace

uint32_t
pack_bf16(float low, float high)
{
    return round_bf16(high) << 16 | round_bf16(low);
}

float
power_of_2(float x)
{
    float y = exp2f(x);

    return y < 0x1p-126f ? 0 : y;
}

void
mma_bf16(float c[4], const uint32_t a[4], const uint32_t b[2])
{
    struct product p = { c, a, b };

    standin_warp(ALL, &p, multiply);
}

void
load_matrices(uint32_t r[4], const void *row)
{
    struct fragment f = { r, row };

    standin_warp(ALL, &f, load<false>);
}

void
load_matrices_transposed(uint32_t r[4], const void *row)
{
    struct fragment f = { r, row };

    standin_warp(ALL, &f, load<true>);
}

static struct copies &
own_copies()
{
    static std::map<const void *, struct copies> of;

    return of[standin_thread()];
}

static void
start_copy(void *to, const void *from, size_t n, bool there)
{
    struct copy c = { to, n, {} };

    if (reinterpret_cast<uintptr_t>(to) % n != 0
        || (there && reinterpret_cast<uintptr_t>(from) % n != 0))
        fatal("an asynchronous copy that is not aligned to its size");
    if (!in_shared(to, n))
        fatal("an asynchronous copy that does not go to shared memory");
    if (there)
        memcpy(c.bytes, from, n);
    memset(to, 0xff, n);
    own_copies().open.push_back(c);
}

void
copy_16(void *to, const void *from, bool there)
{
    start_copy(to, from, 16, there);
}

void
copy_8(void *to, const void *from)
{
    start_copy(to, from, 8, true);
}

void
copy_group()
{
    struct copies &c = own_copies();

    c.group.push_back(std::move(c.open));
    c.open.clear();
}

void
standin_copy_wait(unsigned most)
{
    struct copies &c = own_copies();

    while (c.group.size() > most) {
        for (auto &one : c.group.front())
            memcpy(one.to, one.bytes, one.n);
        c.group.erase(c.group.begin());
    }
}
