/* instructions.cu - what each function of ptx.cuh does with known numbers.
 *
 * Who holds what is written down from the PTX manual (sections "Matrix
 * Fragments for mma.m16n8k16", "ldmatrix", "cp.async", "cvt" and "ex2"), not
 * from ptx.cuh or from what is called here. It compiles over the stand-in and
 * for a card; prints "ok" and "not ok" lines.
 */
#include <cmath>
#include <cstdio>
#include <cstring>

#include "ptx.cuh"

extern __shared__ __align__(16) unsigned char shared[];

constexpr unsigned LANES = 32, OUT = 512; /* words of results */

/* The manual's threadID_in_group and groupID. */
static __device__ unsigned
in_group()
{
    return threadIdx.x % 4;
}

static __device__ unsigned
group_id()
{
    return threadIdx.x / 4;
}

/* A's element (row, col), B's, and what C begins with: all of them bf16. */
static __device__ __host__ float
a_of(unsigned row, unsigned col)
{
    return (float)(int)(row * 7 % 11 + col * 3 % 13) - 9;
}

static __device__ __host__ float
b_of(unsigned row, unsigned col)
{
    return (float)(int)(row * 5 % 9 + col * 4 % 7) - 6;
}

static __device__ __host__ float
c_of(unsigned row, unsigned col)
{
    return (float)(100 * row + col);
}

static __device__ float
a_element(unsigned i)
{
    bool upper = i < 2 || (i >= 4 && i < 6);

    return a_of(upper ? group_id() : group_id() + 8,
                in_group() * 2 + (i & 1) + (i < 4 ? 0 : 8));
}

static __device__ float
b_element(unsigned i)
{
    return b_of(in_group() * 2 + (i & 1) + (i < 2 ? 0 : 8), group_id());
}

static __global__ void
multiply(uint32_t *out)
{
    uint32_t a[4], b[2];
    float c[4];

    for (unsigned i = 0; i < 4; i++)
        a[i] = pack_bf16(a_element(2 * i), a_element(2 * i + 1));
    for (unsigned i = 0; i < 2; i++)
        b[i] = pack_bf16(b_element(2 * i), b_element(2 * i + 1));
    for (unsigned i = 0; i < 4; i++)
        c[i] = c_of(i < 2 ? group_id() : group_id() + 8,
                    in_group() * 2 + (i & 1));
    mma_bf16(c, a, b);
    for (unsigned i = 0; i < 4; i++) {
        unsigned row = i < 2 ? group_id() : group_id() + 8;

        out[row * 8 + in_group() * 2 + (i & 1)] = __float_as_uint(c[i]);
    }
}

static bool
multiplies(const uint32_t *out)
{
    for (unsigned row = 0; row < 16; row++)
        for (unsigned col = 0; col < 8; col++) {
            float want = c_of(row, col), got;

            for (unsigned k = 0; k < 16; k++)
                want += a_of(row, k) * b_of(k, col);
            memcpy(&got, &out[row * 8 + col], 4);
            if (got != want)
                return false;
        }
    return true;
}

/* Rows of 8 elements, 48 bytes apart; element: its matrix, row and column. */
constexpr unsigned ROW = 24;

static __device__ __host__ uint32_t
element(unsigned matrix, unsigned row, unsigned col)
{
    return 1000 * matrix + 10 * row + col;
}

static __device__ uint16_t *
row_at(unsigned matrix, unsigned row)
{
    return reinterpret_cast<uint16_t *>(shared) + (matrix * 8 + row) * ROW;
}

template <bool TRANSPOSED>
static __global__ void
load(uint32_t *out)
{
    unsigned matrix = threadIdx.x / 8, row = threadIdx.x % 8;
    uint32_t r[4];

    for (unsigned col = 0; col < 8; col++)
        row_at(matrix, row)[col] = (uint16_t)element(matrix, row, col);
    __syncthreads();
    if (TRANSPOSED)
        load_matrices_transposed(r, row_at(matrix, row));
    else
        load_matrices(r, row_at(matrix, row));
    for (unsigned m = 0; m < 4; m++)
        out[threadIdx.x * 4 + m] = r[m];
}

