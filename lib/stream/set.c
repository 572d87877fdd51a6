/* set.c - opening a shard set, its records by number, its tensors. */
#include "stream/set.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/par.h"
#include "base/progress.h"
#include "stream/frame.h"
#include "stream/set_part.h"

#define CACHE_FRAMES 64
#define CACHE_BYTES (64u << 20)

/* A decompressed frame: record i is raw.data[start[i], start[i] + len[i]). */
struct cached {
    size_t file, frame;
    struct buf raw;
    uint32_t *start, *len;
    size_t n;
    uint64_t used; /* when; 0 = the slot is free */
};

struct set_state {
    uint64_t *first; /* records before file i */
    struct cached slot[CACHE_FRAMES];
    struct cached *last;
    uint64_t clock;
};

bool
set_is(const char *path)
{
    static const char begin[] = "{\n  \"format\": \"graft set\",";
    char *name = path_join(path, MANIFEST_NAME);
    char got[sizeof(begin) - 1];
    struct err e;
    struct in in;
    size_t n = 0;
    bool yes = false;

    if (in_open_regular(&in, name, &e) == 0) {
        yes = in_read(&in, got, sizeof(got), &n, &e) == 0
              && n == sizeof(got) && memcmp(got, begin, n) == 0;
        in_release(&in);
    }
    free(name);
    return yes;
}

int
set_manifest(struct manifest *m, const char *path, const char *type,
             struct err *e)
{
    char *name = path_join(path, MANIFEST_NAME);
    int rc;

    if (path_exists(path) && !path_exists(name))
        rc = err_set(e, ERR_DATA, "%s: not a complete set (no "
                     MANIFEST_NAME ")", path);
    else
        rc = manifest_read(m, name, e);
    if (rc == 0) {
        rc = head_expect(&m->head, type, name, e);
        if (rc < 0)
            manifest_release(m);
    }
    free(name);
    return rc;
}

/* ---- opening ---- */

/* Lists the tensors of file i. */
static int
list_tensors(struct set *s, size_t i, struct buf *scratch, struct err *e)
{
    struct stream_file *f = &s->file[i];
    const struct frame_ref *ref = f->trailer.frame;
    struct set_tensor *t;
    int rc = 0;

    for (size_t k = 0; rc == 0 && k < f->trailer.n_frames; k++) {
        if (ref[k].kind != FRAME_TENSOR)
            continue;
        rc = stream_file_frame(f, k, scratch, e);
        t = &s->tensor[s->n_tensors++];
        t->desc = f->map.p + ref[k].at + FRAME_HEAD;
        t->n_desc = (size_t)ref[k].stored;
        t->data = stream_file_data(f, k + 1, &t->n_data);
        t->file = (uint32_t)i;
        t->frame = k + 1;
    }
    return rc;
}

static int
open_files(struct set *s, struct err *e)
{
    const struct manifest *m = &s->manifest;
    uint64_t first = 0;
    struct buf scratch;
    char *path;
    int rc = 0;

    s->file = mem_array(m->n_files, sizeof(*s->file));
    s->state->first = mem_array(m->n_files + 1, sizeof(uint64_t));
    buf_init(&scratch);
    for (size_t i = 0; rc == 0 && i < m->n_files; i++) {
        path = set_part_path(m, s->path, i, e);
        rc = path ? stream_file_open(&s->file[i], path, NULL, e) : ERR_DATA;
        if (rc == 0)
            rc = set_part_compare(m, i, path, &s->file[i].head,
                                  &s->file[i].trailer, s->file[i].map.n, e);
        free(path);
        s->mapped += s->file[i].map.n;
        s->state->first[i] = first;
        first += m->file[i].records;
    }
    s->state->first[m->n_files] = first;
    if (rc == 0) /* so many are in the trailers, which fit in the files */
        s->tensor = mem_array(m->tensors, sizeof(*s->tensor));
    for (size_t i = 0; rc == 0 && i < m->n_files; i++)
        rc = list_tensors(s, i, &scratch, e);
    buf_release(&scratch);
    return rc;
}

