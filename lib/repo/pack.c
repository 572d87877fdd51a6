/* pack.c - inflating, delta chains, and a cache of bases.
 *
 * An object is found by offset: its header gives type and size; a delta
 * names its base by a distance in the same pack or by id. The chain is
 * followed down to a whole object or to one in the cache, then the deltas
 * are applied upwards. All of it is bounded: offsets go down within a pack,
 * and the length of a chain is limited.
 */
#include "repo/pack.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zlib.h>

#include "base/io.h"
#include "base/mem.h"
#include "repo/packidx.h"

#define CHAIN_MAX 4096
#define BASE_MAX (64u << 20)
#define CACHE_MAX (64u << 20)
#define N_BUCKETS 4096
#define INPUT (32u << 10)
#define HEADER_MAX 64        /* bytes of an object before its zlib data */
#define FORGET_EVERY 65536   /* look-ups after which index pages go */

enum { OFS_DELTA = 6, REF_DELTA = 7 };

struct base {
    struct pack_data *data;
    uint32_t pack;
    uint64_t offset;
    struct base *newer, *older, *next;
};

struct packs {
    struct pack *pack;
    size_t n, cap, last;     /* last: where an object was last found */
    char **dir;
    size_t n_dirs;
    uint64_t lookups;
    struct base *bucket[N_BUCKETS], *newest, *oldest;
    uint64_t cached;
    z_stream z;
    uint8_t in[INPUT];
};

/* One step of a chain. */
struct link {
    uint64_t offset, body;   /* of the header, and of the zlib data */
    uint64_t size;           /* inflated */
    int type;
};

static struct pack_data *
data_new(size_t size)
{
    struct pack_data *d = mem_try(sizeof(*d) + size + 1);

    if (d) {
        d->refs = 1;
        d->size = size;
        d->data[size] = '\0';
    }
    return d;
}

void
pack_data_drop(struct pack_data *data)
{
    if (data && --data->refs == 0)
        free(data);
}

/* Pages of indices that were touched stay in the kernel's cache, not in
 * this process. */
static void
forget_pages(struct packs *p)
{
    size_t i;

    if (++p->lookups % FORGET_EVERY != 0)
        return;
    for (i = 0; i < p->n; i++)
        madvise((void *)(uintptr_t)p->pack[i].idx, p->pack[i].idx_len,
                MADV_DONTNEED);
}

static bool
find(struct packs *p, const struct oid *id, size_t *pack, uint32_t *entry)
{
    size_t i, at;

    forget_pages(p);
    for (i = 0; i < p->n; i++) {
        at = i == 0 ? p->last : i <= p->last ? i - 1 : i;
        if (!p->pack[at].gone && pack_find(&p->pack[at], id, entry)) {
            *pack = p->last = at;
            return true;
        }
    }
    return false;
}

/* ---- the cache of bases ---- */

static struct base **
bucket_of(struct packs *p, uint32_t pack, uint64_t offset)
{
    uint64_t key = (offset ^ (uint64_t)pack << 40) * 0x9e3779b97f4a7c15ull;

    return &p->bucket[key >> 52];
}

static void
unlink_base(struct packs *p, struct base *b)
{
    if (b->newer)
        b->newer->older = b->older;
    else
        p->newest = b->older;
    if (b->older)
        b->older->newer = b->newer;
    else
        p->oldest = b->newer;
}

static void
push_base(struct packs *p, struct base *b)
{
    b->newer = NULL;
    b->older = p->newest;
    if (p->newest)
        p->newest->newer = b;
    else
        p->oldest = b;
    p->newest = b;
}

static struct pack_data *
cached_base(struct packs *p, uint32_t pack, uint64_t offset)
{
    struct base *b;

    for (b = *bucket_of(p, pack, offset); b; b = b->next) {
        if (b->pack == pack && b->offset == offset) {
            unlink_base(p, b);
            push_base(p, b);
            b->data->refs++;
            return b->data;
        }
    }
    return NULL;
}

static void
drop_oldest(struct packs *p)
{
    struct base *b = p->oldest;
    struct base **at = bucket_of(p, b->pack, b->offset);

    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
    unlink_base(p, b);
    p->cached -= b->data->size + sizeof(*b);
    pack_data_drop(b->data);
    free(b);
}

