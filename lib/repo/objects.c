/* objects.c - objects by id: packs, loose files, and one cache of both.
 *
 * The pack directories are read again when an object is missing, so a
 * repository that is repacked meanwhile goes on being read.
 */
#include "repo/objects.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/io.h"
#include "base/mem.h"
#include "repo/loose.h"
#include "repo/pack.h"

#define N_BUCKETS (1 << 14)
#define MAX_ALTERNATES 16

/* ---- the cache ---- */

static struct object **
bucket_of(struct objects *o, const struct oid *id)
{
    return &o->bucket[load_u32(id->b) % N_BUCKETS];
}

static void
list_remove(struct objects *o, struct object *x)
{
    if (x->newer)
        x->newer->older = x->older;
    else
        o->newest = x->older;
    if (x->older)
        x->older->newer = x->newer;
    else
        o->oldest = x->newer;
}

static void
list_front(struct objects *o, struct object *x)
{
    x->newer = NULL;
    x->older = o->newest;
    if (o->newest)
        o->newest->newer = x;
    else
        o->oldest = x;
    o->newest = x;
}

static uint64_t
cost(const struct object *x)
{
    return x->size + sizeof(*x) + 64;
}

static void
cache_drop(struct objects *o, struct object *x)
{
    struct object **at = bucket_of(o, &x->id);

    while (*at != x)
        at = &(*at)->next;
    *at = x->next;
    list_remove(o, x);
    o->cached -= cost(x);
    o->n_cached--;
    free(x->own);
    pack_data_drop(x->packed);
    free(x);
}

static void
cache_shrink(struct objects *o)
{
    struct object *x, *newer;

    for (x = o->oldest; x && o->cached > o->cache_max; x = newer) {
        newer = x->newer;
        if (x->held == 0)
            cache_drop(o, x);
    }
}

static void
cache_add(struct objects *o, struct object *x)
{
    struct object **at = bucket_of(o, &x->id);

    x->next = *at;
    *at = x;
    list_front(o, x);
    o->cached += cost(x);
    o->n_cached++;
    cache_shrink(o);
}

static struct object *
cache_get(struct objects *o, const struct oid *id)
{
    struct object *x;

    for (x = *bucket_of(o, id); x; x = x->next) {
        if (oid_equal(&x->id, id)) {
            if (x != o->newest) {
                list_remove(o, x);
                list_front(o, x);
            }
            return x;
        }
    }
    return NULL;
}

/* ---- opening ---- */

/* Refuses what would hang or mislead a reader of that directory. */
static int
check_dir(const char *dir, bool trust, struct err *e)
{
    char **name = NULL;
    char *path;
    struct stat st;
    size_t n = 0, i;
    int rc;

    rc = dir_list(&name, &n, dir, e);
    for (i = 0; rc == 0 && i < n; i++) {
        path = path_join(dir, name[i]);
        if ((trust ? stat(path, &st) : lstat(path, &st)) != 0)
            rc = errno == ENOENT ? 0 : err_errno(e, ERR_IO, "%s", path);
        else if (S_ISLNK(st.st_mode))
            rc = err_set(e, ERR_DATA, "%s: a symbolic link; "
                         "use --trust if it may be followed", path);
        else if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
            rc = err_set(e, ERR_DATA, "%s: neither file nor directory",
                         path);
        free(path);
    }
    dir_list_free(name, n);
    return rc;
}

static void
note_loose(struct objects *o, const char *dir)
{
    static const char digit[] = "0123456789abcdef";
    struct stat st;
    char *path;
    char name[3] = "";
    int i;

    for (i = 0; i < 256; i++) {
        name[0] = digit[i >> 4];
        name[1] = digit[i & 15];
        path = path_join(dir, name);
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            o->has_loose[i] = true;
        free(path);
    }
}

static int
add_dir(struct objects *o, const char *dir, bool trust, struct err *e)
{
    char *sub;
    int rc;

    rc = check_dir(dir, trust, e);
    if (rc < 0)
        return rc;
    sub = path_join(dir, "pack");
    if (path_exists(sub))
        rc = check_dir(sub, trust, e);
    free(sub);
    if (rc == 0)
        rc = packs_add(o->packs, dir, e);
    if (rc < 0)
        return rc;
    note_loose(o, dir);
    o->dir = mem_grow(o->dir, (o->n_dirs + 1) * sizeof(*o->dir));
    o->dir[o->n_dirs++] = mem_strdup(dir);
    return 0;
}

/* That directory is one of those that are read already. */
static bool
known(const struct objects *o, const struct stat *dir)
{
    struct stat st;
    size_t i;

    for (i = 0; i < o->n_dirs; i++) {
        if (stat(o->dir[i], &st) == 0 && st.st_dev == dir->st_dev
            && st.st_ino == dir->st_ino)
            return true;
    }
    return false;
}