int
set_open(struct set *s, const char *path, const char *type, struct err *e)
{
    int rc;

    memset(s, 0, sizeof(*s));
    rc = set_manifest(&s->manifest, path, type, e);
    if (rc < 0)
        return rc;
    s->path = mem_strdup(path);
    s->state = mem_alloc(sizeof(*s->state));
    rc = open_files(s, e);
    if (rc < 0)
        set_release(s);
    return rc;
}

void
set_release(struct set *s)
{
    struct cached *c;

    if (!s->state)
        return;
    for (size_t i = 0; s->file && i < s->manifest.n_files; i++)
        stream_file_release(&s->file[i]);
    for (c = s->state->slot; c < s->state->slot + CACHE_FRAMES; c++) {
        if (c->raw.data)
            buf_release(&c->raw);
        free(c->start);
        free(c->len);
    }
    free(s->state->first);
    free(s->state);
    free(s->file);
    free(s->tensor);
    free(s->path);
    manifest_release(&s->manifest);
    memset(s, 0, sizeof(*s));
}

/* ---- records by number ---- */

/* The last i of n with first(i) <= r, where first is an ascending field at
 * base, stride bytes apart, whose first element is 0. */
static size_t
last_below(const uint64_t *base, size_t stride, size_t n, uint64_t r)
{
    size_t low = 0, high = n, mid;
    uint64_t v;

    while (high - low > 1) {
        mid = low + (high - low) / 2;
        memcpy(&v, (const char *)base + mid * stride, sizeof(v));
        if (v <= r)
            low = mid;
        else
            high = mid;
    }
    return low;
}

/* The slot to use next: a free one, or the one used longest ago. Frames are
 * dropped, oldest first, until the rest is small enough. */
static struct cached *
make_room(struct set_state *st)
{
    struct cached *c, *old, *free_slot;
    size_t total;

    for (;;) {
        old = free_slot = NULL;
        total = 0;
        for (c = st->slot; c < st->slot + CACHE_FRAMES; c++) {
            if (!c->used) {
                free_slot = c;
                continue;
            }
            total += c->raw.cap;
            if (!old || c->used < old->used)
                old = c;
        }
        if (free_slot && total <= CACHE_BYTES)
            return free_slot;
        buf_release(&old->raw);
        old->used = 0;
    }
}

/* Finds where each of the frame's records is. */
static int
index_frame(struct cached *c, const struct stream_file *f,
            const struct frame_ref *ref, struct err *e)
{
    size_t pos = 0, n = 0, len;
    const void *p;
    int rc = 0;

    c->start = mem_grow(c->start, (size_t)ref->records * sizeof(uint32_t));
    c->len = mem_grow(c->len, (size_t)ref->records * sizeof(uint32_t));
    for (; rc == 0 && pos < c->raw.len && n < ref->records; n++) {
        rc = record_next(c->raw.data, c->raw.len, &pos, &p, &len, f->path,
                         ref->at, e);
        if (rc < 0)
            return rc;
        c->start[n] = (uint32_t)((const char *)p - c->raw.data);
        c->len[n] = (uint32_t)len;
    }
    if (pos != c->raw.len || n != ref->records)
        return err_set(e, ERR_DATA, "%s:%" PRIu64 ": records in the frame "
                       "are not the %" PRIu64 " of the index", f->path,
                       ref->at, ref->records);
    c->n = n;
    return 0;
}

/* The frame, decompressed. */
static int
load(struct set *s, size_t file, size_t frame, struct cached **out,
     struct err *e)
{
    struct set_state *st = s->state;
    struct stream_file *f = &s->file[file];
    struct cached *c;
    int rc;

    for (c = st->slot; c < st->slot + CACHE_FRAMES; c++)
        if (c->used && c->file == file && c->frame == frame)
            break;
    if (c == st->slot + CACHE_FRAMES) {
        c = make_room(st);
        if (!c->raw.data)
            buf_init(&c->raw);
        rc = stream_file_frame(f, frame, &c->raw, e);
        if (rc == 0)
            rc = index_frame(c, f, &f->trailer.frame[frame], e);
        if (rc < 0)
            return rc;
        c->file = file;
        c->frame = frame;
    }
    c->used = ++st->clock;
    *out = c;
    return 0;
}

