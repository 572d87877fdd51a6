/* card_facts.c - one pass over the records of a set; only counts are kept. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "record/card_parts.h"
#include "record/lengths.h"
#include "record/source.h"

#define NAME_BYTES 256 /* of a name that records are told apart by */

static void
sums_add(struct card_sums *s, const struct card_sums *one, uint64_t unit)
{
    s->records++;
    s->units += s->last_unit != unit;
    s->last_unit = unit;
    s->tokens += one->tokens;
    s->learned += one->learned;
    s->bytes += one->bytes;
    s->authors += one->authors;
    if (one->begin[0]) {
        memcpy(s->end, one->begin, sizeof(s->end));
        if (!s->begin[0])
            memcpy(s->begin, one->begin, sizeof(s->begin));
    }
    if (!one->timed)
        return;
    if (!s->timed || one->first < s->first)
        s->first = one->first;
    if (!s->timed || one->first > s->last)
        s->last = one->first;
    s->timed = true;
}

static struct card_sums *
named(struct card_names *names, const char *p, size_t n)
{
    struct map_entry *entry;

    if (n == 0)
        return &names->none;
    if (n > NAME_BYTES)
        return &names->others;
    entry = map_get(&names->map, p, n);
    if (!entry && names->map.n == CARD_NAMES)
        return &names->others;
    if (!entry)
        entry = map_put(&names->map, p, n, names->map.n, NULL);
    return &names->sums[entry->value];
}

static struct card_sums *
named_by(struct card_names *names, const struct text_rec *r,
         const char *field)
{
    const struct text_field *f = text_get(r, field);

    return f ? named(names, f->data, f->len) : &names->none;
}

/* The sums of the split that the record is in. */
static struct card_sums *
split_at(struct card_facts *f, uint64_t i)
{
    for (size_t n = 0; n < f->m->n_splits; n++)
        if (manifest_split_has(&f->m->split[n], &f->range[n], i))
            return &f->split[n];
    return &f->unsplit;
}

static void
note_length(struct card_facts *f, uint64_t n)
{
    int bits = n ? 64 - __builtin_clzll(n) : 0;

    f->length[bits]++;
    if (f->index == 0 || n < f->shortest)
        f->shortest = n;
    if (n > f->longest)
        f->longest = n;
}

/* ---- records of tokens ---- */

/* Whether the record is of another commit than the one before. */
static bool
other_origin(const struct card_facts *f, const struct tokens_origin *o)
{
    return f->unit == 0 || o->ordinal != f->origin.ordinal
           || o->time != f->origin.time
           || o->same.commit != f->origin.same.commit;
}

static int
take_tokens(struct card_facts *f, const void *p, size_t n, struct err *e)
{
    struct card_sums one = {.records = 1};
    struct record_length length;
    struct tokens t;
    int rc = tokens_decode(&t, p, n, 0, e);

    if (rc < 0)
        return rc;
    length = length_of(&t);
    one.tokens = t.n;
    one.learned = length_learned(&length, f->loss);
    one.first = t.origin.time;
    one.timed = t.origin.time != 0;
    f->unit += other_origin(f, &t.origin);
    f->origin = t.origin;
    note_length(f, t.n);
    sums_add(&f->all, &one, f->unit);
    sums_add(split_at(f, f->index), &one, f->unit);
    sums_add(named(&f->langs, t.origin.lang.p, t.origin.lang.n), &one,
             f->unit);
    sums_add(named(&f->repos, t.origin.repo.p, t.origin.repo.n), &one,
             f->unit);
    return 0;
}

/* ---- records of text ---- */

/* Bytes of what there is to learn from. */
static uint64_t
text_bytes(const struct text_rec *r)
{
    const struct text_field *f;
    struct text_message m;
    size_t at = 0;
    uint64_t n = 0;

    while (text_next_message(r, &at, &m))
        n += m.content->len;
    f = text_get(r, r->kind == TEXT_COMMIT ? "change" : "text");
    return r->kind == TEXT_CHAT || !f ? n : f->len;
}

