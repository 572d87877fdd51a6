/* signals.h - every handler of a signal runs on a stack of its own.
 *
 * Code that is made at run time may point the stack register into memory of
 * its own while it computes: oneDNN's matrix products do. The kernel would
 * push a handler's frame there, over whatever lies below. So every thread
 * has a second stack, and nothing but this file installs a handler.
 */
#ifndef BASE_SIGNALS_H
#define BASE_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/* What a handler's stack takes: the frame of a machine with the widest
 * registers, and the clean-up of a tree of temporaries. */
#define SIGNAL_STACK ((size_t)256 << 10)

typedef void signal_handler(int sig, siginfo_t *info, void *context);

/* Gives the calling thread SIGNAL_STACK bytes at stack for handlers; they
 * have to stay for as long as the thread runs. */
void signal_stack(void *stack);

/* The handler of sig from now on, on the thread's second stack. False when
 * sig was ignored: then it stays so, as for a shell's background job. */
bool signal_catch(int sig, signal_handler *fn);

/* sig does what it does without a handler, or nothing. */
void signal_default(int sig);
void signal_ignore(int sig);

/* In a handler: ends the process by sig, as if there were none. */
void signal_end(int sig);

/* Blocks, in the calling thread, every signal but those that an instruction
 * of its own raises (SIGBUS, SIGSEGV, SIGFPE, SIGILL); *before is what was
 * blocked, for pthread_sigmask. A thread that is started meanwhile has the
 * same blocked. */
void signal_block(sigset_t *before);

#endif
