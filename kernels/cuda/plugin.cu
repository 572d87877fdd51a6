/* plugin.cu - opens a card; the table by which programs find the rest. */
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cuda.cuh"
#include "gemm.cuh"

extern "C" {
#include "kernels/plugin.h"
}

#define LEAST_MAJOR 8 /* compute capability: bf16 products, cp.async */

int
fail(struct err *e, enum err_code code, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(e->text, sizeof(e->text), fmt, args);
    va_end(args);
    e->code = code;
    return code;
}

static uint64_t
cuda_room(const struct backend *b, uint64_t *total, char *by, size_t cap)
{
    auto *card = static_cast<struct card *>(b->priv);
    size_t free_bytes = 0, all = 0;

    cudaMemGetInfo(&free_bytes, &all);
    snprintf(by, cap, "card %d, of %zu MiB", card->device, all >> 20);
    *total = all;
    return free_bytes;
}

/* How many cards there are; or why none can be used. */
static int
count_cards(int *n, struct err *e)
{
    int driver = 0, runtime = 0;
    cudaError_t rc = cudaGetDeviceCount(n);

    if (rc == cudaSuccess && *n > 0)
        return 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    if (driver == 0)
        return fail(e, ERR_IO, "no NVIDIA driver was found (install one, or "
                    "use --device cpu)");
    if (driver / 1000 < runtime / 1000)
        return fail(e, ERR_IO, "the NVIDIA driver is too old (it does CUDA "
                    "%d.%d, expected %d.0 or newer: update it, or use "
                    "--device cpu)", driver / 1000, driver % 1000 / 10,
                    runtime / 1000);
    return fail(e, ERR_IO, "no CUDA card was found (%s: use --device cpu)",
                cudaGetErrorString(rc));
}

static int
choose_card(int *index, cudaDeviceProp *p, struct err *e)
{
    int n, rc = count_cards(&n, e);
    cudaError_t error;

    if (rc < 0)
        return rc;
    if (*index >= n)
        return fail(e, ERR_USAGE, "no device cuda:%d (found %d card%s)",
                    *index, n, n == 1 ? "" : "s");
    if (*index < 0)
        *index = 0;
    error = cudaSetDevice(*index);
    if (error == cudaSuccess)
        error = cudaGetDeviceProperties(p, *index);
    if (error != cudaSuccess)
        return fail(e, ERR_IO, "card %d: %s (is another program using it "
                    "alone?)", *index, cudaGetErrorString(error));
    if (p->major < LEAST_MAJOR)
        return fail(e, ERR_IO, "card %d (%s) has compute capability %d.%d "
                    "(expected %d.0 or more: use --device cpu)", *index,
                    p->name, p->major, p->minor, LEAST_MAJOR);
    return 0;
}

static void
plugin_close(struct backend *b)
{
    auto *card = static_cast<struct card *>(b->priv);

    if (card == nullptr)
        return;
    gemm_close(card->gemm);
    if (card->stream != nullptr)
        cudaStreamDestroy(card->stream);
    free(card);
    b->priv = nullptr;
}

static int
open_card(struct card *card, char *detail, size_t cap,
          const cudaDeviceProp *p, struct err *e)
{
    cudaError_t rc = cudaStreamCreateWithFlags(&card->stream,
                                               cudaStreamNonBlocking);
    char library[64];

    if (rc != cudaSuccess)
        return fail(e, ERR_IO, "card %d: %s", card->device,
                    cudaGetErrorString(rc));
    if (gemm_open(&card->gemm, library, sizeof(library), e) < 0)
        return e->code;
    snprintf(detail, cap, "%.100s, sm_%d%d, %s, %s", p->name, p->major,
             p->minor, library, card->sizing.bf16 ? "bf16" : "f32");
    return 0;
}

static int
plugin_open(struct backend *b, int index, const char *compute, struct err *e)
{
    struct sizing sizing;
    cudaDeviceProp p;
    struct card *card;
    int rc = choose_card(&index, &p, e);

    if (rc < 0)
        return rc;
    if (!sizing_of(&sizing, compute, gemm_workspace()))
        return fail(e, ERR_USAGE, "cannot compute in '%s' (expected f32 or "
                    "bf16)", compute);
    card = static_cast<struct card *>(calloc(1, sizeof(*card)));
    if (card == nullptr)
        return fail(e, ERR_IO, "out of memory");
    card->sizing = sizing;
    card->device = index;
    cuda_describe(b, &card->sizing);
    rc = open_card(card, b->detail, sizeof(b->detail), &p, e);
    if (rc < 0) {
        plugin_close(b);
        return rc;
    }
    b->ahead = AHEAD;
    b->prepare = cuda_prepare;
    b->release = cuda_release;
    b->put = cuda_put;
    b->get = cuda_get;
    b->batch = cuda_batch;
    b->run = cuda_run;
    b->results = cuda_results;
    b->watch = cuda_watch;
    b->watched = cuda_watched;
    b->room = cuda_room;
    b->close = plugin_close;
    return 0;
}

extern "C" __attribute__((visibility("default"))) const struct plugin
    graft_plugin = { PLUGIN_ABI, sizeof(struct op), sizeof(struct backend),
                     GRAFT_VERSION, plugin_open };