/* Whether the record is of another commit than the one before. */
static bool
another(struct card_facts *f, const struct text_rec *r)
{
    const struct text_field *repo = text_get(r, "repo");
    const struct text_field *commit = text_get(r, "commit");
    struct buf key;
    bool same;

    if (r->kind != TEXT_COMMIT || !commit) {
        buf_reset(&f->unit_key);
        return true;
    }
    buf_init(&key);
    buf_add(&key, commit->data, commit->len);
    buf_addc(&key, '\0');
    if (repo)
        buf_add(&key, repo->data, repo->len);
    same = key.len == f->unit_key.len
           && memcmp(key.data, f->unit_key.data, key.len) == 0;
    buf_reset(&f->unit_key);
    buf_add(&f->unit_key, key.data, key.len);
    buf_release(&key);
    return !same;
}

/* Whether it is the first record of its author in its repository. */
static bool
new_author(struct card_facts *f, const struct text_rec *r)
{
    const struct text_field *repo = text_get(r, "repo");
    const struct text_field *author = text_get(r, "author");
    bool added = false;
    struct buf key;

    if (!author || author->len > NAME_BYTES
        || (repo && repo->len > NAME_BYTES))
        return false;
    buf_init(&key);
    buf_add(&key, author->data, author->len);
    buf_addc(&key, '\0');
    if (repo)
        buf_add(&key, repo->data, repo->len);
    if (f->authors.n < CARD_AUTHORS)
        map_put(&f->authors, key.data, key.len, 0, &added);
    else if (!map_get(&f->authors, key.data, key.len))
        f->many_authors = true;
    buf_release(&key);
    return added;
}

static int
take_text(struct card_facts *f, const void *p, size_t n, struct err *e)
{
    const struct text_rec *r = &f->text;
    const struct text_field *commit;
    struct card_sums one = {.records = 1};
    int rc = text_decode(&f->text, p, n, e);
    struct err no_time;

    if (rc < 0)
        return rc;
    one.timed = text_get(r, "time")
                && text_i64(r, "time", 0, &one.first, &no_time) == 0;
    one.bytes = text_bytes(r);
    one.authors = new_author(f, r);
    commit = text_get(r, "commit");
    if (commit && commit->len < sizeof(one.begin))
        memcpy(one.begin, commit->data, commit->len);
    f->unit += another(f, r);
    f->kind[r->kind]++;
    note_length(f, one.bytes);
    sums_add(&f->all, &one, f->unit);
    sums_add(split_at(f, f->index), &one, f->unit);
    sums_add(named_by(&f->langs, r, "lang"), &one, f->unit);
    sums_add(named_by(&f->repos, r, "repo"), &one, f->unit);
    if (r->kind == TEXT_COMMIT || r->kind == TEXT_FILE)
        sums_add(named_by(&f->licenses, r, "license"), &one, f->unit);
    return 0;
}

static int
take(void *ctx, const struct stream_head *head, const void *p, size_t n,
     struct err *e)
{
    struct card_facts *f = ctx;
    int rc;

    (void)head;
    rc = f->tokens ? take_tokens(f, p, n, e) : take_text(f, p, n, e);
    f->index++;
    return rc;
}

int
card_facts_read(struct card_facts *f, const struct manifest *m,
                const char *dir, struct err *e)
{
    int rc = 0;

    memset(f, 0, sizeof(*f));
    f->m = m;
    f->tokens = strcmp(m->head.type, "tokens") == 0;
    f->split = mem_array(m->n_splits, sizeof(*f->split));
    f->range = mem_array(m->n_splits, sizeof(*f->range));
    map_init(&f->langs.map);
    map_init(&f->repos.map);
    map_init(&f->licenses.map);
    map_init(&f->authors);
    text_init(&f->text);
    buf_init(&f->unit_key);
    if (f->tokens)
        rc = tokens_loss_of(&m->head, dir, &f->loss, e);
    return rc < 0 ? rc : source_each(dir, NULL, take, f, e);
}

void
card_facts_release(struct card_facts *f)
{
    map_release(&f->langs.map);
    map_release(&f->repos.map);
    map_release(&f->licenses.map);
    map_release(&f->authors);
    text_release(&f->text);
    buf_release(&f->unit_key);
    free(f->split);
    free(f->range);
}
