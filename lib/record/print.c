/* print.c - one loop for each kind of input, a stream, a split of a set, a
 * model directory: each record is a line, written as soon as it is made. */
#include "record/print.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"
#include "record/jsonl.h"
#include "record/tensor.h"
#include "stream/set.h"
#include "tensor/modeldir.h"

/* Bytes of a tensor in one line: a multiple of three, so that base64 has no
 * padding but at the end. */
#define DATA_BYTES ((size_t)768 << 10)

int
print_open(struct print *s, bool exact, bool table, struct err *e)
{
    int rc;

    memset(s, 0, sizeof(*s));
    rc = out_open(&s->out, "-", e);
    if (rc < 0)
        return rc;
    s->exact = exact;
    s->table = table && !exact;
    buf_init(&s->line);
    s->chunk = mem_alloc(DATA_BYTES);
    return 0;
}

/* Writes the line and empties it. */
static int
put(struct print *s, struct err *e)
{
    int rc;

    buf_addc(&s->line, '\n');
    rc = out_write(&s->out, s->line.data, s->line.len, e);
    buf_reset(&s->line);
    return rc;
}

static int
put_head(struct print *s, const struct stream_head *h, struct err *e)
{
    if (!s->exact)
        return 0;
    jsonl_put_head(&s->line, h);
    return put(s, e);
}

/* What a segment was made of and what was left out, if there is any. */
static int
put_end(struct print *s, const struct stream_in *in, struct err *e)
{
    const struct stream_trailer *t = &in->trailer;

    if (!s->exact || (t->n_inputs == 0 && t->ledger.n == 0))
        return 0;
    jsonl_put_end(&s->line, in->head.version, t);
    return put(s, e);
}

/* Record i of the input called name. */
static int
put_record(struct print *s, const char *name, const char *type, uint64_t i,
           const void *p, size_t n, struct err *e)
{
    int rc;

    if (s->table && strcmp(type, "weights") == 0)
        rc = weights_table_asset(&s->weights, &s->line, p, n, e);
    else
        rc = jsonl_put_record(&s->line, type, p, n, e);
    if (rc < 0)
        return err_prefix(e, "%s: record %llu", name, (unsigned long long)i);
    return put(s, e);
}

/* A tensor, with the id of its data; NULL where the data follow. */
static int
put_tensor(struct print *s, const void *desc, size_t n, uint64_t n_data,
           const struct id *id, struct err *e)
{
    int rc;

    if (s->table)
        rc = weights_table_tensor(&s->weights, &s->line, desc, n, n_data, e);
    else
        rc = jsonl_put_tensor(&s->line, desc, n, n_data, id, e);
    return rc < 0 ? rc : put(s, e);
}

/* ---- a stream ---- */

/* A tensor whose data come from the stream: --exact writes them, otherwise
 * their id stands for them. */
static int
stream_tensor(struct print *s, struct stream_in *in,
              const struct stream_rec *rec, struct err *e)
{
    void *desc = mem_dup(rec->p, rec->n);
    size_t n = rec->n, got = 1;
    uint64_t data = rec->data;
    struct hash h;
    struct id id;
    int rc = 0;

    hash_init(&h);
    if (s->exact)
        rc = put_tensor(s, desc, n, data, NULL, e);
    while (rc == 0 && got > 0) {
        rc = stream_in_data(in, s->chunk, DATA_BYTES, &got, e);
        if (rc < 0 || got == 0)
            break;
        if (s->exact) {
            jsonl_put_data(&s->line, s->chunk, got);
            rc = put(s, e);
        } else {
            hash_add(&h, s->chunk, got);
        }
    }
    if (rc == 0 && !s->exact) {
        id = hash_id(&h);
        rc = put_tensor(s, desc, n, data, &id, e);
    }
    free(desc);
    return rc;
}

static int
stream_segment(struct print *s, struct stream_in *in, struct err *e)
{
    struct stream_rec rec;
    int rc;

    rc = put_head(s, &in->head, e);
    while (rc == 0) {
        rc = stream_in_record(in, &rec, e);
        if (rc <= 0)
            break;
        if (rec.kind == FRAME_TENSOR)
            rc = stream_tensor(s, in, &rec, e);
        else
            rc = put_record(s, in->in.name, in->head.type, rec.index, rec.p,
                            rec.n, e);
        progress_part(NULL, in->in.at, in->in.size);
        progress_add(rec.kind == FRAME_RECORDS);
    }
    return rc < 0 ? rc : put_end(s, in, e);
}

int
print_stream(struct print *s, const char *path, struct err *e)
{
    struct stream_in in;
    int rc;

    rc = stream_in_open(&in, path, NULL, e);
    if (rc < 0)
        return rc;
    in.parts = true;
    progress_begin("records", 0, 0);
    while ((rc = stream_in_segment(&in, e)) > 0) {
        rc = stream_segment(s, &in, e);
        if (rc < 0)
            break;
    }
    progress_end();
    stream_in_release(&in);
    return rc;
}