static void
cache_base(struct packs *p, uint32_t pack, uint64_t offset,
           struct pack_data *data)
{
    struct base **at = bucket_of(p, pack, offset), *b;

    if (data->size > CACHE_MAX / 4)
        return;
    b = mem_alloc(sizeof(*b));
    b->data = data;
    data->refs++;
    b->pack = pack;
    b->offset = offset;
    b->next = *at;
    *at = b;
    push_base(p, b);
    p->cached += data->size + sizeof(*b);
    while (p->cached > CACHE_MAX)
        drop_oldest(p);
}

/* ---- objects ---- */

/* Type and size, 4 then 7 bits a byte, low first; 0 if it is malformed. */
static size_t
parse_header(const uint8_t *p, size_t n, struct link *l)
{
    size_t i = 1;
    unsigned shift = 4;

    l->type = p[0] >> 4 & 7;
    l->size = p[0] & 15;
    while (p[i - 1] & 128) {
        if (i == n || shift > 57)
            return 0;
        l->size |= (uint64_t)(p[i++] & 127) << shift;
        shift += 7;
    }
    return i;
}

/* The distance to a base in the same pack: 7 bits a byte, high first, each
 * but the last plus one. */
static size_t
parse_distance(const uint8_t *p, size_t n, uint64_t *out)
{
    uint64_t v;
    size_t i = 1;

    if (n == 0)
        return 0;
    v = p[0] & 127;
    while (p[i - 1] & 128) {
        if (i == n || v >= UINT64_MAX >> 8)
            return 0;
        v = (v + 1) << 7 | (p[i++] & 127);
    }
    *out = v;
    return i;
}

/* Reads the header at l->offset; of a delta, *base is where its base is. */
static int
read_header(const struct pack *p, struct link *l, uint64_t *base,
            struct err *e)
{
    uint8_t head[HEADER_MAX];
    struct oid id;
    uint64_t distance;
    uint32_t entry;
    size_t n = 0, used, more = 0;
    int rc;

    rc = pack_read_at(p, l->offset, head, sizeof(head), &n, e);
    if (rc < 0)
        return rc;
    used = parse_header(head, n, l);
    if (used == 0)
        return pack_damaged(p, l->offset, "bad object header", e);
    if (l->type == OFS_DELTA) {
        more = parse_distance(head + used, n - used, &distance);
        if (more == 0 || distance == 0 || distance > l->offset - 12)
            return pack_damaged(p, l->offset, "bad distance to a base", e);
        *base = l->offset - distance;
    } else if (l->type == REF_DELTA) {
        more = OID_BYTES;
        if (n - used < more)
            return pack_damaged(p, l->offset, "bad object header", e);
        memcpy(id.b, head + used, OID_BYTES);
        if (!pack_find(p, &id, &entry) || !pack_entry_offset(p, entry, base))
            return pack_damaged(p, l->offset, "its base is missing", e);
    } else if (l->type < OBJECT_COMMIT || l->type > OBJECT_TAG) {
        return pack_damaged(p, l->offset, "unknown object type", e);
    }
    l->body = l->offset + used + more;
    return 0;
}

/* Inflates exactly l->size bytes. */
static int
inflate_link(struct packs *ps, const struct pack *p, const struct link *l,
             struct pack_data **out, struct err *e)
{
    struct pack_data *d;
    uint64_t at = l->body;
    size_t n, chunk = 4096;
    uint8_t extra;
    int rc = 0, z = Z_OK;

