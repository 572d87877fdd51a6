/* unpack.c - inflating objects and following chains of deltas.
 *
 * An object is found by offset: its header gives type and size; a delta
 * names its base by a distance in the same pack or by id. The chain is
 * followed down to a whole object or to one in the cache, then the deltas
 * are applied upwards. All of it is bounded: offsets go down within a pack,
 * and the length of a chain is limited.
 */
#include "repo/unpack.h"

#include <string.h>

#include "repo/delta.h"

#define CHAIN_MAX 4096
#define BASE_MAX (64u << 20)
#define CACHE_MAX (64u << 20)
#define FIRST_INPUT 4096     /* most objects are no longer in the pack */
#define HEADER_MAX 64        /* bytes of an object before its zlib data */

enum { OFS_DELTA = 6, REF_DELTA = 7 };

/* One step of a chain. */
struct link {
    uint64_t offset, body;   /* of the header, and of the zlib data */
    uint64_t size;           /* inflated */
    int type;
};

bool
unpacker_init(struct unpacker *u)
{
    memset(&u->z, 0, sizeof(u->z));
    if (inflateInit(&u->z) != Z_OK)
        return false;
    pack_cache_init(&u->cache, CACHE_MAX);
    return true;
}

void
unpacker_release(struct unpacker *u)
{
    pack_cache_release(&u->cache);
    inflateEnd(&u->z);
}

/* ---- headers ---- */

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
    uint8_t header[HEADER_MAX];
    struct oid id;
    uint64_t distance;
    uint32_t entry;
    size_t n = 0, used, more = 0;
    int rc;

    rc = pack_read_at(p, l->offset, header, sizeof(header), &n, e);
    if (rc < 0)
        return rc;
    used = parse_header(header, n, l);
    if (used == 0)
        return pack_damaged(p, l->offset, "bad object header", e);
    if (l->type == OFS_DELTA) {
        more = parse_distance(header + used, n - used, &distance);
        if (more == 0 || distance == 0 || distance > l->offset - 12)
            return pack_damaged(p, l->offset, "bad distance to a base", e);
        *base = l->offset - distance;
    } else if (l->type == REF_DELTA) {
        more = OID_BYTES;
        if (n - used < more)
            return pack_damaged(p, l->offset, "bad object header", e);
        memcpy(id.b, header + used, OID_BYTES);
        if (!pack_find(p, &id, &entry) || !pack_entry_offset(p, entry, base))
            return pack_damaged(p, l->offset, "its base is missing", e);
    } else if (l->type < OBJECT_COMMIT || l->type > OBJECT_TAG) {
        return pack_damaged(p, l->offset, "unknown object type", e);
    }
    l->body = l->offset + used + more;
    return 0;
}

/* ---- bodies ---- */

static int
too_large(const struct pack *p, uint64_t offset, uint64_t size,
          struct err *e)
{
    return err_set(e, ERR_LIMIT, "%s.pack: byte %llu: object too large "
                   "(found %llu bytes, limit %u)", p->name,
                   (unsigned long long)offset, (unsigned long long)size,
                   BASE_MAX);
}

/* Memory for an object of the pack's, unless it is too large. */
static int
make_room(const struct pack *p, uint64_t offset, uint64_t size,
          struct pack_data **out, struct err *e)
{
    if (size > BASE_MAX)
        return too_large(p, offset, size, e);
    *out = pack_data_new((size_t)size);
    if (!*out)
        return err_set(e, ERR_LIMIT, "%s.pack: no memory", p->name);
    return 0;
}

/* Where the zlib data of a link is read. */
struct source {
    const struct pack *pack;
    const struct link *link;
    uint64_t at;             /* the next bytes to be read */
    size_t chunk;            /* and how many */
    bool end;                /* the zlib stream has ended */
};

/* Inflates up to n bytes to p; *got < n only at the end of the stream. */
static int
inflate_some(struct unpacker *u, struct source *s, void *p, size_t n,
             size_t *got, struct err *e)
{
    size_t read;
    int rc, z;

    u->z.next_out = p;
    u->z.avail_out = (uInt)n;
    while (u->z.avail_out > 0 && !s->end) {
        if (u->z.avail_in == 0) {
            rc = pack_read_at(s->pack, s->at, u->in, s->chunk, &read, e);
            if (rc < 0)
                return rc;
            u->z.next_in = u->in;
            u->z.avail_in = (uInt)read;
            s->at += read;
            s->chunk = sizeof(u->in);
        }
        z = inflate(&u->z, Z_NO_FLUSH);
        if (z == Z_STREAM_END)
            s->end = true;
        else if (z != Z_OK && (z != Z_BUF_ERROR || u->z.avail_in > 0))
            return pack_damaged(s->pack, s->link->offset, "bad zlib data",
                                e);
    }
    *got = n - u->z.avail_out;
    return 0;
}

