/* graph.cu - a program's ranges as graphs of launches, captured when they are
 * first run. */
#include "memory.cuh"

static __global__ void
clear_loss(struct step *s)
{
    s->out.loss_sum = 0;
}

static __global__ void
next_chunk(struct step *s, uint32_t chunk)
{
    s->head_at += chunk;
}

static cudaError_t
put_range(struct memory *m, enum range r)
{
    const struct op_list *p = m->p;
    struct call c = call_of(m);

    if (r == RANGE_START)
        launch(&c, clear_loss, 1, 1, 0, m->step);
    if (c.error == cudaSuccess)
        run_ops(&c, p->op + p->range[r], p->range[r + 1] - p->range[r]);
    if (r == RANGE_HEAD)
        launch(&c, next_chunk, 1, 1, 0, m->step, p->head_chunk);
    return c.error;
}

/* The graph of a range, made when it is first run. Relaxed, for a library may
 * load a kernel's code when it is first launched. */
static cudaError_t
capture(struct memory *m, enum range r)
{
    cudaStream_t s = m->card->stream;
    cudaGraph_t graph = nullptr;
    cudaError_t rc = cudaStreamBeginCapture(s, cudaStreamCaptureModeRelaxed);
    cudaError_t end;

    if (rc != cudaSuccess)
        return rc;
    rc = put_range(m, r);
    end = cudaStreamEndCapture(s, &graph);
    if (rc == cudaSuccess)
        rc = end;
    if (rc == cudaSuccess)
        rc = cudaGraphInstantiate(&m->graph[r], graph, 0);
    if (graph != nullptr)
        cudaGraphDestroy(graph);
    return rc;
}

int
cuda_run(struct memory *m, enum range r, const struct inputs *in,
         struct err *e)
{
    struct { struct inputs in; uint32_t head_at; } values = { *in, 0 };
    uint32_t times = r == RANGE_HEAD
                     ? blocks_of(in->n_head, m->p->head_chunk) : 1;
    cudaError_t rc = cudaSuccess;

    if (m->graph[r] == nullptr)
        rc = capture(m, r);
    if (rc == cudaSuccess)
        rc = cudaMemcpyAsync(m->step, &values,
                             offsetof(struct step, head_at)
                                 + sizeof(values.head_at),
                             cudaMemcpyHostToDevice, m->card->stream);
    for (uint32_t i = 0; i < times && rc == cudaSuccess; i++)
        rc = cudaGraphLaunch(m->graph[r], m->card->stream);
    return rc == cudaSuccess ? 0 : failed(e, rc, "launching");
}
