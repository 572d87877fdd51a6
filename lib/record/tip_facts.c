/* tip_facts.c - files of a tree to attributes and licences by folder. */
#include "record/tip_facts.h"

#include <string.h>

#include "base/hash.h"
#include "text/license.h"

#define HEADS_MAX 65536 /* that are remembered */

void
tip_facts_init(struct tip_facts *f)
{
    attributes_init(&f->attributes);
    map_init(&f->folder);
    map_init(&f->head);
    buf_init(&f->ids);
    buf_init(&f->room);
    buf_addc(&f->ids, '\0');
}

void
tip_facts_release(struct tip_facts *f)
{
    attributes_release(&f->attributes);
    map_release(&f->folder);
    map_release(&f->head);
    buf_release(&f->ids);
    buf_release(&f->room);
}

/* Where the id in f->room is in f->ids; there are few. */
static uint64_t
place_of(struct tip_facts *f)
{
    size_t at = 0;

    while (at < f->ids.len && strcmp(f->ids.data + at, f->room.data) != 0)
        at += strlen(f->ids.data + at) + 1;
    if (at == f->ids.len)
        buf_add(&f->ids, f->room.data, f->room.len + 1);
    return at;
}

static bool
is_attributes(const char *name, size_t n)
{
    return n == 14 && memcmp(name, ".gitattributes", 14) == 0;
}

static uint64_t
wants(const char *name, size_t n)
{
    if (is_attributes(name, n))
        return ATTRIBUTES_MAX_BYTES;
    return license_is_file(name, n) ? LICENSE_FILE_BYTES : 0;
}

static int
take_file(void *ctx, const char *dir, size_t n_dir, const char *name,
          size_t n, const struct object *blob, struct err *e)
{
    struct tip_facts *f = ctx;

    if (is_attributes(name, n))
        return attributes_add(&f->attributes, dir, n_dir, blob->data,
                              blob->size, e);
    buf_reset(&f->room);
    if (!map_get(&f->folder, dir, n_dir)
        && license_of_text(blob->data, blob->size, &f->room))
        map_put(&f->folder, dir, n_dir, place_of(f), NULL);
    return 0;
}

int
tip_facts_read(struct tip_facts *f, struct objects *o,
               const struct oid *commit, uint64_t max_entries,
               bool keep_going, uint64_t *lost, struct err *first,
               struct err *e)
{
    struct tip_files t = {
        .objects = o, .max_entries = max_entries, .keep_going = keep_going,
        .ctx = f, .wants = wants, .file = take_file
    };
    int rc = tip_files_read(&t, commit, e);

    *lost = t.lost;
    *first = t.first;
    return rc;
}

/* What the text itself says. */
static uint64_t
by_head(struct tip_facts *f, const char *text, size_t n)
{
    struct map_entry *entry;
    struct id id;
    bool added;

    n = license_head(text, n);
    id = id_of(text, n);
    if (f->head.n >= HEADS_MAX)
        map_clear(&f->head);
    entry = map_put(&f->head, id.b, ID_BYTES, 0, &added);
    if (!added)
        return entry->value;
    buf_reset(&f->room);
    if (license_of_source(text, n, &f->room))
        entry->value = place_of(f);
    return entry->value;
}

const char *
tip_facts_license(struct tip_facts *f, const char *path, size_t n_path,
                  const char *text, size_t n)
{
    const struct map_entry *entry;
    uint64_t at = by_head(f, text, n);

    while (at == 0) {
        const char *slash = n_path ? memrchr(path, '/', n_path) : NULL;

        n_path = slash ? (size_t)(slash - path) : 0;
        entry = map_get(&f->folder, path, n_path + (slash != NULL));
        if (entry)
            at = entry->value;
        else if (!slash)
            return NULL;
    }
    return f->ids.data + at;
}
