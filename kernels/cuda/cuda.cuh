/* cuda.cuh - what the files of the CUDA back end share.
 *
 * A program's ranges are captured once as graphs of launches; what varies
 * from step to step lies in device memory (struct step, struct arrays), where
 * kernels read it. All rows of a micro-batch are computed, whether they hold
 * tokens or not: EMBED fills every row, so none is ever undefined, and rows
 * without a loss have a gradient of zero.
 *
 * Activations and their gradients are floats or, computing in bf16, bf16;
 * every sum, parameter, gradient of a parameter and moment is a float. No
 * sum depends on the order in which blocks run.
 */
#ifndef KERNELS_CUDA_CUDA_CUH
#define KERNELS_CUDA_CUDA_CUH

#include <cuda_runtime.h>

extern "C" {
#include "kernels/cuda/space.h"
#include "kernels/ops.h"
}

#define AHEAD 64 /* UPDATEs whose results may wait to be read */

/* In device memory. */
struct step {
    struct results out;
    struct results done[AHEAD]; /* a ring: out at the end of each UPDATE */
    uint32_t n_done;
    uint32_t head_at;           /* first k of the HEAD chunk to run */
    float keep, rate, root;     /* of the ADAMW or ADAMW8 that runs:
                                   1 - lr * decay, lr / bias1 and
                                   1 / sqrt(bias2) */

    /* From here on it comes up with a micro-batch, whose arrays are next. */
    struct inputs in;
    uint32_t n; /* batch.n: rows that may hold tokens */
};

/* A struct batch in device memory. */
struct arrays {
    int32_t *ids, *target, *pos, *doc_first, *head_row;
    float *weight;
    int32_t *cache_at, *seq_n; /* by sequence */
};

struct gemm_library;

/* The priv of the back end. */
struct card {
    struct sizing sizing; /* first: see cuda_describe */
    int device;
    cudaStream_t stream;
    struct gemm_library *gemm;
};

/* Of a program with activations that wait in the host's memory: copies have a
 * stream of their own, which leaves that of the ops and comes back to it by
 * events. */
struct asides {
    cudaStream_t stream;
    cudaEvent_t fork;
    cudaEvent_t *done; /* by number of a copy */
    uint32_t n;
};

/* What a function that puts an op's launches on the stream gets. */
struct call {
    struct card *card;
    const struct op *op;
    const struct tensor_buf *buf;
    char *zone[ZONE_COUNT];
    struct step *step;
    struct arrays batch;
    const struct asides *asides;
    uint32_t rows;      /* of a micro-batch */
    bool choosing;      /* algorithms of an op's products: no launches */
    cudaError_t error;  /* the first one */
};

/* Of a kind of op: a function for each type of activations. */
struct op_impl {
    unsigned kind;
    void (*run[2])(struct call *c); /* of floats, of bf16 */
    bool multiplies;                /* matrices: see call.choosing */
};

/* NULL for a kind that a card can't do. */
const struct op_impl *op_impl_of(unsigned kind);

/* Sets *e: a plugin has no functions of the programs. */
int fail(struct err *e, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The functions of struct backend: memory.cu, transfer.cu, graph.cu and
 * watch.cu. */
int cuda_prepare(struct backend *b, struct memory **m,
                 const struct op_list *p, struct memory *with,
                 struct err *e);
void cuda_release(struct memory *m);
int cuda_put(struct memory *m, const struct view *v, const void *from,
             struct err *e);
int cuda_get(struct memory *m, const struct view *v, void *to,
             struct err *e);
int cuda_batch(struct memory *m, const struct batch *b,
               const struct inputs *in, struct err *e);
int cuda_run(struct memory *m, enum range r, struct err *e);
int cuda_results(struct memory *m, struct results *out, struct err *e);
void cuda_watch(struct memory *m, struct op_time *time);
int cuda_watched(struct memory *m, struct err *e);

/* run.cu: puts ops on the call's stream. */
cudaError_t run_ops(struct call *c, const struct op *op, size_t n);

template <class... P, class... A>
static void
launch(struct call *c, void (*kernel)(P...), dim3 grid, dim3 threads,
       size_t shared_bytes, A... args)
{
    cudaLaunchConfig_t config = {};
    cudaError_t rc = cudaSuccess;

    if (c->choosing)
        return;
    config.gridDim = grid;
    config.blockDim = threads;
    config.dynamicSmemBytes = shared_bytes;
    config.stream = c->card->stream;
    if (shared_bytes > 48 << 10)
        rc = cudaFuncSetAttribute(
            kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
            (int)shared_bytes);
    if (rc == cudaSuccess)
        rc = cudaLaunchKernelEx(&config, kernel, static_cast<P>(args)...);
    if (c->error == cudaSuccess)
        c->error = rc;
}

static inline unsigned
blocks_of(uint64_t n, unsigned each)
{
    return (unsigned)((n + each - 1) / each);
}

#endif
