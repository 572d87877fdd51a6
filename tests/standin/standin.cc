/* standin.cc - memory and streams of the stand-in: see its cuda_runtime.h.
 * Graphs are graph.cc's, blocks of threads block.cc's. */
#include "cuda_runtime.h"

#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <map>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include "block.h"
#include "stream.h"

namespace {

struct settings {
    uint64_t seed = 1;
    size_t memory = (size_t)1 << 40, used = 0;
    uint64_t lost = 0, stop = 0;
    size_t others = 0;
    int cards = 1, driver = 13000;

    settings()
    {
        number("STANDIN_SEED", [&](uint64_t n) { seed = n; });
        number("STANDIN_MEMORY", [&](uint64_t n) { memory = n; });
        number("STANDIN_USED", [&](uint64_t n) { used = n; });
        number("STANDIN_OTHERS", [&](uint64_t n) { others = n; });
        number("STANDIN_LOST", [&](uint64_t n) { lost = n; });
        number("STANDIN_STOP", [&](uint64_t n) { stop = n; });
        number("STANDIN_CARDS", [&](uint64_t n) { cards = (int)n; });
        number("STANDIN_DRIVER", [&](uint64_t n) { driver = (int)n; });
    }

    static void number(const char *name, std::function<void(uint64_t)> set)
    {
        const char *text = getenv(name);

        if (text != nullptr)
            set(strtoull(text, nullptr, 10));
    }
};

/* What can hold up the host; told when the program ends. */
struct calls {
    uint64_t waits;       /* for all of a stream, which was behind */
    uint64_t event_waits; /* for a part of it */
    uint64_t pageable;    /* copies, that may be waits as well */
    uint64_t allocations;

    ~calls()
    {
        const char *path = getenv("STANDIN_CALLS");
        FILE *f = path ? fopen(path, "w") : nullptr;

        if (f == nullptr)
            return;
        fprintf(f, "{\"waits\": %ju, \"event_waits\": %ju, "
                "\"pageable\": %ju, \"allocations\": %ju}\n", waits,
                event_waits, pageable, allocations);
        fclose(f);
    }
};

struct settings settings;
struct calls calls;
std::map<char *, size_t> device_memory, pinned_memory;
size_t in_use = settings.used;
uint64_t launches;

constexpr size_t PAGE = 4096;
constexpr size_t LARGEST_PITCH = 0x7fffffff; /* memPitch of real cards */

size_t
pages(size_t n)
{
    return (n + PAGE - 1) / PAGE * PAGE;
}

/* The host's way to device memory, open only while the device works. */
void
open_memory(bool open)
{
    for (auto &m : device_memory)
        mprotect(m.first, pages(m.second),
                 open ? PROT_READ | PROT_WRITE : PROT_NONE);
}

bool
inside(const std::map<char *, size_t> &maps, const void *p, size_t n)
{
    auto *at = static_cast<char *>(const_cast<void *>(p));
    auto m = maps.upper_bound(at);

    if (m == maps.begin())
        return false;
    --m;
    return at + n <= m->first + m->second;
}

/* Does the stream's first n tasks, as far as that wasn't done yet; false when
 * it was. */
bool
drain(standin_stream *s, uint64_t n)
{
    if (s->n_done >= n)
        return false;
    open_memory(true);
    for (; s->n_done < n; s->n_done++) {
        if (!standin_is_lost)
            s->queue.front()();
        s->queue.pop_front();
    }
    open_memory(false);
    return true;
}

/* Makes the file that STANDIN_HOLD names, once, and waits till it is gone. */
void
hold()
{
    static const char *name = getenv("STANDIN_HOLD");

    if (name == nullptr)
        return;
    close(open(name, O_WRONLY | O_CREAT, 0666));
    while (access(name, F_OK) == 0)
        usleep(10000);
    name = nullptr;
}

} // namespace

bool standin_is_lost;

uint64_t
standin_orders()
{
    return settings.seed;
}

uint64_t
standin_end_of(const standin_stream *s)
{
    return s->n_done + s->queue.size();
}

[[noreturn]] void
standin_fatal(const char *what)
{
    fprintf(stderr, "stand-in: %s\n", what);
    abort();
}

extern "C" void
standin_seed(uint64_t seed)
{
    settings.seed = seed;
}

