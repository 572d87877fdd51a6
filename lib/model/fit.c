/* fit.c - a plan against the room; where it is too large, plans again with
 * what could be asked for instead, what costs least first. */
#include "model/fit.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "tensor/stored.h"

#define ADVICE_SLACK 128 /* this part of what is free is left free */
#define LEAST_LENGTH 32 /* of sequences that are advised */
#define ADVISED "int8"  /* the format of tensor/stored.h that is */
#define MAX_ACCUM 65536

struct plan_memory
prog_memory(const struct prog *p, const struct backend *b)
{
    struct plan_memory m = { .base = p->base_bytes,
                             .state = p->zone_bytes[ZONE_STATE],
                             .arena = p->zone_bytes[ZONE_ARENA],
                             .host = p->zone_bytes[ZONE_HOST] };

    /* The arrays of a struct batch, and the record of each row. */
    m.batch = p->rows * (5 * sizeof(int32_t) + sizeof(float)
                         + sizeof(uint64_t));
    if (p->opts.mode == PROG_DECODE)
        m.batch += p->opts.batch * 2 * sizeof(int32_t);
    if (b->apart) { /* a batch is here, pinned on its way, and there */
        m.base = p->zone_bytes[ZONE_BASE];
        m.host += 2 * m.batch + b->pinned;
    }
    m.total = m.base + m.state + m.arena + m.batch;
    return m;
}

/* The search for a way: the question, the rooms, where it stands. */
struct search {
    const struct fit *f;
    const struct room *room;
    uint64_t host;
    struct fit_way way;
};

static uint64_t
margin(const struct room *room)
{
    return room->held < FIT_MARGIN ? FIT_MARGIN - room->held : 0;
}

static bool
is_resident(const struct plan_memory *m, const struct room *room)
{
    return m->total + margin(room) <= room->resident.bytes;
}

static bool
is_mapped(const struct plan_memory *m, const struct backend *b,
          const struct room *room)
{
    return m->total - m->base + b->reserve + margin(room)
           <= room->mapped.bytes;
}

/* A plan for a card: held is this process's own. */
static bool
is_hosted(const struct plan_memory *m, const struct room *room,
          uint64_t host)
{
    return m->host == 0 || m->host + margin(room) <= host;
}

static bool
fits(const struct search *s)
{
    struct plan_memory m;
    struct err e;

    return s->f->plan(s->f->ctx, &s->way, &m, &e) == 0
           && is_resident(&m, s->room)
           && is_mapped(&m, s->f->backend, s->room)
           && is_hosted(&m, s->room, s->host);
}

/* From the batches that the way has down to one sequence. The sequences of a
 * step stay as many. */
static bool
smaller_batch(struct search *s)
{
    const struct fit_way *was = &s->f->way;
    uint64_t rows = (uint64_t)was->prog.batch * was->accum;
    bool train = was->prog.mode == PROG_TRAIN;

    for (uint32_t b = was->prog.batch; b > 0; b--) {
        if (train && (rows % b != 0 || rows / b > MAX_ACCUM))
            continue;
        s->way.prog.batch = b;
        if (train)
            s->way.accum = (uint32_t)(rows / b);
        if (fits(s))
            return true;
    }
    return false;
}

static bool
shorter(struct search *s)
{
    struct prog_opts *o = &s->way.prog;
    uint32_t *length = o->mode == PROG_DECODE ? &o->cache_len : &o->seq_len;

    while (*length / 2 >= LEAST_LENGTH) {
        *length /= 2;
        if (fits(s))
            return true;
    }
    return false;
}

/* With more recomputation than the way has, from what costs least on. */
static bool
more_recomputation(struct search *s)
{
    while (s->way.prog.recompute < RECOMPUTE_BLOCK) {
        s->way.prog.recompute++;
        if (smaller_batch(s))
            return true;
    }
    return false;
}

/* What costs least comes first. */
static bool
search_ways(struct search *s)
{
    if (smaller_batch(s)
        || (s->way.prog.mode == PROG_TRAIN && more_recomputation(s)))
        return true;
    if (s->way.prog.mode == PROG_TRAIN && s->f->backend->apart
        && s->way.prog.offload != OFFLOAD_ACTIVATIONS) {
        s->way.prog.offload = OFFLOAD_ACTIVATIONS;
        if (smaller_batch(s))
            return true;
    }
    return shorter(s);
}

/* The base as quantize would store it in the format that is advised, for
 * planning: there is no data. Matrices alone have such a format; false where
 * there is none to change. */
static bool
as_int8(const struct model_desc *d, const struct frozen *base,
        struct frozen *out)
{
    const struct stored *format = stored_named(ADVISED);
    bool any = false;

    *out = *base;
    out->tensor = mem_dup(base->tensor,
                          d->n_tensors * sizeof(*base->tensor));
    for (size_t i = 0; i < d->n_tensors; i++) {
        struct frozen_tensor *t = &out->tensor[i];
        bool matrix = d->tensor[i].n_dims == 2;

        if (!dtype_is_float(t->dtype))
            continue;
        t->dtype = matrix ? format->dtype : DTYPE_F32;
        any |= matrix;
    }
    return any;
}

static void
describe(const struct fit_way *was, const struct fit_way *now,
         struct buf *b)
{
    const struct prog_opts *o = &now->prog;

