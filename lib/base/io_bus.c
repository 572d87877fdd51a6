/* io_bus.c - a mapped file that somebody cuts short.
 *
 * Reading a page beyond the new end raises SIGBUS. The handler finds the
 * file by the address, says so in one line as any other error would be said,
 * removes temporaries and exits with 1. A SIGBUS that has no mapped file
 * behind it is left to the system.
 * Limits: 4096 mappings at a time; one beyond that dies without a message.
 */
#include <ctype.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/io_bus.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/signals.h"
#include "base/term.h"

#define MAX_MAPS 4096

struct noted {
    uintptr_t from, to;
    char path[];
};

static struct noted *_Atomic maps[MAX_MAPS];

void
bus_note(const void *p, size_t n, const char *path)
{
    size_t len = strlen(path) + 1;
    struct noted *m = mem_alloc(sizeof(*m) + len);
    size_t k;
    int i;

    m->from = (uintptr_t)p;
    m->to = m->from + n;
    for (k = 0; k < len; k++) /* a message is one line */
        m->path[k] = path[k] && iscntrl((unsigned char)path[k]) ? '?'
                                                                : path[k];
    for (i = 0; i < MAX_MAPS; i++) {
        struct noted *none = NULL;

        if (atomic_compare_exchange_strong(&maps[i], &none, m))
            return;
    }
    free(m);
}

void
bus_forget(const void *p)
{
    int i;

    for (i = 0; i < MAX_MAPS; i++) {
        struct noted *m = atomic_load(&maps[i]);

        if (m && m->from == (uintptr_t)p) {
            atomic_store(&maps[i], NULL);
            free(m);
            return;
        }
    }
}

static void
say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        _exit(1);
}

static void
on_bus(int sig, siginfo_t *info, void *context)
{
    uintptr_t at = (uintptr_t)info->si_addr;
    int i;

    (void)context;
    for (i = 0; i < MAX_MAPS; i++) {
        struct noted *m = atomic_load(&maps[i]);

        if (m && at >= m->from && at < m->to) {
            term_leave();
            say(log_program());
            say(": ");
            say(m->path);
            say(": was cut short while it was being read\n");
            io_cleanup();
            _exit(1);
        }
    }
    signal_default(sig);
}

void
bus_start(void)
{
    signal_catch(SIGBUS, on_bus);
}
