/* group.c - groups of text records. */
#include "record/group.h"

#include <string.h>

#include "base/bytes.h"

void
groups_init(struct groups *g)
{
    map_init(&g->of_path);
}

void
groups_release(struct groups *g)
{
    map_release(&g->of_path);
}

/* The first eight bytes of the id of p[n]. */
static uint64_t
number_of(const void *p, size_t n)
{
    struct id id = id_of(p, n);

    return load_u64(id.b);
}

/* repo, NUL and the path into *key. */
static void
path_key(struct buf *key, const struct text_field *repo,
         const struct text_field *path)
{
    buf_reset(key);
    if (repo->data)
        buf_add(key, repo->data, repo->len);
    buf_addc(key, 0);
    buf_add(key, path->data, path->len);
}

static bool
is_renamed(const struct group_key *k)
{
    return k->old.data && k->old.len > 0;
}

/* The field, or one without data. */
static struct text_field
field_of(const struct text_rec *r, const char *name)
{
    const struct text_field *f = text_get(r, name);

    return f ? *f : (struct text_field){ .data = NULL };
}

struct group_key
group_key_of(const struct text_rec *r, const void *p, size_t n,
             const struct id *body)
{
    struct group_key k = { .own = 0 };
    struct buf key;

    if (r->kind == TEXT_COMMIT || r->kind == TEXT_FILE)
        k.path = field_of(r, "path");
    if (k.path.data) {
        k.repo = field_of(r, "repo");
        k.old = field_of(r, "old_path");
        buf_init(&key);
        path_key(&key, &k.repo, is_renamed(&k) ? &k.old : &k.path);
        k.own = number_of(key.data, key.len);
        buf_release(&key);
    } else if (r->kind == TEXT_DOC && body) {
        k.own = load_u64(body->b);
    } else {
        k.own = number_of(p, n);
    }
    return k;
}

struct group_key
group_key_of_folder(const struct group_key *file)
{
    struct group_key k = { .repo = file->repo, .own = file->own };
    const char *slash;
    struct buf key;

    if (!file->path.data)
        return k;
    slash = memrchr(file->path.data, '/', file->path.len);
    k.path = file->path;
    k.path.len = slash ? (size_t)(slash + 1 - k.path.data) : 0;
    buf_init(&key);
    path_key(&key, &k.repo, &k.path);
    k.own = number_of(key.data, key.len);
    buf_release(&key);
    return k;
}

uint64_t
groups_next(struct groups *g, const struct group_key *k)
{
    uint64_t group = k->own;
    struct map_entry *t;
    struct buf key;

    if (!k->path.data)
        return group;
    buf_init(&key);
    if (is_renamed(k)) {
        path_key(&key, &k->repo, &k->old);
        t = map_get(&g->of_path, key.data, key.len);
        group = t ? t->value : group;
    }
    path_key(&key, &k->repo, &k->path);
    t = map_put(&g->of_path, key.data, key.len, group, NULL);
    if (is_renamed(k))
        t->value = group;
    group = t->value;
    buf_release(&key);
    return group;
}