int
set_record(struct set *s, uint64_t i, const void **p, size_t *n,
           struct err *e)
{
    const struct stream_trailer *t;
    struct set_state *st = s->state;
    struct cached *c = st->last;
    size_t file, frame;
    uint64_t r;
    int rc;

    if (i >= s->manifest.records)
        return err_set(e, ERR_DATA, "%s: record %" PRIu64 " (the set has %"
                       PRIu64 ")", s->path, i, s->manifest.records);
    file = last_below(st->first, sizeof(*st->first), s->manifest.n_files, i);
    r = i - st->first[file];
    t = &s->file[file].trailer;
    frame = last_below(&t->frame[0].first, sizeof(*t->frame), t->n_frames,
                       r);
    if (!c || !c->used || c->file != file || c->frame != frame) {
        rc = load(s, file, frame, &c, e);
        if (rc < 0)
            return rc;
        st->last = c;
    }
    r -= t->frame[frame].first;
    *p = c->raw.data + c->start[r];
    *n = c->len[r];
    return 0;
}

/* A block of a tensor's data. */
struct data_block {
    const struct set_tensor *tensor;
    uint64_t k;
    bool good;
};

struct check {
    const struct set *s;
    struct data_block *block;
};

static void
check_block(void *ctx, size_t i, int worker)
{
    const struct check *c = ctx;
    struct data_block *b = &c->block[i];
    const struct set_tensor *t = b->tensor;

    (void)worker;
    b->good = stream_file_block_good(&c->s->file[t->file], t->frame, b->k);
}

int
set_check_data(const struct set *s, struct err *e)
{
    struct check c = { s, NULL };
    size_t n = 0, first = 0;
    int rc = 0;

    for (size_t i = 0; i < s->n_tensors; i++)
        n += data_blocks(s->tensor[i].n_data);
    c.block = mem_array(n, sizeof(*c.block));
    n = 0;
    for (size_t i = 0; i < s->n_tensors; i++)
        for (uint64_t k = 0; k < data_blocks(s->tensor[i].n_data); k++)
            c.block[n++] = (struct data_block){ &s->tensor[i], k, false };
    par_for(n, check_block, &c);
    while (first < n && c.block[first].good)
        first++;
    if (first < n) {
        const struct set_tensor *t = c.block[first].tensor;

        rc = stream_file_check_data(&s->file[t->file], t->frame, e);
    }
    free(c.block);
    return rc;
}

/* ---- every byte ---- */

/* Reads a file of the set to its end; *good grows by what is good. */
static int
verify_file(const struct manifest *m, size_t i, const char *dir,
            set_look *look, void *ctx, uint64_t *good, struct err *e)
{
    uint64_t n_tensors = 0, done = 0;
    struct stream_rec rec;
    struct stream_in in;
    int rc = set_part_open(&in, m, dir, i, e);

    if (rc < 0)
        return rc;
    in.check_content = true;
    while (rc == 0 && (rc = stream_in_record(&in, &rec, e)) > 0) {
        if (look && look(ctx, &in.head, &rec, e) < 0) {
            rc = err_prefix(e, "%s: record %" PRIu64, in.in.name, rec.index);
            break;
        }
        *good += rec.kind == FRAME_RECORDS;
        n_tensors += rec.kind == FRAME_TENSOR;
        progress_add(in.in.at - done);
        done = in.in.at;
        rc = 0;
    }
    if (rc == 0) /* only now their data are known to be good */
        *good += n_tensors;
    if (rc == 0)
        rc = set_part_end(&in, m, i, e);
    progress_add(in.in.at - done);
    stream_in_release(&in);
    return rc;
}

int
set_verify(const struct manifest *m, const char *path, set_look *look,
           void *ctx, uint64_t *good, struct err *e)
{
    uint64_t bytes = 0;
    int rc = 0;

    *good = 0;
    for (size_t i = 0; i < m->n_files; i++)
        bytes += m->file[i].bytes;
    progress_begin("bytes", 0, bytes);
    for (size_t i = 0; rc == 0 && i < m->n_files; i++)
        rc = verify_file(m, i, path, look, ctx, good, e);
    progress_end();
    return rc;
}
