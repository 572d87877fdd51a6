/* signals.c - sigaction and sigaltstack, which nobody else calls. */
#include "base/signals.h"

#include <pthread.h>
#include <string.h>

void
signal_stack(void *stack)
{
    stack_t s;

    memset(&s, 0, sizeof(s));
    s.ss_sp = stack;
    s.ss_size = SIGNAL_STACK;
    sigaltstack(&s, NULL);
}

bool
signal_catch(int sig, signal_handler *fn)
{
    struct sigaction act, old;

    memset(&act, 0, sizeof(act));
    act.sa_sigaction = fn;
    act.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigemptyset(&act.sa_mask);
    if (sigaction(sig, NULL, &old) != 0
        || (!(old.sa_flags & SA_SIGINFO) && old.sa_handler == SIG_IGN))
        return false;
    return sigaction(sig, &act, NULL) == 0;
}

void
signal_default(int sig)
{
    signal(sig, SIG_DFL);
}

void
signal_ignore(int sig)
{
    signal(sig, SIG_IGN);
}

void
signal_end(int sig)
{
    sigset_t set;

    signal_default(sig);
    sigemptyset(&set);
    sigaddset(&set, sig);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    raise(sig);
}

void
signal_block(sigset_t *before)
{
    static const int own[] = {SIGBUS, SIGSEGV, SIGFPE, SIGILL};
    sigset_t set;
    size_t i;

    sigfillset(&set);
    for (i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        sigdelset(&set, own[i]);
    pthread_sigmask(SIG_SETMASK, &set, before);
}
