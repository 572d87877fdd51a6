/* fit.h - whether what is planned fits into the memory there is, and what
 * would.
 *
 * A plan is an upper bound, known before anything is taken. It is held
 * against what may become resident and what may be mapped (see room.h); the
 * base is mapped already, but its pages have to stay. Where the back end has
 * memory of its own, it is held against what is free there, and what waits in
 * the host's memory against what may become resident here.
 */
#ifndef MODEL_FIT_H
#define MODEL_FIT_H

#include "base/room.h"
#include "model/prog.h"

/* What a plan takes, in bytes; total is the sum of the first four. */
struct plan_memory {
    uint64_t base;   /* the base's tensors that the program reads; mapped, or
                        as the back end has them in memory of its own */
    uint64_t state;  /* parameters, gradients, moments, caches */
    uint64_t arena;  /* activations and scratch */
    uint64_t batch;  /* rows of tokens, the index of the data */
    uint64_t total;
    uint64_t host;   /* of this process's, where the back end has its own:
                        batches, what is pinned, activations that wait. Pages
                        of the base, which are read once, need not stay */
};

/* Of a program and one micro-batch. */
struct plan_memory prog_memory(const struct prog *p,
                               const struct backend *b);

/* Programs and libraries take no more than this, beside the plan. */
#define FIT_MARGIN ((uint64_t)64 << 20)

/* One way to do the work: what an option could change. */
struct fit_way {
    struct prog_opts prog;
    uint32_t accum;               /* micro-batches; batch * accum stays */
    const struct frozen *base;
    bool int8;                    /* base is stored in int8 */
};

/* What is asked: plan says what a way takes, or fails where it can't be. */
struct fit {
    const char *what;             /* "training", for messages */
    int (*plan)(void *ctx, const struct fit_way *way, struct plan_memory *m,
                struct err *e);
    void *ctx;
    const struct model_desc *desc;
    struct fit_way way;
    bool as_stored;               /* a base in int8 would be another answer */
    const struct backend *backend;
    struct room_bound host; /* for plan_memory.host; fit_now sets it */
};

/* 0 when the way fits into the room. Else ERR_LIMIT, with the plan, what is
 * free and what bounds it, and the first of the ways that would fit: smaller
 * batches (of training with as many more of them), recomputation, on a card
 * also offloading, a shorter sequence or context, a base in int8 (unless
 * as_stored), each with a little left free; or that none of them does. */
int fit_check(const struct fit *f, const struct room *room, struct err *e);

/* *way = the first that takes no more than so many bytes, with the margin:
 * f's own; smaller batches; if it may, those with recomputation. Sequences
 * of a step stay as many. ERR_LIMIT where there is none. */
int fit_within(const struct fit *f, uint64_t bytes, bool recompute,
               struct fit_way *way, struct err *e);

/* As fit_check for this process, now; with force a warning and 0. A back end
 * that is there for plans alone has any room. */
int fit_now(const struct fit *f, bool force, struct err *e);

#endif
