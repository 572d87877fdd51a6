/* texts.c - one after another, the texts of a record by its kind. */
#include "record/texts.h"

void
texts_init(struct texts *t)
{
    text_init(&t->rec);
    change_init(&t->change);
    buf_init(&t->side);
}

void
texts_release(struct texts *t)
{
    text_release(&t->rec);
    change_release(&t->change);
    buf_release(&t->side);
}

static void
of_field(const struct text_rec *r, const char *name, text_taker *take,
         void *ctx)
{
    const struct text_field *f = text_get(r, name);

    if (f != NULL)
        take(ctx, f->data, f->len);
}

/* What a commit left, or took away; where the file came from, its lines were
 * given before. */
static int
of_change(struct texts *t, text_taker *take, void *ctx, struct err *e)
{
    const struct text_field *f = text_get(&t->rec, "change");
    int rc;

    if (f == NULL)
        return 0;
    rc = change_decode(&t->change, f->data, f->len, e);
    if (rc < 0)
        return rc;
    buf_reset(&t->side);
    change_side(&t->side, &t->change,
                t->change.present[CHANGE_AFTER] ? CHANGE_AFTER
                                                : CHANGE_BEFORE);
    take(ctx, t->side.data, t->side.len);
    return 0;
}

static void
of_chat(const struct text_rec *r, text_taker *take, void *ctx)
{
    struct text_message m;
    size_t at = 0;

    while (text_next_message(r, &at, &m)) {
        take(ctx, m.content->data, m.content->len);
        if (m.json)
            take(ctx, m.json->data, m.json->len);
    }
}

int
texts_of(struct texts *t, const void *p, size_t n, text_taker *take,
         void *ctx, struct err *e)
{
    int rc = text_decode(&t->rec, p, n, e);

    if (rc < 0)
        return rc;
    switch (t->rec.kind) {
    case TEXT_COMMIT:
        of_field(&t->rec, "subject", take, ctx);
        of_field(&t->rec, "body", take, ctx);
        return of_change(t, take, ctx, e);
    case TEXT_CHAT:
        of_chat(&t->rec, take, ctx);
        return 0;
    default:
        of_field(&t->rec, "text", take, ctx);
        return 0;
    }
}
