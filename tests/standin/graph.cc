/* graph.cc - what is put on the stand-in's streams, captured and launched as
 * graphs. */
#include "stream.h"

#include <algorithm>
#include <ctime>
#include <random>

namespace {

/* The capture that is under way; streams and events know it by its number. */
struct {
    uint64_t number;
    standin_stream *origin; /* NULL: none is */
    std::vector<standin_node> nodes;
} capture;

/* Whether all that was captured comes before what the origin would do next. */
bool
is_joined()
{
    std::vector<bool> before(capture.nodes.size());

    for (size_t i : capture.origin->last)
        before[i] = true;
    for (size_t i = before.size(); i-- > 0;) {
        if (!before[i])
            return false;
        for (size_t k : capture.nodes[i].after)
            before[k] = true;
    }
    return true;
}

/* An order that the graph allows: what is forked as early as can be, as late,
 * or anywhere between, by turns. */
std::vector<size_t>
order_of(const std::vector<standin_node> &nodes)
{
    static uint64_t turn = 0;
    std::vector<size_t> order, ready, left(nodes.size());
    std::vector<std::vector<size_t>> next(nodes.size());
    std::minstd_rand draw((unsigned)(standin_orders() + turn));
    unsigned way = turn++ % 3;

    for (size_t i = 0; i < nodes.size(); i++) {
        left[i] = nodes[i].after.size();
        for (size_t k : nodes[i].after)
            next[k].push_back(i);
        if (left[i] == 0)
            ready.push_back(i);
    }
    while (!ready.empty()) {
        size_t pick = draw() % ready.size();

        for (size_t k = 0; k < ready.size() && way < 2; k++)
            if (nodes[ready[k]].forked == (way == 0))
                pick = k;
        order.push_back(ready[pick]);
        ready.erase(ready.begin() + (long)pick);
        for (size_t k : next[order.back()])
            if (--left[k] == 0)
                ready.push_back(k);
    }
    return order;
}

/* The next of a stream that is captured. */
void
add_node(standin_stream *s, task work, standin_event *event)
{
    size_t index = capture.nodes.size();

    capture.nodes.push_back({ std::move(work), event, s->last,
                              s != capture.origin, index });
    s->last = { index };
}

/* What a node that records an event does when its turn comes. */
task
recording(standin_event *e)
{
    e->records++;
    e->pending++;
    return [e] {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        e->ns = t.tv_sec * (int64_t)1000000000 + t.tv_nsec;
        e->pending--;
    };
}

} // namespace

bool
standin_captures(const standin_stream *s)
{
    return capture.origin != nullptr && s->capture == capture.number;
}

cudaError_t
standin_enqueue(cudaStream_t s, task work)
{
    if (standin_is_lost)
        return cudaErrorLaunchFailure;
    if (!standin_captures(s)) {
        s->queue.push_back(std::move(work));
        return cudaSuccess;
    }
    add_node(s, std::move(work), nullptr);
    return cudaSuccess;
}

cudaError_t
cudaEventRecord(cudaEvent_t e, cudaStream_t s)
{
    e->stream = s;
    e->after = standin_end_of(s);
    e->capture = standin_captures(s) ? capture.number : 0;
    e->last = s->last;
    return cudaSuccess;
}

/* As a node of the graph, which is all that has a use here. */
cudaError_t
cudaEventRecordWithFlags(cudaEvent_t e, cudaStream_t s, unsigned flags)
{
    if (flags != cudaEventRecordExternal || !standin_captures(s))
        return cudaErrorInvalidValue;
    add_node(s, nullptr, e);
    return cudaSuccess;
}

cudaError_t
cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to)
{
    if (!from->timed || !to->timed || from->records == 0 || to->records == 0)
        return cudaErrorInvalidResourceHandle;
    if (from->pending > 0 || to->pending > 0)
        return cudaErrorNotReady;
    *ms = (float)(1e-6 * (double)(to->ns - from->ns));
    return cudaSuccess;
}

/* A stream that waits for what is captured is captured, too. Between streams
 * that aren't, nothing here has a use for it. */
cudaError_t
cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned)
{
    if (capture.origin == nullptr || e->capture != capture.number)
        return cudaErrorInvalidValue;
    if (!standin_captures(s)) {
        s->capture = capture.number;
        s->last.clear();
    }
    s->last.insert(s->last.end(), e->last.begin(), e->last.end());
    return cudaSuccess;
}

cudaError_t
cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode)
{
    if (capture.origin != nullptr)
        return cudaErrorInvalidValue;
    capture.origin = s;
    s->capture = ++capture.number;
    s->last.clear();
    return cudaSuccess;
}

cudaError_t
cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *g)
{
    bool joined;

    if (capture.origin != s)
        return cudaErrorInvalidValue;
    joined = is_joined();
    *g = joined ? new standin_graph{ capture.nodes } : nullptr;
    capture.origin = nullptr;
    capture.nodes.clear();
    return joined ? cudaSuccess : cudaErrorStreamCaptureUnjoined;
}

cudaError_t
cudaGraphInstantiate(cudaGraphExec_t *x, cudaGraph_t g, unsigned long long)
{
    *x = new standin_graph(*g);
    return cudaSuccess;
}

/* In an order that nobody can build on. */
cudaError_t
cudaGraphGetNodes(cudaGraph_t g, cudaGraphNode_t *nodes, size_t *n)
{
    std::minstd_rand draw((unsigned)standin_orders());
    std::vector<cudaGraphNode_t> all;

    for (standin_node &node : g->nodes)
        all.push_back(&node);
    std::shuffle(all.begin(), all.end(), draw);
    if (nodes != nullptr)
        std::copy_n(all.begin(), std::min(*n, all.size()), nodes);
    *n = nodes ? std::min(*n, all.size()) : all.size();
    return cudaSuccess;
}

cudaError_t
cudaGraphNodeGetType(cudaGraphNode_t n, cudaGraphNodeType *type)
{
    *type = n->event ? cudaGraphNodeTypeEventRecord : cudaGraphNodeTypeKernel;
    return cudaSuccess;
}

cudaError_t
cudaGraphEventRecordNodeGetEvent(cudaGraphNode_t n, cudaEvent_t *e)
{
    *e = n->event;
    return n->event ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t
cudaGraphExecEventRecordNodeSetEvent(cudaGraphExec_t x, cudaGraphNode_t n,
                                     cudaEvent_t e)
{
    if (n == nullptr || n->event == nullptr)
        return cudaErrorInvalidValue;
    x->nodes[n->index].event = e;
    return cudaSuccess;
}

cudaError_t
cudaGraphLaunch(cudaGraphExec_t x, cudaStream_t s)
{
    for (size_t i : order_of(x->nodes)) {
        const standin_node &n = x->nodes[i];

        if (standin_enqueue(s, n.event ? recording(n.event) : n.work)
            != cudaSuccess)
            return cudaErrorLaunchFailure;
    }
    return cudaSuccess;
}

cudaError_t
cudaGraphDestroy(cudaGraph_t g)
{
    delete g;
    return cudaSuccess;
}

cudaError_t
cudaGraphExecDestroy(cudaGraphExec_t x)
{
    delete x;
    return cudaSuccess;
}
