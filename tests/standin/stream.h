/* stream.h - streams, events and graphs of the stand-in: what standin.cc and
 * graph.cc share. */
#ifndef STANDIN_STREAM_H
#define STANDIN_STREAM_H

#include <deque>
#include <functional>
#include <vector>

#include "cuda_runtime.h"

typedef std::function<void()> task;

struct standin_stream {
    std::deque<task> queue;
    uint64_t n_done;          /* tasks that have left the queue */
    uint64_t capture;         /* that it is part of, or was */
    std::vector<size_t> last; /* there: what its next task comes after */
};

struct standin_event {
    standin_stream *stream;
    uint64_t after;   /* so many of its tasks */
    uint64_t capture; /* that it was recorded in; 0: none */
    std::vector<size_t> last;

    /* of one that tells times, which nodes of graphs record */
    bool timed;
    unsigned records, pending; /* launched; and not yet done */
    int64_t ns;                /* of the last that was done */
};

struct standin_node {
    task work;
    standin_event *event;      /* that it records; else it is NULL */
    std::vector<size_t> after; /* nodes before it */
    bool forked;               /* on another stream than the graph's own */
    size_t index;              /* in the graph, and in what is made of it */
};

/* What was captured, in the order of the calls. */
struct standin_graph {
    std::vector<standin_node> nodes;
};

/* Whether the card is lost; the seed of all orders. */
extern bool standin_is_lost;
uint64_t standin_orders();

/* Whether the stream is part of a capture that is under way. */
bool standin_captures(const standin_stream *s);

/* Tasks that it ever had. */
uint64_t standin_end_of(const standin_stream *s);

/* Ends the program with a line. */
[[noreturn]] void standin_fatal(const char *what);

#endif
