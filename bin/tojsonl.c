/* tojsonl.c - the text twin of every binary type: one JSON object a record.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "record/jsonl.h"
#include "record/tensor.h"
#include "stream/set.h"
#include "stream/stream.h"
#include "tensor/modeldir.h"
#include "tool/tool.h"

/* Bytes of a tensor in one line: a multiple of three, so that base64 has no
 * padding but at the end. */
#define DATA_BYTES ((size_t)768 << 10)

struct opts {
    bool exact;
    const char *split;
};

static const struct opt options[] = {
    {.name = "exact", .type = OPT_FLAG,
     .offset = offsetof(struct opts, exact),
     .help = "write headers and tensor data too, for fromjsonl to read back"},
    {.name = "split", .type = OPT_STRING,
     .offset = offsetof(struct opts, split), .arg = "NAME",
     .help = "of a shard set, only the records of this split"},
    {0},
};

static const struct tool tool = {
    .name = "tojsonl",
    .summary = "print a stream, a shard set or a model as JSON lines",
    .operands = "[FILE|DIR]",
    .max_operands = 1,
    .opts = options,
};

struct state {
    const struct opts *o;
    struct out out;
    struct buf line;
    char *chunk; /* of tensor data */
};

/* Writes the line and empties it. */
static int
put(struct state *s, struct err *e)
{
    int rc;

    buf_addc(&s->line, '\n');
    rc = out_write(&s->out, s->line.data, s->line.len, e);
    buf_reset(&s->line);
    return rc;
}

static int
put_head(struct state *s, const struct stream_head *h, struct err *e)
{
    if (!s->o->exact)
        return 0;
    jsonl_put_head(&s->line, h);
    return put(s, e);
}

/* Record i of the input called name. */
static int
put_record(struct state *s, const char *name, const char *type, uint64_t i,
           const void *p, size_t n, struct err *e)
{
    int rc;

    rc = jsonl_put_record(&s->line, type, p, n, e);
    if (rc < 0)
        return err_prefix(e, "%s: record %llu", name, (unsigned long long)i);
    return put(s, e);
}

/* ---- a stream ---- */

/* A tensor whose data come from the stream: --exact writes them, otherwise
 * their id stands for them. */
static int
stream_tensor(struct state *s, struct stream_in *in,
              const struct stream_rec *rec, struct err *e)
{
    void *desc = mem_dup(rec->p, rec->n);
    size_t n = rec->n, got = 1;
    uint64_t data = rec->data;
    struct hash h;
    struct id id;
    int rc = 0;

    hash_init(&h);
    if (s->o->exact) {
        rc = jsonl_put_tensor(&s->line, desc, n, data, NULL, e);
        if (rc == 0)
            rc = put(s, e);
    }
    while (rc == 0 && got > 0) {
        rc = stream_in_data(in, s->chunk, DATA_BYTES, &got, e);
        if (rc < 0 || got == 0)
            break;
        if (s->o->exact) {
            jsonl_put_data(&s->line, s->chunk, got);
            rc = put(s, e);
        } else {
            hash_add(&h, s->chunk, got);
        }
    }
    if (rc == 0 && !s->o->exact) {
        id = hash_id(&h);
        rc = jsonl_put_tensor(&s->line, desc, n, data, &id, e);
        if (rc == 0)
            rc = put(s, e);
    }
    free(desc);
    return rc;
}

static int
stream_segment(struct state *s, struct stream_in *in, struct err *e)
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
    }
    return rc;
}

static int
print_stream(struct state *s, const char *path, struct err *e)
{
    struct stream_in in;
    int rc;

    rc = stream_in_open(&in, path, NULL, e);
    if (rc < 0)
        return rc;
    while ((rc = stream_in_segment(&in, e)) > 0) {
        rc = stream_segment(s, &in, e);
        if (rc < 0)
            break;
    }
    stream_in_release(&in);
    return rc;
}

/* ---- a shard set ---- */

