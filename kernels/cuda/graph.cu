/* graph.cu - a program's ranges as graphs of launches, captured when they are
 * first run. */
#include "memory.cuh"

static __global__ void
clear_loss(struct step *s)
{
    s->out.loss_sum = s->out.z_sum = s->out.balance_sum = 0;
}

static __global__ void
keep_results(struct step *s)
{
    s->out.updates += !s->out.skipped;
    s->done[s->n_done++ % AHEAD] = s->out;
}

/* After the last one comes the first one of another micro-batch. */
static __global__ void
next_chunk(struct step *s, uint32_t chunk)
{
    uint32_t next = s->head_at + chunk;

    s->head_at = next < s->in.n_head ? next : 0;
}

static cudaError_t
put_range(struct memory *m, enum range r)
{
    const struct op_list *p = m->p;
    struct call c = call_of(m);

    if (r == RANGE_START)
        launch(&c, clear_loss, 1, 1, 0, m->step);
    if (c.error == cudaSuccess)
        c.error = watch_mark(m, 0);
    for (size_t i = p->range[r]; i < p->range[r + 1]; i++) {
        run_ops(&c, p->op + i, 1);
        if (c.error == cudaSuccess)
            c.error = watch_mark(m, i + 1 - p->range[r]);
    }
    if (r == RANGE_HEAD)
        launch(&c, next_chunk, 1, 1, 0, m->step, p->head_chunk);
    if (r == RANGE_UPDATE)
        launch(&c, keep_results, 1, 1, 0, m->step);
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
    if (rc == cudaSuccess)
        return watch_graph(m, r, graph);
    if (graph != nullptr)
        cudaGraphDestroy(graph);
    return rc;
}

void
graphs_release(struct memory *m)
{
    for (cudaGraphExec_t &g : m->graph) {
        if (g != nullptr)
            cudaGraphExecDestroy(g);
        g = nullptr;
    }
}

int
cuda_run(struct memory *m, enum range r, struct err *e)
{
    uint32_t times = r == RANGE_HEAD
                     ? blocks_of(m->n_head, m->p->head_chunk) : 1;
    cudaError_t rc = cudaSuccess;

    if (m->graph[r] == nullptr)
        rc = capture(m, r);
    for (uint32_t i = 0; i < times && rc == cudaSuccess; i++) {
        rc = watch_launch(m, r);
        if (rc == cudaSuccess)
            rc = cudaGraphLaunch(m->graph[r], m->card->stream);
    }
    m->n_updates += r == RANGE_UPDATE;
    return rc == cudaSuccess ? 0 : failed(e, rc, "launching");
}
