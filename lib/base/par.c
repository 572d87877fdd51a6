/* par.c - a pool of threads that take items off one counter.
 *
 * Threads are started by the first call that needs them and live as long as
 * the process. Between calls, and at the end of one, they look for what comes
 * next for a moment and sleep then: to wake a thread takes longer than some
 * products of a single row, and looking on, as an OpenMP team does, on a
 * machine that has other things to do cost training four fifths of its speed.
 * Signals from outside are blocked in them, so those handlers run on the
 * thread that main runs on. A child of fork has none of them and must not call
 * par_for.
 */
#include "base/par.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/signals.h"

#define MAX_THREADS 1024
#define LOOK_NS 50000 /* before sleep: about what waking takes */

static struct pool {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    int wanted;        /* threads; 0: not set */
    int started;       /* beside the caller's own */
    int active;        /* of these, how many take part in this call */
    atomic_int busy;   /* of these, how many are not done */
    bool beside;       /* the caller runs its own, and the threads items */
    atomic_uint_least64_t call; /* number of the call */
    size_t n;          /* its items, its function, its context */
    void (*fn)(void *ctx, size_t i, int worker);
    void *ctx;
    atomic_size_t next;
} pool = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .work = PTHREAD_COND_INITIALIZER,
    .done = PTHREAD_COND_INITIALIZER,
};

void
par_set_threads(int n)
{
    pool.wanted = n < 0 ? 0 : n > MAX_THREADS ? MAX_THREADS : n;
}

int
par_threads(void)
{
    cpu_set_t set;

    if (pool.wanted > 0)
        return pool.wanted;
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    return CPU_COUNT(&set);
}

static void
take_items(int worker)
{
    size_t i;

    while ((i = atomic_fetch_add(&pool.next, 1)) < pool.n)
        pool.fn(pool.ctx, i, worker);
}

/* Leaves the core to its other thread for a moment. Not the processor to other
 * programs, as sched_yield would: they would keep it for a whole slice. */
static void
relax(void)
{
#ifdef __x86_64__
    for (int i = 0; i < 8; i++)
        __builtin_ia32_pause();
#endif
}

/* Whether a call other than seen has begun within a moment; the lock is held
 * then. */
static bool
call_comes(uint64_t seen)
{
    uint64_t end = clock_ns() + LOOK_NS;

    do {
        if (atomic_load(&pool.call) != seen
            && pthread_mutex_trylock(&pool.lock) == 0)
            return true;
        relax();
    } while (clock_ns() < end);
    return false;
}

/* Whether all are done within a moment. */
static bool
all_done(void)
{
    uint64_t end = clock_ns() + LOOK_NS;

    do {
        if (atomic_load(&pool.busy) == 0)
            return true;
        relax();
    } while (clock_ns() < end);
    return false;
}

static void *
worker_main(void *arg)
{
    int worker = (int)(intptr_t)arg;
    char stack[SIGNAL_STACK]; /* the thread's end is the process's */
    uint64_t seen = 0;

    signal_stack(stack);
    for (;;) {
        if (!call_comes(seen))
            pthread_mutex_lock(&pool.lock);
        while (pool.call == seen || worker > pool.active)
            pthread_cond_wait(&pool.work, &pool.lock);
        seen = pool.call;
        pthread_mutex_unlock(&pool.lock);
        take_items(worker);
        pthread_mutex_lock(&pool.lock);
        if (--pool.busy == 0)
            pthread_cond_signal(&pool.done);
        pthread_mutex_unlock(&pool.lock);
    }
    return NULL;
}

/* Starts threads until there are n; fewer where the system has no more. */
static void
start_threads(int n)
{
    sigset_t before;

    signal_block(&before);
    while (pool.started < n) {
        pthread_t t;
        void *arg = (void *)(intptr_t)(pool.started + 1);

        if (pthread_create(&t, NULL, worker_main, arg) != 0)
            break;
        pthread_detach(t);
        pool.started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Wakes the threads for n items. */
static void
begin(size_t n, void (*fn)(void *ctx, size_t i, int worker), void *ctx,
      int others)
{
    pthread_mutex_lock(&pool.lock);
    if (pool.started < others)
        start_threads(others);
    pool.n = n;
    pool.fn = fn;
    pool.ctx = ctx;
    atomic_store(&pool.next, 0);
    pool.active = others < pool.started ? others : pool.started;
    pool.busy = pool.active;
    pool.call++;
    pthread_cond_broadcast(&pool.work);
    pthread_mutex_unlock(&pool.lock);
}

static void
end(void)
{
    if (all_done())
        return;
    pthread_mutex_lock(&pool.lock);
    while (pool.busy > 0)
        pthread_cond_wait(&pool.done, &pool.lock);
    pthread_mutex_unlock(&pool.lock);
}

void
par_for_beside(size_t n, void (*fn)(void *ctx, size_t i, int worker),
               void (*own)(void *ctx), void *ctx)
{
    int others = par_threads() - 1;
    bool alone = others <= 0 || n + (own != NULL) <= 1 || pool.beside;

    if (!alone)
        begin(n, fn, ctx, others);
    if (own) {
        bool before = pool.beside;

        pool.beside = true;
        own(ctx);
        pool.beside = before;
    }
    if (!alone) {
        take_items(0);
        end();
        return;
    }
    for (size_t i = 0; i < n; i++)
        fn(ctx, i, 0);
}

void
par_for(size_t n, void (*fn)(void *ctx, size_t i, int worker), void *ctx)
{
    par_for_beside(n, fn, NULL, ctx);
}
