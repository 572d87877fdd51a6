/* blob.c - a blob is judged and its lines are counted when it is first read;
 * the object, as long as it is in the cache, remembers both. */
#include "repo/blob.h"

#include <string.h>

#include "base/lines.h"

#define BINARY_PROBE 8000
#define LFS_MAX 1024

enum verdict {
    VERDICT_NONE, VERDICT_TEXT, VERDICT_BINARY, VERDICT_LFS
};

static bool
is_lfs_pointer(const struct object *x)
{
    static const char *const first_line[] = {
        "version https://git-lfs.github.com/spec/v1\n",
        "version https://hawser.github.com/spec/v1\n"
    };
    size_t i;

    for (i = 0; i < 2 && x->size < LFS_MAX; i++) {
        size_t n = strlen(first_line[i]);

        if (x->size >= n && memcmp(x->data, first_line[i], n) == 0)
            return true;
    }
    return false;
}

static void
judge(struct object *x)
{
    size_t probe = x->size < BINARY_PROBE ? x->size : BINARY_PROBE;

    if (x->verdict != VERDICT_NONE)
        return;
    if (probe > 0 && memchr(x->data, '\0', probe)) {
        x->verdict = VERDICT_BINARY;
    } else if (is_lfs_pointer(x)) {
        x->verdict = VERDICT_LFS;
    } else {
        x->verdict = VERDICT_TEXT;
    }
}

int
blob_read(struct objects *o, const struct oid *id, uint64_t max,
          struct object **out, enum skip *skip, struct err *e)
{
    struct object *x = NULL;
    int rc;

    *out = NULL;
    rc = objects_read(o, id, OBJECT_BLOB, max, &x, e);
    if (rc == ERR_LIMIT) {
        *skip = SKIP_LARGE;
        return 0;
    }
    if (rc < 0)
        return rc;
    judge(x);
    if (x->verdict == VERDICT_TEXT) {
        *out = x;
        return 0;
    }
    *skip = x->verdict == VERDICT_BINARY ? SKIP_BINARY : SKIP_LFS;
    object_drop(x);
    return 0;
}

size_t
blob_lines(struct object *x)
{
    if (x->n_lines == 0)
        x->n_lines = 1 + lines_count(x->data, x->size);
    return x->n_lines - 1;
}

void
blob_set_lines(struct object *x, size_t n)
{
    x->n_lines = 1 + n;
}
