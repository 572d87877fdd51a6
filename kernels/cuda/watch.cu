/* watch.cu - times of ops: an event before a range's first op, and one after
 * each.
 *
 * The events are nodes of the range's graph, which is captured anew when
 * somebody asks, and run as it is otherwise; a node orders the ops beside it,
 * which follow one another anyway. A graph is launched again before its events
 * are read, so each launch has events of its own from a pool. They are read
 * when the host asks for the times, or when the pool is used up.
 */
#include <cstdlib>

#include "memory.cuh"

static size_t
marks_of(const struct memory *m, enum range r)
{
    return m->p->range[r + 1] - m->p->range[r] + 1;
}

/* Mark i of the pool has an event. */
static cudaError_t
make_event(struct watch *w, size_t i)
{
    if (w->mark[i].event != nullptr)
        return cudaSuccess;
    return cudaEventCreateWithFlags(&w->mark[i].event, cudaEventDefault);
}

/* The events of what is captured are the first of the pool. */
cudaError_t
watch_mark(struct memory *m, size_t i)
{
    struct watch *w = &m->watch;
    cudaError_t rc;

    if (w->time == nullptr)
        return cudaSuccess;
    if (w->mark == nullptr)
        return cudaErrorMemoryAllocation;
    rc = make_event(w, i);
    if (rc == cudaSuccess)
        rc = cudaEventRecordWithFlags(w->mark[i].event, m->card->stream,
                                      cudaEventRecordExternal);
    return rc;
}

/* Puts a node that records one of the first n events to its place. A graph may
 * tell its nodes in any order; they are found soonest in that of the ops. */
static cudaError_t
place_node(struct watch *w, enum range r, cudaGraphNode_t node, size_t n,
           size_t *next)
{
    enum cudaGraphNodeType type;
    cudaEvent_t event;
    cudaError_t rc = cudaGraphNodeGetType(node, &type);

    if (rc != cudaSuccess || type != cudaGraphNodeTypeEventRecord)
        return rc;
    rc = cudaGraphEventRecordNodeGetEvent(node, &event);
    for (size_t i = 0; i < n && rc == cudaSuccess; i++) {
        size_t at = (*next + i) % n;

        if (w->mark[at].event != event)
            continue;
        w->node[r][at] = node;
        *next = at + 1;
        break;
    }
    return rc;
}

static cudaError_t
place_nodes(struct watch *w, enum range r, size_t n)
{
    size_t n_nodes = 0, next = 0;
    cudaError_t rc = cudaGraphGetNodes(w->graph[r], nullptr, &n_nodes);
    auto *node = static_cast<cudaGraphNode_t *>(calloc(n_nodes + 1,
                                                       sizeof(*w->node[r])));

    w->node[r] = static_cast<cudaGraphNode_t *>(calloc(n, sizeof(*node)));
    if (rc == cudaSuccess && (node == nullptr || w->node[r] == nullptr))
        rc = cudaErrorMemoryAllocation;
    if (rc == cudaSuccess)
        rc = cudaGraphGetNodes(w->graph[r], node, &n_nodes);
    for (size_t i = 0; i < n_nodes && rc == cudaSuccess; i++)
        rc = place_node(w, r, node[i], n, &next);
    free(node);
    return rc;
}

cudaError_t
watch_graph(struct memory *m, enum range r, cudaGraph_t graph)
{
    if (m->watch.time == nullptr) {
        cudaGraphDestroy(graph);
        return cudaSuccess;
    }
    m->watch.graph[r] = graph;
    return place_nodes(&m->watch, r, marks_of(m, r));
}

/* Waits for all that was launched, and adds up what it took. */
static cudaError_t
collect(struct memory *m)
{
    struct watch *w = &m->watch;
    cudaError_t rc = cudaStreamSynchronize(m->card->stream);
    float ms;

    for (size_t i = 0; i < w->used && rc == cudaSuccess; i++) {
        struct mark *k = &w->mark[i];

        if (k->time == nullptr)
            continue;
        rc = cudaEventElapsedTime(&ms, k[-1].event, k->event);
        k->time->runs++;
        k->time->ns += rc == cudaSuccess ? (uint64_t)(1e6 * (double)ms) : 0;
    }
    w->used = 0;
    return rc;
}

cudaError_t
watch_launch(struct memory *m, enum range r)
{
    struct watch *w = &m->watch;
    size_t n = marks_of(m, r);
    cudaError_t rc = cudaSuccess;

    if (w->time == nullptr)
        return rc;
    if (w->used + n > w->room)
        rc = collect(m);
    for (size_t i = 0; i < n && rc == cudaSuccess; i++) {
        struct mark *k = &w->mark[w->used + i];

        k->time = i > 0 ? w->time + m->p->range[r] + i - 1 : nullptr;
        rc = make_event(w, w->used + i);
        if (rc == cudaSuccess)
            rc = cudaGraphExecEventRecordNodeSetEvent(
                m->graph[r], w->node[r][i], k->event);
    }
    w->used += rc == cudaSuccess ? n : 0;
    return rc;
}

int
cuda_watched(struct memory *m, struct err *e)
{
    cudaError_t rc = collect(m);

    return rc == cudaSuccess ? 0 : failed(e, rc, "computing");
}

void
watch_release(struct memory *m)
{
    struct watch *w = &m->watch;

    for (int r = 0; r < RANGE_COUNT; r++) {
        if (w->graph[r] != nullptr)
            cudaGraphDestroy(w->graph[r]);
        free(w->node[r]);
    }
    for (size_t i = 0; w->mark != nullptr && i < w->room; i++)
        if (w->mark[i].event != nullptr)
            cudaEventDestroy(w->mark[i].event);
    free(w->mark);
    *w = {};
}

void
cuda_watch(struct memory *m, struct op_time *time)
{
    struct watch *w = &m->watch;
    size_t most = m->p->n + 1;

    cudaStreamSynchronize(m->card->stream);
    graphs_release(m);
    watch_release(m);
    if (time == nullptr)
        return;
    w->time = time;
    w->room = most > MARKS ? most : MARKS;
    w->mark = static_cast<struct mark *>(calloc(w->room, sizeof(*w->mark)));
}
