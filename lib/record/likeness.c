/* likeness.c - what of a record is compared. */
#include "record/likeness.h"

#include <string.h>

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

/* The lines that were added and removed; their id has them in their order,
 * with what they are, as a unified diff has them. */
static int
of_commit(struct likeness *l, struct hash *h, bool *there, struct err *e)
{
    const struct text_field *f = text_get(&l->texts.rec, "change");
    struct change *c = &l->texts.change;
    int rc;

    if (!f)
        return 0;
    rc = change_decode(c, f->data, f->len, e);
    if (rc < 0)
        return rc;
    buf_reset(&l->texts.side);
    for (int i = 0; i < 2; i++)
        buf_reset(&l->side[i]);
    for (size_t i = 0; i < c->n_lines; i++) {
        const struct change_line *line = &c->line[i];

        if (line->kind == ' ')
            continue;
        add_line(&l->side[line->kind == '+'], line);
        buf_addc(&l->texts.side, line->kind);
        add_line(&l->texts.side, line);
        if (line->no_newline)
            buf_addc(&l->texts.side, '\\');
    }
    *there = l->texts.side.len > 0;
    hash_add(h, l->texts.side.data, l->texts.side.len);
    for (int i = 0; i < 2; i++)
        add_text(l, i, l->side[i].data, l->side[i].len);
    return 0;
}

static void
of_chat(struct likeness *l, struct hash *h, bool *there)
{
    struct text_message m;
    size_t at = 0;

    while (text_next_message(&l->texts.rec, &at, &m)) {
        *there = true;
        hash_field(h, m.role->data, m.role->len);
        hash_field(h, m.content->data, m.content->len);
        add_text(l, 0, m.content->data, m.content->len);
        if (!m.json)
            continue;
        hash_field(h, m.json->data, m.json->len);
        add_text(l, 1, m.json->data, m.json->len);
    }
}

static void
of_text(struct likeness *l, struct hash *h, bool *there)
{
    const struct text_field *f = text_get(&l->texts.rec, "text");

    if (!f)
        return;
    *there = true;
    hash_field(h, f->data, f->len);
    add_text(l, 0, f->data, f->len);
}

int
likeness_of(struct likeness *l, const void *p, size_t n,
            struct banding banding, struct kept_look *look, bool *there,
            struct err *e)
{
    struct hash h;
    int rc = text_decode(&l->texts.rec, p, n, e);

    if (rc < 0)
        return rc;
    *there = false;
    l->tokens = 0;
    minhash_begin(&l->sketch);
    hash_init(&h);
    hash_u64(&h, l->texts.rec.kind);
    if (l->texts.rec.kind == TEXT_COMMIT)
        rc = of_commit(l, &h, there, e);
    else if (l->texts.rec.kind == TEXT_CHAT)
        of_chat(l, &h, there);
    else
        of_text(l, &h, there);
    if (rc < 0)
        return rc;
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