cudaError_t
standin_launch(const cudaLaunchConfig_t *c, const void *kernel, task body)
{
    unsigned threads = c->blockDim.x * c->blockDim.y * c->blockDim.z;
    struct launch l = { c->gridDim, c->blockDim, c->dynamicSmemBytes, body };

    if (threads == 0 || threads > 1024 || c->gridDim.x == 0
        || c->gridDim.y == 0 || c->gridDim.y > 65535 || c->gridDim.z == 0
        || c->gridDim.z > 65535 || c->dynamicSmemBytes > block_shared(kernel))
        return cudaErrorInvalidValue;
    return standin_enqueue(c->stream, [l] {
        if (++launches == settings.stop)
            raise(SIGTERM);
        if (settings.lost != 0 && launches >= settings.lost) {
            standin_is_lost = true;
            return;
        }
        block_run(&l, settings.seed++);
    });
}

cudaError_t
standin_attribute(const void *kernel, cudaFuncAttribute a, int n)
{
    if (a != cudaFuncAttributeMaxDynamicSharedMemorySize || n < 0
        || n > BLOCK_SHARED)
        return cudaErrorInvalidValue;
    block_allow(kernel, (size_t)n);
    return cudaSuccess;
}

const char *
cudaGetErrorName(cudaError_t e)
{
    switch (e) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorInsufficientDriver: return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice: return "cudaErrorNoDevice";
    case cudaErrorInvalidDevice: return "cudaErrorInvalidDevice";
    case cudaErrorInvalidResourceHandle:
        return "cudaErrorInvalidResourceHandle";
    case cudaErrorNotReady: return "cudaErrorNotReady";
    case cudaErrorLaunchFailure: return "cudaErrorLaunchFailure";
    case cudaErrorStreamCaptureUnjoined:
        return "cudaErrorStreamCaptureUnjoined";
    case cudaErrorNotSupported: return "cudaErrorNotSupported";
    }
    return "?";
}

const char *
cudaGetErrorString(cudaError_t e)
{
    return cudaGetErrorName(e);
}

cudaError_t
cudaGetLastError()
{
    return standin_is_lost ? cudaErrorLaunchFailure : cudaSuccess;
}

cudaError_t
cudaDriverGetVersion(int *version)
{
    *version = settings.driver;
    return cudaSuccess;
}

cudaError_t
cudaRuntimeGetVersion(int *version)
{
    *version = 13000;
    return cudaSuccess;
}

