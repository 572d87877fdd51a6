/* fiber.h - threads of control that hand the processor on by themselves. */
#ifndef STANDIN_FIBER_H
#define STANDIN_FIBER_H

#include <cstddef>

struct fiber; /* one that fiber_start began */

/* A fiber that runs work(arg) on a stack of its own, kept from an earlier one
 * that ended where there is one. It doesn't run before fiber_resume. */
struct fiber *fiber_start(void (*work)(void *), void *arg);

/* Runs f until it yields or ends; true: it has ended, and is gone. */
bool fiber_resume(struct fiber *f);

/* Back to who resumed the fiber that runs. */
void fiber_yield();

#endif
