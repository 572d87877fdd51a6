/* objects.c - objects by id: packs, loose files, and one cache of both.
 *
 * Every object is hashed when it is read. The pack directories are read
 * again when an object is missing, so a repository that is repacked
 * meanwhile goes on being read.
 */
#include "repo/objects.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "repo/loose.h"
#include "repo/packs.h"

#define BUCKET_BITS 14

int
objects_open(struct objects *o, const char *dir, uint64_t cache_max,
             bool trust, struct err *e)
{
    size_t i;
    int rc = 0;

    memset(o, 0, sizeof(*o));
    cache_init(&o->cache, BUCKET_BITS, cache_max);
    o->sha1 = EVP_MD_CTX_new();
    o->packs = packs_new();
    if (!o->sha1 || !o->packs)
        rc = err_set(e, ERR_IO, "%s: out of memory", dir);
    if (rc == 0)
        rc = object_dirs_add(&o->dirs, dir, trust, e);
    for (i = 0; rc == 0 && i < o->dirs.n; i++) {
        rc = packs_add(o->packs, o->dirs.dir[i], e);
        if (rc == 0)
            rc = object_dirs_alternates(&o->dirs, i, trust, e);
    }
    if (rc < 0)
        objects_release(o);
    return rc;
}

/* ---- the cache ---- */

static void
object_free(struct object *x)
{
    free(x->own);
    pack_data_drop(x->packed);
    free(x);
}

static void
forget(struct objects *o, struct object *x)
{
    cache_remove(&o->cache, &x->entry);
    object_free(x);
}

void
objects_release(struct objects *o)
{
    while (o->cache.oldest)
        forget(o, (struct object *)o->cache.oldest);
    cache_release(&o->cache);
    EVP_MD_CTX_free(o->sha1);
    packs_free(o->packs);
    object_dirs_release(&o->dirs);
    memset(o, 0, sizeof(*o));
}

/* Makes room by what nobody holds. */
static void
shrink(struct objects *o)
{
    struct cache_entry *x, *newer;

    for (x = o->cache.oldest; x && cache_full(&o->cache); x = newer) {
        newer = x->newer;
        if (((struct object *)x)->held == 0)
            forget(o, (struct object *)x);
    }
}

static void
keep(struct objects *o, struct object *x)
{
    cache_add(&o->cache, &x->entry, load_u64(x->id.b),
              x->size + sizeof(*x) + 64);
    x->held++; /* against its own eviction */
    shrink(o);
    x->held--;
}

static struct object *
kept(struct objects *o, const struct oid *id)
{
    struct cache_entry *x = cache_first(&o->cache, load_u64(id->b));

    while (x && !oid_equal(&((struct object *)x)->id, id))
        x = cache_next(x);
    if (x)
        cache_touch(&o->cache, x);
    return (struct object *)x;
}

/* ---- reading ---- */

/* Says in the watch what is touched; refuses what a reader died of. */
static int
begin(struct objects *o, const struct oid *id, struct err *e)
{
    char hex[OID_HEX + 1];

    if (o->poison && map_get(o->poison, id->b, OID_BYTES))
        return err_set(e, ERR_DATA, "object %s: a reader died of it",
                       oid_hex(id, hex));
    if (o->watch) {
        o->watch->object = *id;
        o->watch->reading = 1;
        o->watch->ticks++;
    }
    return 0;
}

static void
finish(struct objects *o)
{
    if (o->watch) {
        o->watch->ticks++;
        o->watch->reading = 0;
    }
}

static int
read_loose(struct objects *o, const struct oid *id, uint64_t max,
           bool *found, int *type, uint64_t *size, char **data,
           struct err *e)
{
    size_t i;
    int rc = 0;

    *found = false;
    if (!o->dirs.has_loose[id->b[0]])
        return 0;
    for (i = 0; rc == 0 && !*found && i < o->dirs.n; i++)
        rc = loose_read(o->dirs.dir[i], id, max, found, type, size, data, e);
    return rc;
}

static int
missing(const struct objects *o, const struct oid *id, struct err *e)
{
    char hex[OID_HEX + 1];

    if (o->fetch_into)
        return err_set(e, ERR_DATA, "object %s: missing in this partial "
                       "clone: git -C %s fetch --refetch --no-filter first",
                       oid_hex(id, hex), o->fetch_into);
    return err_set(e, ERR_DATA, "object %s: missing", oid_hex(id, hex));
}

static int
too_long(const struct oid *id, uint64_t size, uint64_t max, struct err *e)
{
    char hex[OID_HEX + 1];

    return err_set(e, ERR_LIMIT, "object %s: too long (found %llu bytes, "
                   "limit %llu)", oid_hex(id, hex),
                   (unsigned long long)size, (unsigned long long)max);
}

/* OpenSSL's SHA-1 uses the processor's instructions for it where there are
 * any; libgit2's, which looks for collisions, costs as much as inflating. */
static int
hash_object(const struct objects *o, const struct object *x, struct oid *id,
            struct err *e)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    char header[40];
    int n = snprintf(header, sizeof(header), "%s %zu",
                     object_type_name(x->type), x->size);

    if (!EVP_DigestInit_ex(o->sha1, EVP_sha1(), NULL)
        || !EVP_DigestUpdate(o->sha1, header, (size_t)n + 1)
        || !EVP_DigestUpdate(o->sha1, x->data, x->size)
        || !EVP_DigestFinal_ex(o->sha1, hash, NULL))
        return err_set(e, ERR_IO, "SHA-1 does not work");
    memcpy(id->b, hash, OID_BYTES);
    return 0;
}

