/* set_lengths_out.c - writing the file of lengths of a set.
 *
 * It is named by its hash, like the files of records: the old set's and the
 * new one's are there side by side until the manifest names the one that
 * counts.
 */
#include "stream/set_lengths_out.h"

#include <stdlib.h>
#include <string.h>

#include "stream/set_lengths.h"

int
lengths_out_open(struct lengths_out *l, const char *dir,
                 const struct manifest *old, struct err *e)
{
    int rc = 0;

    memset(l, 0, sizeof(*l));
    l->dir = dir;
    if (old)
        rc = set_lengths_map(&l->old, old, dir, e);
    l->same = l->old.n > 0;
    return rc;
}

static int
put(struct lengths_out *l, const void *p, size_t n, struct err *e)
{
    hash_add(&l->hash, p, n);
    return out_write(&l->out, p, n, e);
}

/* From now on a file is written; its name is known when its content is. */
static int
diverge(struct lengths_out *l, struct err *e)
{
    char *path = path_join(l->dir, "lengths");
    int rc = out_open(&l->out, path, e);

    free(path);
    if (rc < 0)
        return rc;
    l->same = false;
    l->open = true;
    hash_init(&l->hash);
    return l->at > 0 ? put(l, l->old.p, (size_t)l->at, e) : 0;
}

int
lengths_out_add(struct lengths_out *l, const void *p, size_t n, struct err *e)
{
    int rc = 0;

    if (l->same && (n > l->old.n - l->at
                    || memcmp(p, l->old.p + l->at, n) != 0))
        rc = diverge(l, e);
    else if (!l->same && !l->open)
        rc = diverge(l, e);
    if (rc == 0 && l->open)
        rc = put(l, p, n, e);
    l->at += n;
    return rc;
}

int
lengths_out_end(struct lengths_out *l, struct manifest *m, struct err *e)
{
    struct id id;
    char *path;
    int rc;

    if (l->at == 0)
        return 0;
    if (l->same && l->at == l->old.n) {
        id = id_of(l->old.p, l->old.n);
        manifest_set_lengths(m, l->at, &id);
        return 0;
    }
    if (l->same) {
        rc = diverge(l, e);
        if (rc < 0)
            return rc;
    }
    id = hash_id(&l->hash);
    manifest_set_lengths(m, l->at, &id);
    path = path_join(l->dir, m->lengths.name);
    out_rename(&l->out, path);
    rc = out_commit(&l->out, e);
    l->open = false;
    l->written = rc == 0;
    free(path);
    return rc;
}

void
lengths_out_release(struct lengths_out *l)
{
    if (l->open)
        out_release(&l->out);
    file_map_release(&l->old);
    memset(l, 0, sizeof(*l));
}
