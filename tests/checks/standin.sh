#!/bin/bash
# The stand-in for CUDA finds what it is there to find: small kernels with a
# mistake each, and the same ones without.
set -u
cd "$(dirname "$0")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
n=0

result() { # STATUS NAME
    n=$((n + 1))
    [ "$1" -eq 0 ] || printf 'not '
    echo "ok $n $2"
}

cat >"$scratch/kernels.cc" <<'END'
#include <cstdio>
#include "ptx.cuh"

/* Reverses 64 numbers by way of shared memory. */
template <bool BARRIER>
__global__ void reverse(float *x)
{
    float *s = reinterpret_cast<float *>(shared);

    s[threadIdx.x] = x[threadIdx.x];
    if (BARRIER)
        __syncthreads();
    x[threadIdx.x] = s[63 - threadIdx.x];
}

/* Sums them up by two warps, one of which may stay out of it. */
template <bool ALL>
__global__ void sum(float *x)
{
    float v = x[threadIdx.x];

    if (ALL || threadIdx.x % 32 != 7)
        for (int with = 16; with > 0; with /= 2)
            v += __shfl_xor_sync(0xffffffffu, v, with);
    x[threadIdx.x] = v;
}

/* Waits, all for the same or one thread for its warp. */
template <bool SAME>
__global__ void meet(float *x)
{
    if (SAME || threadIdx.x != 3)
        __syncthreads();
    else
        __syncwarp();
    x[threadIdx.x] = 1;
}

/* Adds what shared memory holds, written or not. */
template <bool WRITTEN>
__global__ void add(float *x)
{
    float *s = reinterpret_cast<float *>(shared);

    if (WRITTEN)
        s[threadIdx.x] = 0;
    x[threadIdx.x] += s[threadIdx.x];
}

/* Copies four numbers a thread, and waits for them or not. */
template <bool WAITS>
__global__ void copy(float *x)
{
    float *s = reinterpret_cast<float *>(shared);

    if (threadIdx.x < 16)
        copy_16(s + 4 * threadIdx.x, x + 4 * threadIdx.x, true);
    copy_group();
    if (WAITS)
        copy_wait<0>();
    __syncthreads();
    x[threadIdx.x] = s[threadIdx.x];
}

static bool run(void (*kernel)(float *), float *card, float out[64],
                cudaStream_t s)
{
    cudaLaunchConfig_t c = {};
    float in[64];

    for (int i = 0; i < 64; i++)
        in[i] = (float)i;
    c.gridDim = 1;
    c.blockDim = 64;
    c.dynamicSmemBytes = 256;
    c.stream = s;
    return cudaMemcpyAsync(card, in, sizeof(in), cudaMemcpyHostToDevice, s)
               == cudaSuccess
           && cudaLaunchKernelEx(&c, kernel, card) == cudaSuccess
           && cudaMemcpyAsync(out, card, sizeof(in), cudaMemcpyDeviceToHost,
                              s) == cudaSuccess;
}

/* Copies 64 numbers to the host beside what follows, which writes zeroes over
 * them: after the copy, or too early. */
static int beside(bool wrong, float *card, cudaStream_t s)
{
    constexpr size_t n = 64 * sizeof(float);
    float *host;
    cudaStream_t other;
    cudaEvent_t fork, done;
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    bool same = true;

    cudaHostAlloc(reinterpret_cast<void **>(&host), n, 0);
    cudaStreamCreateWithFlags(&other, 0);
    cudaEventCreateWithFlags(&fork, 0);
    cudaEventCreateWithFlags(&done, 0);
    cudaStreamBeginCapture(s, cudaStreamCaptureModeRelaxed);
    cudaMemsetAsync(card, 0x3f, n, s);
    cudaEventRecord(fork, s);
    cudaStreamWaitEvent(other, fork, 0);
    cudaMemcpyAsync(host, card, n, cudaMemcpyDeviceToHost, other);
    cudaEventRecord(done, other);
    if (!wrong)
        cudaStreamWaitEvent(s, done, 0);
    cudaMemsetAsync(card, 0, n, s);
    if (wrong)
        cudaStreamWaitEvent(s, done, 0);
    if (cudaStreamEndCapture(s, &graph) != cudaSuccess
        || cudaGraphInstantiate(&exec, graph, 0) != cudaSuccess)
        return 3;
    for (int i = 0; i < 20; i++) {
        cudaGraphLaunch(exec, s);
        cudaStreamSynchronize(s);
        same &= host[0] != 0;
    }
    return same ? 0 : 1;
}

/* A stream that was forked off and never joined. */
static bool unjoined(float *card, cudaStream_t s)
{
    cudaStream_t other;
    cudaEvent_t fork;
    cudaGraph_t graph;

    cudaStreamCreateWithFlags(&other, 0);
    cudaEventCreateWithFlags(&fork, 0);
    cudaStreamBeginCapture(s, cudaStreamCaptureModeRelaxed);
    cudaEventRecord(fork, s);
    cudaStreamWaitEvent(other, fork, 0);
    cudaMemsetAsync(card, 0, 4, other);
    return cudaStreamEndCapture(s, &graph) == cudaErrorStreamCaptureUnjoined;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*right)(float *), (*wrong)(float *);
    } kernel[] = {
        { "reverse", reverse<true>, reverse<false> },
        { "sum", sum<true>, sum<false> },
        { "meet", meet<true>, meet<false> },
        { "add", add<true>, add<false> },
        { "copy", copy<true>, copy<false> },
    };
    bool wrong = argc > 2, same = true;
    float *card, first[64], again[64];
    cudaStream_t s;

    cudaStreamCreateWithFlags(&s, 0);
    cudaMalloc(reinterpret_cast<void **>(&card), sizeof(first));
    if (strcmp(argv[1], "touch") == 0) {
        card[0] = 1;
        return 0;
    }
    if (strcmp(argv[1], "beside") == 0)
        return beside(wrong, card, s);
    if (strcmp(argv[1], "unjoined") == 0)
        return unjoined(card, s) ? 0 : 1;
    for (const auto &k : kernel) {
        if (strcmp(argv[1], k.name) != 0)
            continue;
        for (int i = 0; i < 20; i++) {
            float *out = i ? again : first;

            if (!run(wrong ? k.wrong : k.right, card, out, s))
                return 3;
            for (int j = 0; j < 64; j++)
                same &= out[j] == first[j]; /* false for NaN, too */
        }
    }
    return same ? 0 : 1;
}
END

if ! ${CXX:-g++} -std=c++17 -O1 -Wall -Itests/standin "$scratch/kernels.cc" \
    tests/standin/{standin,graph,block,fiber,ptx}.cc -o "$scratch/kernels"; then
    echo "not ok 1 the stand-in compiles"
    exit 1
fi

for name in reverse sum meet add copy beside; do
    "$scratch/kernels" $name
    result $? "$name: right kernels have one result in any order"
    ! ("$scratch/kernels" $name wrong; exit) 2>/dev/null
    result $? "$name: the mistake shows"
done
"$scratch/kernels" meet wrong 2>&1 |
    grep -q 'stand-in: block .*: a barrier that some threads never come to'
result $? "a barrier that not all come to is named"
"$scratch/kernels" sum wrong 2>&1 | grep -q "stand-in: block .*: a warp's op"
result $? "a warp's operation that not all come to is named"
"$scratch/kernels" unjoined
result $? "a stream that was not joined spoils the capture"
! ("$scratch/kernels" touch; exit) 2>/dev/null
result $? "the host can't touch the card's memory"
echo "1..$n"
