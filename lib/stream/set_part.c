/* set_part.c - opens file i of a set as a stream of one segment, and holds its
 * header and trailer against what the manifest says of it. */
#include "stream/set_part.h"

#include <inttypes.h>
#include <stdlib.h>

#include "stream/in.h"

int
set_part_compare(const struct manifest *m, size_t i, const char *path,
        const struct stream_head *head, const struct stream_trailer *t,
        uint64_t bytes, struct err *e)
{
    const struct set_file *f = &m->file[i];
    char found[ID_HEX + 1], expected[ID_HEX + 1];
    int rc = stream_head_same(&m->head, head, path, e);

    if (rc < 0)
        return rc;
    if (!id_equal(&f->content, &t->content))
        return err_set(e, ERR_DATA, "%s: is not the file in the manifest "
                       "(found content %.16s, expected %.16s)", path,
                       id_hex(&t->content, found),
                       id_hex(&f->content, expected));
    if (head->is_part && head->part != i)
        return err_set(e, ERR_DATA, "%s: header: part (found %" PRIu64
                       ", expected %zu)", path, head->part, i);
    if (f->bytes != bytes)
        return err_set(e, ERR_DATA, "%s: length (found %" PRIu64
                       ", expected %" PRIu64 ")", path, bytes, f->bytes);
    if (!id_equal(&f->file, &t->file) || f->records != t->records
        || f->tensors != t->tensors)
        return err_set(e, ERR_DATA, "%s: is not the file in the manifest "
                       "(found digest %.16s of %" PRIu64 " records, expected "
                       "%.16s of %" PRIu64 ")", path,
                       id_hex(&t->file, found), t->records,
                       id_hex(&f->file, expected), f->records);
    return 0;
}

char *
set_part_path(const struct manifest *m, const char *set, size_t i,
              struct err *e)
{
    char *path = path_join(set, m->file[i].name);

    if (path_exists(path))
        return path;
    err_set(e, ERR_DATA, "%s: is missing (named in %s/" MANIFEST_NAME ")",
            path, set);
    free(path);
    return NULL;
}

int
set_part_open(struct stream_in *in, const struct manifest *m,
              const char *set, size_t i, struct err *e)
{
    char *path = set_part_path(m, set, i, e);
    int rc;

    if (!path)
        return ERR_DATA;
    rc = in_bytes_open(in, path, true, m->head.type, e);
    free(path);
    if (rc < 0)
        return rc;
    in->parts = true;
    rc = stream_in_segment(in, e); /* no bytes at all are an error: not 0 */
    if (rc < 0)
        stream_in_release(in);
    return rc < 0 ? rc : 0;
}

int
set_part_end(struct stream_in *in, const struct manifest *m, size_t i,
             struct err *e)
{
    const char *path = in->in.name;
    int rc;

    rc = set_part_compare(m, i, path, &in->head, &in->trailer, in->in.at, e);
    if (rc == 0 && (rc = stream_in_segment(in, e)) > 0)
        rc = err_set(e, ERR_DATA, "%s: more than one segment (expected one)",
                     path);
    return rc;
}