cudaError_t
cudaGetDeviceCount(int *n)
{
    *n = settings.cards;
    if (settings.driver == 0)
        return cudaErrorInsufficientDriver;
    return settings.cards > 0 ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t
cudaSetDevice(int i)
{
    return i >= 0 && i < settings.cards ? cudaSuccess
                                        : cudaErrorInvalidDevice;
}

cudaError_t
cudaGetDeviceProperties(cudaDeviceProp *p, int i)
{
    if (cudaSetDevice(i) != cudaSuccess)
        return cudaErrorInvalidDevice;
    *p = {};
    snprintf(p->name, sizeof(p->name), "stand-in");
    p->totalGlobalMem = settings.memory;
    p->sharedMemPerBlockOptin = BLOCK_SHARED;
    p->major = 9;
    p->multiProcessorCount = 2;
    return cudaSuccess;
}

cudaError_t
cudaMemGetInfo(size_t *free, size_t *total)
{
    *total = settings.memory;
    *free = settings.memory - in_use;
    return cudaSuccess;
}

cudaError_t
cudaMalloc(void **p, size_t n)
{
    void *m;

    if (standin_is_lost)
        return cudaErrorLaunchFailure;
    if (in_use + n + settings.others > settings.memory)
        return cudaErrorMemoryAllocation;
    calls.allocations++;
    m = mmap(nullptr, pages(n), PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m == MAP_FAILED)
        return cudaErrorMemoryAllocation;
    memset(m, 0xff, n);
    mprotect(m, pages(n), PROT_NONE);
    device_memory[static_cast<char *>(m)] = n;
    in_use += n;
    *p = m;
    return cudaSuccess;
}

cudaError_t
cudaFree(void *p)
{
    auto m = device_memory.find(static_cast<char *>(p));

    if (p == nullptr)
        return cudaSuccess;
    if (m == device_memory.end())
        return cudaErrorInvalidValue;
    munmap(p, pages(m->second));
    in_use -= m->second;
    device_memory.erase(m);
    return cudaSuccess;
}

cudaError_t
cudaHostAlloc(void **p, size_t n, unsigned)
{
    hold();
    *p = malloc(n);
    if (*p == nullptr)
        return cudaErrorMemoryAllocation;
    calls.allocations++;
    pinned_memory[static_cast<char *>(*p)] = n;
    return cudaSuccess;
}

cudaError_t
cudaFreeHost(void *p)
{
    pinned_memory.erase(static_cast<char *>(p));
    free(p);
    return cudaSuccess;
}

cudaError_t
cudaStreamCreateWithFlags(cudaStream_t *s, unsigned)
{
    *s = new standin_stream();
    return cudaSuccess;
}

cudaError_t
cudaStreamDestroy(cudaStream_t s)
{
    drain(s, standin_end_of(s));
    delete s;
    return cudaSuccess;
}

cudaError_t
cudaStreamSynchronize(cudaStream_t s)
{
    if (standin_captures(s))
        standin_fatal("a stream that captures is waited for");
    calls.waits += drain(s, standin_end_of(s));
    return cudaGetLastError();
}

/* What the host's side of a copy has to be: pinned, or read (written) now. */
static cudaError_t
copy(void *to, size_t to_pitch, const void *from, size_t from_pitch,
     size_t width, size_t height, cudaMemcpyKind kind, cudaStream_t s)
{
    bool up = kind == cudaMemcpyHostToDevice;
    bool down = kind == cudaMemcpyDeviceToHost;
    size_t to_n = height ? to_pitch * (height - 1) + width : 0;
    size_t from_n = height ? from_pitch * (height - 1) + width : 0;
    auto move = [=](void *dst, const void *src) {
        for (size_t i = 0; i < height; i++)
            memcpy(static_cast<char *>(dst) + i * to_pitch,
                   static_cast<const char *>(src) + i * from_pitch, width);
    };

    if ((!up && !inside(device_memory, from, from_n))
        || (!down && !inside(device_memory, to, to_n)))
        return cudaErrorInvalidValue;
    calls.pageable += (up && !inside(pinned_memory, from, from_n))
                      || (down && !inside(pinned_memory, to, to_n));
    if (up && !inside(pinned_memory, from, from_n)) {
        auto *bytes = static_cast<const char *>(from);
        std::vector<char> now(bytes, bytes + from_n);

        return standin_enqueue(s, [=] { move(to, now.data()); });
    }
    if (standin_enqueue(s, [=] { move(to, from); }) != cudaSuccess)
        return cudaErrorLaunchFailure;
    if (down && !inside(pinned_memory, to, to_n))
        return cudaStreamSynchronize(s);
    return cudaSuccess;
}

cudaError_t
cudaMemcpyAsync(void *to, const void *from, size_t n, cudaMemcpyKind kind,
                cudaStream_t s)
{
    return copy(to, n, from, n, n, 1, kind, s);
}

cudaError_t
cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from,
                  size_t from_pitch, size_t width, size_t height,
                  cudaMemcpyKind kind, cudaStream_t s)
{
    if (to_pitch > LARGEST_PITCH || from_pitch > LARGEST_PITCH
        || width > to_pitch || width > from_pitch)
        return cudaErrorInvalidValue;
    return copy(to, to_pitch, from, from_pitch, width, height, kind, s);
}

cudaError_t
cudaMemsetAsync(void *p, int value, size_t n, cudaStream_t s)
{
    if (!inside(device_memory, p, n))
        return cudaErrorInvalidValue;
    return standin_enqueue(s, [=] { memset(p, value, n); });
}

cudaError_t
cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags)
{
    *e = new standin_event();
    (*e)->timed = !(flags & cudaEventDisableTiming);
    return cudaSuccess;
}

cudaError_t
cudaEventDestroy(cudaEvent_t e)
{
    delete e;
    return cudaSuccess;
}

cudaError_t
cudaEventSynchronize(cudaEvent_t e)
{
    if (e->stream == nullptr)
        return cudaSuccess;
    if (standin_captures(e->stream))
        standin_fatal("a stream that captures is waited for");
    calls.event_waits += drain(e->stream, e->after);
    return cudaGetLastError();
}
