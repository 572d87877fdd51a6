/* profile.c - times of ops, added up. An op's flops and bytes are those of its
 * runs over whole micro-batches (model/cost.h). */
#include "train/profile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/par.h"
#include "model/op_info.h"
#include "train/train_plan.h"

int
profile_open(struct trainer *t, struct err *e)
{
    const struct prog *p = &t->prog;
    struct plan_memory m = trainer_memory(t);
    struct profile *f = mem_alloc(sizeof(*f));

    t->profile = f;
    f->op = mem_array(p->n_ops, sizeof(*f->op));
    f->head = mem_array(p->range[RANGE_BWD] - p->range[RANGE_HEAD],
                        sizeof(*f->head));
    f->threads = par_threads();
    return peak_measure(&f->peak, (struct backend *)&t->model->backend,
                        m.state + m.arena, e);
}

void
profile_watch(struct trainer *t)
{
    exec_watch(&t->exec, t->profile->op);
}

void
profile_release(struct profile *p)
{
    if (p == NULL)
        return;
    free(p->op);
    free(p->head);
    free(p);
}

void
profile_begin(struct trainer *t)
{
    struct profile *f = t->profile;

    if (f == NULL)
        return;
    if (f->first == 0) {
        f->first = t->state.step + 1;
        f->tokens_from = t->state.tokens;
    }
    f->began = clock_ns();
}

void
profile_data(struct trainer *t)
{
    if (t->profile != NULL)
        t->profile->data += clock_ns() - t->profile->began;
}

void
profile_batch(struct trainer *t, uint32_t n_head)
{
    const struct prog *p = &t->prog;
    size_t first = p->range[RANGE_HEAD];

    for (size_t i = first; t->profile != NULL && i < p->range[RANGE_BWD];
         i++) {
        struct op_cost cost = op_cost(p, &p->op[i], n_head);

        t->profile->head[i - first].flops += cost.flops;
        t->profile->head[i - first].bytes += cost.bytes;
    }
}

int
profile_end(struct trainer *t, int rc, struct err *e)
{
    struct profile *f = t->profile;
    struct err own;
    int waited;

    if (f == NULL)
        return rc;
    waited = exec_watched(&t->exec, rc < 0 ? &own : e);
    f->all += clock_ns() - f->began;
    f->last = t->state.step;
    return rc < 0 ? rc : waited;
}

static const char *const phase[RANGE_COUNT] = {
    [RANGE_START] = "start", [RANGE_FWD] = "forward", [RANGE_HEAD] = "head",
    [RANGE_BWD] = "backward", [RANGE_UPDATE] = "update"
};

/* Adds an op to its row, and to that of what it widened. */
static void
add_op(struct profile_row *row, struct profile_row *widen,
       const struct trainer *t, enum range r, size_t i)
{
    const struct profile *f = t->profile;
    const struct op *op = &t->prog.op[i];
    const struct op_time *time = &f->op[i];
    double seconds = 1e-9 * (double)time->ns;
    double wide = 1e-9 * (double)time->widen / f->threads;
    struct op_cost cost = op_cost(&t->prog, op, 0);

    if (r == RANGE_HEAD) {
        cost = f->head[i - t->prog.range[RANGE_HEAD]];
    } else {
        cost.flops *= (double)time->runs;
        cost.bytes *= (double)time->runs;
    }
    if (op->kind == OP_STASH || op->kind == OP_FETCH)
        cost.bytes = 0; /* go beside the ops; what takes time is the WAIT */
    wide = wide < seconds ? wide : seconds;
    row->phase = widen->phase = phase[r];
    row->op = op_info(op->kind)->name;
    row->runs += time->runs;
    row->seconds += seconds - wide;
    row->flops += cost.flops;
    row->bytes += cost.bytes;
    widen->op = "widen";
    widen->runs += wide > 0 ? time->runs : 0;
    widen->seconds += wide;
}

static int
longest_first(const void *a, const void *b)
{
    const struct profile_row *x = a, *y = b;

    if (x->seconds < y->seconds || x->seconds > y->seconds)
        return x->seconds < y->seconds ? 1 : -1;
    return strcmp(x->phase, y->phase) ? strcmp(x->phase, y->phase)
                                      : strcmp(x->op, y->op);
}

/* The rows of a range that ran, after the n that there are. */
static size_t
add_range(struct profile_row *rows, size_t n, const struct trainer *t,
          enum range r)
{
    struct profile_row kind[OP_KINDS + 1]; /* the last: what was widened */

