/* nearest.c - the vectors of a set that are most like others. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/par.h"
#include "cli/options.h"
#include "eval/vector_search.h"
#include "tool/tool.h"

struct options {
    const char *in;
    uint64_t k, threads;
    bool earlier;
};

static const struct opt table[] = {
    { .name = "in", .type = OPT_STRING, AT(in), .arg = "SET",
      .required = true,
      .help = "vectors to look among: a shard set, or a file" },
    { .name = "top-k", .letter = 'k', .type = OPT_U64, AT(k),
      .arg = "N", .def = "10", .min = 1, .max = 1000000,
      .help = "how many to name for each query, at most" },
    { .name = "earlier", .type = OPT_FLAG, AT(earlier),
      .help = "only what comes before the query: commits before its own in "
              "one repository, an earlier time in another" },
    { THREADS_OPTION, AT(threads), .help = "threads; 0: one per processor" },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "nearest",
    .summary = "find the vectors of a set that are most like others",
    .operands = "[FILE|DIR]",
    .max_operands = 1,
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
    .exits = "4 5",
};

struct work {
    const struct options *o;
    struct vector_search s;
    struct vector_queries q;
    size_t k;   /* to name at most: there are no more */
    uint64_t n; /* queries that are answered */
    struct vector_hit *hit;
    struct buf line;
    struct out out;
};

static int
put_answer(struct work *w, size_t q, size_t n_hits, struct err *e)
{
    const struct vector_hit *hit = w->hit + q * w->k;
    struct buf *b = &w->line;

    buf_reset(b);
    buf_addstr(b, "{\"query\": {");
    search_put_place(b, &w->s, w->n + q, &w->q.place[q]);
    buf_addstr(b, "}, \"nearest\": [");
    for (size_t i = 0; i < n_hits; i++) {
        buf_addf(b, "%s{\"score\": %.6f, ", i > 0 ? ", " : "",
                 (double)hit[i].score);
        search_put_place(b, &w->s, hit[i].i, &w->s.place[hit[i].i]);
        buf_addc(b, '}');
    }
    buf_addstr(b, "]}\n");
    return out_write(&w->out, b->data, b->len, e);
}

/* The queries that wait. */
static int
answer(struct work *w, struct err *e)
{
    size_t n_hits[SEARCH_QUERIES];
    int rc = 0;

    search_find(&w->s, &w->q, w->k, w->o->earlier, w->hit, n_hits);
    for (size_t q = 0; q < w->q.n && rc == 0; q++)
        rc = put_answer(w, q, n_hits[q], e);
    w->n += w->q.n;
    w->q.n = 0;
    return rc;
}

static int
answer_segment(struct work *w, struct stream_in *in, struct err *e)
{
    struct stream_rec rec;
    struct vector v;
    uint64_t dim;
    int rc = vector_dim(&in->head, in->in.name, &dim, e);

    if (rc == 0)
        rc = search_match(&w->s, &in->head, in->in.name, e);
    if (rc < 0)
        return rc;
    w->q.x = mem_array(SEARCH_QUERIES * dim, sizeof(*w->q.x));
    while ((rc = stream_in_record(in, &rec, e)) > 0) {
        if (vector_decode(&v, rec.p, rec.n, dim, e) < 0) {
            rc = err_prefix(e, "%s: record %" PRIu64, in->in.name,
                            w->n + w->q.n);
            break;
        }
        search_add(&w->s, &w->q, &v);
        rc = w->q.n == SEARCH_QUERIES ? answer(w, e) : 0;
        if (rc < 0)
            break;
    }
    if (rc == 0 && w->q.n > 0)
        rc = answer(w, e);
    free(w->q.x);
    return rc;
}

static int
answer_all(struct work *w, const char *path, struct err *e)
{
    struct stream_in in;
    int rc = stream_in_open(&in, path, "vectors", e);

    if (rc < 0)
        return rc;
    while ((rc = stream_in_segment(&in, e)) > 0) {
        rc = answer_segment(w, &in, e);
        if (rc < 0)
            break;
    }
    stream_in_release(&in);
    return rc == 0 ? out_commit(&w->out, e) : rc;
}

static int
read_set(struct work *w, struct err *e)
{
    struct stream_in in;
    int rc = stream_in_open(&in, w->o->in, "vectors", e);

    if (rc < 0)
        return rc;
    rc = search_read(&w->s, &in, NULL, NULL, e);
    stream_in_release(&in);
    if (rc == 0 && w->s.n == 0)
        log_warn("%s: no vectors to look among", w->o->in);
    return rc;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const char *path = args->n > 0 ? args->operand[0] : "-";
    struct work w = { .o = opts };
    int rc;

    if (strcmp(path, "-") == 0 && strcmp(w.o->in, "-") == 0)
        return err_set(e, ERR_USAGE, "--in: standard input is for the "
                       "queries");
    par_set_threads((int)w.o->threads);
    search_init(&w.s);
    buf_init(&w.line);
    rc = read_set(&w, e);
    if (rc == 0)
        rc = out_open(&w.out, "-", e);
    if (rc == 0) {
        w.k = w.o->k < w.s.n ? w.o->k : w.s.n;
        w.hit = mem_array(SEARCH_QUERIES * w.k, sizeof(*w.hit));
        rc = answer_all(&w, path, e);
        free(w.hit);
        out_release(&w.out);
    }
    if (rc == 0)
        log_info("%" PRIu64 " queries, %zu vectors", w.n, w.s.n);
    buf_release(&w.line);
    search_release(&w.s);
    return rc;
}
