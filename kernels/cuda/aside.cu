/* aside.cu - activations that wait in the host's memory: what the forward
 * stashes and the backward fetches.
 *
 * A copy is put on a stream of its own, after all that was put on the ops'
 * stream until then; the WAIT makes that one come after the copy. Where the
 * ops' stream is captured, so is the other, from its first copy to its last
 * WAIT, and what runs beside what is in the graph. Copies follow one another,
 * as they would on the bus.
 */
#include <cstdlib>

#include "memory.cuh"
#include "ops.cuh"
#include "view.cuh"

static uint32_t
count_numbers(const struct op_list *p)
{
    uint32_t n = 0;

    for (size_t i = 0; i < p->n; i++)
        if (p->op[i].kind == OP_WAIT && p->op[i].u.aside.number >= n)
            n = p->op[i].u.aside.number + 1;
    return n;
}

cudaError_t
asides_take(struct asides *a, const struct op_list *p)
{
    uint32_t n = count_numbers(p);
    cudaError_t rc;

    if (n == 0)
        return cudaSuccess;
    a->done = static_cast<cudaEvent_t *>(calloc(n, sizeof(*a->done)));
    if (a->done == nullptr)
        return cudaErrorMemoryAllocation;
    a->n = n;
    rc = cudaStreamCreateWithFlags(&a->stream, cudaStreamNonBlocking);
    if (rc == cudaSuccess)
        rc = cudaEventCreateWithFlags(&a->fork, cudaEventDisableTiming);
    for (uint32_t i = 0; i < n && rc == cudaSuccess; i++)
        rc = cudaEventCreateWithFlags(&a->done[i], cudaEventDisableTiming);
    return rc;
}

void
asides_release(struct asides *a)
{
    for (uint32_t i = 0; i < a->n; i++)
        if (a->done[i] != nullptr)
            cudaEventDestroy(a->done[i]);
    if (a->fork != nullptr)
        cudaEventDestroy(a->fork);
    if (a->stream != nullptr)
        cudaStreamDestroy(a->stream);
    free(a->done);
}

static void
copy_aside(struct call *c, cudaMemcpyKind kind)
{
    const struct asides *a = c->asides;
    const struct view *x = &c->op->x[0];
    size_t n = (size_t)x->rows * x->cols * element_bytes(x->dtype);
    cudaError_t rc = cudaEventRecord(a->fork, c->card->stream);

    if (rc == cudaSuccess)
        rc = cudaStreamWaitEvent(a->stream, a->fork, 0);
    if (rc == cudaSuccess)
        rc = cudaMemcpyAsync(view_at(c, &c->op->y[0]), view_at(c, x), n, kind,
                             a->stream);
    if (rc == cudaSuccess)
        rc = cudaEventRecord(a->done[c->op->u.aside.number], a->stream);
    c->error = rc;
}

void
run_stash(struct call *c)
{
    copy_aside(c, cudaMemcpyDeviceToHost);
}

void
run_fetch(struct call *c)
{
    copy_aside(c, cudaMemcpyHostToDevice);
}

void
run_wait(struct call *c)
{
    c->error = cudaStreamWaitEvent(
        c->card->stream, c->asides->done[c->op->u.aside.number], 0);
}
