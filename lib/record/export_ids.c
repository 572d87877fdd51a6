/* export_ids.c - token records to a file of nothing but their ids. */
#include "record/export_ids.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"

int
ids_file_open(struct ids_file *f, struct export *x, const char *path,
              struct err *e)
{
    memset(f, 0, sizeof(*f));
    f->x = x;
    f->out.fd = -1;
    buf_init(&f->bytes);
    stream_head_init(&f->head, "tokens");
    if (strcmp(path, "-") == 0)
        return err_set(e, ERR_USAGE, "-: needs a file of its own");
    if (path_exists(path))
        return err_set(e, ERR_EXISTS, "%s: exists", path);
    return out_open(&f->out, path, e);
}

void
ids_file_release(struct ids_file *f)
{
    out_release(&f->out);
    stream_head_release(&f->head);
    buf_release(&f->bytes);
    free(f->ids);
    f->ids = NULL;
}

int
ids_file_head(struct ids_file *f, const struct stream_head *head,
              bool *first, struct err *e)
{
    int rc;

    *first = !f->begun;
    if (f->begun)
        return stream_head_same(&f->head, head, "segments", e);
    if (strcmp(head->type, "tokens") != 0)
        return err_set(e, ERR_DATA, "type of the stream (found %s, expected "
                       "tokens: see tokenize)", head->type);
    f->begun = true;
    stream_head_release(&f->head);
    stream_head_copy(&f->head, head);
    rc = tokens_loss_of(head, "stream", &f->loss, e);
    if (rc < 0 || !stream_head_get(head, "vocab"))
        return rc;
    return stream_head_get_u64(head, "vocab", "stream", &f->vocab, e);
}

static int
put_ids(struct ids_file *f, size_t n, struct err *e)
{
    char *to;
    size_t i;

    buf_reset(&f->bytes);
    to = buf_room(&f->bytes, n * f->width);
    for (i = 0; i < n; i++) {
        if (f->ids[i] > f->most)
            return err_set(e, ERR_DATA, "token id (found %" PRIu32
                           ", expected at most %" PRIu32 ")", f->ids[i],
                           f->most);
        if (f->width == 2)
            store_u16(to + 2 * i, (uint16_t)f->ids[i]);
        else
            store_u32(to + 4 * i, f->ids[i]);
    }
    return out_write(&f->out, to, n * f->width, e);
}

int
ids_file_add(struct ids_file *f, const void *p, size_t size, size_t *n,
             struct err *e)
{
    struct tokens t;
    int rc = tokens_decode(&t, p, size, f->vocab, e);

    if (rc < 0)
        return rc;
    *n = t.n;
    f->x->empty += t.n == 0;
    if (t.n == 0)
        return 0;
    if (t.n > f->cap) {
        free(f->ids);
        f->cap = t.n;
        f->ids = mem_array(f->cap, sizeof(*f->ids));
    }
    tokens_ids(&t, f->ids);
    f->x->records++;
    f->x->tokens += t.n;
    f->x->masked += f->loss == LOSS_ALL ? 0 : t.n - t.n_loss;
    return put_ids(f, t.n, e);
}
