/* head.c - a header in memory: keys set and looked up, provenance added,
 * headers compared. Keys are few and looked up one after the other. */
#include "stream/head.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "stream/lines.h"

void
stream_head_init(struct stream_head *h, const char *type)
{
    memset(h, 0, sizeof(*h));
    stream_head_set_type(h, type);
}

void
stream_head_release(struct stream_head *h)
{
    for (size_t i = 0; i < h->n_keys; i++) {
        free(h->key[i].name);
        free(h->key[i].value);
    }
    stream_head_prov(h, NULL);
    free(h->key);
    free(h->after_oid);
    memset(h, 0, sizeof(*h));
}

void
stream_head_copy(struct stream_head *h, const struct stream_head *from)
{
    stream_head_init(h, from->type);
    h->version = from->version;
    for (size_t i = 0; i < from->n_keys; i++)
        stream_head_set(h, from->key[i].name, from->key[i].value);
    for (size_t i = 0; i < from->n_prov; i++)
        stream_head_prov(h, from->prov[i]);
    if (from->after_oid)
        stream_head_after(h, from->after, from->after_oid);
    h->is_part = from->is_part;
    h->part = from->part;
}

void
stream_head_set_type(struct stream_head *h, const char *type)
{
    size_t n = strlen(type);

    if (n > STREAM_NAME_MAX)
        n = STREAM_NAME_MAX;
    memmove(h->type, type, n);
    h->type[n] = '\0';
    h->version = strcmp(h->type, "weights") == 0 ? 2 : 1;
}

static struct stream_key *
find(const struct stream_head *h, const char *name)
{
    for (size_t i = 0; i < h->n_keys; i++)
        if (strcmp(h->key[i].name, name) == 0)
            return &h->key[i];
    return NULL;
}

void
stream_head_set(struct stream_head *h, const char *name, const char *value)
{
    struct stream_key *k = find(h, name);
    char *copy = mem_strdup(value);

    if (k) {
        free(k->value);
        k->value = copy;
        return;
    }
    h->key = mem_grow(h->key, (h->n_keys + 1) * sizeof(*h->key));
    h->key[h->n_keys].name = mem_strdup(name);
    h->key[h->n_keys++].value = copy;
}

void
stream_head_set_u64(struct stream_head *h, const char *name, uint64_t v)
{
    struct buf b;

    buf_init(&b);
    buf_addf(&b, "%" PRIu64, v);
    stream_head_set(h, name, b.data);
    buf_release(&b);
}

void
stream_head_drop(struct stream_head *h, const char *name)
{
    struct stream_key *k = find(h, name);
    size_t i;

    if (!k)
        return;
    i = (size_t)(k - h->key);
    free(k->name);
    free(k->value);
    h->n_keys--;
    memmove(k, k + 1, (h->n_keys - i) * sizeof(*k));
}

const char *
stream_head_get(const struct stream_head *h, const char *name)
{
    const struct stream_key *k = find(h, name);

    return k ? k->value : NULL;
}

int
stream_head_get_u64(const struct stream_head *h, const char *name,
                    const char *where, uint64_t *out, struct err *e)
{
    const char *v = stream_head_get(h, name);

    if (!v)
        return err_set(e, ERR_DATA, "%s: header: no key %s", where, name);
    if (!decimal_parse(v, strlen(v), out))
        return err_set(e, ERR_DATA, "%s: header: key %s (found %s, expected "
                       "a number)", where, name, v);
    return 0;
}

void
stream_head_prov(struct stream_head *h, const char *prov)
{
    if (prov) {
        h->prov = mem_grow(h->prov, (h->n_prov + 1) * sizeof(*h->prov));
        h->prov[h->n_prov++] = mem_strdup(prov);
        return;
    }
    for (size_t i = 0; i < h->n_prov; i++)
        free(h->prov[i]);
    free(h->prov);
    h->prov = NULL;
    h->n_prov = 0;
}

void
stream_head_after(struct stream_head *h, uint64_t n, const char *oid)
{
    char *copy = mem_strdup(oid);

    free(h->after_oid);
    h->after_oid = copy;
    h->after = n;
}

int
stream_head_same(const struct stream_head *a, const struct stream_head *b,
                 const char *where, struct err *e)
{
    const struct stream_head *more = a->n_keys >= b->n_keys ? a : b;
    const char *u, *v;
    bool same;

    if (strcmp(a->type, b->type) != 0)
        return err_set(e, ERR_DATA, "%s: header: type (found %s, expected "
                       "%s)", where, b->type, a->type);
    for (size_t i = 0; i < more->n_keys; i++) {
        u = stream_head_get(a, more->key[i].name);
        v = stream_head_get(b, more->key[i].name);
        if (!u || !v || strcmp(u, v) != 0)
            return err_set(e, ERR_DATA, "%s: header: key %s (found %s, "
                           "expected %s)", where, more->key[i].name,
                           v ? v : "none", u ? u : "none");
    }
    same = !a->after_oid == !b->after_oid;
    if (same && a->after_oid)
        same = a->after == b->after
               && strcmp(a->after_oid, b->after_oid) == 0;
    if (!same)
        return err_set(e, ERR_DATA, "%s: header: after (found %" PRIu64
                       " %s, expected %" PRIu64 " %s)", where, b->after,
                       b->after_oid ? b->after_oid : "none", a->after,
                       a->after_oid ? a->after_oid : "none");
    return 0;
}
