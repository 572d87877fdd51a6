/* import_megatron.c - Megatron-LM's indexed dataset to token records.
 *
 * Both files are mapped. The index is checked whole against its own size,
 * each sequence against that of the ids, before any of them is read.
 * record/export_megatron.c has the bytes.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/progress.h"
#include "record/import.h"
#include "record/megatron.h"

struct dataset {
    char *bin_path, *idx_path;
    struct file_map bin, idx;
    enum megatron_type type;
    uint64_t width;          /* bytes of an id */
    uint64_t n, n_documents; /* sequences; documents */
    const uint8_t *length, *at, *document; /* the index's lists */
    uint32_t *ids;           /* of a record */
    size_t cap;
};

/* Bytes of an id of a type of whole numbers; 0 for others. */
static uint64_t
width_of(enum megatron_type type)
{
    switch (type) {
    case MEGATRON_U8:
    case MEGATRON_I8:
        return 1;
    case MEGATRON_I16:
    case MEGATRON_U16:
        return 2;
    case MEGATRON_I32:
        return 4;
    case MEGATRON_I64:
        return 8;
    default:
        return 0;
    }
}

char *
megatron_path(const char *prefix, const char *suffix)
{
    size_t n = strlen(prefix), k = strlen(suffix);
    char *path = mem_alloc(n + k + 1);

    memcpy(path, prefix, n);
    memcpy(path + n, suffix, k);
    return path;
}

/* The lists' places, once there is room for them in the file. */
static int
find_lists(struct dataset *d, uint64_t n_indices, struct err *e)
{
    uint64_t lengths, places, indices, all;

    if (!size_mul(d->n, 4, &lengths) || !size_mul(d->n, 8, &places)
        || !size_mul(n_indices, 8, &indices)
        || !size_add(lengths, places, &all)
        || !size_add(all, indices, &all)
        || !size_add(all, MEGATRON_HEAD, &all))
        all = UINT64_MAX;
    if (d->idx.n == all + d->n && d->n > 0)
        return err_set(e, ERR_DATA, "%s: has modes of sequences, as data of "
                       "several modalities do (expected text)", d->idx_path);
    if (d->idx.n != all)
        return err_set(e, ERR_DATA, "%s: size (found %zu bytes, expected %"
                       PRIu64 " for %" PRIu64 " sequences and %" PRIu64
                       " document indices)", d->idx_path, d->idx.n, all, d->n,
                       n_indices);
    d->length = d->idx.p + MEGATRON_HEAD;
    d->at = d->length + lengths;
    d->document = d->at + places;
    return 0;
}

static int
read_head(struct dataset *d, struct err *e)
{
    const uint8_t *p = d->idx.p;
    uint64_t version, n_indices;

    if (d->idx.n < MEGATRON_HEAD
        || memcmp(p, MEGATRON_MAGIC, MEGATRON_MAGIC_BYTES) != 0)
        return err_set(e, ERR_DATA, "%s: not an index of Megatron-LM",
                       d->idx_path);
    version = load_u64(p + 9);
    if (version != MEGATRON_VERSION)
        return err_set(e, ERR_DATA, "%s: version (found %" PRIu64
                       ", expected %d)", d->idx_path, version,
                       MEGATRON_VERSION);
    d->type = (enum megatron_type)p[17];
    d->width = width_of(d->type);
    if (d->width == 0)
        return err_set(e, ERR_DATA, "%s: type of ids (found %d, expected "
                       "whole numbers)", d->idx_path, p[17]);
    d->n = load_u64(p + 18);
    n_indices = load_u64(p + 26);
    if (n_indices == 0)
        return err_set(e, ERR_DATA, "%s: no document indices", d->idx_path);
    d->n_documents = n_indices - 1;
    return find_lists(d, n_indices, e);
}

/* Every sequence lies in the file of ids, and no ids lie behind all of them,
 * as they do where the index is of another file. */
static int
check_sequences(const struct dataset *d, struct err *e)
{
    uint64_t end = 0;

    for (uint64_t i = 0; i < d->n; i++) {
        uint64_t length = load_u32(d->length + 4 * i);
        uint64_t at = load_u64(d->at + 8 * i);

        if (length > INT32_MAX || at > d->bin.n
            || length * d->width > d->bin.n - at)
            return err_set(e, ERR_DATA, "%s: sequence %" PRIu64 " of %" PRIu64
                           " ids at byte %" PRIu64 " is not in %s (%zu "
                           "bytes)", d->idx_path, i, length, at, d->bin_path,
                           d->bin.n);
        if (at + length * d->width > end)
            end = at + length * d->width;
    }
    if (end != d->bin.n)
        return err_set(e, ERR_DATA, "%s: size (found %zu bytes, expected %"
                       PRIu64 " for the sequences of %s)", d->bin_path,
                       d->bin.n, end, d->idx_path);
    return 0;
}