/* A line of the file path, which is directory number of's info/alternates. */
static int
add_alternate(struct objects *o, size_t of, const char *path,
              const char *line, bool trust, struct err *e)
{
    struct stat st;
    char *other;
    int rc = 0;

    if (!trust)
        return err_set(e, ERR_DATA, "%s: objects outside the repository; "
                       "use --trust to read them", path);
    if (o->n_dirs >= MAX_ALTERNATES)
        return err_set(e, ERR_LIMIT, "%s: too many alternates (limit %d)",
                       path, MAX_ALTERNATES);
    other = *line == '/' ? mem_strdup(line) : path_join(o->dir[of], line);
    if (stat(other, &st) != 0)
        rc = err_errno(e, ERR_DATA, "%s names %s", path, other);
    else if (!known(o, &st))
        rc = add_dir(o, other, trust, e);
    free(other);
    return rc;
}

/* Appends the directories that DIR/info/alternates names. */
static int
add_alternates(struct objects *o, size_t of, bool trust, struct err *e)
{
    struct in in;
    struct buf line;
    char *path;
    bool got = true, ended;
    int rc;

    path = path_join(o->dir[of], "info/alternates");
    if (!path_exists(path)) {
        free(path);
        return 0;
    }
    buf_init(&line);
    rc = in_open_regular(&in, path, e);
    while (rc == 0) {
        rc = in_line(&in, &line, 4096, &got, &ended, e);
        if (rc < 0 || !got)
            break;
        if (line.len > 0 && line.data[0] != '#')
            rc = add_alternate(o, of, path, line.data, trust, e);
    }
    in_release(&in);
    buf_release(&line);
    free(path);
    return rc;
}

int
objects_open(struct objects *o, const char *dir, uint64_t cache_max,
             bool trust, struct err *e)
{
    size_t i;
    int rc = 0;

    memset(o, 0, sizeof(*o));
    o->cache_max = cache_max;
    o->sha1 = EVP_MD_CTX_new();
    o->bucket = mem_array(N_BUCKETS, sizeof(*o->bucket));
    o->packs = packs_new();
    if (!o->sha1 || !o->packs)
        rc = err_set(e, ERR_IO, "%s: out of memory", dir);
    if (rc == 0)
        rc = add_dir(o, dir, trust, e);
    for (i = 0; rc == 0 && i < o->n_dirs; i++)
        rc = add_alternates(o, i, trust, e);
    if (rc < 0)
        objects_release(o);
    return rc;
}

void
objects_release(struct objects *o)
{
    size_t i;

    while (o->oldest)
        cache_drop(o, o->oldest);
    free(o->bucket);
    EVP_MD_CTX_free(o->sha1);
    packs_free(o->packs);
    for (i = 0; i < o->n_dirs; i++)
        free(o->dir[i]);
    free(o->dir);
    memset(o, 0, sizeof(*o));
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
    if (!o->has_loose[id->b[0]])
        return 0;
    for (i = 0; rc == 0 && !*found && i < o->n_dirs; i++)
        rc = loose_read(o->dir[i], id, max, found, type, size, data, e);
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
verify(const struct objects *o, const struct object *x, const struct oid *id,
       struct err *e)
{
    char head[40], hex[OID_HEX + 1];
    unsigned char hash[EVP_MAX_MD_SIZE];
    int n = snprintf(head, sizeof(head), "%s %zu",
                     object_type_name(x->type), x->size);

    if (!EVP_DigestInit_ex(o->sha1, EVP_sha1(), NULL)
        || !EVP_DigestUpdate(o->sha1, head, (size_t)n + 1)
        || !EVP_DigestUpdate(o->sha1, x->data, x->size)
        || !EVP_DigestFinal_ex(o->sha1, hash, NULL))
        return err_set(e, ERR_IO, "SHA-1 does not work");
    if (memcmp(hash, id->b, OID_BYTES) != 0)
        return err_set(e, ERR_DATA, "object %s: content does not match "
                       "its id", oid_hex(id, hex));
    return 0;
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
    struct object *x = cache_get(o, id);
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
            free(x->own);
            pack_data_drop(x->packed);
            free(x);
            return rc;
        }
        x->held = 1; /* against its own eviction */
        cache_add(o, x);
        x->held = 0;
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
objects_header(struct objects *o, const struct oid *id, int *type,
               uint64_t *size, struct err *e)
{
    const struct object *x = cache_get(o, id);
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

static void
prefix_loose(const char *dir, const char *hex, size_t n,
             struct candidates *c)
{
    char path[4096], name[OID_HEX + 1];
    struct dirent *entry;
    struct oid id;
    DIR *d;

    if ((size_t)snprintf(path, sizeof(path), "%s/%.2s", dir, hex) >=
        sizeof(path))
        return;
    d = opendir(path);
    while (d && (entry = readdir(d)) != NULL) {
        if (strlen(entry->d_name) != OID_HEX - 2
            || strncasecmp(entry->d_name, hex + 2, n - 2) != 0)
            continue;
        snprintf(name, sizeof(name), "%.2s%.38s", hex, entry->d_name);
        if (oid_parse(&id, name, OID_HEX))
            candidate(c, &id);
    }
    if (d)
        closedir(d);
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
    for (i = 0; i < o->n_dirs; i++)
        prefix_loose(o->dir[i], low, n, &c);
    packs_prefix(o->packs, low, n, candidate, &c);
    if (c.n == 0)
        return err_set(e, ERR_DATA, "%s: no such object", low);
    if (c.n > 1)
        return err_set(e, ERR_DATA, "%s: ambiguous", low);
    *out = c.id;
    return 0;
}
