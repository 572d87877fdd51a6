/* rename.c - pairing by (blob, last part of the name), then by blob. */
#include "repo/rename.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

static bool
is_empty_blob(const struct oid *id)
{
    static const struct oid empty = {{
        0xe6, 0x9d, 0xe2, 0x9b, 0xb2, 0xd1, 0xd6, 0x43, 0x4b, 0x8b,
        0x29, 0xae, 0x77, 0x5a, 0xd8, 0xc2, 0xe4, 0x8c, 0x53, 0x91
    }};

    return oid_equal(id, &empty);
}

bool
rename_gone(const struct tree_change *c)
{
    return mode_is_file(c->mode[0]) && !c->there[1] && !c->renamed && !c->skip
           && !is_empty_blob(&c->id[0]);
}

bool
rename_come(const struct tree_change *c)
{
    return !c->there[0] && mode_is_file(c->mode[1]) && !c->renamed && !c->skip
           && !is_empty_blob(&c->id[1]);
}

struct span
rename_last_name(const struct tree_diff *d, const struct tree_change *c)
{
    const char *name = d->paths.data + c->name;
    const char *slash = memrchr(name, '/', c->name_len);
    size_t dir = slash ? (size_t)(slash + 1 - name) : 0;

    return (struct span){ name + dir, c->name_len - dir };
}

/* The key by which change i is looked up: its blob, and its name if so. */
static void
make_key(struct buf *key, const struct tree_diff *d, size_t i, int side,
         bool name)
{
    const struct tree_change *c = &d->change[i];
    struct span last = rename_last_name(d, c);

    buf_reset(key);
    buf_add(key, c->id[side].b, OID_BYTES);
    if (name)
        buf_add(key, last.p, last.n);
}

/* One round: the paths that went wait in chains, first come, first taken. */
static void
pair_by(struct tree_diff *d, bool name)
{
    size_t *next = mem_array(d->n, sizeof(*next)); /* 1 + index, 0 = end */
    struct map_entry *entry;
    struct map heads;
    struct buf key;
    size_t i, at;

    map_init(&heads);
    buf_init(&key);
    for (i = d->n; i-- > 0;) {
        if (!rename_gone(&d->change[i]))
            continue;
        make_key(&key, d, i, 0, name);
        entry = map_put(&heads, key.data, key.len, 0, NULL);
        next[i] = (size_t)entry->value;
        entry->value = i + 1;
    }
    for (i = 0; heads.n > 0 && i < d->n; i++) {
        if (!rename_come(&d->change[i]))
            continue;
        make_key(&key, d, i, 1, name);
        entry = map_get(&heads, key.data, key.len);
        if (!entry || entry->value == 0)
            continue;
        at = (size_t)entry->value - 1;
        entry->value = next[at];
        d->change[i].renamed = at + 1;
        d->change[at].renamed = i + 1;
    }
    map_release(&heads);
    buf_release(&key);
    free(next);
}

void
rename_pair(struct tree_diff *d)
{
    bool any_gone = false, any_come = false;
    size_t i;

    for (i = 0; i < d->n; i++) {
        any_gone = any_gone || rename_gone(&d->change[i]);
        any_come = any_come || rename_come(&d->change[i]);
    }
    if (!any_gone || !any_come)
        return;
    pair_by(d, true);
    pair_by(d, false);
}