    if (l->size > BASE_MAX)
        return err_set(e, ERR_LIMIT, "%s.pack: byte %llu: object too large "
                       "(found %llu bytes, limit %u)", p->name,
                       (unsigned long long)l->offset,
                       (unsigned long long)l->size, BASE_MAX);
    d = data_new((size_t)l->size);
    if (!d)
        return err_set(e, ERR_LIMIT, "%s.pack: no memory", p->name);
    inflateReset(&ps->z);
    ps->z.avail_in = 0;
    ps->z.next_out = (Bytef *)d->data;
    ps->z.avail_out = (uInt)d->size;
    while (rc == 0 && z != Z_STREAM_END) {
        if (ps->z.avail_out == 0 && ps->z.next_out != &extra) {
            ps->z.next_out = &extra; /* nothing may come out any more */
            ps->z.avail_out = 1;
        }
        if (ps->z.avail_in == 0) {
            rc = pack_read_at(p, at, ps->in, chunk, &n, e);
            if (rc < 0)
                break;
            ps->z.next_in = ps->in;
            ps->z.avail_in = (uInt)n;
            at += n;
            chunk = INPUT;
        }
        z = inflate(&ps->z, Z_NO_FLUSH);
        if ((z != Z_OK && z != Z_STREAM_END
             && (z != Z_BUF_ERROR || ps->z.avail_in > 0))
            || ps->z.next_out == &extra + 1)
            rc = pack_damaged(p, l->offset, "bad zlib data", e);
    }
    if (rc == 0 && ps->z.total_out != d->size)
        rc = pack_damaged(p, l->offset, "object shorter than its header",
                          e);
    if (rc < 0) {
        pack_data_drop(d);
        return rc;
    }
    d->type = l->type;
    *out = d;
    return 0;
}

/* ---- deltas ---- */

static bool
delta_size(const uint8_t **p, const uint8_t *end, uint64_t *out)
{
    unsigned shift = 0;
    uint64_t v = 0;
    uint8_t byte;

    do {
        if (*p == end || shift > 56)
            return false;
        byte = *(*p)++;
        v |= (uint64_t)(byte & 127) << shift;
        shift += 7;
    } while (byte & 128);
    *out = v;
    return true;
}

/* Offset and size of a copy; false at the end of the delta. */
static bool
delta_copy(const uint8_t **p, const uint8_t *end, uint8_t op, size_t *from,
           size_t *n)
{
    int i;

    *from = *n = 0;
    for (i = 0; i < 7; i++) {
        if (!(op & 1 << i))
            continue;
        if (*p == end)
            return false;
        if (i < 4)
            *from |= (size_t)*(*p)++ << (8 * i);
        else
            *n |= (size_t)*(*p)++ << (8 * (i - 4));
    }
    if (*n == 0)
        *n = 0x10000;
    return true;
}

static bool
run_delta(const uint8_t *p, const uint8_t *end, const struct pack_data *base,
          char *out, size_t left)
{
    size_t from, n;
    uint8_t op;

    while (p < end) {
        op = *p++;
        if (op & 128) {
            if (!delta_copy(&p, end, op, &from, &n) || from > base->size
                || n > base->size - from || n > left)
                return false;
            memcpy(out, base->data + from, n);
        } else {
            n = op;
            if (n == 0 || n > (size_t)(end - p) || n > left)
                return false;
            memcpy(out, p, n);
            p += n;
        }
        out += n;
        left -= n;
    }
    return left == 0;
}

static int
apply(const struct pack *p, const struct link *l,
      const struct pack_data *delta, const struct pack_data *base,
      struct pack_data **out, struct err *e)
{
    const uint8_t *at = (const uint8_t *)delta->data;
    const uint8_t *end = at + delta->size;
    uint64_t before, after;
    struct pack_data *d;

    if (!delta_size(&at, end, &before) || !delta_size(&at, end, &after)
        || before != base->size)
        return pack_damaged(p, l->offset, "bad delta", e);
    if (after > BASE_MAX)
        return err_set(e, ERR_LIMIT, "%s.pack: byte %llu: object too large "
                       "(found %llu bytes, limit %u)", p->name,
                       (unsigned long long)l->offset,
                       (unsigned long long)after, BASE_MAX);
    d = data_new((size_t)after);
    if (!d)
        return err_set(e, ERR_LIMIT, "%s.pack: no memory", p->name);
    if (!run_delta(at, end, base, d->data, d->size)) {
        pack_data_drop(d);
        return pack_damaged(p, l->offset, "bad delta", e);
    }
    d->type = base->type;
    *out = d;
    return 0;
}

/* The chain that begins at offset: chain[*n - 1] is a whole object, or
 * *base is the data of the object below it. *type is the object's. */
