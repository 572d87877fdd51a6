/* same.c - what of a record is hashed to be compared. */
#include "record/same.h"

#include <string.h>

#include "base/bytes.h"

/* Bytes on their way to a hash, which takes few large pieces sooner. */
struct piece {
    struct hash *h;
    size_t n;
    char p[4096];
};

static void
piece_end(struct piece *b)
{
    hash_add(b->h, b->p, b->n);
    b->n = 0;
}

static void
piece_add(struct piece *b, const char *p, size_t n)
{
    if (n > sizeof(b->p) - b->n)
        piece_end(b);
    if (n > sizeof(b->p)) {
        hash_add(b->h, p, n);
        return;
    }
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

/* The lines in their order, with what they are, as a unified diff has them. */
static bool
add_change(struct hash *h, const struct change *c)
{
    struct piece b;
    bool any = false;

    b.h = h;
    b.n = 0;
    for (size_t i = 0; i < c->n_lines; i++) {
        const struct change_line *line = &c->line[i];

        if (line->kind == ' ')
            continue;
        any = true;
        piece_add(&b, &line->kind, 1);
        piece_add(&b, line->p, line->n);
        piece_add(&b, "\n\\", line->no_newline ? 2 : 1);
    }
    piece_end(&b);
    return any;
}

static bool
add_chat(struct hash *h, const struct text_rec *r)
{
    struct text_message m;
    bool any = false;
    size_t at = 0;

    while (text_next_message(r, &at, &m)) {
        any = true;
        hash_field(h, m.role->data, m.role->len);
        hash_field(h, m.content->data, m.content->len);
        if (m.json)
            hash_field(h, m.json->data, m.json->len);
    }
    return any;
}

bool
same_edit(struct hash *h, const struct text_rec *r, const struct change *c,
          const struct id *body)
{
    hash_u64(h, r->kind);
    if (r->kind == TEXT_COMMIT)
        return c && add_change(h, c);
    if (r->kind == TEXT_CHAT)
        return add_chat(h, r);
    if (body)
        hash_add(h, body->b, ID_BYTES);
    return body != NULL;
}

/* Of a hash: never 0. */
static uint64_t
number_of(const struct id *id)
{
    uint64_t v = load_u64(id->b);

    return v > 0 ? v : 1;
}

static uint64_t
number_of_field(const struct text_rec *r, const char *name)
{
    const struct text_field *f = text_get(r, name);
    struct id id;

    if (!f || f->len == 0)
        return 0;
    id = id_of(f->data, f->len);
    return number_of(&id);
}

/* All empty files are alike: that tells nothing. */
static uint64_t
number_of_text(const struct text_rec *r, const struct id *body)
{
    return body && text_get(r, "text")->len > 0 ? number_of(body) : 0;
}

uint64_t
same_commit(const struct text_rec *r)
{
    return number_of_field(r, "commit");
}

struct same
same_of(const struct text_rec *r, const struct change *c,
        const struct id *body)
{
    struct same s = { 0 };
    struct hash h;
    struct id id;

    hash_init(&h);
    if (same_edit(&h, r, c, body)) {
        id = hash_id(&h);
        s.edit = number_of(&id);
    }
    if (r->kind == TEXT_COMMIT)
        s.content = number_of_field(r, "after_id");
    else if (r->kind == TEXT_FILE)
        s.content = number_of_text(r, body);
    s.commit = same_commit(r);
    return s;
}
