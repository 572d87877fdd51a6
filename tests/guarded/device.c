/* device.c - the CPU back end, in memory that its users cannot read.
 *
 * Linked in the place of lib/model's device.c, this makes programs whose back
 * end keeps parameters, activations and a copy of the base in pages without
 * access, but for the time of a put, a get or a range. A driver that reaches
 * around the contract of kernels/ops.h dies of it; the tests of train,
 * evalprompts and generate run with these programs, too.
 */
#include "model/device.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "kernels/host.h"

static struct backend cpu; /* behind the guard; a process opens one */

struct memory {
    struct memory *inner;   /* the CPU's */
    struct op_list list;    /* with the base's copy as its sources */
    struct tensor_buf *buf;
    void *zone[ZONE_COUNT];
};

static void
protect(const struct memory *m, int access)
{
    for (int z = 0; z < ZONE_COUNT; z++)
        if (m->zone[z] != NULL
            && mprotect(m->zone[z], m->list.zone_bytes[z], access) != 0)
            abort();
}

static void
open_pages(const struct memory *m)
{
    protect(m, PROT_READ | PROT_WRITE);
}

static int
close_pages(const struct memory *m, int rc)
{
    protect(m, PROT_NONE);
    return rc;
}

/* The base goes to the places that the planner gave it. */
static void
copy_base(struct memory *m, const struct op_list *p)
{
    uint64_t bytes = p->zone_bytes[ZONE_BASE];
    char *base;

    m->buf = mem_dup(p->buf, p->n_bufs * sizeof(*p->buf));
    m->list.buf = m->buf;
    if (bytes == 0)
        return;
    base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        abort();
    for (size_t i = 1; i < p->n_bufs; i++) {
        struct tensor_buf *t = &m->buf[i];

        if (t->zone != ZONE_BASE)
            continue;
        memcpy(base + t->at, t->source, t->bytes);
        t->source = base + t->at;
    }
    m->zone[ZONE_BASE] = base;
}

static void
guard_release(struct memory *m)
{
    if (m == NULL)
        return;
    if (m->zone[ZONE_BASE] != NULL)
        munmap(m->zone[ZONE_BASE], m->list.zone_bytes[ZONE_BASE]);
    cpu.release(m->inner);
    free(m->buf);
    free(m);
}

static int
guard_prepare(struct backend *b, struct memory **out,
              const struct op_list *p, struct memory *with, struct err *e)
{
    struct memory *m = mem_alloc(sizeof(*m));
    int rc;

    (void)b;
    m->list = *p;
    copy_base(m, p);
    rc = cpu.prepare(&cpu, &m->inner, &m->list, with ? with->inner : NULL,
                     e);
    if (rc < 0) {
        guard_release(m);
        return rc;
    }
    for (int z = ZONE_STATE; z < ZONE_COUNT; z++) {
        m->zone[z] = host_memory_run(m->inner)->zone[z];
        if (with != NULL) /* as large as they were taken */
            m->list.zone_bytes[z] = with->list.zone_bytes[z];
    }
    *out = m;
    return close_pages(m, 0);
}

static int
guard_put(struct memory *m, const struct view *v, const void *from,
          struct err *e)
{
    open_pages(m);
    return close_pages(m, cpu.put(m->inner, v, from, e));
}

static int
guard_get(struct memory *m, const struct view *v, void *to, struct err *e)
{
    open_pages(m);
    return close_pages(m, cpu.get(m->inner, v, to, e));
}

static int
guard_batch(struct memory *m, const struct batch *b, const struct inputs *in,
            struct err *e)
{
    return cpu.batch(m->inner, b, in, e);
}

static int
guard_run(struct memory *m, enum range r, struct err *e)
{
    open_pages(m);
    return close_pages(m, cpu.run(m->inner, r, e));
}

static void
guard_watch(struct memory *m, struct op_time *time)
{
    cpu.watch(m->inner, time);
}

static int
guard_results(struct memory *m, struct results *out, struct err *e)
{
    return cpu.results(m->inner, out, e);
}

static uint64_t
guard_scratch(const struct backend *b, const struct op *op)
{
    (void)b;
    return cpu.scratch(&cpu, op);
}

int
device_open(struct backend *b, const struct device_opts *o, struct err *e)
{
    int rc = cpu_open(&cpu, NULL, o->compute, e);

    if (rc < 0)
        return rc;
    *b = cpu;
    b->scratch = guard_scratch;
    b->prepare = guard_prepare;
    b->release = guard_release;
    b->put = guard_put;
    b->get = guard_get;
    b->batch = guard_batch;
    b->run = guard_run;
    b->results = guard_results;
    b->watch = guard_watch;
    b->close = NULL;
    b->priv = NULL;
    return 0;
}

void
device_close(struct backend *b)
{
    (void)b;
    cpu_close(&cpu);
}
