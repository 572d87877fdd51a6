/* modeldir_write.c - a new model directory: made beside its name, renamed when
 * all is in it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "tensor/modeldir.h"

int
modeldir_start(struct modeldir_writer *w, const char *path, struct err *e)
{
    struct buf temp;
    size_t n = strlen(path);
    int rc;

    memset(w, 0, sizeof(*w));
    while (n > 1 && path[n - 1] == '/')
        n--;
    buf_init(&temp);
    buf_addf(&temp, "%.*s.tmp.%ld", (int)n, path, (long)getpid());
    w->path = mem_dup(path, n);
    w->temp = mem_dup(temp.data, temp.len);
    buf_release(&temp);
    if (path_exists(w->path))
        rc = err_set(e, ERR_EXISTS, "%s: exists", w->path);
    else if (mkdir(w->temp, 0777) < 0)
        rc = err_errno(e, ERR_IO, "%s", w->temp);
    else
        rc = 0;
    if (rc == 0) {
        io_temp_add(w->temp);
    } else {
        free(w->temp);
        free(w->path);
        memset(w, 0, sizeof(*w));
    }
    return rc;
}

int
modeldir_put_asset(struct modeldir_writer *w, const char *name,
                   const void *text, size_t n, struct err *e)
{
    char *full = path_join(w->temp, name);
    int rc = file_write(full, text, n, e);

    free(full);
    return rc;
}

int
modeldir_put_weights(struct modeldir_writer *w, struct safetensor *item,
                     size_t n, const struct modeldir_source *source,
                     const char *key, struct err *e)
{
    const struct safetensors_meta meta[] = {
        { "format", "pt" }, { MODELDIR_KEY, key },
    };
    char *full = path_join(w->temp, MODELDIR_WEIGHTS);
    struct out out;
    size_t i;
    int rc;

    rc = out_open(&out, full, e);
    free(full);
    if (rc < 0)
        return rc;
    rc = safetensors_start(&out, item, n, meta, key ? 2 : 1, e);
    for (i = 0; i < n && rc == 0; i++)
        rc = source->put(source->ctx, &item[i], &out, e);
    if (rc == 0)
        rc = out_commit(&out, e);
    else
        out_release(&out);
    return rc;
}

int
modeldir_commit(struct modeldir_writer *w, struct err *e)
{
    char *parent;
    char *slash;
    int rc;

    rc = dir_sync(w->temp, e);
    if (rc < 0)
        return rc;
    if (rename(w->temp, w->path) < 0)
        return err_errno(e, errno == ENOTEMPTY || errno == EEXIST
                         ? ERR_EXISTS : ERR_IO, "%s", w->path);
    io_temp_drop(w->temp);
    free(w->temp);
    w->temp = NULL;
    parent = mem_strdup(w->path);
    slash = strrchr(parent, '/');
    if (slash)
        slash[slash == parent] = 0;
    rc = dir_sync(slash ? parent : ".", e);
    free(parent);
    return rc;
}

bool
modeldir_has_key(const char *path, const char *key)
{
    char *full = path_join(path, MODELDIR_WEIGHTS);
    struct safetensors s;
    struct err ignored;
    bool found = false;
    size_t i;

    if (safetensors_open(&s, full, SAFETENSORS_MAX_HEADER, &ignored) == 0) {
        for (i = 0; i < s.n_meta; i++)
            found |= strcmp(s.meta[i].key, MODELDIR_KEY) == 0
                     && strcmp(s.meta[i].value, key) == 0;
        safetensors_release(&s);
    }
    free(full);
    return found;
}

void
modeldir_writer_release(struct modeldir_writer *w)
{
    struct err ignored;

    if (w->temp) {
        path_remove(w->temp, &ignored);
        io_temp_drop(w->temp);
    }
    free(w->temp);
    free(w->path);
    memset(w, 0, sizeof(*w));
}
