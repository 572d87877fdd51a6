/* dedup.c - which records are left out, and why. */
#include "record/dedup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/par.h"
#include "record/likeness.h"

struct dedup_worker {
    bool ready;
    struct likeness likeness;
};

/* What looking at a record found. */
struct dedup_found {
    bool compared;         /* there is something to compare */
    bool overlaps;
    struct overlap_at at;  /* what it overlaps */
    struct kept_look look;
};

struct overlapping {
    const struct overlap *o;
    struct dedup_found *found;
};

static void
look_for_overlap(void *ctx, const char *p, size_t n)
{
    struct overlapping *w = ctx;

    if (!w->found->overlaps)
        w->found->overlaps = overlap_find(w->o, p, n, &w->found->at);
}

static void
look(void *ctx, struct filter_item *it, int worker)
{
    struct dedup *d = ctx;
    struct dedup_worker *w = &d->worker[worker];
    struct dedup_found *f = &d->found[it->slot];
    struct overlapping o = { &d->overlap, f };

    if (!w->ready)
        likeness_init(&w->likeness);
    w->ready = true;
    f->overlaps = false;
    if (likeness_of(&w->likeness, it->p, it->n, d->kept.banding, &f->look,
                    &f->compared, &it->e) < 0)
        return;
    if (d->n_against > 0)
        likeness_texts(&w->likeness, look_for_overlap, &o);
}

/* It overlaps a benchmark. */
static void
tell_overlap(struct dedup *d, const struct dedup_found *f,
             struct stream_out *out)
{
    struct dedup_against *a = &d->against[f->at.file];
    char reason[128];

    a->dropped++;
    snprintf(reason, sizeof(reason), "against-%.100s", a->name);
    stream_out_skip(out, d->program, reason, 1);
    log_debug("record %" PRIu64 " left out: overlaps %s:%" PRIu32,
              d->kept.seen - 1, a->path, f->at.line);
}

/* It is like one that was kept. */
static void
tell_like(struct dedup *d, const struct kept_match *m, struct stream_out *out)
{
    bool exact = m->found == KEPT_EXACT;

    d->exact += exact;
    d->near += !exact;
    stream_out_skip(out, d->program, exact ? "exact" : "near", 1);
    if (exact)
        log_debug("record %" PRIu64 " left out: the same as record %" PRIu64,
                  d->kept.seen - 1, m->number);
    else
        log_debug("record %" PRIu64 " left out: %.2f like record %" PRIu64,
                  d->kept.seen - 1, m->similarity, m->number);
}

static int
settle(void *ctx, struct filter_item *it, struct stream_out *out,
       struct err *e)
{
    struct dedup *d = ctx;
    const struct dedup_found *f = &d->found[it->slot];
    uint64_t number = d->kept.seen++;
    struct kept_match m = { KEPT_NONE };

    it->fate = FILTER_DROP;
    if (f->overlaps) {
        tell_overlap(d, f, out);
        return 0;
    }
    if (f->compared)
        kept_find(&d->kept, &f->look, &m);
    if (m.found != KEPT_NONE) {
        tell_like(d, &m, out);
        return 0;
    }
    it->fate = FILTER_KEEP;
    d->records++;
    d->uncompared += !f->compared;
    return f->compared ? kept_add(&d->kept, &f->look, number, e) : 0;
}

void
dedup_init(struct dedup *d)
{
    memset(d, 0, sizeof(*d));
    d->worker = mem_array((size_t)par_threads(), sizeof(d->worker[0]));
    overlap_init(&d->overlap);
    d->found = mem_array(FILTER_SLOTS, sizeof(d->found[0]));
    filtering_init(&d->filtering);
    d->filtering.ctx = d;
    d->filtering.look = look;
    d->filtering.settle = settle;
}

void
dedup_release(struct dedup *d)
{
    for (int i = 0; i < par_threads(); i++)
        if (d->worker[i].ready)
            likeness_release(&d->worker[i].likeness);
    for (size_t i = 0; i < d->n_against; i++)
        free(d->against[i].name);
    free(d->worker);
    free(d->found);
    free(d->against);
    overlap_release(&d->overlap);
    filtering_release(&d->filtering);
}

/* Cuts the ending off, if it is there. */
static void
cut(char *name, const char *ending)
{
    size_t n = strlen(name), k = strlen(ending);

    if (n > k && strcmp(name + n - k, ending) == 0)
        name[n - k] = '\0';
}

int
dedup_against(struct dedup *d, const char *path, struct err *e)
{
    const char *slash = strrchr(path, '/');
    struct dedup_against *a;
    int rc;

    d->against = mem_grow(d->against,
                          (d->n_against + 1) * sizeof(d->against[0]));
    a = &d->against[d->n_against];
    memset(a, 0, sizeof(*a));
    a->path = path;
    a->name = mem_strdup(slash ? slash + 1 : path);
    cut(a->name, ".gz");
    cut(a->name, ".jsonl");
    rc = benchmark_read(&a->read, &d->overlap, (uint32_t)d->n_against++, path,
                        e);
    if (rc == 0 && a->read.texts == 0)
        rc = err_set(e, ERR_DATA, "%s: nothing to look for: no string of %d "
                     "tokens", path, OVERLAP_LEAST);
    return rc;
}

int
dedup_segment(void *dedup, struct stream_in *in, struct stream_out *out,
              const char *prov, struct err *e)
{
    struct dedup *d = dedup;
    int rc;

    if (in->head.after_oid)
        return err_set(e, ERR_DATA, "%s: an increment (after %" PRIu64
                       "): dedup needs the whole history", in->in.name,
                       in->head.after);
    rc = filtering_begin(in, out, prov, e);
    if (rc == 0)
        rc = filtering_records(&d->filtering, in, out, e);
    return rc < 0 ? rc : stream_pass_end(out, in, e);
}
