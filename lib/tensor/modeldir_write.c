/* modeldir_write.c - the weights of a new model directory, and by which key
 * one was made. */
#include <stdlib.h>
#include <string.h>

#include "tensor/modeldir.h"

int
modeldir_put_weights(struct out_dir *w, struct safetensor *item,
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
