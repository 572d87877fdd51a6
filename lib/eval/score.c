/* score.c - opens a split, runs its records under base and adapter, and writes
 * the records' losses and what follows from them. */
#include "eval/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "eval/evaluate.h"
#include "weights/lora.h"

#define SEQ_LEN 512

/* What was measured: per record, without and with the adapter. */
struct scores {
    struct data_split *split;
    uint64_t n;
    struct record_loss *base, *with; /* with is NULL where there is none */
};

static struct prog_opts
eval_opts(const struct score_opts *o)
{
    return (struct prog_opts){ .mode = PROG_EVAL, .batch = o->batch,
                               .seq_len = o->seq_len,
                               .head_chunk = EVAL_HEAD_CHUNK };
}

static void
set_length(struct score_opts *o, const struct model *m)
{
    if (o->seq_len == 0)
        o->seq_len = m->desc.max_pos < SEQ_LEN ? m->desc.max_pos : SEQ_LEN;
}

/* The loss of each record with an adapter or (NULL) without. */
static int
measure(const struct model *m, const struct score_opts *o,
        const struct adapter *a, const struct token_source *s,
        struct record_loss *out, struct err *e)
{
    struct prog_opts p = eval_opts(o);
    const char **targets = NULL;
    struct prog prog;
    struct exec x;
    int rc;

    if (a != NULL)
        lora_opts(&p, a, &targets);
    rc = prog_build(&prog, &m->desc, &p, &m->base, &m->backend, e);
    free(targets);
    if (rc < 0)
        return rc;
    rc = exec_open(&x, &prog, &m->backend, NULL, e);
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

/* ERR_DATA that tells which splits there are. */
static int
no_split(const struct dataset *data, const struct score_opts *o,
         struct err *e)
{
    const struct manifest *m = &data->set.manifest;
    struct buf names;

    buf_init(&names);
    for (size_t i = 0; i < m->n_splits; i++)
        buf_addf(&names, "%s%s", i ? ", " : "", m->split[i].name);
    err_set(e, ERR_DATA, "%s: no split '%s' (it has %s)", o->data, o->split,
            m->n_splits ? names.data : "none");
    buf_release(&names);
    return e->code;
}

static int
nothing(const struct score_opts *o, struct err *e)
{
    return err_set(e, ERR_DATA, "%s: nothing to measure in split '%s'",
                   o->data, o->split);
}

static int
open_data(struct dataset *data, const struct model *m,
          const struct score_opts *o, struct err *e)
{
    int rc = dataset_open(data, o->data, e);

    if (rc < 0)
        return rc;
    rc = dataset_check(data, m, e);
    if (rc == 0 && manifest_split(&data->set.manifest, o->split) == NULL)
        rc = no_split(data, o, e);
    if (rc < 0)
        dataset_release(data);
    return rc;
}

int
score_check(const struct model *m, const struct score_opts *given,
            struct err *e)
{
    struct score_opts o = *given;
    struct dataset data;
    struct prog_opts p;
    int rc = open_data(&data, m, &o, e);

