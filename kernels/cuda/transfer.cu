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

/* A micro-batch as it will lie on the card. */
static void
pack_slot(const struct memory *m, char *slot, const struct batch *b,
          const struct inputs *in)
{
    const void *row[ROW_ARRAYS] = { b->ids, b->target, b->pos, b->doc_first,
                                    b->head_row, b->weight };
    const void *seq[SEQ_ARRAYS] = { b->cache_at, b->seq_n };
    constexpr size_t from = offsetof(struct step, in);
    size_t rows = m->p->rows, seqs = m->p->seqs;
    char *to = slot + STEP_BYTES - from;

    memcpy(slot, in, sizeof(*in));
    memcpy(slot + offsetof(struct step, n) - from, &b->n, 4);
    for (size_t i = 0; i < ROW_ARRAYS; i++, to += 4 * rows)
        memcpy(to, row[i], 4 * rows);
    for (size_t i = 0; i < SEQ_ARRAYS; i++, to += 4 * seqs)
        if (seq[i] != nullptr)
            memcpy(to, seq[i], 4 * seqs);
}

/* The host packs while the card computes: it waits where all slots are on
 * their way, so it is SLOTS micro-batches ahead at most, which is soon done
 * when a run is stopped. The copy is on the stream that computes, since
 * graphs read one place; it is small. */
int
cuda_batch(struct memory *m, const struct batch *b, const struct inputs *in,
           struct err *e)
{
    size_t bytes = slot_bytes(m->p);
    unsigned i = m->turn++ % SLOTS;
    char *slot = m->slot + i * bytes;
    cudaError_t rc = cudaEventSynchronize(m->gone[i]);

    if (rc != cudaSuccess)
        return failed(e, rc, "copying a batch");
    pack_slot(m, slot, b, in);
    m->n_head = in->n_head;
    rc = cudaMemcpyAsync(&m->step->in, slot, bytes, cudaMemcpyHostToDevice,
                         m->card->stream);
    if (rc == cudaSuccess)
        rc = cudaEventRecord(m->gone[i], m->card->stream);
    return rc == cudaSuccess ? 0 : failed(e, rc, "copying a batch");
}

/* Reads all that there are, of which this gives the oldest. */
int
cuda_results(struct memory *m, struct results *out, struct err *e)
{
    cudaError_t rc;

    if (m->n_read == m->n_done) {
        rc = cudaMemcpyAsync(m->done, m->step->done, sizeof(m->step->done),
                             cudaMemcpyDeviceToHost, m->card->stream);
        if (rc != cudaSuccess)
            return failed(e, rc, "copying");
        if (wait(m, e) < 0)
            return e->code;
        m->n_done = m->n_updates;
    }
    *out = m->done[m->n_read++ % AHEAD];
    return 0;
}
