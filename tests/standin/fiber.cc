/* fiber.cc - fibers on ucontext, with switches that make no system call
 * where the machine is known. A sanitizer is told of every switch. */
#include "fiber.h"

#include <cstdint>
#include <cstdlib>
#include <sys/mman.h>
#include <ucontext.h>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define ASAN 1
#else
#define ASAN 0
#endif

namespace {

constexpr size_t STACK = 128 << 10;

#if defined(__x86_64__)

/* A context is its stack pointer; what a call keeps is on the stack. */
typedef void *context;

extern "C" void fiber_swap(context *from, context to);
asm(R"(
.text
.p2align 4
fiber_swap:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");

void
prepare(context *c, char *stack, void (*entry)())
{
    auto *top = reinterpret_cast<uint64_t *>(stack + STACK);

    *--top = 0; /* where entry would return to; keeps the stack aligned */
    *--top = reinterpret_cast<uint64_t>(entry);
    for (int i = 0; i < 6; i++)
        *--top = 0;
    *c = top;
}

void
swap(context *from, context *to)
{
    fiber_swap(from, *to);
}

#else

typedef ucontext_t context;

void
prepare(context *c, char *stack, void (*entry)())
{
    getcontext(c);
    c->uc_stack.ss_sp = stack;
    c->uc_stack.ss_size = STACK;
    c->uc_link = nullptr;
    makecontext(c, entry, 0);
}

void
swap(context *from, context *to)
{
    swapcontext(from, to);
}

#endif

} // namespace

struct fiber {
    context own, back;
    char *stack;
    void (*work)(void *);
    void *arg;
    bool ended;
    void *fake, *back_fake;
    const void *back_stack;
    size_t back_size;
};

namespace {

struct fiber *running;

/* Kept to the end of the process, so that no order of exits matters. */
auto &spare = *new std::vector<struct fiber *>();

void
leave(struct fiber *f)
{
#if ASAN
    __sanitizer_start_switch_fiber(f->ended ? nullptr : &f->fake,
                                   f->back_stack, f->back_size);
#endif
    swap(&f->own, &f->back);
#if ASAN
    __sanitizer_finish_switch_fiber(f->fake, &f->back_stack, &f->back_size);
#endif
}

void
entry()
{
    struct fiber *f = running;

#if ASAN
    __sanitizer_finish_switch_fiber(nullptr, &f->back_stack, &f->back_size);
#endif
    f->work(f->arg);
    f->ended = true;
    leave(f);
    abort();
}

} // namespace

struct fiber *
fiber_start(void (*work)(void *), void *arg)
{
    struct fiber *f;

    if (spare.empty()) {
        f = new struct fiber();
        f->stack = static_cast<char *>(
            mmap(nullptr, STACK, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
        if (f->stack == MAP_FAILED)
            abort();
    } else {
        f = spare.back();
        spare.pop_back();
    }
#if ASAN
    __asan_unpoison_memory_region(f->stack, STACK);
#endif
    f->work = work;
    f->arg = arg;
    f->ended = false;
    prepare(&f->own, f->stack, entry);
    return f;
}

bool
fiber_resume(struct fiber *f)
{
    struct fiber *before = running;

    running = f;
#if ASAN
    __sanitizer_start_switch_fiber(&f->back_fake, f->stack, STACK);
#endif
    swap(&f->back, &f->own);
#if ASAN
    __sanitizer_finish_switch_fiber(f->back_fake, nullptr, nullptr);
#endif
    running = before;
    if (f->ended)
        spare.push_back(f);
    return f->ended;
}

void
fiber_yield()
{
    leave(running);
}
