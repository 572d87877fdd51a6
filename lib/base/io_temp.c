/* io_temp.c - what has to go when the process ends before it is done.
 *
 * A table of names that exit and the signal handler walk. The handler does
 * nothing but system calls. A signal that another thread receives is passed
 * on to the one that called io_start, which alone changes the table, so a
 * name is never freed under the handler's hands.
 * Limits: 256 names at a time; a name beyond that is not cleaned up.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/io_bus.h"
#include "base/io_tree.h"
#include "base/mem.h"

#define MAX_TEMPS 256

static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
#define N_CAUGHT ((int)(sizeof(caught) / sizeof(caught[0])))

static char *_Atomic temps[MAX_TEMPS];
static pid_t owner; /* the process that the table belongs to */
static pthread_t owner_thread;

void
io_temp_add(const char *path)
{
    char *copy;
    int i;

    if (owner == 0)
        owner = getpid();
    copy = mem_strdup(path);
    for (i = 0; i < MAX_TEMPS; i++) {
        if (!atomic_load(&temps[i])) {
            atomic_store(&temps[i], copy);
            return;
        }
    }
    free(copy);
}

void
io_temp_drop(const char *path)
{
    char *name;
    int i;

    for (i = 0; i < MAX_TEMPS; i++) {
        name = atomic_load(&temps[i]);
        if (name && strcmp(name, path) == 0) {
            atomic_store(&temps[i], NULL);
            free(name);
            return;
        }
    }
}

/* Removes what is registered. Called in a signal handler: the names are not
 * freed, and that a removal fails has no one to be told. */
static void
remove_all(void)
{
    char *name;
    int i;

    if (getpid() != owner)
        return;
    for (i = 0; i < MAX_TEMPS; i++) {
        name = atomic_exchange(&temps[i], NULL);
        if (name && tree_remove(AT_FDCWD, name) < 0)
            continue;
    }
}

void
io_cleanup(void)
{
    remove_all();
}

static void
on_signal(int sig)
{
    int i, saved = errno;
    sigset_t set;

    if (getpid() == owner && !pthread_equal(pthread_self(), owner_thread)) {
        pthread_kill(owner_thread, sig);
        errno = saved;
        return;
    }
    for (i = 0; i < N_CAUGHT; i++)
        signal(caught[i], SIG_DFL);
    remove_all();
    sigemptyset(&set);
    sigaddset(&set, sig);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    raise(sig);
}

/* A closed descriptor 0, 1 or 2 would be given to the next file opened. It
 * gets /dev/null, opened the wrong way round, so that its use fails. */
static void
fill_standard(void)
{
    int fd, mode;

    for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFL) >= 0)
            continue;
        mode = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
        if (open("/dev/null", mode) < 0)
            return;
    }
}

void
io_start(void)
{
    struct sigaction act, old;
    int i;

    fill_standard();
    owner = getpid();
    owner_thread = pthread_self();
    signal(SIGXFSZ, SIG_IGN);
    memset(&act, 0, sizeof(act));
    act.sa_handler = on_signal;
    act.sa_flags = SA_NODEFER | SA_RESTART;
    sigemptyset(&act.sa_mask);
    for (i = 0; i < N_CAUGHT; i++)
        if (sigaction(caught[i], NULL, &old) == 0 &&
            old.sa_handler != SIG_IGN)
            sigaction(caught[i], &act, NULL);
    bus_start();
    atexit(io_cleanup);
}
