/* packs.c - all packs of some object directories.
 *
 * Packs come and go while they are read: when an object is missing, or a
 * pack was deleted, the directories are listed again. The indices of all
 * packs are mapped; a pack is opened with its first object.
 */
#include "repo/packs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/io.h"
#include "base/mem.h"
#include "repo/unpack.h"

#define FORGET_EVERY 65536   /* look-ups after which index pages go */

struct packs {
    struct pack *pack;
    size_t n, cap, last;     /* last: where an object was last found */
    char **dir;
    size_t n_dirs;
    uint64_t lookups;
    struct unpacker unpacker;
};

struct packs *
packs_new(void)
{
    struct packs *p = mem_alloc(sizeof(*p));

    if (!unpacker_init(&p->unpacker)) {
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
    for (i = 0; i < p->n; i++)
        pack_close(&p->pack[i]);
    for (i = 0; i < p->n_dirs; i++)
        free(p->dir[i]);
    free(p->dir);
    free(p->pack);
    unpacker_release(&p->unpacker);
    free(p);
}

/* ---- the packs of a directory ---- */

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
        new.number = (uint32_t)p->n;
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

/* ---- objects ---- */

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
    return unpack_object(&p->unpacker, &p->pack[pack], offset, max, type,
                         size, data, e);
}

/* ---- abbreviations ---- */

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