/* ---- a shard set ---- */

static int
set_records(struct print *s, struct set *set, uint64_t begin, uint64_t end,
            struct err *e)
{
    const void *p;
    uint64_t i;
    size_t n;
    int rc = 0;

    for (i = begin; i < end && rc == 0; i++) {
        rc = set_record(set, i, &p, &n, e);
        if (rc == 0)
            rc = put_record(s, set->path, set->manifest.head.type, i, p, n,
                            e);
    }
    return rc;
}

static int
set_split(struct print *s, struct set *set, const char *name,
          struct err *e)
{
    const struct set_split *split;
    size_t i;
    int rc = 0;

    split = manifest_split(&set->manifest, name);
    if (!split)
        return err_set(e, ERR_USAGE, "%s: no split \"%s\"", set->path,
                       name);
    for (i = 0; i < split->n && rc == 0; i++)
        rc = set_records(s, set, split->range[i].begin, split->range[i].end,
                         e);
    return rc;
}

int
print_split(struct print *s, const char *path, const char *name,
            struct err *e)
{
    struct set set;
    int rc;

    rc = set_open(&set, path, NULL, e);
    if (rc < 0)
        return rc;
    rc = put_head(s, &set.manifest.head, e);
    if (rc == 0)
        rc = set_split(s, &set, name, e);
    set_release(&set);
    return rc;
}

/* ---- a model directory ---- */

/* A tensor whose data are mapped. */
static int
mapped_tensor(struct print *s, const void *desc, size_t n, const char *data,
              uint64_t n_data, struct err *e)
{
    struct id id;
    uint64_t at;
    size_t part;
    int rc;

    if (!s->exact && !s->table)
        id = id_of(data, n_data);
    rc = put_tensor(s, desc, n, n_data, s->exact ? NULL : &id, e);
    for (at = 0; s->exact && at < n_data && rc == 0; at += part) {
        part = n_data - at < DATA_BYTES ? n_data - at : DATA_BYTES;
        jsonl_put_data(&s->line, data + at, part);
        rc = put(s, e);
    }
    return rc;
}

/* As a weights stream would have it: config and tokenizer files first. */
static int
model_assets(struct print *s, const char *path, struct err *e)
{
    struct buf text, raw;
    const char *name;
    bool found;
    size_t i;
    int rc = 0;

    buf_init(&text);
    buf_init(&raw);
    for (i = 0; rc == 0 && (name = modeldir_asset_name(i)); i++) {
        rc = modeldir_asset(path, name, &text, &found, e);
        if (rc < 0 || !found)
            continue;
        buf_reset(&raw);
        rc = asset_encode(&raw, name, text.data, text.len, e);
        if (rc == 0)
            rc = put_record(s, path, "weights", i, raw.data, raw.len, e);
    }
    buf_release(&text);
    buf_release(&raw);
    return rc;
}

static int
model_tensor(struct print *s, const struct modeldir_tensor *item,
             struct err *e)
{
    struct tensor_desc d = {.name = item->t->name, .dtype = item->t->dtype,
                            .n_dims = item->t->n_dims};
    struct buf desc;
    uint32_t i;
    int rc;

    for (i = 0; i < d.n_dims; i++)
        d.shape[i] = item->t->shape[i];
    buf_init(&desc);
    rc = tensor_encode(&desc, &d, e);
    if (rc == 0)
        rc = mapped_tensor(s, desc.data, desc.len,
                           safetensors_data(item->file, item->t),
                           item->t->bytes, e);
    buf_release(&desc);
    return rc;
}

int
print_model(struct print *s, const char *path, struct err *e)
{
    struct stream_head head;
    struct modeldir d;
    size_t i;
    int rc;

    rc = modeldir_open(&d, path, e);
    if (rc < 0)
        return rc;
    stream_head_init(&head, "weights");
    rc = put_head(s, &head, e);
    if (rc == 0)
        rc = model_assets(s, path, e);
    for (i = 0; i < d.n && rc == 0; i++)
        rc = model_tensor(s, &d.item[i], e);
    stream_head_release(&head);
    modeldir_release(&d);
    return rc;
}

int
print_close(struct print *s, int rc, struct err *e)
{
    if (rc == 0 && s->weights.files + s->weights.tensors > 0) {
        weights_table_total(&s->weights, &s->line);
        rc = put(s, e);
    }
    if (rc == 0)
        rc = out_commit(&s->out, e);
    else
        out_release(&s->out);
    buf_release(&s->line);
    free(s->chunk);
    return rc;
}
