/* detokenizing.c - segments of token records back to their texts. */
#include "record/detokenizing.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/progress.h"
#include "record/tokens.h"

void
detokenizing_init(struct detokenizing *d)
{
    memset(d, 0, sizeof(*d));
    buf_init(&d->text);
    buf_init(&d->rec);
    text_init(&d->doc);
}

void
detokenizing_release(struct detokenizing *d)
{
    buf_release(&d->text);
    buf_release(&d->rec);
    text_release(&d->doc);
    free(d->ids);
    d->ids = NULL;
}

/* The record's text into d->text. */
static int
decode(struct detokenizing *d, const struct stream_rec *rec, struct err *e)
{
    const uint32_t *id;
    struct tokens t;
    size_t n;
    int rc;

    rc = tokens_decode(&t, rec->p, rec->n, d->t->n, e);
    if (rc < 0)
        return rc;
    if (t.n > d->cap) {
        d->cap = t.n;
        d->ids = mem_grow(d->ids, d->cap * sizeof(d->ids[0]));
    }
    tokens_ids(&t, d->ids);
    n = t.n;
    if (n > 0 && d->ids[n - 1] == d->end)
        n--;
    id = d->ids;
    if (n > 0 && *id == d->begin) {
        id++;
        n--;
    }
    buf_reset(&d->text);
    tokenizer_decode(d->t, id, n, &d->text);
    d->skip = tokenizer_prepended(d->t, id, n);
    return 0;
}

static int
put(struct detokenizing *d, struct err *e)
{
    int rc;

    if (!d->stream)
        return out_write(d->bytes, d->text.data + d->skip,
                         d->text.len - d->skip, e);
    text_begin(&d->doc, TEXT_DOC);
    text_add(&d->doc, "text", d->text.data + d->skip, d->text.len - d->skip);
    buf_reset(&d->rec);
    rc = text_encode(&d->rec, &d->doc, e);
    return rc < 0 ? rc : stream_out_record(d->stream, d->rec.data,
                                           d->rec.len, e);
}

static int
begin(struct detokenizing *d, const struct stream_head *from,
      const char *prov, struct err *e)
{
    struct stream_head head;
    int rc;

    stream_head_copy(&head, from);
    stream_head_set_type(&head, "text");
    stream_head_drop(&head, "vocab");
    stream_head_drop(&head, TOKENS_ID_BYTES);
    stream_head_drop(&head, "tokenizer");
    stream_head_drop(&head, "eos");
    stream_head_drop(&head, "loss");
    stream_head_prov(&head, prov);
    rc = stream_out_begin(d->stream, &head, e);
    stream_head_release(&head);
    return rc;
}

static int
check_tokenizer(const struct detokenizing *d, const struct stream_in *in,
                struct err *e)
{
    const char *made_by = stream_head_get(&in->head, "tokenizer");
    char hex[ID_HEX + 1];

    id_hex(&d->t->id, hex);
    if (made_by && strcmp(made_by, hex) != 0)
        return err_set(e, ERR_DATA, "%s: made with another tokenizer (found "
                       "%.16s..., expected %.16s...)", in->in.name, made_by,
                       hex);
    return 0;
}

int
detokenizing_segment(struct detokenizing *d, struct stream_in *in,
                     const char *prov, struct err *e)
{
    struct stream_rec rec;
    int rc = check_tokenizer(d, in, e);

    if (rc == 0 && d->stream)
        rc = begin(d, &in->head, prov, e);
    while (rc == 0 && (rc = stream_in_record(in, &rec, e)) > 0) {
        rc = decode(d, &rec, e);
        if (rc == 0)
            rc = put(d, e);
        progress_part(NULL, in->in.at, in->in.size);
        progress_add(1);
        if (rc < 0)
            err_prefix(e, "%s: record %" PRIu64, in->in.name, rec.index);
    }
    if (rc < 0 || !d->stream)
        return rc;
    return stream_pass_end(d->stream, in, e);
}