template <bool TRANSPOSED>
static bool
loads(const uint32_t *out)
{
    for (unsigned lane = 0; lane < LANES; lane++)
        for (unsigned m = 0; m < 4; m++) {
            unsigned x = lane / 4, y = lane % 4 * 2;
            uint32_t low = TRANSPOSED ? element(m, y, x) : element(m, x, y);
            uint32_t high = TRANSPOSED ? element(m, y + 1, x)
                                       : element(m, x, y + 1);

            if (out[lane * 4 + m] != (high << 16 | low))
                return false;
        }
    return true;
}

/* Ties go to even: 1 + 2^-8 down, 1 + 3 * 2^-8 up. */
static __global__ void
pack(uint32_t *out)
{
    if (threadIdx.x != 0)
        return;
    out[0] = pack_bf16(1, -2);
    out[1] = pack_bf16(1.00390625f, 1.01171875f);
    out[2] = pack_bf16(INFINITY, 3e38f);
}

static bool
packs(const uint32_t *out)
{
    return out[0] == 0xc0003f80u && out[1] == 0x3f823f80u
           && out[2] == 0x7f627f80u;
}

static __global__ void
raise(uint32_t *out)
{
    float x = (float)(int)threadIdx.x - 16;

    if (threadIdx.x == 0)
        x = -INFINITY;
    out[threadIdx.x] = __float_as_uint(power_of_2(x));
}

static bool
raises(const uint32_t *out)
{
    for (unsigned i = 0; i < LANES; i++) {
        float want = i ? exp2f((float)(int)i - 16) : 0, got;

        memcpy(&got, &out[i], 4);
        if (!(fabsf(got - want) <= want * 0x1p-22f))
            return false;
    }
    return true;
}

/* 16 words by lanes 0 to 3, of which lane 2's are zeros, and two by lane 4;
 * what is copied lies in out itself, from word 64 on. */
static __global__ void
copy(uint32_t *out)
{
    auto *to = reinterpret_cast<uint32_t *>(shared);
    unsigned i = threadIdx.x;

    out[64 + i] = 7 + i;
    __syncthreads();
    if (i < 4)
        copy_16(to + 4 * i, out + 64 + 4 * i, i != 2);
    if (i == 4)
        copy_8(to + 16, out + 64 + 16);
    copy_group();
    copy_wait<0>();
    __syncthreads();
    if (i < 18)
        out[i] = to[i];
}

static bool
copies(const uint32_t *out)
{
    for (unsigned i = 0; i < 18; i++)
        if (out[i] != (i / 4 == 2 ? 0 : 7 + i))
            return false;
    return true;
}

static bool
run(void (*kernel)(uint32_t *), uint32_t *card, uint32_t *out, cudaStream_t s)
{
    cudaLaunchConfig_t c = {};

    c.gridDim = 1;
    c.blockDim = LANES;
    c.dynamicSmemBytes = 4 * 8 * ROW * 2;
    c.stream = s;
    return cudaLaunchKernelEx(&c, kernel, card) == cudaSuccess
           && cudaMemcpyAsync(out, card, OUT * 4, cudaMemcpyDeviceToHost, s)
                  == cudaSuccess
           && cudaStreamSynchronize(s) == cudaSuccess;
}

int
main()
{
    static const struct {
        const char *name;
        void (*kernel)(uint32_t *);
        bool (*right)(const uint32_t *);
    } checks[] = {
        { "mma: fragments of A, B and C", multiply, multiplies },
        { "ldmatrix", load<false>, loads<false> },
        { "ldmatrix, transposed", load<true>, loads<true> },
        { "two floats become bf16", pack, packs },
        { "powers of 2", raise, raises },
        { "cp.async of 16 and 8 bytes", copy, copies },
    };
    uint32_t *card, out[OUT];
    cudaStream_t s;
    int n = 0, failed = 0;

    if (cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking) != cudaSuccess
        || cudaMalloc(reinterpret_cast<void **>(&card), sizeof(out))
               != cudaSuccess)
        return 1;
    for (const auto &c : checks) {
        bool ok = run(c.kernel, card, out, s) && c.right(out);

        printf("%sok %d %s\n", ok ? "" : "not ", ++n, c.name);
        failed |= !ok;
    }
    cudaFree(card);
    cudaStreamDestroy(s);
    printf("1..%d\n", n);
    return failed;
}