    memset(kind, 0, sizeof(kind));
    for (size_t i = t->prog.range[r]; i < t->prog.range[r + 1]; i++)
        add_op(&kind[t->prog.op[i].kind], &kind[OP_KINDS], t, r, i);
    for (size_t k = 0; k <= OP_KINDS; k++) {
        struct op_cost cost = { kind[k].flops, kind[k].bytes };
        double least = peak_floor(&t->profile->peak, &cost);

        if (kind[k].runs == 0)
            continue;
        rows[n] = kind[k];
        rows[n++].share = least > 0 && kind[k].seconds > 0
                          ? least / kind[k].seconds : NAN;
    }
    return n;
}

size_t
profile_rows(struct profile_row **out, const struct trainer *t)
{
    const struct profile *f = t->profile;
    struct profile_row *rows = mem_array(RANGE_COUNT * (OP_KINDS + 1) + 2,
                                         sizeof(*rows));
    double data = 1e-9 * (double)f->data, rest = 1e-9 * (double)f->all - data;
    uint64_t steps = f->last + 1 - f->first;
    size_t n = 0;

    for (int r = 0; r < RANGE_COUNT; r++)
        n = add_range(rows, n, t, (enum range)r);
    qsort(rows, n, sizeof(*rows), longest_first);
    for (size_t i = 0; i < n; i++)
        rest -= rows[i].seconds;
    rows[n++] = (struct profile_row){ "data", "read", steps, data,
                                      .share = NAN };
    rows[n++] = (struct profile_row){ "other", "-", steps, rest,
                                      .share = NAN };
    *out = rows;
    return n;
}

/* A number with its unit, or a dash. */
static void
put_rate(char out[24], double v, const char *unit)
{
    if (v > 0 && isfinite(v))
        snprintf(out, 24, "%.1f%s", v, unit);
    else
        snprintf(out, 24, "-");
}

static void
tell_row(const struct profile_row *r, double all)
{
    char flops[24], bytes[24], share[24];

    put_rate(flops, r->flops / r->seconds * 1e-9, "");
    put_rate(bytes, r->bytes / r->seconds * 1e-9, "");
    put_rate(share, 100 * r->share, "%");
    log_info("%-8s %-13s %7llu %9.3f %5.1f%% %9s %7s %7s", r->phase, r->op,
             (unsigned long long)r->runs, r->seconds,
             all > 0 ? 100 * r->seconds / all : 0, flops, bytes, share);
}

void
profile_tell(const struct trainer *t)
{
    const struct profile *f = t->profile;
    double all = 1e-9 * (double)f->all;
    struct profile_row *rows;
    size_t n = profile_rows(&rows, t);
    char by[32];

    if (t->model->backend.apart)
        snprintf(by, sizeof(by), "on a card");
    else
        snprintf(by, sizeof(by), "by %d threads", f->threads);
    log_info("steps %llu to %llu took %.3f s %s; measured before: "
             "%.1f GFLOP/s, %.1f GB/s", (unsigned long long)f->first,
             (unsigned long long)f->last, all, by, f->peak.flops * 1e-9,
             f->peak.bytes * 1e-9);
    log_info("%-8s %-13s %7s %9s %6s %9s %7s %7s", "phase", "op", "runs",
             "seconds", "share", "GFLOP/s", "GB/s", "of peak");
    for (size_t i = 0; i < n; i++)
        tell_row(&rows[i], all);
    free(rows);
}

void
profile_json(const struct trainer *t, struct buf *b)
{
    const struct profile *f = t->profile;
    struct profile_row *rows;
    size_t n = profile_rows(&rows, t);

    buf_addf(b, "{\"first_step\": %llu, \"last_step\": %llu, \"tokens\": "
             "%llu", (unsigned long long)f->first,
             (unsigned long long)f->last,
             (unsigned long long)(t->state.tokens - f->tokens_from));
    if (!t->model->backend.apart)
        buf_addf(b, ", \"threads\": %d", f->threads);
    json_put_number(b, "seconds", 1e-9 * (double)f->all);
    json_put_number(b, "peak_flops", f->peak.flops);
    json_put_number(b, "peak_bytes", f->peak.bytes);
    buf_addstr(b, ",\n \"rows\": [");
    for (size_t i = 0; i < n; i++) {
        buf_addf(b, "%s\n  {\"phase\": \"%s\", \"op\": \"%s\", \"runs\": %llu",
                 i ? "," : "", rows[i].phase, rows[i].op,
                 (unsigned long long)rows[i].runs);
        json_put_number(b, "seconds", rows[i].seconds);
        json_put_number(b, "flops", rows[i].flops);
        json_put_number(b, "bytes", rows[i].bytes);
        json_put_number(b, "share_of_peak", rows[i].share);
        buf_addc(b, '}');
    }
    buf_addstr(b, "]}\n");
    free(rows);
}