static int
follow(struct packs *ps, size_t pack, uint64_t offset, struct link *chain,
       size_t *n, struct pack_data **base, int *type, struct err *e)
{
    const struct pack *p = &ps->pack[pack];
    int rc;

    *base = NULL;
    for (*n = 0; *n < CHAIN_MAX;) {
        *base = cached_base(ps, (uint32_t)pack, offset);
        if (*base) {
            *type = (*base)->type;
            return 0;
        }
        chain[*n].offset = offset;
        rc = read_header(p, &chain[*n], &offset, e);
        if (rc < 0)
            return rc;
        *type = chain[(*n)++].type;
        if (*type <= OBJECT_TAG)
            return 0;
    }
    return pack_damaged(p, offset, "a chain of deltas without an end", e);
}

/* The size of what a delta makes. */
static int
result_size(struct packs *ps, const struct pack *p, const struct link *l,
            struct pack_data **delta, uint64_t *size, struct err *e)
{
    const uint8_t *at;
    uint64_t before;
    int rc;

    rc = inflate_link(ps, p, l, delta, e);
    if (rc < 0)
        return rc;
    at = (const uint8_t *)(*delta)->data;
    if (!delta_size(&at, at + (*delta)->size, &before)
        || !delta_size(&at, (const uint8_t *)(*delta)->data + (*delta)->size,
                    size)) {
        pack_data_drop(*delta);
        *delta = NULL;
        return pack_damaged(p, l->offset, "bad delta", e);
    }
    return 0;
}

/* Makes the object from its chain, n > 0 links, into *data, which is the
 * data below them at first. top, if not NULL, is chain[0] inflated. */
static int
build(struct packs *ps, size_t pack, const struct link *chain, size_t n,
      const struct pack_data *top, struct pack_data **data, struct err *e)
{
    const struct pack *p = &ps->pack[pack];
    struct pack_data *delta, *made;
    int rc = 0;

    while (rc == 0 && n > 0) {
        n--;
        made = delta = NULL;
        if (chain[n].type <= OBJECT_TAG) {
            rc = inflate_link(ps, p, &chain[n], &made, e);
        } else if (n == 0 && top) {
            rc = apply(p, &chain[n], top, *data, &made, e);
        } else {
            rc = inflate_link(ps, p, &chain[n], &delta, e);
            if (rc == 0)
                rc = apply(p, &chain[n], delta, *data, &made, e);
            pack_data_drop(delta);
        }
        if (rc == 0) {
            pack_data_drop(*data);
            *data = made;
            cache_base(ps, (uint32_t)pack, chain[n].offset, made);
        }
    }
    return rc;
}

static int
read_object(struct packs *ps, size_t pack, uint64_t offset, uint64_t max,
            int *type, uint64_t *size, struct pack_data **out,
            struct err *e)
{
    struct link chain[CHAIN_MAX];
    const struct pack *p = &ps->pack[pack];
    struct pack_data *data, *top = NULL;
    size_t n;
    int rc;

    rc = follow(ps, pack, offset, chain, &n, &data, type, e);
    if (rc == 0 && n == 0)
        *size = data->size;
    else if (rc == 0 && chain[0].type <= OBJECT_TAG)
        *size = chain[0].size;
    else if (rc == 0)
        rc = result_size(ps, p, &chain[0], &top, size, e);
    if (rc == 0 && *size <= max) {
        rc = build(ps, pack, chain, n, top, &data, e);
    } else {
        pack_data_drop(data);
        data = NULL;
    }
    pack_data_drop(top);
    if (rc < 0)
        pack_data_drop(data);
    else
        *out = data;
    return rc;
}

/* ---- all packs ---- */

struct packs *
packs_new(void)
{
    struct packs *p = mem_alloc(sizeof(*p));

    if (inflateInit(&p->z) != Z_OK) {
        free(p);
        return NULL;
    }
    return p;
}

void
packs_free(struct packs *p)
{
    size_t i;

    if (!p)
        return;
    while (p->oldest)
        drop_oldest(p);
    for (i = 0; i < p->n; i++)
        pack_close(&p->pack[i]);
    for (i = 0; i < p->n_dirs; i++)
        free(p->dir[i]);
    free(p->dir);
    free(p->pack);
    inflateEnd(&p->z);
    free(p);
}

