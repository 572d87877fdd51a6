/* export_megatron.c - token records to Megatron-LM's indexed dataset.
 *
 * PREFIX.idx: the nine bytes below; u64 1; u8 type of the ids; u64 number of
 * sequences; u64 number of document indices; i32 length of each sequence;
 * i64 where it begins in PREFIX.bin, in bytes; i64 at which sequence each
 * document begins, and the number of sequences. Little-endian.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "record/export_ids.h"
#include "record/megatron.h"
#include "record/source.h"

/* Megatron-LM's own choice: room for a few tokens of its own. */
#define NARROW_VOCAB 65500

struct dataset {
    struct ids_file bin;
    uint32_t *length; /* of each sequence */
    size_t n, cap;
};

static int
take(void *ctx, const struct stream_head *head, const void *p, size_t size,
     struct err *e)
{
    struct dataset *d = ctx;
    struct ids_file *f = &d->bin;
    bool first;
    size_t n;
    int rc = ids_file_head(f, head, &first, e);

    if (rc < 0)
        return rc;
    if (first) {
        f->width = f->vocab > 0 && f->vocab < NARROW_VOCAB ? 2 : 4;
        f->most = f->width == 2 ? UINT16_MAX : INT32_MAX;
    }
    rc = ids_file_add(f, p, size, &n, e);
    if (rc < 0 || n == 0)
        return rc;
    if (d->n == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 1024;
        d->length = mem_grow(d->length, d->cap * sizeof(*d->length));
    }
    d->length[d->n++] = (uint32_t)n; /* a record has 63 MiB at most */
    return 0;
}

/* A list of numbers of the index goes out when it has grown. */
static int
put_some(struct out *out, struct buf *b, bool all, struct err *e)
{
    int rc = 0;

    if (all || b->len >= (64u << 10)) {
        rc = out_write(out, b->data, b->len, e);
        buf_reset(b);
    }
    return rc;
}

static int
put_index(const struct dataset *d, struct out *out, struct err *e)
{
    uint64_t at = 0;
    struct buf b;
    size_t i;
    int rc = 0;

    buf_init(&b);
    buf_add(&b, MEGATRON_MAGIC, MEGATRON_MAGIC_BYTES);
    buf_u64(&b, MEGATRON_VERSION);
    buf_addc(&b, d->bin.width == 2 ? MEGATRON_U16 : MEGATRON_I32);
    buf_u64(&b, d->n);
    buf_u64(&b, d->n + 1);
    for (i = 0; i < d->n && rc == 0; i++) {
        buf_u32(&b, d->length[i]);
        rc = put_some(out, &b, false, e);
    }
    for (i = 0; i < d->n && rc == 0; i++) {
        buf_u64(&b, at);
        at += (uint64_t)d->length[i] * d->bin.width;
        rc = put_some(out, &b, false, e);
    }
    for (i = 0; i <= d->n && rc == 0; i++) {
        buf_u64(&b, i);
        rc = put_some(out, &b, false, e);
    }
    if (rc == 0)
        rc = put_some(out, &b, true, e);
    buf_release(&b);
    return rc;
}

/* The index, then both into their places; or neither. */
static int
commit(struct dataset *d, const char *bin, const char *idx, struct err *e)
{
    struct out out;
    struct err ignored;
    int rc = out_open(&out, idx, e);

    if (rc < 0)
        return rc;
    rc = put_index(d, &out, e);
    if (rc == 0) {
        rc = out_commit(&d->bin.out, e);
        if (rc == 0)
            rc = out_commit(&out, e);
        if (rc < 0) {
            path_remove(bin, &ignored);
            path_remove(idx, &ignored);
        }
    }
    out_release(&out);
    return rc;
}

int
export_megatron(struct export *x, const char *path, const char *in,
                const char *split, struct err *e)
{
    char *bin = megatron_path(path, ".bin");
    char *idx = megatron_path(path, ".idx");
    struct dataset d = {.n = 0};
    int rc;

    rc = ids_file_open(&d.bin, x, bin, e);
    if (rc == 0 && path_exists(idx))
        rc = err_set(e, ERR_EXISTS, "%s: exists", idx);
    if (rc == 0)
        rc = source_each(in, split, take, &d, e);
    if (rc == 0 && d.n == 0)
        rc = err_set(e, ERR_DATA, "%s: no tokens to write", in);
    if (rc == 0)
        rc = commit(&d, bin, idx, e);
    ids_file_release(&d.bin);
    free(d.length);
    free(bin);
    free(idx);
    return rc;
}
