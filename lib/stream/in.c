/* in.c - a stream by its name: a file, a pipe, or the directory of a set; and
 * what may be asked of either when. */
#include <string.h>
#include <sys/stat.h>

#include "stream/in.h"

int
stream_in_open(struct stream_in *in, const char *path, const char *type,
               struct err *e)
{
    struct stat st;

    if (strcmp(path, "-") != 0 && stat(path, &st) == 0
        && S_ISDIR(st.st_mode))
        return in_set_open(in, path, type, e);
    return in_bytes_open(in, path, false, type, e);
}

void
stream_in_release(struct stream_in *in)
{
    if (!in->state)
        return;
    in->kind->release(in);
    in->state = NULL;
    stream_head_release(&in->head);
    stream_trailer_release(&in->trailer);
    in_release(&in->in);
}

int
stream_in_segment(struct stream_in *in, struct err *e)
{
    int rc;

    if (in->phase != STREAM_BETWEEN)
        return err_set(e, ERR_IO, "%s: segment asked for within another",
                       in->in.name);
    rc = in->kind->segment(in, e);
    if (rc != 0)
        in->phase = rc < 0 ? STREAM_FAILED : STREAM_WITHIN;
    return rc;
}

int
stream_in_record(struct stream_in *in, struct stream_rec *rec,
                 struct err *e)
{
    int rc;

    if (in->phase != STREAM_WITHIN)
        return err_set(e, ERR_IO, "%s: record asked for outside of a "
                       "segment", in->in.name);
    rc = in->kind->record(in, rec, e);
    if (rc <= 0)
        in->phase = rc < 0 ? STREAM_FAILED : STREAM_BETWEEN;
    return rc;
}

int
stream_in_data(struct stream_in *in, void *p, size_t n, size_t *got,
               struct err *e)
{
    int rc;

    *got = 0;
    if (in->phase != STREAM_WITHIN)
        return 0;
    rc = in->kind->data(in, p, n, got, e);
    if (rc < 0)
        in->phase = STREAM_FAILED;
    return rc;
}

const struct id *
stream_in_block(const struct stream_in *in)
{
    return in->kind->block(in);
}
