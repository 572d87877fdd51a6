/* io_temp.c - what has to go when the process ends before it is done.
 *
 * A table of names that exit and the signal handlers walk. They do nothing
 * but system calls. A signal that another thread receives is passed on to
 * the one that called io_start. That one alone changes the table; a handler
 * that cannot wait for it (io_bus.c) takes names out of it and frees none.
 * Limits: 256 names at a time; a name beyond that is not cleaned up.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/io_bus.h"
#include "base/io_tree.h"
#include "base/mem.h"
#include "base/signals.h"
#include "base/term.h"

#define MAX_TEMPS 256

static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
#define N_CAUGHT ((int)(sizeof(caught) / sizeof(caught[0])))

static char *_Atomic temps[MAX_TEMPS];
static char *_Atomic removed[MAX_TEMPS]; /* never freed, and never lost */
static atomic_bool only_empty[MAX_TEMPS];
static pid_t owner; /* the process that the table belongs to */
static pthread_t owner_thread;

static void
add(const char *path, bool empty)
{
    char *copy;
    int i;

    if (owner == 0)
        owner = getpid();
    copy = mem_strdup(path);
    for (i = 0; i < MAX_TEMPS; i++) {
        if (!atomic_load(&temps[i])) {
            atomic_store(&only_empty[i], empty);
            atomic_store(&temps[i], copy);
            return;
        }
    }
    free(copy);
}

void
io_temp_add(const char *path)
{
    add(path, false);
}

void
io_temp_add_empty(const char *path)
{
    add(path, true);
}

void
io_temp_whole(const char *path)
{
    char *name;
    int i;

    for (i = 0; i < MAX_TEMPS; i++) {
        name = atomic_load(&temps[i]);
        if (name && strcmp(name, path) == 0)
            atomic_store(&only_empty[i], false);
    }
}

void
io_temp_drop(const char *path)
{
    char *name;
    int i;

    for (i = 0; i < MAX_TEMPS; i++) {
        name = atomic_load(&temps[i]);
        if (name && strcmp(name, path) == 0) {
            if (atomic_compare_exchange_strong(&temps[i], &name, NULL))
                free(name);
            return;
        }
    }
}

static int
remove_temp(const char *name, bool empty)
{
    return empty ? rmdir(name) : tree_remove(AT_FDCWD, name);
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
        if (!name)
            continue;
        atomic_store(&removed[i], name);
        if (remove_temp(name, atomic_load(&only_empty[i])) < 0)
            continue;
    }
}

void
io_cleanup(void)
{
    term_leave();
    remove_all();
}

/* Ends the process by sig, on the thread that changes the table. */
static void
on_signal(int sig, siginfo_t *info, void *context)
{
    int saved = errno;

    (void)info;
    (void)context;
    if (getpid() == owner && !pthread_equal(pthread_self(), owner_thread)) {
        pthread_kill(owner_thread, sig);
        errno = saved;
        return;
    }
    io_end(sig);
}

void
io_end(int sig)
{
    int i;

    for (i = 0; i < N_CAUGHT; i++)
        signal_default(caught[i]);
    term_leave();
    remove_all();
    signal_end(sig);
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
    static char stack[SIGNAL_STACK];
    int i;

    fill_standard();
    owner = getpid();
    owner_thread = pthread_self();
    signal_stack(stack);
    signal_ignore(SIGXFSZ);
    for (i = 0; i < N_CAUGHT; i++)
        signal_catch(caught[i], on_signal);
    bus_start();
    atexit(io_cleanup);
}
