/* progress_line.c - counts and times to "[===   ] 34% 12345 records, 3210/s".
 * The rate is that of the later half of the work, from samples that are
 * thinned out as it goes on. */
#include "base/progress_line.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SAMPLE_MS 1000
#define BAR 20    /* most characters of the bar */
#define BAR_MIN 5 /* fewer are none */

/* A text that grows in memory of a fixed size. */
struct text {
    char *p;
    size_t n, cap;
};

static void __attribute__((format(printf, 2, 3)))
add(struct text *t, const char *fmt, ...)
{
    va_list ap;
    int k;

    va_start(ap, fmt);
    k = vsnprintf(t->p + t->n, t->cap - t->n, fmt, ap);
    va_end(ap);
    if (k > 0)
        t->n += (size_t)k < t->cap - t->n ? (size_t)k : t->cap - t->n - 1;
}

static double
part(const struct progress_line *l)
{
    if (l->of == 0)
        return 0;
    return l->at < l->of ? (double)l->at / (double)l->of : 1;
}

static double
units(const struct progress_line *l)
{
    return (double)l->done + (l->total ? part(l) : 0);
}

/* The part of the whole that is done; 0 where nobody knows. */
static double
whole(const struct progress_line *l)
{
    double x = l->total ? units(l) / (double)l->total : part(l);

    return x < 1 ? x : 1;
}

void
progress_line_begin(struct progress_line *l, uint64_t ms)
{
    l->began = ms;
    l->before = units(l);
    l->sample[0] = (struct progress_sample){ms, units(l), whole(l)};
    l->n = 1;
    l->every = SAMPLE_MS;
}

/* Keeps every other sample, and takes half as many from now on. */
static void
thin_out(struct progress_line *l)
{
    unsigned i;

    for (i = 1; 2 * i < l->n; i++)
        l->sample[i] = l->sample[2 * i];
    l->n = i;
    l->every *= 2;
}

void
progress_line_sample(struct progress_line *l, uint64_t ms)
{
    const struct progress_sample *last = &l->sample[l->n - 1];

    if (ms - last->ms < l->every
        || (units(l) <= last->units && whole(l) <= last->whole))
        return;
    if (l->n == PROGRESS_SAMPLES)
        thin_out(l);
    l->sample[l->n++] = (struct progress_sample){ms, units(l), whole(l)};
}

/* The last sample that is at least half as old as the work. */
static const struct progress_sample *
half_way(const struct progress_line *l, uint64_t ms)
{
    unsigned i = l->n - 1;

    while (i > 0 && l->sample[i].ms - l->began > (ms - l->began) / 2)
        i--;
    return &l->sample[i];
}

static void
add_time(struct text *t, double seconds)
{
    uint64_t s = seconds < 1e9 ? (uint64_t)(seconds + 0.5) : 1000000000;

    if (s >= 3600)
        add(t, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, s / 3600,
            s / 60 % 60, s % 60);
    else
        add(t, "%" PRIu64 ":%02" PRIu64, s / 60, s % 60);
}

static void
add_amount(struct text *t, bool bytes, uint64_t n)
{
    if (bytes)
        add(t, "%.1f", (double)n / 1e6);
    else
        add(t, "%" PRIu64, n);
}

/* The rate in units a second; slow ones the other way round. */
static void
add_rate(struct text *t, bool bytes, double rate)
{
    if (!(rate > 0) || isinf(rate))
        return;
    if (bytes)
        add(t, ", %.1f MB/s", rate / 1e6);
    else if (rate >= 10)
        add(t, ", %.0f/s", rate);
    else if (rate >= 1)
        add(t, ", %.1f/s", rate);
    else
        add(t, ", %.1f s each", 1 / rate);
}

/* A bar of x, where room is left beside n characters. */
static void
add_bar(struct text *t, double x, size_t n)
{
    size_t used = t->n + n + sizeof("[] "), left;
    int cells, filled;

    left = used < t->cap ? (t->cap - used) / BAR_MIN * BAR_MIN : 0;
    cells = left < BAR ? (int)left : BAR;
    filled = (int)(cells * x);
    if (cells > 0)
        add(t, "[%.*s%*s] ", filled, "====================",
            cells - filled, "");
}

/* All but the program and the bar. */
static void
add_numbers(struct text *t, const struct progress_line *l, uint64_t ms,
            bool ended)
{
    const struct progress_sample *from = half_way(l, ms);
    const bool bytes = strcmp(l->unit, "bytes") == 0;
    double elapsed = (double)(ms - l->began) / 1e3;
    double since = (double)(ms - from->ms) / 1e3;
    double rate = (units(l) - from->units) / since;
    double gained = whole(l) - from->whole;

    if (whole(l) > 0)
        add(t, "%3.0f%%  ", floor(100 * whole(l)));
    add_amount(t, bytes, l->done);
    if (l->total) {
        add(t, " of ");
        add_amount(t, bytes, l->total);
    }
    add(t, " %s", bytes ? "MB" : l->unit);
    add_rate(t, bytes,
             ended ? ((double)l->done - l->before) / elapsed : rate);
    add(t, ", ");
    if (ended || !(gained > 0)) {
        add_time(t, elapsed);
    } else {
        add_time(t, (1 - whole(l)) * since / gained);
        add(t, " left");
    }
    if (*l->note)
        add(t, ", %s", l->note);
    if (!ended && l->doing && l->of)
        add(t, ", %s %" PRIu64 " of %" PRIu64, l->doing, l->at, l->of);
}

size_t
progress_line_format(const struct progress_line *l, uint64_t ms, bool ended,
                     size_t columns, char *out, size_t cap)
{
    struct text t = {out, 0, columns < cap ? columns + 1 : cap};
    char numbers[256];
    struct text n = {numbers, 0, sizeof(numbers)};

    add_numbers(&n, l, ms, ended);
    add(&t, "%s: ", l->program);
    if (whole(l) > 0)
        add_bar(&t, whole(l), n.n);
    add(&t, "%s", numbers);
    return t.n;
}
