/* memory.cuh - a program's memory on the card, for the files that allocate,
 * fill and run it. */
#ifndef KERNELS_CUDA_MEMORY_CUH
#define KERNELS_CUDA_MEMORY_CUH

#include "cuda.cuh"

#define ROW_ARRAYS 6 /* of four bytes an entry, by row */
#define SEQ_ARRAYS 2 /* and by sequence */

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
    struct asides asides;
    cudaGraphExec_t graph[RANGE_COUNT];
};

/* ERR_IO with what the card said of what. */
int failed(struct err *e, cudaError_t rc, const char *what);

/* What ops are put on the stream with. */
struct call call_of(struct memory *m);

/* Of a batch as it lies on the card. */
static inline size_t
batch_bytes(const struct op_list *p)
{
    return ((size_t)ROW_ARRAYS * p->rows + (size_t)SEQ_ARRAYS * p->seqs) * 4;
}

/* aside.cu: what the program's copies need; nothing, if it has none. */
cudaError_t asides_take(struct asides *a, const struct op_list *p);
void asides_release(struct asides *a);

/* upload.cu: puts the base into its zone. */
int upload_base(struct memory *m, struct err *e);

/* Whether the base of p lies in the memory of there as p wants it. */
bool same_base(const struct op_list *p, const struct op_list *there);

#endif
