/* objects.h - reading git objects by id, from packs and loose files.
 *
 * Objects come from one cache bounded in bytes: the old side of a commit was
 * the new side of an earlier one, and most trees are those of the parent.
 *
 * Limits: what is larger than the caller's limit is refused by its header,
 * before its body is made.
 */
#ifndef REPO_OBJECTS_H
#define REPO_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "repo/cache.h"
#include "repo/object_dirs.h"
#include "repo/oid.h"
#include "repo/watch.h"

struct packs;

/* An object in memory. data has size bytes; it lives while held. */
struct object {
    struct cache_entry entry;        /* the first member */
    const char *data;
    size_t size;
    struct oid id;
    int type;
    int verdict;                     /* for the caller; 0 at first */
    size_t n_lines;                  /* for the caller: 1 + lines */
    unsigned held;
    char *own;                       /* data of a loose object */
    struct pack_data *packed;        /* or where a packed one is */
};

struct objects {
    struct packs *packs;
    struct object_dirs dirs;
    const char *fetch_into;          /* a partial clone, or NULL */
    struct evp_md_ctx_st *sha1;      /* every object is hashed */
    struct watch *watch;             /* or NULL */
    const struct map *poison;        /* ids not to touch, or NULL */
    struct cache cache;              /* of struct object, in bytes */
};

/* Opens the object directory dir, cache_max bytes of cache. ERR_DATA when
 * something there is not a plain file or directory. Alternates are followed
 * if trust, else refused. */
int objects_open(struct objects *o, const char *dir, uint64_t cache_max,
                 bool trust, struct err *e);
void objects_release(struct objects *o);

/* The object id, which must be of that type, at most max bytes long. It is
 * held until object_drop. ERR_DATA if it is missing, damaged or of another
 * type, ERR_LIMIT if it is too long; the text names it. */
int objects_read(struct objects *o, const struct oid *id, int type,
                 uint64_t max, struct object **out, struct err *e);
void object_drop(struct object *object);

/* The blob data[n], which is taken over: known by its id as long as it is
 * held, as if the repository had it. ERR_IO if it can't be hashed; data is
 * freed then, too. */
int objects_make(struct objects *o, char *data, size_t n,
                 struct object **out, struct err *e);

/* Type and size from the header alone. */
int objects_header(struct objects *o, const struct oid *id, int *type,
                   uint64_t *size, struct err *e);

/* Finds the one id that begins with hex[n], 4 <= n <= 40. ERR_DATA if none
 * or several. */
int objects_prefix(struct objects *o, const char *hex, size_t n,
                   struct oid *out, struct err *e);

#endif
