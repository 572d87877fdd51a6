/* set_lengths.c - mapping the file of lengths that a manifest names. */
#include "stream/set_lengths.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ERR_DATA unless the bytes are those that the manifest tells of. */
static int
compare(const struct file_map *map, const struct set_lengths *l,
        const char *path, struct err *e)
{
    struct id id;

    if (map->n != l->bytes)
        return err_set(e, ERR_DATA, "%s: length (found %zu, expected %"
                       PRIu64 ")", path, map->n, l->bytes);
    id = id_of(map->p, map->n);
    if (!id_equal(&id, &l->file))
        return err_set(e, ERR_DATA, "%s: does not match its hash", path);
    return 0;
}

int
set_lengths_map(struct file_map *map, const struct manifest *m,
                const char *dir, struct err *e)
{
    struct file_map got;
    char *path;
    int rc;

    memset(map, 0, sizeof(*map));
    if (m->lengths.name[0] == '\0')
        return 0;
    path = path_join(dir, m->lengths.name);
    if (!path_exists(path))
        rc = err_set(e, ERR_DATA, "%s: is missing (named in %s/"
                     MANIFEST_NAME ")", path, dir);
    else
        rc = file_map_open(&got, path, e);
    if (rc == 0) {
        rc = compare(&got, &m->lengths, path, e);
        if (rc == 0)
            *map = got;
        else
            file_map_release(&got);
    }
    free(path);
    return rc;
}
