/* op_rows.h - a program's ops as rows of a table: ops of one range, kind and
 * cost that work on modules of the same roles are one; and a row as a line,
 * against what a device does at best. */
#ifndef BENCH_OP_ROWS_H
#define BENCH_OP_ROWS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/cost.h"
#include "model/op_info.h"
#include "model/peak.h"
#include "model/roles.h"

struct row {
    uint8_t range;
    char of[48];         /* roles of its modules, "q|k|v"; "" for none */
    struct op *op;       /* op[n] */
    size_t n;
    struct op_cost cost; /* of one */
    double seconds;      /* of all, once; 0: not measured */
};

struct rows {
    struct row *row;
    size_t n;
};

/* A module is known by its site, which is made of its name. */
static inline const char *
role_of_site(const struct model_desc *d, uint64_t site)
{
    for (size_t i = 0; i < d->n_modules; i++)
        if (rng_site(d->module[i].name) == site)
            return role_info(d->module[i].role)->name;
    return "?";
}

static inline void
name_roles(char out[48], const struct prog *p, const struct op *op)
{
    uint32_t n;
    const struct part *part = op_parts(op, &n);
    struct buf b;

    buf_init(&b);
    if (op->kind == OP_GROUPED || op->kind == OP_GROUPED_BWD)
        n /= op->u.lin.groups; /* one expert's */
    for (uint32_t i = 0; i < n; i++)
        buf_addf(&b, "%s%s", i ? "|" : "",
                 role_of_site(p->desc, part[i].site));
    snprintf(out, 48, "%s", n > 0 ? b.data : "");
    buf_release(&b);
}

static inline bool
same_row(const struct row *a, const struct row *b)
{
    return a->range == b->range && a->op->kind == b->op->kind
           && strcmp(a->of, b->of) == 0 && a->cost.flops == b->cost.flops
           && a->cost.bytes == b->cost.bytes;
}

static inline void
rows_add(struct rows *t, struct row like)
{
    size_t i = 0;

    while (i < t->n && !same_row(&t->row[i], &like))
        i++;
    if (i == t->n) {
        t->row = mem_grow(t->row, ++t->n * sizeof(*t->row));
        t->row[i] = like;
        t->row[i].op = NULL;
    }
    t->row[i].op = mem_grow(t->row[i].op,
                            (t->row[i].n + 1) * sizeof(*like.op));
    t->row[i].op[t->row[i].n++] = *like.op;
}

/* The rows of p, in the order in which they first run. */
static inline void
rows_make(struct rows *t, const struct prog *p)
{
    *t = (struct rows){ NULL, 0 };
    for (int r = 0; r < RANGE_COUNT; r++) {
        for (size_t i = p->range[r]; i < p->range[r + 1]; i++) {
            struct row row = { .range = (uint8_t)r, .op = &p->op[i],
                               .cost = op_cost(p, &p->op[i], p->rows) };

            name_roles(row.of, p, row.op);
            rows_add(t, row);
        }
    }
}

static inline void
rows_release(struct rows *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->row[i].op);
    free(t->row);
}

/* ---- lines -------------------------------------------------------------- */

static inline bool
by_work(const struct op_cost *c, const struct peak *best)
{
    return c->flops / best->flops > c->bytes / best->bytes;
}

struct sums {
    uint64_t count;
    double flops, bytes, floor, seconds;
};

/* A line from its middle on; seconds 0: not measured. */
static inline void
print_sums(const struct sums *s, const char *bound)
{
    printf("%6llu %12.3f %11.1f %10.3f %5s",
           (unsigned long long)s->count, s->flops * 1e-9, s->bytes * 1e-6,
           s->floor * 1e3, bound);
    if (s->seconds > 0)
        printf(" %10.3f %5.1f%%", s->seconds * 1e3,
               100 * s->floor / s->seconds);
    printf("\n");
}

/* A row that a step runs so often; adds it to *all. */
static inline void
print_row(const struct row *row, uint64_t times, const struct peak *best,
          struct sums *all)
{
    static const char *const range[RANGE_COUNT] = { "start", "fwd", "head",
                                                    "bwd", "update" };
    double n = (double)(times * row->n);
    struct sums s = { .count = times * row->n,
                      .flops = n * row->cost.flops,
                      .bytes = n * row->cost.bytes,
                      .floor = n * peak_floor(best, &row->cost),
                      .seconds = (double)times * row->seconds };

    printf("%-6s %-13s %-8s ", range[row->range],
           op_info(row->op->kind)->name, *row->of ? row->of : "-");
    print_sums(&s, by_work(&row->cost, best) ? "work" : "bytes");
    all->count += s.count;
    all->flops += s.flops;
    all->bytes += s.bytes;
    all->floor += s.floor;
    all->seconds += s.seconds;
}

#endif
