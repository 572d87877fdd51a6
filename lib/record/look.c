/* look.c - decodes a record by its stream's type, and of a text record the
 * change in it, for the checks that decoding is. */
#include "record/look.h"

#include <string.h>

#include "record/tensor.h"
#include "record/tokens.h"

void
look_init(struct look *d)
{
    text_init(&d->text);
    change_init(&d->change);
}

void
look_release(struct look *d)
{
    text_release(&d->text);
    change_release(&d->change);
}

static int
look_at_text(struct look *d, const struct stream_rec *rec, struct err *e)
{
    const struct text_field *f;
    int rc = text_decode(&d->text, rec->p, rec->n, e);

    f = rc == 0 ? text_get(&d->text, "change") : NULL;
    return f ? change_decode(&d->change, f->data, f->len, e) : rc;
}

static int
look_at_tokens(const struct stream_head *head, const struct stream_rec *rec,
               struct err *e)
{
    struct tokens tokens;
    uint64_t vocab = 0;
    int rc = 0;

    if (stream_head_get(head, "vocab"))
        rc = stream_head_get_u64(head, "vocab", "stream", &vocab, e);
    return rc < 0 ? rc : tokens_decode(&tokens, rec->p, rec->n, vocab, e);
}

int
look_at(void *ctx, const struct stream_head *head,
        const struct stream_rec *rec, struct err *e)
{
    struct tensor_desc tensor;
    struct asset asset;

    if (rec->kind == FRAME_TENSOR)
        return tensor_decode(&tensor, rec->p, rec->n, rec->data, e);
    if (strcmp(head->type, "text") == 0)
        return look_at_text(ctx, rec, e);
    if (strcmp(head->type, "tokens") == 0)
        return look_at_tokens(head, rec, e);
    if (strcmp(head->type, "weights") == 0)
        return asset_decode(&asset, rec->p, rec->n, e);
    return err_set(e, ERR_DATA, "unknown type of records %s", head->type);
}
