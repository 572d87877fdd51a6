/* score.c - see score.h. */
#include "model/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/data.h"
#include "model/evaluate.h"
#include "model/lora.h"

#define HEAD_CHUNK 128

/* The loss of each record with an adapter or (NULL) without. */
static int
measure(const struct model *m, const struct score_opts *o,
        const struct adapter *a, const struct token_source *s,
        struct record_loss *out, struct err *e)
{
    struct prog_opts p = { .mode = PROG_EVAL, .batch = o->batch,
                           .seq_len = o->seq_len,
                           .head_chunk = HEAD_CHUNK };
    const char **targets = NULL;
    struct prog prog;
    struct exec x;
    int rc;

    if (a != NULL)
        lora_opts(&p, a, &targets);
    rc = prog_build(&prog, &m->desc, &p, &m->weights, &m->backend, e);
    free(targets);
    if (rc < 0)
        return rc;
    rc = exec_open(&x, &prog, &m->backend, e);
    if (rc == 0 && a != NULL)
        rc = lora_load(&x, a, e);
    if (rc == 0)
        rc = evaluate(&x, s, o->records, out, e);
    exec_release(&x);
    prog_release(&prog);
    return rc;
}

static void
put_number(struct buf *b, const char *key, double v)
{
    buf_addf(b, "\"%s\": ", key);
    json_put_double(b, v);
}

static void
put_loss(struct buf *b, const char *name, struct mean_loss m)
{
    buf_addf(b, ", \"%s\": {", name);
    put_number(b, "loss", m.mean);
    buf_addstr(b, ", ");
    put_number(b, "half_width", m.half);
    buf_addstr(b, ", ");
    put_number(b, "perplexity", exp(m.mean));
    buf_addstr(b, ", ");
    put_number(b, "perplexity_low", exp(m.mean - m.half));
    buf_addstr(b, ", ");
    put_number(b, "perplexity_high", exp(m.mean + m.half));
    buf_addc(b, '}');
}

static void
put_difference(struct buf *b, struct mean_loss d)
{
    buf_addstr(b, ", \"difference\": {");
    put_number(b, "loss", d.mean);
    buf_addstr(b, ", ");
    put_number(b, "half_width", d.half);
    buf_addc(b, '}');
}

/* Opens the split and checks that there is something to measure. */
static int
open_split(struct dataset *data, struct data_split *split,
           const struct model *m, const struct score_opts *o, struct err *e)
{
    int rc = dataset_open(data, o->data, e);

    if (rc < 0)
        return rc;
    rc = dataset_check(data, m, e);
    if (rc == 0)
        rc = data_split_open(split, data, o->split, m->desc.vocab, e);
    if (rc == 0 && split->supervised == 0) {
        data_split_release(split);
        rc = err_set(e, ERR_DATA, "%s: nothing to measure in split '%s'",
                     o->data, o->split);
    }
    if (rc < 0)
        dataset_release(data);
    return rc;
}

static void
put_summary(struct buf *b, const struct model *m,
            const struct score_opts *o, const struct record_loss *base,
            const struct record_loss *with, uint64_t n)
{
    struct mean_loss mean = mean_of(base, n);

    buf_addstr(b, ", \"split\": ");
    json_put_string(b, o->split, strlen(o->split));
    buf_addf(b, ", \"records\": %llu, \"tokens\": %llu",
             (unsigned long long)mean.records,
             (unsigned long long)mean.tokens);
    put_loss(b, "base", mean);
    if (m->with == NULL)
        return;
    put_loss(b, "adapter", mean_of(with, n));
    put_difference(b, mean_difference(with, base, n));
}

static bool
is_finite(const struct record_loss *r, uint64_t n)
{
    return isfinite(mean_of(r, n).mean);
}

int
score_split(const struct model *m, const struct score_opts *o,
            struct buf *summary, struct err *e)
{
    struct dataset data;
    struct data_split split;
    struct record_loss *base, *with;
    uint64_t n;
    int rc = open_split(&data, &split, m, o, e);

    if (rc < 0)
        return rc;
    n = split.source.n_records;
    n = o->records && o->records < n ? o->records : n;
    base = mem_array(n, sizeof(*base));
    with = mem_array(n, sizeof(*with));
    rc = measure(m, o, NULL, &split.source, base, e);
    if (rc == 0 && m->with != NULL)
        rc = measure(m, o, m->with, &split.source, with, e);
    if (rc == 0 && (!is_finite(base, n)
                    || (m->with != NULL && !is_finite(with, n))))
        rc = err_set(e, ERR_DATA, "%s: the loss is not finite",
                     m->weights.path);
    if (rc == 0)
        put_summary(summary, m, o, base, with, n);
    free(base);
    free(with);
    data_split_release(&split);
    dataset_release(&data);
    return rc;
}