/* Documents follow each other and take all sequences. */
static int
check_documents(const struct dataset *d, struct err *e)
{
    uint64_t i, now, last = 0;

    for (i = 0; i <= d->n_documents; i++) {
        now = load_u64(d->document + 8 * i);
        if ((i == 0 && now != 0) || now < last || now > d->n
            || (i == d->n_documents && now != d->n))
            return err_set(e, ERR_DATA, "%s: document index %" PRIu64
                           " (found %" PRIu64 " after %" PRIu64 " of %"
                           PRIu64 " sequences)", d->idx_path, i, now, last,
                           d->n);
        last = now;
    }
    return 0;
}

/* The number that an id of the type at p is, ids being no smaller than 0. */
static uint64_t
load_id(const struct dataset *d, const uint8_t *p)
{
    switch (d->width) {
    case 1:
        return d->type == MEGATRON_I8 && p[0] > INT8_MAX ? UINT64_MAX : p[0];
    case 2:
        return d->type == MEGATRON_I16 && load_u16(p) > INT16_MAX ?
               UINT64_MAX : load_u16(p);
    case 4:
        return load_u32(p) > INT32_MAX ? UINT64_MAX : load_u32(p);
    default:
        return load_u64(p);
    }
}

/* Appends sequence i to the n ids that d has. */
static int
add_sequence(struct dataset *d, uint64_t i, size_t *n, struct err *e)
{
    uint64_t k, id, length = load_u32(d->length + 4 * i);
    uint64_t at = load_u64(d->at + 8 * i);

    if (length > STREAM_RECORD_MAX / 2 - *n)
        return err_set(e, ERR_LIMIT, "%s: sequence %" PRIu64 ": a document of "
                       "more than %u ids", d->idx_path, i,
                       STREAM_RECORD_MAX / 2);
    if (*n + length > d->cap) {
        d->cap = *n + length + 4096;
        d->ids = mem_grow(d->ids, d->cap * sizeof(*d->ids));
    }
    for (k = 0; k < length; k++) {
        id = load_id(d, d->bin.p + at + k * d->width);
        if (id > UINT32_MAX)
            return err_set(e, ERR_DATA, "%s: byte %" PRIu64 ": an id that is "
                           "negative or over 2^32 - 1", d->bin_path,
                           at + k * d->width);
        d->ids[(*n)++] = (uint32_t)id;
    }
    return 0;
}

static int
put_document(struct import *m, struct dataset *d, uint64_t i, struct err *e)
{
    uint64_t k = load_u64(d->document + 8 * i);
    uint64_t end = load_u64(d->document + 8 * (i + 1));
    size_t n = 0;
    int rc = 0;

    for (; k < end && rc == 0; k++)
        rc = add_sequence(d, k, &n, e);
    if (rc < 0)
        return rc;
    rc = import_record(m, d->ids, n, e);
    if (rc < 0)
        err_prefix(e, "%s: document %" PRIu64, d->idx_path, i);
    return rc;
}

static int
put_all(struct import *m, struct dataset *d, struct err *e)
{
    uint64_t i;
    int rc;

    rc = read_head(d, e);
    if (rc == 0)
        rc = check_sequences(d, e);
    if (rc == 0)
        rc = check_documents(d, e);
    if (rc == 0)
        rc = import_begin(m, e);
    progress_begin("documents", 0, d->n_documents);
    for (i = 0; i < d->n_documents && rc == 0; i++) {
        rc = put_document(m, d, i, e);
        progress_add(1);
    }
    progress_end();
    return rc < 0 ? rc : import_end(m, e);
}

int
import_megatron(struct import *m, const char *path, struct err *e)
{
    struct dataset d = {
        .bin_path = megatron_path(path, ".bin"),
        .idx_path = megatron_path(path, ".idx"),
    };
    int rc;

    rc = file_map_open(&d.idx, d.idx_path, e);
    if (rc < 0)
        goto out;
    rc = file_map_open(&d.bin, d.bin_path, e);
    if (rc == 0) {
        rc = put_all(m, &d, e);
        file_map_release(&d.bin);
    }
    file_map_release(&d.idx);
out:
    free(d.ids);
    free(d.bin_path);
    free(d.idx_path);
    return rc;
}
