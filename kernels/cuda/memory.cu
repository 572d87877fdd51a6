/* memory.cu - a program's memory on the card.
 *
 * The zones, the step and the batch are allocated when a program is prepared,
 * and nothing after that; HOST is pinned memory of the host's. A program that
 * is prepared with another one's memory has its own step and batch in the
 * other's zones.
 */
#include <cstdlib>
#include <cstring>

#include "memory.cuh"
#include "ops.cuh"

int
failed(struct err *e, cudaError_t rc, const char *what)
{
    return fail(e, ERR_IO, "the card: %s: %s (%s)", what,
                cudaGetErrorString(rc), cudaGetErrorName(rc));
}

struct call
call_of(struct memory *m)
{
    struct call c = {};

    c.card = m->card;
    c.buf = m->p->buf;
    memcpy(c.zone, m->zone, sizeof(c.zone));
    c.step = m->step;
    c.batch = m->batch;
    c.asides = &m->asides;
    c.rows = m->p->rows;
    return c;
}

static int
take(void **out, uint64_t bytes, const char *what, struct err *e)
{
    cudaError_t rc;

    *out = nullptr;
    if (bytes == 0)
        return 0;
    rc = cudaMalloc(out, bytes);
    if (rc == cudaSuccess)
        return 0;
    return fail(e, ERR_IO, "the card: %llu bytes for the %s: %s",
                (unsigned long long)bytes, what, cudaGetErrorString(rc));
}

static int
take_host(void **out, uint64_t bytes, struct err *e)
{
    cudaError_t rc = cudaSuccess;

    if (bytes > 0)
        rc = cudaHostAlloc(out, bytes, cudaHostAllocDefault);
    if (rc == cudaSuccess)
        return 0;
    return fail(e, ERR_IO, "%llu bytes of the host's memory for activations: "
                "%s", (unsigned long long)bytes, cudaGetErrorString(rc));
}

static int
take_zones(struct memory *m, struct err *e)
{
    static const char *const name[] = { "", "base", "state", "arena" };
    int rc = 0;

    m->owns = true;
    for (int z = ZONE_BASE; z <= ZONE_ARENA && rc == 0; z++)
        rc = take(reinterpret_cast<void **>(&m->zone[z]),
                  m->p->zone_bytes[z], name[z], e);
    if (rc == 0)
        rc = take_host(reinterpret_cast<void **>(&m->zone[ZONE_HOST]),
                       m->p->zone_bytes[ZONE_HOST], e);
    return rc;
}

static cudaError_t
take_pinned(struct memory *m)
{
    cudaError_t rc = cudaHostAlloc(reinterpret_cast<void **>(&m->slot),
                                   SLOTS * slot_bytes(m->p),
                                   cudaHostAllocDefault);

    if (rc == cudaSuccess)
        rc = cudaHostAlloc(reinterpret_cast<void **>(&m->done),
                           sizeof(m->step->done), cudaHostAllocDefault);
    for (int i = 0; i < SLOTS && rc == cudaSuccess; i++)
        rc = cudaEventCreateWithFlags(&m->gone[i], cudaEventDisableTiming
                                                   | cudaEventBlockingSync);
    return rc;
}

static int
take_own(struct memory *m, struct err *e)
{
    size_t rows = m->p->rows;
    int rc = take(reinterpret_cast<void **>(&m->own),
                  offsetof(struct step, in) + slot_bytes(m->p), "batch", e);
    int32_t *at = reinterpret_cast<int32_t *>(m->own + STEP_BYTES);
    cudaError_t error;

    if (rc < 0)
        return rc;
    m->step = reinterpret_cast<struct step *>(m->own);
    m->batch = { at, at + rows, at + 2 * rows, at + 3 * rows, at + 4 * rows,
                 reinterpret_cast<float *>(at + 5 * rows), at + 6 * rows,
                 at + 6 * rows + m->p->seqs };
    error = take_pinned(m);
    if (error == cudaSuccess)
        error = asides_take(&m->asides, m->p);
    if (error == cudaSuccess)
        error = cudaMemsetAsync(m->own, 0, STEP_BYTES, m->card->stream);
    return error == cudaSuccess ? 0 : failed(e, error, "taking memory");
}

/* What the kernels can't do, before anything is taken. */
static int
check_ops(const struct op_list *p, struct err *e)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct op *op = &p->op[i];

        if (op_impl_of(op->kind) == nullptr)
            return fail(e, ERR_IO, "cuda: op %zu: unknown kind %u", i,
                        op->kind);
    }
    return 0;
}

/* Before anything is captured. What wasn't chosen here is refused later. */
static int
choose_products(struct memory *m, struct err *e)
{
    struct call c = call_of(m);

    c.choosing = true;
    for (size_t i = 0; i < m->p->n; i++)
        if (op_impl_of(m->p->op[i].kind)->multiplies)
            run_ops(&c, &m->p->op[i], 1);
    return c.error == cudaSuccess ? 0 : failed(e, c.error,
                                               "a product of matrices");
}

int
cuda_prepare(struct backend *b, struct memory **out, const struct op_list *p,
             struct memory *with, struct err *e)
{
    struct memory *m;
    int rc = check_ops(p, e);

    if (rc < 0)
        return rc;
    m = static_cast<struct memory *>(calloc(1, sizeof(struct memory)));
    if (m == nullptr)
        return fail(e, ERR_IO, "out of memory");
    m->card = static_cast<struct card *>(b->priv);
    m->p = p;
    rc = take_own(m, e);
    if (rc == 0 && with != nullptr)
        memcpy(m->zone, with->zone, sizeof(m->zone));
    else if (rc == 0)
        rc = take_zones(m, e);
    if (rc == 0)
        rc = choose_products(m, e);
    if (rc == 0 && with == nullptr && p->zone_bytes[ZONE_STATE] > 0
        && cudaMemsetAsync(m->zone[ZONE_STATE], 0, p->zone_bytes[ZONE_STATE],
                           m->card->stream) != cudaSuccess)
        rc = failed(e, cudaGetLastError(), "clearing the state");
    if (rc == 0 && (with == nullptr || !same_base(p, with->p)))
        rc = upload_base(m, e);
    if (rc < 0) {
        cuda_release(m);
        return rc;
    }
    *out = m;
    return 0;
}

void
cuda_release(struct memory *m)
{
    if (m == nullptr)
        return;
    cudaStreamSynchronize(m->card->stream);
    graphs_release(m);
    watch_release(m);
    asides_release(&m->asides);
    for (int z = ZONE_BASE; z <= ZONE_ARENA && m->owns; z++)
        cudaFree(m->zone[z]);
    if (m->owns && m->zone[ZONE_HOST] != nullptr)
        cudaFreeHost(m->zone[ZONE_HOST]);
    cudaFree(m->own);
    for (int i = 0; i < SLOTS; i++)
        if (m->gone[i] != nullptr)
            cudaEventDestroy(m->gone[i]);
    if (m->slot != nullptr)
        cudaFreeHost(m->slot);
    if (m->done != nullptr)
        cudaFreeHost(m->done);
    free(m);
}
