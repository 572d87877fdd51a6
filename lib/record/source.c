/* source.c - the records of a stream or of a set's split, one loop each. */
#include "record/source.h"

#include <inttypes.h>
#include <string.h>

#include "base/progress.h"
#include "stream/set.h"

static int
each_of_segment(struct stream_in *in, source_take *take, void *ctx,
                struct err *e)
{
    struct stream_rec rec;
    int rc;

    while ((rc = stream_in_record(in, &rec, e)) > 0) {
        if (rec.kind == FRAME_TENSOR)
            return err_set(e, ERR_DATA, "%s: tensors (expected text or "
                           "tokens)", in->in.name);
        rc = take(ctx, &in->head, rec.p, rec.n, e);
        if (rc < 0)
            return err_prefix(e, "%s: record %" PRIu64, in->in.name,
                              rec.index);
        progress_part(NULL, in->in.at, in->in.size);
        progress_add(1);
    }
    return rc;
}

static int
each_of_stream(const char *path, source_take *take, void *ctx, struct err *e)
{
    struct stream_in in;
    int rc;

    rc = stream_in_open(&in, path, NULL, e);
    if (rc < 0)
        return rc;
    while ((rc = stream_in_segment(&in, e)) > 0) {
        rc = each_of_segment(&in, take, ctx, e);
        if (rc < 0)
            break;
    }
    stream_in_release(&in);
    return rc;
}

static int
each_of_range(struct set *set, const struct set_range *range,
              source_take *take, void *ctx, struct err *e)
{
    const void *p;
    uint64_t i;
    size_t n;
    int rc = 0;

    for (i = range->begin; i < range->end && rc == 0; i++) {
        rc = set_record(set, i, &p, &n, e);
        if (rc < 0)
            break;
        rc = take(ctx, &set->manifest.head, p, n, e);
        if (rc < 0)
            err_prefix(e, "%s: record %" PRIu64, set->path, i);
        progress_add(1);
    }
    return rc;
}

static int
each_of_split(const char *path, const char *name, source_take *take,
              void *ctx, struct err *e)
{
    const struct set_split *split;
    struct set set;
    size_t i;
    int rc;

    rc = set_open(&set, path, NULL, e);
    if (rc < 0)
        return rc;
    split = manifest_split(&set.manifest, name);
    if (!split)
        rc = err_set(e, ERR_USAGE, "%s: no split \"%s\"", path, name);
    for (i = 0; rc == 0 && i < split->n; i++)
        rc = each_of_range(&set, &split->range[i], take, ctx, e);
    set_release(&set);
    return rc;
}

int
source_each(const char *path, const char *split, source_take *take,
            void *ctx, struct err *e)
{
    int rc;

    if (split && !(strcmp(path, "-") != 0 && set_is(path)))
        return err_set(e, ERR_USAGE, "%s: --split needs a shard set", path);
    progress_begin("records", 0, 0);
    rc = split ? each_of_split(path, split, take, ctx, e) :
                 each_of_stream(path, take, ctx, e);
    progress_end();
    return rc;
}