    if (rc < 0)
        return rc;
    dataset_release(&data);
    set_length(&o, m);
    if (m->desc.pos == POS_LEARNED && o.seq_len > m->desc.max_pos)
        return 0; /* there is no such program: score_split says why */
    p = eval_opts(&o);
    return model_fit(m, &p, "evaluation", o.force, e);
}

/* Opens the split and checks that there is something to measure. */
static int
open_split(struct dataset *data, struct data_split *split,
           const struct model *m, const struct score_opts *o, struct err *e)
{
    int rc = open_data(data, m, o, e);

    if (rc < 0)
        return rc;
    rc = data_split_open(split, data, o->split, m->desc.vocab, e);
    if (rc < 0)
        goto out;
    rc = data_split_cluster(split, e);
    if (rc == 0 && split->supervised == 0)
        rc = nothing(o, e);
    if (rc < 0)
        data_split_release(split);
out:
    if (rc < 0)
        dataset_release(data);
    return rc;
}

static bool
is_finite(const struct record_loss *r, uint64_t n)
{
    return isfinite(mean_of(r, NULL, n).mean);
}

static int
measure_both(struct scores *s, const struct model *m,
             const struct score_opts *o, struct err *e)
{
    const struct token_source *source = &s->split->source;
    int rc;

    progress_begin("models", 0, s->with != NULL ? 2 : 1);
    rc = measure(m, o, NULL, source, s->base, e);
    progress_add(rc == 0);
    if (rc == 0 && s->with != NULL) {
        rc = measure(m, o, m->with, source, s->with, e);
        progress_add(rc == 0);
    }
    progress_end();
    if (rc == 0 && mean_of(s->base, NULL, s->n).tokens == 0)
        rc = nothing(o, e);
    if (rc == 0 && (!is_finite(s->base, s->n)
                    || (s->with != NULL && !is_finite(s->with, s->n))))
        rc = err_set(e, ERR_DATA, "%s: the loss is not finite",
                     m->weights.path);
    return rc;
}

/* Records with more positions than seq_len. */
static uint64_t
count_cut(const struct scores *s, uint32_t seq_len)
{
    uint64_t cut = 0;

    for (uint64_t i = 0; i < s->n; i++)
        cut += s->split->len[i] > (uint64_t)seq_len + 1;
    return cut;
}

static void
put_summary(struct buf *b, const struct score_opts *o,
            const struct scores *s)
{
    const uint32_t *cluster = s->split->cluster;
    struct mean_loss mean = mean_of(s->base, cluster, s->n);
    uint64_t cut = count_cut(s, o->seq_len);

    buf_addstr(b, ", \"split\": ");
    json_put_string(b, o->split, strlen(o->split));
    buf_addf(b, ", \"seq_len\": %u, \"records\": %llu, "
             "\"clusters\": %llu, \"tokens\": %llu, \"cut\": %llu",
             o->seq_len, (unsigned long long)mean.records,
             (unsigned long long)mean.clusters,
             (unsigned long long)mean.tokens, (unsigned long long)cut);
    put_loss(b, "base", mean);
    if (s->with != NULL) {
        put_loss(b, "adapter", mean_of(s->with, cluster, s->n));
        put_difference(b, mean_difference(s->with, s->base, cluster, s->n));
    }
    if (mean.clusters < 2)
        log_warn("%s: all of it is one commit or document: there is no "
                 "interval", o->data);
    if (cut > 0)
        log_info("%s: %llu of %llu records are longer than --seq-len %u and "
                 "measured in pieces", o->data, (unsigned long long)cut,
                 (unsigned long long)s->n, o->seq_len);
}

/* ", \"NAME\": LOSS": the record's mean, null without a token. */
static void
put_record_loss(struct buf *b, const char *name, const struct record_loss *r)
{
    buf_addf(b, ", \"%s\": ", name);
    json_put_double(b, r->n > 0 ? r->sum / (double)r->n : NAN);
}

static int
write_records(struct scores *s, const char *path, struct err *e)
{
    struct data_place p;
    struct out out;
    struct buf b;
    int rc = out_open(&out, path, e);

    if (rc < 0)
        return rc;
    buf_init(&b);
    for (uint64_t i = 0; i < s->n && rc == 0; i++) {
        rc = data_split_place(s->split, i, &p, e);
        if (rc < 0)
            break;
        buf_reset(&b);
        buf_addf(&b, "{\"record\": %llu, \"ordinal\": %llu, "
                 "\"cluster\": %u, \"tokens\": %llu",
                 (unsigned long long)p.record, (unsigned long long)p.ordinal,
                 s->split->cluster[i], (unsigned long long)s->base[i].n);
        put_record_loss(&b, "base", &s->base[i]);
        if (s->with != NULL)
            put_record_loss(&b, "adapter", &s->with[i]);
        buf_addstr(&b, "}\n");
        rc = out_write(&out, b.data, b.len, e);
    }
    if (rc == 0)
        rc = out_commit(&out, e);
    out_release(&out);
    buf_release(&b);
    return rc;
}

int
score_split(const struct model *m, const struct score_opts *given,
            struct buf *summary, struct err *e)
{
    struct score_opts o = *given;
    struct dataset data;
    struct data_split split;
    struct scores s = { .split = &split };
    int rc = open_split(&data, &split, m, &o, e);

    if (rc < 0)
        return rc;
    set_length(&o, m);
    s.n = split.source.n_records;
    s.n = o.records && o.records < s.n ? o.records : s.n;
    s.base = mem_array(s.n, sizeof(*s.base));
    if (m->with != NULL)
        s.with = mem_array(s.n, sizeof(*s.with));
    rc = data_check_length(&split, m, o.seq_len, e);
    if (rc == 0)
        rc = measure_both(&s, m, &o, e);
    if (rc == 0 && o.per_record != NULL)
        rc = write_records(&s, o.per_record, e);
    if (rc == 0)
        put_summary(summary, &o, &s);
    free(s.base);
    free(s.with);
    data_split_release(&split);
    dataset_release(&data);
    return rc;
}
