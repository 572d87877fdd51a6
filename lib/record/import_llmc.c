/* import_llmc.c - a file of llm.c's tokens to token records, each cut where
 * a document ends; record/llmc.h has the bytes. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/progress.h"
#include "record/import.h"
#include "record/llmc.h"

#define SOME (64 << 10) /* ids are read at once */

struct file {
    struct import *m;
    struct in in;
    unsigned width;
    uint64_t left; /* ids that the header tells of */
    bool before;   /* the end token stands before each document */
    uint32_t *ids; /* of the document that is being read */
    size_t n, cap;
};

static int
read_head(struct file *f, struct err *e)
{
    uint8_t head[LLMC_HEAD];
    uint32_t magic, version;
    size_t got;
    int rc;

    rc = in_read(&f->in, head, sizeof(head), &got, e);
    if (rc < 0)
        return rc;
    if (got < sizeof(head))
        return err_set(e, ERR_DATA, "%s: header cut short (found %zu bytes, "
                       "expected %d)", f->in.name, got, LLMC_HEAD);
    magic = load_u32(head);
    version = load_u32(head + 4);
    if (magic == LLMC_GPT2_MAGIC && version == LLMC_GPT2_VERSION)
        f->width = 2;
    else if (magic == LLMC_LLAMA3_MAGIC && version == LLMC_LLAMA3_VERSION)
        f->width = 4;
    else
        return err_set(e, ERR_DATA, "%s: not tokens of llm.c (found magic %"
                       PRIu32 " version %" PRIu32 ", expected %d version %d "
                       "or %d version %d)", f->in.name, magic, version,
                       LLMC_GPT2_MAGIC, LLMC_GPT2_VERSION, LLMC_LLAMA3_MAGIC,
                       LLMC_LLAMA3_VERSION);
    f->left = load_u32(head + 8);
    if (f->left > INT32_MAX)
        return err_set(e, ERR_DATA, "%s: number of tokens is negative",
                       f->in.name);
    if (f->in.size > 0 && f->in.size != LLMC_HEAD + f->left * f->width)
        return err_set(e, ERR_DATA, "%s: size (found %" PRIu64 " bytes, "
                       "expected %" PRIu64 " for %" PRIu64 " tokens)",
                       f->in.name, f->in.size,
                       LLMC_HEAD + f->left * f->width, f->left);
    return 0;
}

static int
put_document(struct file *f, struct err *e)
{
    int rc = f->n > 0 ? import_record(f->m, f->ids, f->n, e) : 0;

    f->n = 0;
    return rc < 0 ? err_prefix(e, "%s", f->in.name) : 0;
}

static int
add_id(struct file *f, uint32_t id, struct err *e)
{
    bool ends = f->m->parted && id == f->m->end;
    int rc = 0;

    if (ends && f->n == 0 && f->m->records == 0)
        f->before = true;
    if (ends && f->before)
        rc = put_document(f, e);
    if (rc < 0)
        return rc;
    if (f->n == STREAM_RECORD_MAX / 4)
        return err_set(e, ERR_LIMIT, "%s: a document of more than %zu ids: "
                       "which token ends one? (see --end)", f->in.name, f->n);
    if (f->n == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 4096;
        f->ids = mem_grow(f->ids, f->cap * sizeof(*f->ids));
    }
    f->ids[f->n++] = id;
    return ends && !f->before ? put_document(f, e) : 0;
}

static int
read_some(struct file *f, uint8_t *data, struct err *e)
{
    size_t i, n = f->left < SOME ? (size_t)f->left : SOME, got;
    int rc = in_read(&f->in, data, n * f->width, &got, e);

    if (rc < 0)
        return rc;
    if (got < n * f->width)
        return err_set(e, ERR_DATA, "%s: byte %" PRIu64 ": cut short (%"
                       PRIu64 " tokens missing)", f->in.name, f->in.at,
                       f->left - got / f->width);
    for (i = 0; i < n && rc == 0; i++)
        rc = add_id(f, f->width == 2 ? load_u16(data + 2 * i) :
                                       load_u32(data + 4 * i), e);
    f->left -= n;
    progress_part(NULL, f->in.at, f->in.size);
    progress_add(n);
    return rc;
}

static int
read_all(struct file *f, struct err *e)
{
    uint8_t *data = mem_alloc(SOME * sizeof(uint32_t));
    size_t got;
    int rc = read_head(f, e);

    if (rc == 0)
        rc = import_begin(f->m, e);
    progress_begin("tokens", 0, f->left);
    while (rc == 0 && f->left > 0)
        rc = read_some(f, data, e);
    progress_end();
    if (rc == 0)
        rc = put_document(f, e);
    if (rc == 0)
        rc = in_read(&f->in, data, 1, &got, e);
    if (rc == 0 && got > 0)
        rc = err_set(e, ERR_DATA, "%s: bytes behind the last token",
                     f->in.name);
    free(data);
    return rc < 0 ? rc : import_end(f->m, e);
}

int
import_llmc(struct import *m, const char *path, struct err *e)
{
    struct file f = {.m = m};
    int rc;

    rc = in_open(&f.in, path, e);
    if (rc < 0)
        return rc;
    rc = read_all(&f, e);
    in_release(&f.in);
    free(f.ids);
    return rc;
}
