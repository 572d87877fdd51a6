/* memory.cuh - a program's memory on the card, for the files that allocate,
 * fill and run it. */
#ifndef KERNELS_CUDA_MEMORY_CUH
#define KERNELS_CUDA_MEMORY_CUH

#include "cuda.cuh"

#define ROW_ARRAYS 6 /* of four bytes an entry, by row */
#define SEQ_ARRAYS 2 /* and by sequence */
#define SLOTS 4      /* micro-batches that the host may be ahead */

#define MARKS 1024   /* that are read together, at least */

/* An event between two ops. */
struct mark {
    cudaEvent_t event;
    struct op_time *time; /* of the op before it; NULL: there is none */
};

/* Of a program whose ops are timed: see watch.cu. */
struct watch {
    struct op_time *time;        /* by op; NULL: nobody asks */
    struct mark *mark;           /* a pool; events as they are needed */
    size_t room, used;
    cudaGraph_t graph[RANGE_COUNT];
    cudaGraphNode_t *node[RANGE_COUNT]; /* its events, in order */
};

struct memory {
    struct card *card;
    const struct op_list *p;
    bool owns; /* the zones */
    char *zone[ZONE_COUNT];
    char *own; /* step and arrays */
    struct step *step;
    struct arrays batch;
    struct asides asides;
    cudaGraphExec_t graph[RANGE_COUNT];
    struct watch watch;

    /* In pinned memory: micro-batches on their way up, a ring, and the
     * card's ring of results as it was last read. */
    char *slot;
    cudaEvent_t gone[SLOTS];  /* a slot's copy has been made */
    unsigned turn;
    uint32_t n_head;          /* of the last micro-batch */
    struct results *done;
    uint64_t n_updates;       /* that were launched, */
    uint64_t n_done, n_read;  /* are in done, and were read */
};

/* ERR_IO with what the card said of what. */
int failed(struct err *e, cudaError_t rc, const char *what);

/* What ops are put on the stream with. */
struct call call_of(struct memory *m);

/* Of struct step, and where a batch's arrays begin behind it. */
static constexpr size_t STEP_BYTES = (sizeof(struct step) + 255) / 256 * 256;

/* Of what comes up with a micro-batch: struct step from in on, and arrays. */
static inline size_t
slot_bytes(const struct op_list *p)
{
    return STEP_BYTES - offsetof(struct step, in)
           + ((size_t)ROW_ARRAYS * p->rows + (size_t)SEQ_ARRAYS * p->seqs) * 4;
}

/* aside.cu: what the program's copies need; nothing, if it has none. */
cudaError_t asides_take(struct asides *a, const struct op_list *p);
void asides_release(struct asides *a);

/* graph.cu: they are captured anew when they are next run. */
void graphs_release(struct memory *m);

/* watch.cu, all of which does nothing where nobody asks. Captured, mark i of a
 * range: before its first op, and after each. */
cudaError_t watch_mark(struct memory *m, size_t i);

/* Takes a range's graph, from which m->graph was made, or destroys it. */
cudaError_t watch_graph(struct memory *m, enum range r, cudaGraph_t graph);

/* Before each launch of a range's graph: its marks are of this launch alone. */
cudaError_t watch_launch(struct memory *m, enum range r);
void watch_release(struct memory *m);

/* upload.cu: puts the base into its zone. */
int upload_base(struct memory *m, struct err *e);

/* Whether the base of p lies in the memory of there as p wants it. */
bool same_base(const struct op_list *p, const struct op_list *there);

#endif
