/* memory.cu - a program's memory on the card, and what goes in and out.
 *
 * Three zones, the step and the batch are allocated when a program is
 * prepared, and nothing after that. The base goes up once, through two pinned
 * pieces, one being filled while the other is on its way.
 */
#include <cstdlib>
#include <cstring>

#include "ops.cuh"
#include "view.cuh"

#define ROW_ARRAYS 6 /* of four bytes an entry, by row */
#define SEQ_ARRAYS 2 /* and by sequence */
#define UPLOAD_PIECE ((size_t)16 << 20)

struct memory {
    struct card *card;
    const struct op_list *p;
    bool owns; /* the zones */
    char *zone[ZONE_COUNT];
    char *own; /* step and arrays */
    struct step *step;
    struct arrays batch;
    int32_t *pinned;          /* a copy of a batch on its way */
    cudaEvent_t batch_up;     /* it has arrived */
    cudaGraphExec_t graph[RANGE_COUNT];
};

/* ERR_IO with what the card said of what. */
static int
failed(struct err *e, cudaError_t rc, const char *what)
{
    return fail(e, ERR_IO, "the card: %s: %s (%s)", what,
                cudaGetErrorString(rc), cudaGetErrorName(rc));
}

static int
wait(struct memory *m, struct err *e)
{
    cudaError_t rc = cudaStreamSynchronize(m->card->stream);

    return rc == cudaSuccess ? 0 : failed(e, rc, "computing");
}

/* ---- zones and base ----------------------------------------------------- */

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
take_zones(struct memory *m, struct err *e)
{
    static const char *const name[ZONE_COUNT] = { "", "base", "state",
                                                  "arena" };
    int rc = 0;

    m->owns = true;
    for (int z = ZONE_BASE; z < ZONE_COUNT && rc == 0; z++)
        rc = take(reinterpret_cast<void **>(&m->zone[z]),
                  m->p->zone_bytes[z], name[z], e);
    return rc;
}

struct upload {
    char *piece[2];
    cudaEvent_t gone[2];
    unsigned turn;
};

static cudaError_t
upload_tensor(struct upload *u, struct memory *m, const struct tensor_buf *b)
{
    cudaStream_t s = m->card->stream;

    for (uint64_t at = 0; at < b->bytes;) {
        unsigned i = u->turn++ % 2;
        size_t n = b->bytes - at < UPLOAD_PIECE ? (size_t)(b->bytes - at)
                                                : UPLOAD_PIECE;
        cudaError_t rc = cudaEventSynchronize(u->gone[i]);

        if (rc != cudaSuccess)
            return rc;
        memcpy(u->piece[i], static_cast<const char *>(b->source) + at, n);
        rc = cudaMemcpyAsync(m->zone[ZONE_BASE] + b->at + at, u->piece[i], n,
                             cudaMemcpyHostToDevice, s);
        if (rc == cudaSuccess)
            rc = cudaEventRecord(u->gone[i], s);
        if (rc != cudaSuccess)
            return rc;
        at += n;
    }
    return cudaSuccess;
}

static int
upload_base(struct memory *m, struct err *e)
{
    struct upload u = {};
    cudaError_t rc = cudaSuccess;

    for (int i = 0; i < 2 && rc == cudaSuccess; i++) {
        rc = cudaHostAlloc(reinterpret_cast<void **>(&u.piece[i]),
                           UPLOAD_PIECE, cudaHostAllocDefault);
        if (rc == cudaSuccess)
            rc = cudaEventCreateWithFlags(&u.gone[i],
                                          cudaEventDisableTiming);
    }
    for (size_t i = 0; i < m->p->n_bufs && rc == cudaSuccess; i++)
        if (m->p->buf[i].zone == ZONE_BASE && m->p->buf[i].source != nullptr)
            rc = upload_tensor(&u, m, &m->p->buf[i]);
    if (rc == cudaSuccess)
        rc = cudaStreamSynchronize(m->card->stream);
    for (int i = 0; i < 2; i++) {
        if (u.gone[i] != nullptr)
            cudaEventDestroy(u.gone[i]);
        if (u.piece[i] != nullptr)
            cudaFreeHost(u.piece[i]);
    }
    return rc == cudaSuccess ? 0 : failed(e, rc, "copying the base");
}

/* Whether the base of p lies in the memory as p wants it. */
static bool
same_base(const struct op_list *p, const struct op_list *there)
{
    size_t k = 0;

    for (size_t i = 0; i < p->n_bufs; i++) {
        if (p->buf[i].zone != ZONE_BASE)
            continue;
        while (k < there->n_bufs && there->buf[k].zone != ZONE_BASE)
            k++;
        if (k == there->n_bufs || there->buf[k].at != p->buf[i].at
            || there->buf[k].source != p->buf[i].source)
            return false;
        k++;
    }
    return true;
}

static size_t
batch_bytes(const struct op_list *p)
{
    return ((size_t)ROW_ARRAYS * p->rows + (size_t)SEQ_ARRAYS * p->seqs) * 4;
}

