/* block.cc - the threads of a block as fibers: see block.h.
 *
 * Threads run one at a time, in an order of the seed, each until it ends or
 * has to wait: at the block's barrier, or in an operation of its warp. What
 * can't go on any more is a mistake of the kernel, and said so.
 */
#include "block.h"

#include <cstdio>
#include <map>
#include <vector>

#include "fiber.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define __asan_poison_memory_region(p, n)
#define __asan_unpoison_memory_region(p, n)
#endif

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;
alignas(1024) unsigned char shared[BLOCK_SHARED];

namespace {


enum state { READY, AT_BARRIER, IN_WARP, ENDED };

struct thread {
    struct fiber *fiber;
    enum state state;
    uint3 index;
};

/* An operation of a warp that lanes wait in. */
struct meeting {
    unsigned mask, here;
    void *lane[32];
    void (*all)(void *const every[32], unsigned mask);
};

struct block {
    const struct launch *l;
    std::vector<struct thread> thread;
    std::vector<struct meeting> meeting; /* by warp */
    unsigned now;                        /* the thread that runs */
    unsigned waiting, ended;
};

struct block *block;
std::map<const void *, size_t> allowed;
uint64_t draw_state;

unsigned
draw(unsigned below)
{
    draw_state = draw_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((draw_state >> 33) * below >> 31);
}

[[noreturn]] void
fatal(const char *what)
{
    fprintf(stderr, "stand-in: block (%u, %u, %u), thread %u: %s\n",
            blockIdx.x, blockIdx.y, blockIdx.z, block->now, what);
    abort();
}

void
shuffle(std::vector<unsigned> &order)
{
    for (unsigned i = (unsigned)order.size(); i > 1; i--)
        std::swap(order[i - 1], order[draw(i)]);
}

void
thread_main(void *)
{
    block->l->body();
}

void
run_thread(unsigned i)
{
    struct thread *t = &block->thread[i];

    block->now = i;
    threadIdx = t->index;
    if (t->fiber == nullptr)
        t->fiber = fiber_start(thread_main, nullptr);
    if (!fiber_resume(t->fiber))
        return;
    t->state = ENDED;
    block->ended++;
}

void
wait(enum state s)
{
    unsigned i = block->now;

    block->thread[i].state = s;
    fiber_yield();
    block->now = i;
    threadIdx = block->thread[i].index;
}

/* Lets the barrier open once all that have not ended are there. */
bool
open_barrier()
{
    if (block->waiting == 0
        || block->waiting + block->ended < block->thread.size())
        return false;
    for (auto &t : block->thread)
        if (t.state == AT_BARRIER)
            t.state = READY;
    block->waiting = 0;
    return true;
}

/* Runs what is ready of a warp, lanes in an order that is drawn; false: none
 * is. */
bool
run_warp(unsigned warp)
{
    unsigned at = draw(32), step = 2 * draw(16) + 1;
    size_t n = block->thread.size();
    bool any = false;

    for (unsigned k = 0; k < 32; k++, at += step) {
        unsigned i = warp * 32 + at % 32;

        if (i >= n || block->thread[i].state != READY)
            continue;
        run_thread(i);
        any = true;
    }
    return any;
}

/* The same of all of them. */
bool
run_warps(std::vector<unsigned> &order)
{
    bool any = false;

    shuffle(order);
    for (unsigned warp : order)
        any |= run_warp(warp);
    return any;
}

/* Lanes run in any order. Between two barriers one warp runs as far as it
 * gets before the others do: side by side, they would never be where one can
 * harm another for want of a barrier. */
void
run_block()
{
    unsigned warps = (unsigned)block->meeting.size(), first = draw(warps);
    std::vector<unsigned> order(warps);

    for (unsigned i = 0; i < warps; i++)
        order[i] = i;
    while (block->ended < block->thread.size()) {
        bool any = run_warp(first) || run_warps(order);

        if (open_barrier())
            first = draw(warps);
        if (!any && block->waiting == 0 && block->ended < block->thread.size())
            fatal("a warp's operation that some of its lanes never come to");
        if (!any && block->waiting > 0)
            fatal("a barrier that some threads never come to");
    }
}

void
start_block(const struct launch *l)
{
    unsigned n = l->block.x * l->block.y * l->block.z;

    block->thread.assign(n, {});
    block->meeting.assign((n + 31) / 32, {});
    for (unsigned i = 0; i < n; i++)
        block->thread[i].index = { i % l->block.x,
                                   i / l->block.x % l->block.y,
                                   i / l->block.x / l->block.y };
    block->waiting = block->ended = 0;
    __asan_unpoison_memory_region(shared, sizeof(shared));
    memset(shared, 0xff, l->shared);
    __asan_poison_memory_region(shared + l->shared,
                                sizeof(shared) - l->shared);
}

} // namespace