static int
set_records(struct state *s, struct set *set, uint64_t begin, uint64_t end,
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
set_split(struct state *s, struct set *set, struct err *e)
{
    const struct set_split *split;
    size_t i;
    int rc = 0;

    split = manifest_split(&set->manifest, s->o->split);
    if (!split)
        return err_set(e, ERR_USAGE, "%s: no split \"%s\"", set->path,
                       s->o->split);
    for (i = 0; i < split->n && rc == 0; i++)
        rc = set_records(s, set, split->range[i].begin, split->range[i].end,
                         e);
    return rc;
}

/* A tensor whose data are mapped. */
static int
mapped_tensor(struct state *s, const void *desc, size_t n, const char *data,
              uint64_t n_data, struct err *e)
{
    struct id id;
    uint64_t at;
    size_t part;
    int rc;

    if (!s->o->exact)
        id = id_of(data, n_data);
    rc = jsonl_put_tensor(&s->line, desc, n, n_data,
                          s->o->exact ? NULL : &id, e);
    if (rc == 0)
        rc = put(s, e);
    for (at = 0; s->o->exact && at < n_data && rc == 0; at += part) {
        part = n_data - at < DATA_BYTES ? n_data - at : DATA_BYTES;
        jsonl_put_data(&s->line, data + at, part);
        rc = put(s, e);
    }
    return rc;
}

static int
set_tensor(struct state *s, const struct set *set, size_t i, struct err *e)
{
    const struct set_tensor *t = &set->tensor[i];
    int rc;

    rc = set_check_tensor(set, i, e);
    return rc < 0 ? rc : mapped_tensor(s, t->desc, t->n_desc, t->data,
                                       t->n_data, e);
}

static int
print_set(struct state *s, const char *path, struct err *e)
{
    struct set set;
    size_t i;
    int rc;

    rc = set_open(&set, path, NULL, e);
    if (rc < 0)
        return rc;
    rc = put_head(s, &set.manifest.head, e);
    if (rc == 0 && s->o->split)
        rc = set_split(s, &set, e);
    else if (rc == 0)
        rc = set_records(s, &set, 0, set.manifest.records, e);
    for (i = 0; i < set.n_tensors && rc == 0 && !s->o->split; i++)
        rc = set_tensor(s, &set, i, e);
    set_release(&set);
    return rc;
}

/* ---- a model directory ---- */

/* As a weights stream would have it: config and tokenizer files first. */
static int
model_assets(struct state *s, const char *path, struct err *e)
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
model_tensor(struct state *s, const struct modeldir_tensor *item,
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

static int
print_model(struct state *s, const char *path, struct err *e)
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

/* Whether path is a directory with a model's weights in it. */
static bool
is_model(const char *path)
{
    char *single = path_join(path, MODELDIR_WEIGHTS);
    char *index = path_join(path, MODELDIR_INDEX);
    bool is = path_exists(single) || path_exists(index);

    free(single);
    free(index);
    return is;
}

static int
print(struct state *s, const char *path, struct err *e)
{
    bool named = strcmp(path, "-") != 0;

    if (named && set_is(path))
        return print_set(s, path, e);
    if (s->o->split)
        return err_set(e, ERR_USAGE, "%s: --split needs a shard set", path);
    if (named && is_model(path))
        return print_model(s, path, e);
    return print_stream(s, path, e);
}

static int
run(const struct opts *o, const struct args *args, struct err *e)
{
    const char *path = args->n > 0 ? args->operand[0] : "-";
    struct state s = {.o = o};
    int rc;

    rc = out_open(&s.out, "-", e);
    if (rc < 0)
        return rc;
    buf_init(&s.line);
    s.chunk = mem_alloc(DATA_BYTES);
    rc = print(&s, path, e);
    if (rc == 0)
        rc = out_commit(&s.out, e);
    else
        out_release(&s.out);
    buf_release(&s.line);
    free(s.chunk);
    return rc;
}

int
main(int argc, char **argv)
{
    struct opts o;
    struct args args;
    struct err e;
    int rc;

    tool_start(&tool, &o, &args, argc, argv);
    rc = run(&o, &args, &e);
    return tool_end(rc, &e);
}