static int
verify(const struct objects *o, const struct object *x, const struct oid *id,
       struct err *e)
{
    char hex[OID_HEX + 1];
    struct oid found;
    int rc = hash_object(o, x, &found, e);

    if (rc == 0 && !oid_equal(&found, id))
        rc = err_set(e, ERR_DATA, "object %s: content does not match its id",
                     oid_hex(id, hex));
    return rc;
}

static int
read_packed(struct objects *o, const struct oid *id, uint64_t max,
            struct object *x, struct err *e)
{
    char hex[OID_HEX + 1];
    uint64_t size = 0;
    bool found;
    int rc;

    rc = packs_read(o->packs, id, max, &found, &x->type, &size, &x->packed,
                    e);
    if (rc < 0)
        return err_prefix(e, "object %s", oid_hex(id, hex));
    if (!found)
        return missing(o, id, e);
    if (!x->packed)
        return too_long(id, size, max, e);
    x->data = x->packed->data;
    x->size = x->packed->size;
    return verify(o, x, id, e);
}

/* Reads id anywhere into the empty *x. */
static int
fill(struct objects *o, const struct oid *id, uint64_t max,
     struct object *x, struct err *e)
{
    uint64_t size = 0;
    bool found;
    int rc;

    rc = read_loose(o, id, max, &found, &x->type, &size, &x->own, e);
    if (rc < 0)
        return rc;
    if (!found)
        return read_packed(o, id, max, x, e);
    if (!x->own)
        return too_long(id, size, max, e);
    x->data = x->own;
    x->size = (size_t)size;
    return verify(o, x, id, e);
}

int
objects_read(struct objects *o, const struct oid *id, int type,
             uint64_t max, struct object **out, struct err *e)
{
    char hex[OID_HEX + 1];
    struct object *x = kept(o, id);
    int rc;

    if (!x) {
        rc = begin(o, id, e);
        if (rc < 0)
            return rc;
        x = mem_alloc(sizeof(*x));
        x->id = *id;
        rc = fill(o, id, max, x, e);
        finish(o);
        if (rc < 0) {
            object_free(x);
            return rc;
        }
        keep(o, x);
    }
    if (x->type != type)
        return err_set(e, ERR_DATA, "object %s: wrong type (found %s, "
                       "expected %s)", oid_hex(id, hex),
                       object_type_name(x->type), object_type_name(type));
    if (x->size > max)
        return too_long(id, x->size, max, e);
    x->held++;
    *out = x;
    return 0;
}

void
object_drop(struct object *object)
{
    if (object)
        object->held--;
}

int
objects_make(struct objects *o, char *data, size_t n, struct object **out,
             struct err *e)
{
    struct object *x = mem_alloc(sizeof(*x)), *same;
    int rc;

    x->type = OBJECT_BLOB;
    x->data = x->own = data;
    x->size = n;
    rc = hash_object(o, x, &x->id, e);
    if (rc < 0) {
        object_free(x);
        return rc;
    }
    same = kept(o, &x->id);
    if (same) {
        object_free(x);
        x = same;
    } else {
        keep(o, x);
    }
    x->held++;
    *out = x;
    return 0;
}

int
objects_header(struct objects *o, const struct oid *id, int *type,
               uint64_t *size, struct err *e)
{
    const struct object *x = kept(o, id);
    char hex[OID_HEX + 1];
    struct pack_data *packed = NULL;
    char *data = NULL;
    bool found;
    int rc;

    if (x) {
        *type = x->type;
        *size = x->size;
        return 0;
    }
    rc = begin(o, id, e);
    if (rc < 0)
        return rc;
    rc = read_loose(o, id, 0, &found, type, size, &data, e);
    if (rc == 0 && !found) {
        rc = packs_read(o->packs, id, 0, &found, type, size, &packed, e);
        if (rc < 0)
            err_prefix(e, "object %s", oid_hex(id, hex));
        else if (!found)
            rc = missing(o, id, e);
    }
    free(data);
    pack_data_drop(packed);
    finish(o);
    return rc;
}

/* ---- abbreviations ---- */

struct candidates {
    struct oid id; /* one of them */
    size_t n;      /* different ones seen, at most 2 */
};

static void
candidate(void *ctx, const struct oid *id)
{
    struct candidates *c = ctx;

    if (c->n == 0)
        c->id = *id;
    if (c->n == 0 || !oid_equal(&c->id, id))
        c->n = c->n ? 2 : 1;
}

int
objects_prefix(struct objects *o, const char *hex, size_t n,
               struct oid *out, struct err *e)
{
    struct candidates c = {.n = 0};
    char low[OID_HEX + 1];
    size_t i;

    for (i = 0; i < n; i++)
        low[i] = hex[i] >= 'A' && hex[i] <= 'F' ? (char)(hex[i] + 32)
                                                : hex[i];
    low[n] = '\0';
    for (i = 0; i < o->dirs.n; i++)
        loose_prefix(o->dirs.dir[i], low, n, candidate, &c);
    packs_prefix(o->packs, low, n, candidate, &c);
    if (c.n == 0)
        return err_set(e, ERR_DATA, "%s: no such object", low);
    if (c.n > 1)
        return err_set(e, ERR_DATA, "%s: ambiguous", low);
    *out = c.id;
    return 0;
}
