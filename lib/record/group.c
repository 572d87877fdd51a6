/* group.c - groups of text records. */
#include "record/group.h"

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
    if (repo)
        buf_add(key, repo->data, repo->len);
    buf_addc(key, 0);
    buf_add(key, path->data, path->len);
}

static uint64_t
group_of_path(struct groups *g, const struct text_field *repo,
              const struct text_field *path, const struct text_field *old)
{
    struct map_entry *t;
    uint64_t group = 0;
    bool renamed = false;
    struct buf key;

    buf_init(&key);
    if (old && old->len > 0) {
        path_key(&key, repo, old);
        t = map_get(&g->of_path, key.data, key.len);
        group = t ? t->value : number_of(key.data, key.len);
        renamed = true;
    }
    path_key(&key, repo, path);
    if (!renamed)
        group = number_of(key.data, key.len);
    t = map_put(&g->of_path, key.data, key.len, group, NULL);
    if (renamed)
        t->value = group;
    group = t->value;
    buf_release(&key);
    return group;
}

uint64_t
groups_of(struct groups *g, const struct text_rec *r, const void *p, size_t n)
{
    const struct text_field *path = text_get(r, "path");
    const struct text_field *text = text_get(r, "text");

    if ((r->kind == TEXT_COMMIT || r->kind == TEXT_FILE) && path)
        return group_of_path(g, text_get(r, "repo"), path,
                             text_get(r, "old_path"));
    if (r->kind == TEXT_DOC && text)
        return number_of(text->data, text->len);
    return number_of(p, n);
}
