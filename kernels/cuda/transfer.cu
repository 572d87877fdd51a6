/* transfer.cu - what goes in and out of a program's memory: views, batches
 * and results. */
#include <cstring>

#include "memory.cuh"
#include "view.cuh"

static int
wait(struct memory *m, struct err *e)
{
    cudaError_t rc = cudaStreamSynchronize(m->card->stream);

    return rc == cudaSuccess ? 0 : failed(e, rc, "computing");
}

/* Rows that follow on each other are one: a copy of rows takes no row of
 * 2 GiB, which all parameters at once may be. */
static cudaError_t
copy_rows(char *to, size_t to_pitch, const char *from, size_t from_pitch,
          size_t width, size_t rows, cudaMemcpyKind kind, cudaStream_t s)
{
    if (rows == 1 || (to_pitch == width && from_pitch == width))
        return cudaMemcpyAsync(to, from, width * rows, kind, s);
    return cudaMemcpy2DAsync(to, to_pitch, from, from_pitch, width, rows,
                             kind, s);
}

static int
copy_view(struct memory *m, const struct view *v, char *host, bool up,
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
        rc = copy_rows(card, pitch, host, width, width, v->rows,
                       cudaMemcpyHostToDevice, m->card->stream);
    else
        rc = copy_rows(host, width, card, pitch, width, v->rows,
                       cudaMemcpyDeviceToHost, m->card->stream);
    return rc == cudaSuccess ? wait(m, e) : failed(e, rc, "copying");
}

int
cuda_put(struct memory *m, const struct view *v, const void *from,
         struct err *e)
{
    return copy_view(m, v, static_cast<char *>(const_cast<void *>(from)), true,
                     e);
}

int
cuda_get(struct memory *m, const struct view *v, void *to, struct err *e)
{
    return copy_view(m, v, static_cast<char *>(to), false, e);
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

int
cuda_results(struct memory *m, struct results *out, struct err *e)
{
    cudaError_t rc = cudaMemcpyAsync(out, &m->step->out, sizeof(*out),
                                     cudaMemcpyDeviceToHost,
                                     m->card->stream);

    return rc == cudaSuccess ? wait(m, e) : failed(e, rc, "copying");
}
