/* look.c - decodes a record by its stream's type, and of a text record the
 * change in it, for the checks that decoding is. */
#include "record/look.h"

#include <inttypes.h>
#include <string.h>

#include "record/tensor.h"
#include "record/tokens.h"
#include "record/vector.h"

void
look_init(struct look *d)
{
    memset(d, 0, sizeof(*d));
    text_init(&d->text);
    change_init(&d->change);
}

void
look_release(struct look *d)
{
    text_release(&d->text);
    change_release(&d->change);
    leaks_release(&d->leaks);
}

static int
look_at_text(struct look *d, const struct stream_rec *rec, struct err *e)
{
    const struct text_field *f;
    struct same same;
    struct id body;
    int rc = text_decode(&d->text, rec->p, rec->n, e);

    f = rc == 0 ? text_get(&d->text, "change") : NULL;
    if (f)
        rc = change_decode(&d->change, f->data, f->len, e);
    if (rc < 0 || !d->set)
        return rc;
    same = same_of(&d->text, f ? &d->change : NULL, text_body(&d->text, &body));
    leaks_add(&d->leaks, &same);
    return 0;
}

/* Record i of the set, against what its lengths say of it. */
static int
compare_length(const struct look *d, uint64_t i, const struct tokens *t,
               struct err *e)
{
    struct record_length found = length_of(t), told = lengths_at(d->lengths, i);
    const char *split = manifest_split_of(d->set, i);

    if (length_equal(&found, &told))
        return 0;
    return err_set(e, ERR_DATA, "is not as %s has record %" PRIu64 " (split "
                   "%s): found %" PRIu32 " tokens, %" PRIu32 " of the "
                   "target, ordinal %" PRIu64 ", time %" PRId64 ", expected "
                   "%" PRIu32 ", %" PRIu32 ", %" PRIu64 ", %" PRId64,
                   d->set->lengths.name, i, split ? split : "none",
                   found.tokens, found.target, found.ordinal, found.time,
                   told.tokens, told.target, told.ordinal, told.time);
}

static int
look_at_tokens(struct look *d, const struct stream_head *head,
               const struct stream_rec *rec, struct err *e)
{
    struct tokens tokens;
    enum tokens_loss loss;
    uint64_t vocab, i = d->n_tokens++;
    bool wide;
    int rc = tokens_loss_of(head, "stream", &loss, e);

    if (rc == 0)
        rc = tokens_head_read(head, "stream", &vocab, &wide, e);
    if (rc == 0)
        rc = tokens_decode(&tokens, rec->p, rec->n, vocab, e);
    if (rc == 0 && wide && tokens.width == 3)
        rc = err_set(e, ERR_DATA, "token record: ids of three bytes in a "
                     "stream without " TOKENS_ID_BYTES);
    if (rc == 0 && d->lengths && i < d->lengths->n)
        rc = compare_length(d, i, &tokens, e);
    if (rc == 0 && d->set)
        leaks_add(&d->leaks, &tokens.origin.same);
    return rc;
}

static int
look_at_vector(const struct stream_head *head, const struct stream_rec *rec,
               struct err *e)
{
    struct vector v;
    uint64_t dim;
    int rc = vector_dim(head, "stream", &dim, e);

    return rc == 0 ? vector_decode(&v, rec->p, rec->n, dim, e) : rc;
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
        return look_at_tokens(ctx, head, rec, e);
    if (strcmp(head->type, "vectors") == 0)
        return look_at_vector(head, rec, e);
    if (strcmp(head->type, "weights") == 0)
        return asset_decode(&asset, rec->p, rec->n, e);
    return err_set(e, ERR_DATA, "unknown type of records %s", head->type);
}
