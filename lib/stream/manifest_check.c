/* manifest_check.c - whether a manifest that was read is the one that its text
 * says.
 *
 * It is finished and formatted again: a manifest has one form, so any byte
 * that was changed shows.
 */
#include "stream/manifest_check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "stream/frame.h"

/* What is no header of a stream can't be that of a set, either: without
 * files no other check would tell. */
static int
check_head(const struct manifest *m, const char *path, struct err *e)
{
    struct err why;

    if (head_allowed(&m->head, &why) < 0)
        return err_set(e, ERR_DATA, "%s: %s", path, why.text);
    return 0;
}

/* The files' numbers of records have a sum. */
static int
check_sum(const struct manifest *m, const char *path, struct err *e)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < m->n_files; i++)
        if (!size_add(sum, m->file[i].records, &sum))
            return err_set(e, ERR_DATA, "%s: file %zu: over 2^64 - 1 records "
                           "with those before it", path, i);
    return 0;
}

static int
by_begin(const void *a, const void *b)
{
    const struct set_range *x = a, *y = b;

    return (x->begin > y->begin) - (x->begin < y->begin);
}

/* No record in two splits. */
static int
check_splits(const struct manifest *m, const char *path, struct err *e)
{
    struct set_range *all;
    size_t n = 0, at = 0;
    int rc = 0;

    for (size_t i = 0; i < m->n_splits; i++)
        n += m->split[i].n;
    all = mem_array(n, sizeof(*all));
    for (size_t i = 0; i < m->n_splits; i++)
        for (size_t k = 0; k < m->split[i].n; k++)
            all[at++] = m->split[i].range[k];
    qsort(all, n, sizeof(*all), by_begin);
    for (size_t i = 1; rc == 0 && i < n; i++)
        if (all[i].begin < all[i - 1].end)
            rc = err_set(e, ERR_DATA, "%s: record %" PRIu64 " is in two "
                         "splits", path, all[i].begin);
    free(all);
    return rc;
}

int
manifest_check(struct manifest *m, const struct buf *text, const char *path,
               struct err *e)
{
    uint64_t records = m->records, tensors = m->tensors;
    char found[ID_HEX + 1], expected[ID_HEX + 1];
    struct id content = m->content;
    struct buf again;
    int rc = check_head(m, path, e);

    if (rc == 0)
        rc = check_sum(m, path, e);
    if (rc == 0)
        rc = check_splits(m, path, e);
    if (rc < 0)
        return rc;
    manifest_finish(m);
    if (m->records != records || m->tensors != tensors)
        return err_set(e, ERR_DATA, "%s: records (found %" PRIu64 ", files "
                       "have %" PRIu64 ")", path, records, m->records);
    if (!id_equal(&content, &m->content))
        return err_set(e, ERR_DATA, "%s: content id is not that of its "
                       "files (found %s, expected %s)", path,
                       id_hex(&content, found),
                       id_hex(&m->content, expected));
    buf_init(&again);
    manifest_format(&again, m);
    if (again.len != text->len
        || memcmp(again.data, text->data, text->len) != 0)
        rc = err_set(e, ERR_DATA, "%s: was changed: it does not match its "
                     "check", path);
    buf_release(&again);
    return rc;
}
