/* likeness.c - what of a record is compared. */
#include "record/likeness.h"

#include <string.h>

#include "record/same.h"
#include "text/shingles.h"

void
likeness_init(struct likeness *l)
{
    texts_init(&l->texts);
    for (int i = 0; i < 2; i++)
        buf_init(&l->side[i]);
}

void
likeness_release(struct likeness *l)
{
    texts_release(&l->texts);
    for (int i = 0; i < 2; i++)
        buf_release(&l->side[i]);
}

static void
add_shingle(void *ctx, uint64_t hash, bool words)
{
    (void)words;
    minhash_add(ctx, hash);
}

/* One more text. Those of another kind of record or part of it are never the
 * same. */
static void
add_text(struct likeness *l, int part, const char *p, size_t n)
{
    uint64_t seed = 2 * (uint64_t)l->texts.rec.kind + (uint64_t)part;

    l->tokens += shingles_of(p, n, seed, SHINGLE_TOKENS, add_shingle,
                             &l->sketch);
}

static void
add_line(struct buf *b, const struct change_line *line)
{
    buf_add(b, line->p, line->n);
    buf_addc(b, '\n');
}

/* The lines that were added and removed. */
static void
of_commit(struct likeness *l)
{
    const struct change *c = &l->texts.change;

    for (int i = 0; i < 2; i++)
        buf_reset(&l->side[i]);
    for (size_t i = 0; i < c->n_lines; i++) {
        const struct change_line *line = &c->line[i];

        if (line->kind != ' ')
            add_line(&l->side[line->kind == '+'], line);
    }
    for (int i = 0; i < 2; i++)
        add_text(l, i, l->side[i].data, l->side[i].len);
}

static void
of_chat(struct likeness *l)
{
    struct text_message m;
    size_t at = 0;

    while (text_next_message(&l->texts.rec, &at, &m)) {
        add_text(l, 0, m.content->data, m.content->len);
        if (m.json)
            add_text(l, 1, m.json->data, m.json->len);
    }
}

static void
of_text(struct likeness *l)
{
    const struct text_field *f = text_get(&l->texts.rec, "text");

    if (f)
        add_text(l, 0, f->data, f->len);
}

int
likeness_of(struct likeness *l, const void *p, size_t n,
            struct banding banding, struct kept_look *look, bool *there,
            struct err *e)
{
    struct text_rec *r = &l->texts.rec;
    const struct text_field *f;
    struct id body;
    struct hash h;
    int rc = text_decode(r, p, n, e);

    if (rc < 0)
        return rc;
    f = r->kind == TEXT_COMMIT ? text_get(r, "change") : NULL;
    rc = f ? change_decode(&l->texts.change, f->data, f->len, e) : 0;
    if (rc < 0)
        return rc;
    l->tokens = 0;
    minhash_begin(&l->sketch);
    if (f)
        of_commit(l);
    else if (r->kind == TEXT_CHAT)
        of_chat(l);
    else if (r->kind != TEXT_COMMIT)
        of_text(l);
    hash_init(&h);
    *there = same_edit(&h, r, f ? &l->texts.change : NULL,
                       text_body(r, &body));
    look->id = hash_id(&h);
    look->near = l->tokens >= LIKENESS_TOKENS;
    if (look->near)
        minhash_end(&l->sketch, banding, &look->sketch);
    return 0;
}

static void
take_side(struct likeness *l, int side, text_taker *take, void *ctx)
{
    buf_reset(&l->texts.side);
    change_side(&l->texts.side, &l->texts.change, side);
    take(ctx, l->texts.side.data, l->texts.side.len);
}

void
likeness_texts(struct likeness *l, text_taker *take, void *ctx)
{
    const struct text_rec *r = &l->texts.rec;
    bool commit = r->kind == TEXT_COMMIT;

    for (size_t i = 0; i < r->n; i++) {
        const char *name = r->field[i].name;

        if (strcmp(name, "text") == 0 || strcmp(name, "content") == 0
            || strcmp(name, "message_json") == 0
            || (commit && strcmp(name, "subject") == 0)
            || (commit && strcmp(name, "body") == 0))
            take(ctx, r->field[i].data, r->field[i].len);
    }
    if (!commit || !text_get(r, "change"))
        return;
    take_side(l, CHANGE_AFTER, take, ctx);
    take_side(l, CHANGE_BEFORE, take, ctx);
}
