/* upload.cu - the base goes up once, through two pinned pieces, one being
 * filled while the other is on its way. What is another type of floats there
 * becomes that in the pieces. */
#include <algorithm>
#include <cstring>

#include "memory.cuh"

#define CONVERTED 4096 /* elements at one time */

struct upload {
    char *piece[UPLOAD_PIECES];
    cudaEvent_t gone[UPLOAD_PIECES];
    unsigned turn;
};

/* Bytes [at, at + n) of a buffer, whole elements. */
static void
fill(char *piece, const struct tensor_buf *b, uint64_t at, size_t n)
{
    auto *from = static_cast<const char *>(b->source);
    size_t size = dtype_size(b->dtype), k;
    float x[CONVERTED];

    if (b->dtype == b->source_dtype) {
        memcpy(piece, from + at, n);
        return;
    }
    from += at / size * dtype_size(b->source_dtype);
    for (size_t i = 0; i < n / size; i += k) {
        k = std::min(n / size - i, (size_t)CONVERTED);
        floats_load(x, from + i * dtype_size(b->source_dtype),
                    b->source_dtype, k);
        floats_store(piece + i * size, b->dtype, x, k);
    }
}

static cudaError_t
upload_tensor(struct upload *u, struct memory *m, const struct tensor_buf *b)
{
    cudaStream_t s = m->card->stream;

    for (uint64_t at = 0; at < b->bytes;) {
        unsigned i = u->turn++ % UPLOAD_PIECES;
        size_t n = b->bytes - at < UPLOAD_PIECE ? (size_t)(b->bytes - at)
                                                : (size_t)UPLOAD_PIECE;
        cudaError_t rc = cudaEventSynchronize(u->gone[i]);

        if (rc != cudaSuccess)
            return rc;
        fill(u->piece[i], b, at, n);
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

int
upload_base(struct memory *m, struct err *e)
{
    struct upload u = {};
    cudaError_t rc = cudaSuccess;

    for (int i = 0; i < UPLOAD_PIECES && rc == cudaSuccess; i++) {
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
    for (int i = 0; i < UPLOAD_PIECES; i++) {
        if (u.gone[i] != nullptr)
            cudaEventDestroy(u.gone[i]);
        if (u.piece[i] != nullptr)
            cudaFreeHost(u.piece[i]);
    }
    return rc == cudaSuccess ? 0 : failed(e, rc, "copying the base");
}

bool
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
