/* cuda_runtime.h - a stand-in for CUDA's, on the processor.
 *
 * The kernels of kernels/cuda compile as plain C++ against this header and
 * run here: a block's threads are fibers, what a warp does together is a
 * rendezvous of its lanes, and a stream is a queue whose work is done when
 * somebody waits for it. Made to find mistakes, not to be fast:
 *
 *   - device memory can't be touched by the host: it is mapped without access
 *     but while kernels and copies run, and begins as NaN
 *   - shared memory is NaN when a block starts; what lies beyond the bytes
 *     that the launch asked for is poisoned where a sanitizer is there
 *   - the order of blocks, and of threads between two barriers, is shuffled
 *     (standin_seed), so that a missing barrier shows
 *   - a barrier or a warp's operation that not all take part in ends the
 *     program with a line that says so
 *   - a copy from pinned memory reads it when the stream comes to it, and who
 *     waits for an event is ahead of what was put on the stream since;
 *     what a graph lets run beside other work is done early, late, or between
 *
 * It has what kernels/cuda uses, spelled as CUDA does, and no more.
 */
#ifndef STANDIN_CUDA_RUNTIME_H
#define STANDIN_CUDA_RUNTIME_H

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <tuple>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __shared__
#define __align__(n) __attribute__((aligned(n)))

struct uint3 {
    unsigned x, y, z;
};

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

struct __align__(8) float2 {
    float x, y;
};
struct __align__(16) float4 {
    float x, y, z, w;
};
struct __align__(8) uint2 {
    unsigned x, y;
};
struct __align__(16) uint4 {
    unsigned x, y, z, w;
};

/* Of the thread that runs. */
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
constexpr int warpSize = 32;

/* The one block's that runs; kernels declare it as extern __shared__. */
extern unsigned char shared[];

/* What all of a block or of a warp do together. */

void __syncthreads();
void __syncwarp(unsigned mask = 0xffffffffu);

/* Lane i puts in mine; once all lanes of the mask are there, one of them
 * calls all(every, mask), every[i] being lane i's. */
void standin_warp(unsigned mask, void *mine,
                  void (*all)(void *const every[32], unsigned mask));
unsigned standin_lane();

/* What tells the thread that runs from its block's others. */
const void *standin_thread();

template <class T>
struct standin_shuffle {
    T in, out;
    unsigned from;

    static void all(void *const every[32], unsigned mask)
    {
        for (unsigned i = 0; i < 32; i++) {
            auto *lane = static_cast<standin_shuffle *>(every[i]);
            if (!(mask >> i & 1))
                continue;
            unsigned from = lane->from < 32 && mask >> lane->from & 1
                                ? lane->from : i;
            lane->out = static_cast<standin_shuffle *>(every[from])->in;
        }
    }

    static T run(unsigned mask, T value, unsigned from)
    {
        standin_shuffle s = { value, value, from };

        standin_warp(mask, &s, all);
        return s.out;
    }
};

template <class T>
T __shfl_sync(unsigned mask, T value, int from)
{
    return standin_shuffle<T>::run(mask, value, (unsigned)from & 31);
}

template <class T>
T __shfl_xor_sync(unsigned mask, T value, int with)
{
    return standin_shuffle<T>::run(mask, value,
                                   standin_lane() ^ (unsigned)with);
}

template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned by)
{
    return standin_shuffle<T>::run(mask, value, standin_lane() + by);
}

unsigned __ballot_sync(unsigned mask, int predicate);

/* Functions of the device. */

using std::isfinite;

inline unsigned min(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

inline unsigned max(unsigned a, unsigned b)
{
    return a > b ? a : b;
}

inline int __popc(unsigned x)
{
    return __builtin_popcount(x);
}

inline int __ffs(int x)
{
    return __builtin_ffs(x);
}

inline unsigned __umulhi(unsigned a, unsigned b)
{
    return (unsigned)((uint64_t)a * b >> 32);
}

inline float __uint_as_float(unsigned u)
{
    float f;
    memcpy(&f, &u, 4);
    return f;
}

inline unsigned __float_as_uint(float f)
{
    unsigned u;
    memcpy(&u, &f, 4);
    return u;
}

/* The runtime. */

enum cudaError_t {
    cudaSuccess,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInsufficientDriver = 35,
    cudaErrorNoDevice = 100,
    cudaErrorInvalidDevice = 101,
    cudaErrorInvalidResourceHandle = 400,
    cudaErrorNotReady = 600,
    cudaErrorLaunchFailure = 719,
    cudaErrorNotSupported = 801,
    cudaErrorStreamCaptureUnjoined = 904
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost,
                      cudaMemcpyDeviceToDevice };
enum { cudaStreamNonBlocking = 1, cudaEventDefault = 0,
       cudaEventBlockingSync = 1, cudaEventDisableTiming = 2,
       cudaEventRecordExternal = 1, cudaHostAllocDefault = 0 };
enum cudaGraphNodeType { cudaGraphNodeTypeKernel = 0,
                         cudaGraphNodeTypeEventRecord = 7 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeRelaxed = 2 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };

typedef struct standin_stream *cudaStream_t;
typedef struct standin_event *cudaEvent_t;
typedef struct standin_graph *cudaGraph_t;
typedef struct standin_graph *cudaGraphExec_t;
typedef struct standin_node *cudaGraphNode_t;

struct cudaDeviceProp {
    char name[256];
    size_t totalGlobalMem, sharedMemPerBlockOptin;
    int major, minor, multiProcessorCount;
};

struct cudaLaunchAttribute {
    int unused;
};

struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    size_t dynamicSmemBytes;
    cudaStream_t stream;
    cudaLaunchAttribute *attrs;
    unsigned numAttrs;
};

