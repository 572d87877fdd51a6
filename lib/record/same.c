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

/* A file or a document: begins what is compared of it, which its text ends;
 * that, or NULL. */
static const struct text_field *
begin_text(struct hash *h, const struct text_rec *r)
{
    const struct text_field *f = text_get(r, "text");

    hash_u64(h, r->kind);
    if (f)
        hash_u64(h, f->len);
    return f;
}

bool
same_edit(struct hash *h, const struct text_rec *r, const struct change *c)
{
    const struct text_field *f;

    if (r->kind != TEXT_COMMIT && r->kind != TEXT_CHAT) {
        f = begin_text(h, r);
        if (f)
            hash_add(h, f->data, f->len);
        return f != NULL;
    }
    hash_u64(h, r->kind);
    return r->kind == TEXT_COMMIT ? c && add_change(h, c) : add_chat(h, r);
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

uint64_t
same_commit(const struct text_rec *r)
{
    return number_of_field(r, "commit");
}

struct same
same_of(const struct text_rec *r, const struct change *c)
{
    struct same s = { 0 };
    struct hash h;
    struct id id;

    hash_init(&h);
    if (same_edit(&h, r, c)) {
        id = hash_id(&h);
        s.edit = number_of(&id);
    }
    if (r->kind == TEXT_COMMIT)
        s.content = number_of_field(r, "after_id");
    else if (r->kind == TEXT_FILE)
        s.content = number_of_field(r, "text");
    s.commit = same_commit(r);
    return s;
}

/* The hashes of a record: of all of it, of its edit and of its text. */
enum { WHOLE, EDIT, TEXT, HASHES };

/* Appends what is hashed of the record to part, which it returns; h[HASHES]
 * are its own. */
static struct hash_part *
add_parts(struct hash_part *part, struct hash *h, struct same_record *rec,
          struct text_rec *r)
{
    const struct text_field *f = NULL;
    struct err none;

    for (int i = 0; i < HASHES; i++)
        hash_init(&h[i]);
    *part++ = (struct hash_part){ &h[WHOLE], rec->p, rec->n };
    rec->known = false;
    rec->same = (struct same){ 0 };
    if (text_decode(r, rec->p, rec->n, &none) < 0
        || (r->kind != TEXT_FILE && r->kind != TEXT_DOC))
        return part;
    rec->known = true;
    rec->same.commit = same_commit(r);
    f = begin_text(&h[EDIT], r);
    if (!f)
        return part;
    rec->same.edit = 1;
    *part++ = (struct hash_part){ &h[EDIT], f->data, f->len };
    rec->same.content = r->kind == TEXT_FILE && f->len > 0;
    if (rec->same.content)
        *part++ = (struct hash_part){ &h[TEXT], f->data, f->len };
    return part;
}

/* What is 1 becomes the hash's number. */
static void
settle(uint64_t *v, const struct hash *h)
{
    struct id id;

    if (*v == 0)
        return;
    id = hash_id(h);
    *v = number_of(&id);
}

void
same_of_each(struct same_record *rec, size_t n)
{
    struct hash_part part[SAME_MOST * HASHES], *end = part;
    struct hash h[SAME_MOST][HASHES];
    struct text_rec r;

    text_init(&r);
    for (size_t i = 0; i < n; i++)
        end = add_parts(end, h[i], &rec[i], &r);
    text_release(&r);
    hash_add_each(part, (size_t)(end - part));
    for (size_t i = 0; i < n; i++) {
        rec[i].id = hash_id(&h[i][WHOLE]);
        settle(&rec[i].same.edit, &h[i][EDIT]);
        settle(&rec[i].same.content, &h[i][TEXT]);
    }
}