static int
take_own(struct memory *m, struct err *e)
{
    size_t rows = m->p->rows, head = 256 * blocks_of(sizeof(*m->step), 256);
    int rc = take(reinterpret_cast<void **>(&m->own),
                  head + batch_bytes(m->p), "batch", e);
    int32_t *at = reinterpret_cast<int32_t *>(m->own + head);
    cudaError_t error;

    if (rc < 0)
        return rc;
    m->step = reinterpret_cast<struct step *>(m->own);
    m->batch = { at, at + rows, at + 2 * rows, at + 3 * rows, at + 4 * rows,
                 reinterpret_cast<float *>(at + 5 * rows), at + 6 * rows,
                 at + 6 * rows + m->p->seqs };
    error = cudaHostAlloc(reinterpret_cast<void **>(&m->pinned),
                          batch_bytes(m->p), cudaHostAllocDefault);
    if (error == cudaSuccess)
        error = cudaEventCreateWithFlags(&m->batch_up,
                                         cudaEventDisableTiming);
    if (error == cudaSuccess)
        error = cudaMemsetAsync(m->own, 0, head, m->card->stream);
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
        if (op->kind == OP_ATTENTION && op->u.attn.cache_len == 0
            && op->u.attn.head_dim > ATTENTION_HEAD)
            return fail(e, ERR_USAGE, "heads of %u columns are more than the "
                        "%u that a card's attention takes (use --device "
                        "cpu)", op->u.attn.head_dim, ATTENTION_HEAD);
    }
    return 0;
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
    for (int r = 0; r < RANGE_COUNT; r++)
        if (m->graph[r] != nullptr)
            cudaGraphExecDestroy(m->graph[r]);
    for (int z = 0; z < ZONE_COUNT && m->owns; z++)
        cudaFree(m->zone[z]);
    cudaFree(m->own);
    if (m->batch_up != nullptr)
        cudaEventDestroy(m->batch_up);
    if (m->pinned != nullptr)
        cudaFreeHost(m->pinned);
    free(m);
}

/* ---- in and out --------------------------------------------------------- */

static struct call
call_of(struct memory *m)
{
    struct call c = {};

    c.card = m->card;
    c.buf = m->p->buf;
    memcpy(c.zone, m->zone, sizeof(c.zone));
    c.step = m->step;
    c.batch = m->batch;
    c.rows = m->p->rows;
    return c;
}

static int
copy_view(struct memory *m, const struct view *v, void *host, bool up,
          struct err *e)
{
    struct call c = call_of(m);
    size_t width = v->cols * element_bytes(v->dtype);
    size_t pitch = v->ld * element_bytes(v->dtype);
    char *card = view_at(&c, v);
    cudaError_t rc;

    if (v->rows == 0 || v->cols == 0)
        return 0;
    if (up)
        rc = cudaMemcpy2DAsync(card, pitch, host, width, width, v->rows,
                               cudaMemcpyHostToDevice, m->card->stream);
    else
        rc = cudaMemcpy2DAsync(host, width, card, pitch, width, v->rows,
                               cudaMemcpyDeviceToHost, m->card->stream);
    return rc == cudaSuccess ? wait(m, e) : failed(e, rc, "copying");
}

int
cuda_put(struct memory *m, const struct view *v, const void *from,
         struct err *e)
{
    return copy_view(m, v, const_cast<void *>(from), true, e);
}

int
cuda_get(struct memory *m, const struct view *v, void *to, struct err *e)
{
    return copy_view(m, v, to, false, e);
}

/* The batch as it will lie on the card. */
static void
pack_batch(struct memory *m, const struct batch *b)
{
    const void *row[ROW_ARRAYS] = { b->ids, b->target, b->pos, b->doc_first,
                                    b->head_row, b->weight };
    const void *seq[SEQ_ARRAYS] = { b->cache_at, b->seq_n };
    size_t rows = m->p->rows, seqs = m->p->seqs;
    int32_t *to = m->pinned;

    for (size_t i = 0; i < ROW_ARRAYS; i++, to += rows)
        memcpy(to, row[i], rows * 4);
    for (size_t i = 0; i < SEQ_ARRAYS; i++, to += seqs)
        if (seq[i] != nullptr)
            memcpy(to, seq[i], seqs * 4);
}

int
cuda_batch(struct memory *m, const struct batch *b, struct err *e)
{
    cudaStream_t s = m->card->stream;
    cudaError_t rc = cudaEventSynchronize(m->batch_up);

    if (rc != cudaSuccess)
        return failed(e, rc, "copying a batch");
    pack_batch(m, b);
    rc = cudaMemcpyAsync(m->batch.ids, m->pinned, batch_bytes(m->p),
                         cudaMemcpyHostToDevice, s);
    if (rc == cudaSuccess)
        rc = cudaMemcpyAsync(&m->step->n, &b->n, sizeof(b->n),
                             cudaMemcpyHostToDevice, s);
    if (rc == cudaSuccess)
        rc = cudaEventRecord(m->batch_up, s);
    return rc == cudaSuccess ? 0 : failed(e, rc, "copying a batch");
}

/* ---- ranges ------------------------------------------------------------- */

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

/* The graph of a range, made when it is first run. */
static cudaError_t
capture(struct memory *m, enum range r)
{
    cudaStream_t s = m->card->stream;
    cudaGraph_t graph = nullptr;
    cudaError_t rc = cudaStreamBeginCapture(
        s, cudaStreamCaptureModeThreadLocal);
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

int
cuda_results(struct memory *m, struct results *out, struct err *e)
{
    cudaError_t rc = cudaMemcpyAsync(out, &m->step->out, sizeof(*out),
                                     cudaMemcpyDeviceToHost,
                                     m->card->stream);

    return rc == cudaSuccess ? wait(m, e) : failed(e, rc, "copying");
}