/* Inflates exactly d->size bytes, behind which nothing may come. */
static int
inflate_all(struct unpacker *u, struct source *s, struct pack_data *d,
            struct err *e)
{
    size_t got;
    char extra;
    int rc;

    inflateReset(&u->z);
    u->z.avail_in = 0;
    rc = inflate_some(u, s, d->data, d->size, &got, e);
    if (rc < 0)
        return rc;
    if (got < d->size)
        return pack_damaged(s->pack, s->link->offset,
                            "object shorter than its header", e);
    rc = inflate_some(u, s, &extra, 1, &got, e);
    if (rc == 0 && got > 0)
        rc = pack_damaged(s->pack, s->link->offset, "bad zlib data", e);
    return rc;
}

/* What a link holds: an object, or a delta. */
static int
inflate_link(struct unpacker *u, const struct pack *p, const struct link *l,
             struct pack_data **out, struct err *e)
{
    struct source s = {.pack = p, .link = l, .at = l->body,
                       .chunk = FIRST_INPUT};
    struct pack_data *d;
    int rc;

    rc = make_room(p, l->offset, l->size, &d, e);
    if (rc < 0)
        return rc;
    rc = inflate_all(u, &s, d, e);
    if (rc < 0) {
        pack_data_drop(d);
        return rc;
    }
    d->type = l->type;
    *out = d;
    return 0;
}

/* ---- chains ---- */

static int
apply(const struct pack *p, const struct link *l,
      const struct pack_data *delta, const struct pack_data *base,
      struct pack_data **out, struct err *e)
{
    uint64_t before, after;
    size_t used = delta_sizes(delta->data, delta->size, &before, &after);
    struct pack_data *d;
    int rc;

    if (used == 0 || before != base->size)
        return pack_damaged(p, l->offset, "bad delta", e);
    rc = make_room(p, l->offset, after, &d, e);
    if (rc < 0)
        return rc;
    if (!delta_apply(delta->data + used, delta->size - used, base->data,
                     base->size, d->data, d->size)) {
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
follow(struct unpacker *u, const struct pack *p, uint64_t offset,
       struct link *chain, size_t *n, struct pack_data **base, int *type,
       struct err *e)
{
    int rc;

    *base = NULL;
    for (*n = 0; *n < CHAIN_MAX;) {
        *base = pack_cache_get(&u->cache, p->number, offset);
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

/* The size of what a delta makes; the delta comes out, too. */
static int
result_size(struct unpacker *u, const struct pack *p, const struct link *l,
            struct pack_data **delta, uint64_t *size, struct err *e)
{
    uint64_t before;
    int rc;

    rc = inflate_link(u, p, l, delta, e);
    if (rc < 0)
        return rc;
    if (delta_sizes((*delta)->data, (*delta)->size, &before, size) == 0) {
        pack_data_drop(*delta);
        *delta = NULL;
        return pack_damaged(p, l->offset, "bad delta", e);
    }
    return 0;
}

/* Makes the object from its chain, n > 0 links, into *data, which is the
 * data below them at first. top, if not NULL, is chain[0] inflated. */
static int
build(struct unpacker *u, const struct pack *p, const struct link *chain,
      size_t n, const struct pack_data *top, struct pack_data **data,
      struct err *e)
{
    struct pack_data *delta, *made;
    int rc = 0;

    while (rc == 0 && n > 0) {
        n--;
        made = delta = NULL;
        if (chain[n].type <= OBJECT_TAG) {
            rc = inflate_link(u, p, &chain[n], &made, e);
        } else if (n == 0 && top) {
            rc = apply(p, &chain[n], top, *data, &made, e);
        } else {
            rc = inflate_link(u, p, &chain[n], &delta, e);
            if (rc == 0)
                rc = apply(p, &chain[n], delta, *data, &made, e);
            pack_data_drop(delta);
        }
        if (rc == 0) {
            pack_data_drop(*data);
            *data = made;
            pack_cache_put(&u->cache, p->number, chain[n].offset, made);
        }
    }
    return rc;
}

int
unpack_object(struct unpacker *u, const struct pack *p, uint64_t offset,
              uint64_t max, int *type, uint64_t *size,
              struct pack_data **out, struct err *e)
{
    struct link chain[CHAIN_MAX];
    struct pack_data *data, *top = NULL;
    size_t n;
    int rc;

    rc = follow(u, p, offset, chain, &n, &data, type, e);
    if (rc == 0 && n == 0)
        *size = data->size;
    else if (rc == 0 && chain[0].type <= OBJECT_TAG)
        *size = chain[0].size;
    else if (rc == 0)
        rc = result_size(u, p, &chain[0], &top, size, e);
    if (rc == 0 && *size <= max) {
        rc = build(u, p, chain, n, top, &data, e);
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