void
block_run(const struct launch *l, uint64_t seed)
{
    struct block b = {};
    std::vector<unsigned> order((size_t)l->grid.x * l->grid.y * l->grid.z);

    for (unsigned i = 0; i < order.size(); i++)
        order[i] = i;
    draw_state = seed * 0x9e3779b97f4a7c15u + 1;
    shuffle(order);
    b.l = l;
    block = &b;
    blockDim = l->block;
    gridDim = l->grid;
    for (unsigned i : order) {
        blockIdx = { i % l->grid.x, i / l->grid.x % l->grid.y,
                     i / l->grid.x / l->grid.y };
        start_block(l);
        run_block();
    }
    block = nullptr;
}

size_t
block_shared(const void *kernel)
{
    auto a = allowed.find(kernel);

    return a == allowed.end() ? 48 << 10 : a->second;
}

void
block_allow(const void *kernel, size_t bytes)
{
    allowed[kernel] = bytes;
}

void
__syncthreads()
{
    block->waiting++;
    wait(AT_BARRIER);
}

unsigned
standin_lane()
{
    return block->now % 32;
}

const void *
standin_thread()
{
    return &block->thread[block->now];
}

static unsigned
lanes_of(unsigned warp)
{
    unsigned n = (unsigned)block->thread.size() - warp * 32;

    return n >= 32 ? 0xffffffffu : (1u << n) - 1;
}

void
standin_warp(unsigned mask, void *mine,
             void (*all)(void *const every[32], unsigned mask))
{
    unsigned warp = block->now / 32, lane = standin_lane();
    struct meeting *m = &block->meeting[warp];

    mask &= lanes_of(warp);
    if (!(mask >> lane & 1))
        fatal("a warp's operation of a mask without this lane");
    if (m->here == 0) {
        m->mask = mask;
        m->all = all;
    } else if (m->mask != mask || m->all != all) {
        fatal("lanes of a warp are in different operations");
    }
    m->here |= 1u << lane;
    m->lane[lane] = mine;
    if (m->here != m->mask) {
        wait(IN_WARP);
        return;
    }
    m->all(m->lane, mask);
    m->here = 0;
    for (unsigned i = 0; i < 32; i++)
        if (mask >> i & 1 && i != lane)
            block->thread[warp * 32 + i].state = READY;
}

static void
meet(void *const *, unsigned)
{
}

void
__syncwarp(unsigned mask)
{
    standin_warp(mask, nullptr, meet);
}

struct vote {
    bool in;
    unsigned out;
};

static void
vote(void *const every[32], unsigned mask)
{
    unsigned out = 0;

    for (unsigned i = 0; i < 32; i++)
        if (mask >> i & 1)
            out |= (unsigned)static_cast<struct vote *>(every[i])->in << i;
    for (unsigned i = 0; i < 32; i++)
        if (mask >> i & 1)
            static_cast<struct vote *>(every[i])->out = out;
}

unsigned
__ballot_sync(unsigned mask, int predicate)
{
    struct vote v = { predicate != 0, 0 };

    standin_warp(mask, &v, vote);
    return v.out;
}