    if (o->batch != was->prog.batch)
        buf_addf(b, " --batch %u", o->batch);
    if (now->accum != was->accum)
        buf_addf(b, " --accum %u", now->accum);
    if (o->recompute != was->prog.recompute)
        buf_addf(b, " --recompute %s", recompute_name(o->recompute));
    if (o->offload != was->prog.offload)
        buf_addstr(b, " --offload activations");
    if (o->mode != PROG_DECODE && o->seq_len != was->prog.seq_len)
        buf_addf(b, " --seq-len %u", o->seq_len);
    if (o->cache_len != was->prog.cache_len)
        buf_addf(b, " --context %u", o->cache_len);
    if (now->int8)
        buf_addf(b, "%s a base in " ADVISED " (quantize --format " ADVISED
                 ")", b->len > 0 ? " with" : "");
    buf_addstr(b, " would fit");
}

/* What is free is a little less or more a moment later, and who follows the
 * advice is not to be refused again. */
static uint64_t
later(uint64_t now)
{
    return now - now / ADVICE_SLACK;
}

/* The first way that fits, in words. */
static void
advise(const struct fit *f, const struct room *now, struct buf *b)
{
    struct room room = *now;
    struct search s = { f, &room, later(f->host.bytes), f->way };
    struct frozen base;
    bool found;

    room.resident.bytes = later(now->resident.bytes);
    room.mapped.bytes = later(now->mapped.bytes);
    found = search_ways(&s);
    if (!found && !f->as_stored && f->way.prog.method != METHOD_FULL) {
        s.way = f->way;
        s.way.int8 = true;
        s.way.base = &base;
        found = as_int8(f->desc, f->way.base, &base) && search_ways(&s);
        free(base.tensor);
    }
    if (found)
        describe(&f->way, &s.way, b);
    else if (f->as_stored)
        buf_addstr(b, " no smaller batch or shorter sequence would fit");
    else
        buf_addf(b, " no smaller batch, recomputation, %sshorter sequence "
                 "or base in " ADVISED " would fit",
                 f->backend->apart ? "offloading, " : "");
}

static unsigned long long
mib(uint64_t bytes)
{
    return (bytes + (1 << 20) - 1) >> 20;
}

static int
refuse(const struct fit *f, const struct plan_memory *m,
       const struct room *room, struct err *e)
{
    const struct room_bound *least = &room->resident;
    bool mapped;
    struct buf b;

    if (is_resident(m, room) || (!is_mapped(m, f->backend, room)
                                 && room->mapped.bytes < least->bytes))
        least = &room->mapped;
    mapped = least == &room->mapped;
    buf_init(&b);
    advise(f, room, &b);
    err_set(e, ERR_LIMIT, "%s: %s takes %llu MiB (base %llu, state %llu, "
            "arena %llu, batch %llu) and %llu for programs and libraries; "
            "%llu MiB%s are free (%s):%s; --force goes on as it is",
            f->way.base->path, f->what, mib(m->total), mib(m->base),
            mib(m->state), mib(m->arena), mib(m->batch),
            mib(margin(room) + (mapped ? f->backend->reserve : 0)),
            (unsigned long long)(least->bytes >> 20),
            mapped ? " of address space" : "", least->by, b.data);
    buf_release(&b);
    return e->code;
}

/* It fits on the card, but what it takes here does not. */
static int
refuse_host(const struct fit *f, const struct plan_memory *m,
            const struct room *room, struct err *e)
{
    struct buf b;

    buf_init(&b);
    advise(f, room, &b);
    err_set(e, ERR_LIMIT, "%s: %s takes %llu MiB of the machine's memory "
            "and %llu for programs and libraries; %llu MiB are free "
            "(%s):%s; --force goes on as it is",
            f->way.base->path, f->what, mib(m->host), mib(margin(room)),
            (unsigned long long)(f->host.bytes >> 20), f->host.by, b.data);
    buf_release(&b);
    return e->code;
}

int
fit_check(const struct fit *f, const struct room *room, struct err *e)
{
    struct plan_memory m;
    int rc = f->plan(f->ctx, &f->way, &m, e);

    if (rc < 0)
        return rc;
    if (!is_resident(&m, room) || !is_mapped(&m, f->backend, room))
        return refuse(f, &m, room, e);
    if (!is_hosted(&m, room, f->host.bytes))
        return refuse_host(f, &m, room, e);
    return 0;
}

int
fit_within(const struct fit *f, uint64_t bytes, bool recompute,
           struct fit_way *way, struct err *e)
{
    struct room room = { .resident.bytes = bytes,
                         .mapped.bytes = UINT64_MAX };
    struct search s = { f, &room, UINT64_MAX, f->way };
    struct plan_memory m;
    bool found = smaller_batch(&s);
    int rc;

    if (!found && recompute)
        found = more_recomputation(&s);
    *way = s.way;
    if (found)
        return 0;
    rc = f->plan(f->ctx, &s.way, &m, e); /* one sequence */
    return rc < 0 ? rc : err_set(e, ERR_LIMIT, "%s: %s takes %llu MiB and "
                                 "%llu for programs and libraries with one "
                                 "sequence at a time%s (found a limit of %llu "
                                 "MiB)", f->way.base->path, f->what,
                                 mib(m.total), mib(FIT_MARGIN),
                                 s.way.prog.recompute ? " and recomputation"
                                                      : "",
                                 mib(bytes));
}

int
fit_now(const struct fit *f, bool force, struct err *e)
{
    struct fit here = *f;
    struct room room;
    uint64_t total;
    int rc;

    if (f->backend->prepare == NULL)
        return 0;
    room_measure(&room, "");
    here.host = room.resident;
    if (f->backend->room != NULL) {
        room.resident.bytes = f->backend->room(f->backend, &total,
                                               room.resident.by,
                                               sizeof(room.resident.by));
        room.mapped.bytes = UINT64_MAX;
    }
    rc = fit_check(&here, &room, e);
    if (rc != ERR_LIMIT || !force)
        return rc;
    log_warn("%s", e->text);
    return 0;
}
