/* export_llmc.c - token records to a file of llm.c: a header that says how
 * many ids there are, which is known at the end, and the ids. */

#include "base/bytes.h"
#include "record/export_ids.h"
#include "record/llmc.h"
#include "record/source.h"

static int
begin(struct ids_file *f, struct err *e)
{
    static const char zeros[LLMC_HEAD];

    if (f->vocab == 0)
        return err_set(e, ERR_DATA, "the stream does not say how large its "
                       "vocabulary is (see fromjsonl --vocab)");
    f->width = f->vocab <= UINT16_MAX + 1 ? 2 : 4;
    f->most = f->width == 2 ? UINT16_MAX : UINT32_MAX;
    return out_write(&f->out, zeros, sizeof(zeros), e);
}

/* Whether the ids end with the token that parts the stream's records. */
static bool
is_parted(const struct stream_head *head, const uint32_t *id, size_t n)
{
    uint64_t end;
    struct err e;

    return stream_head_get(head, "eos")
           && stream_head_get_u64(head, "eos", "stream", &end, &e) == 0
           && id[n - 1] == end;
}

static int
take(void *ctx, const struct stream_head *head, const void *p, size_t size,
     struct err *e)
{
    struct ids_file *f = ctx;
    bool first;
    size_t n;
    int rc = ids_file_head(f, head, &first, e);

    if (rc == 0 && first)
        rc = begin(f, e);
    if (rc == 0)
        rc = ids_file_add(f, p, size, &n, e);
    if (rc == 0 && n > 0)
        f->x->merged += !is_parted(head, f->ids, n);
    if (rc == 0 && f->x->tokens > INT32_MAX)
        rc = err_set(e, ERR_LIMIT, "llm.c counts %d tokens of a file at most",
                     INT32_MAX);
    return rc;
}

static int
put_head(struct ids_file *f, struct err *e)
{
    bool narrow = f->width == 2;
    char head[12];

    store_u32(head, narrow ? LLMC_GPT2_MAGIC : LLMC_LLAMA3_MAGIC);
    store_u32(head + 4, narrow ? LLMC_GPT2_VERSION : LLMC_LLAMA3_VERSION);
    store_u32(head + 8, (uint32_t)f->x->tokens);
    return out_replace(&f->out, 0, head, sizeof(head), e);
}

int
export_llmc(struct export *x, const char *path, const char *in,
            const char *split, struct err *e)
{
    struct ids_file f;
    int rc;

    rc = ids_file_open(&f, x, path, e);
    if (rc == 0)
        rc = source_each(in, split, take, &f, e);
    if (rc == 0 && x->tokens == 0)
        rc = err_set(e, ERR_DATA, "%s: no tokens to write", in);
    if (rc == 0)
        rc = put_head(&f, e);
    if (rc == 0)
        rc = out_commit(&f.out, e);
    ids_file_release(&f);
    return rc;
}