static bool
known(const struct packs *p, const char *name)
{
    size_t i;

    for (i = 0; i < p->n; i++) {
        if (!p->pack[i].gone && strcmp(p->pack[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Opens the packs of dir that are not open yet. */
static int
scan(struct packs *p, const char *dir, struct err *e)
{
    struct pack new;
    char **entry = NULL, *path;
    size_t n = 0, i, len;
    int rc = 0;

    if (path_exists(dir))
        rc = dir_list(&entry, &n, dir, e);
    for (i = 0; rc == 0 && i < n; i++) {
        len = strlen(entry[i]);
        if (len < 5 || strcmp(entry[i] + len - 4, ".idx") != 0)
            continue;
        entry[i][len - 4] = '\0';
        path = path_join(dir, entry[i]);
        if (known(p, path)) {
            free(path);
            continue;
        }
        memset(&new, 0, sizeof(new));
        new.name = path;
        new.fd = -1;
        rc = pack_open_index(&new, e);
        if (rc < 0) {
            pack_close(&new);
            break;
        }
        if (p->n == p->cap) {
            p->cap = p->cap ? 2 * p->cap : 8;
            p->pack = mem_grow(p->pack, p->cap * sizeof(*p->pack));
        }
        p->pack[p->n++] = new;
    }
    dir_list_free(entry, n);
    return rc;
}

int
packs_add(struct packs *p, const char *dir, struct err *e)
{
    p->dir = mem_grow(p->dir, (p->n_dirs + 1) * sizeof(*p->dir));
    p->dir[p->n_dirs++] = path_join(dir, "pack");
    return scan(p, p->dir[p->n_dirs - 1], e);
}

/* Finds id in an open pack. Where none has it, or its pack was deleted,
 * the directories are read again, once. */
static int
locate(struct packs *p, const struct oid *id, bool *found, size_t *pack,
       uint32_t *entry, struct err *e)
{
    bool again = false;
    size_t i;
    int rc;

    for (;;) {
        *found = find(p, id, pack, entry);
        if (*found && p->pack[*pack].fd >= 0)
            return 0;
        if (*found) {
            rc = pack_open(&p->pack[*pack], e);
            if (rc == 0 || !p->pack[*pack].gone)
                return rc;
            continue;
        }
        if (again)
            return 0;
        again = true;
        for (i = 0, rc = 0; rc == 0 && i < p->n_dirs; i++)
            rc = scan(p, p->dir[i], e);
        if (rc < 0)
            return rc;
    }
}

int
packs_read(struct packs *p, const struct oid *id, uint64_t max, bool *found,
           int *type, uint64_t *size, struct pack_data **data,
           struct err *e)
{
    uint64_t offset;
    uint32_t entry;
    size_t pack;
    int rc;

    rc = locate(p, id, found, &pack, &entry, e);
    if (rc < 0 || !*found)
        return rc;
    if (!pack_entry_offset(&p->pack[pack], entry, &offset))
        return err_set(e, ERR_DATA, "%s.idx: bad offset",
                       p->pack[pack].name);
    return read_object(p, pack, offset, max, type, size, data, e);
}

static int
nibble(const uint8_t *id, size_t i)
{
    return i % 2 ? id[i / 2] & 15 : id[i / 2] >> 4;
}

void
packs_prefix(const struct packs *p, const char *hex, size_t n,
             void (*fn)(void *ctx, const struct oid *id), void *ctx)
{
    char padded[OID_HEX + 1];
    struct oid want, id;
    uint32_t e, end;
    size_t i, k;

    memset(padded, '0', OID_HEX);
    memcpy(padded, hex, n);
    if (!oid_parse(&want, padded, OID_HEX))
        return;
    for (i = 0; i < p->n; i++) {
        pack_range(&p->pack[i], want.b[0], &e, &end);
        for (; e < end; e++) {
            memcpy(id.b, pack_entry_name(&p->pack[i], e), OID_BYTES);
            for (k = 0; k < n; k++) {
                if (nibble(id.b, k) != nibble(want.b, k))
                    break;
            }
            if (k == n)
                fn(ctx, &id);
        }
    }
}
