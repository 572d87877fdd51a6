/* aside.cu - activations that wait in the host's memory: what the forward
 * stashes and the backward fetches. */
#include "ops.cuh"
#include "view.cuh"

static void
copy_aside(struct call *c, cudaMemcpyKind kind)
{
    const struct view *x = &c->op->x[0];
    size_t n = (size_t)x->rows * x->cols * element_bytes(x->dtype);

    c->error = cudaMemcpyAsync(view_at(c, &c->op->y[0]), view_at(c, x), n,
                               kind, c->card->stream);
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

/* Copies are on the stream of the ops. */
void
run_wait(struct call *)
{
}