const char *cudaGetErrorName(cudaError_t e);
const char *cudaGetErrorString(cudaError_t e);
cudaError_t cudaGetLastError();
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaRuntimeGetVersion(int *version);
cudaError_t cudaGetDeviceCount(int *n);
cudaError_t cudaSetDevice(int i);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int i);
cudaError_t cudaMemGetInfo(size_t *free, size_t *total);
cudaError_t cudaMalloc(void **p, size_t n);
cudaError_t cudaFree(void *p);
cudaError_t cudaHostAlloc(void **p, size_t n, unsigned flags);
cudaError_t cudaFreeHost(void *p);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t s);
cudaError_t cudaStreamSynchronize(cudaStream_t s);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t n,
                            cudaMemcpyKind kind, cudaStream_t s);
cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from,
                              size_t from_pitch, size_t width, size_t height,
                              cudaMemcpyKind kind, cudaStream_t s);
cudaError_t cudaMemsetAsync(void *p, int value, size_t n, cudaStream_t s);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t e);
cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e,
                                unsigned flags);
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s);
cudaError_t cudaEventRecordWithFlags(cudaEvent_t e, cudaStream_t s,
                                     unsigned flags);
cudaError_t cudaEventSynchronize(cudaEvent_t e);
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to);
cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode m);
cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *g);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *x, cudaGraph_t g,
                                 unsigned long long flags);
cudaError_t cudaGraphGetNodes(cudaGraph_t g, cudaGraphNode_t *nodes,
                              size_t *n);
cudaError_t cudaGraphNodeGetType(cudaGraphNode_t n, cudaGraphNodeType *type);
cudaError_t cudaGraphEventRecordNodeGetEvent(cudaGraphNode_t n,
                                             cudaEvent_t *e);
cudaError_t cudaGraphExecEventRecordNodeSetEvent(cudaGraphExec_t x,
                                                 cudaGraphNode_t n,
                                                 cudaEvent_t e);
cudaError_t cudaGraphLaunch(cudaGraphExec_t x, cudaStream_t s);
cudaError_t cudaGraphDestroy(cudaGraph_t g);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t x);
cudaError_t standin_attribute(const void *kernel, cudaFuncAttribute a, int n);

template <class F>
cudaError_t cudaFuncSetAttribute(F *kernel, cudaFuncAttribute a, int n)
{
    return standin_attribute(reinterpret_cast<const void *>(kernel), a, n);
}

/* Puts the launch of body, a thread's work, on the stream. */
cudaError_t standin_launch(const cudaLaunchConfig_t *c, const void *kernel,
                           std::function<void()> body);

/* Work that is no kernel of ours: a library's. It may touch device memory. */
cudaError_t standin_enqueue(cudaStream_t s, std::function<void()> work);

template <class... P, class... A>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *c,
                               void (*kernel)(P...), A &&... args)
{
    std::tuple<P...> copy(static_cast<P>(args)...);

    return standin_launch(c, reinterpret_cast<const void *>(kernel),
                          [kernel, copy] { std::apply(kernel, copy); });
}

/* For tests. The seed of all orders; the memory of the card, in bytes, and
 * how many of them others have; the launch, counted from 1, at which the card
 * is lost (0: never), and at which the program is asked to stop; how many
 * cards there are; what the driver says of itself. Read from STANDIN_SEED,
 * STANDIN_MEMORY, STANDIN_USED, STANDIN_LOST, STANDIN_STOP, STANDIN_CARDS and
 * STANDIN_DRIVER; gemm.cc has STANDIN_WORKSPACE, the bytes that its products
 * ask for. STANDIN_CALLS names a file: what of a program's calls can hold up
 * its host, counted, goes there as a JSON object when it ends. STANDIN_OTHERS
 * bytes are taken by others only after the card was asked for what is free.
 * STANDIN_HOLD names a file that is made when the first pinned memory is
 * taken, before a base goes up, and which is waited for to be gone. */
extern "C" void standin_seed(uint64_t seed);

#endif
