/* modeldir_write.c - the weights of a new model directory, and by which key
 * one was made. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tensor/modeldir.h"

int
modeldir_put_weights(struct out_dir *w, struct safetensor *item,
                     size_t n, const struct modeldir_source *source,
                     const struct safetensors_meta *meta, size_t n_meta,
                     struct err *e)
{
    struct safetensors_meta *all;
    char *full = path_join(w->temp, MODELDIR_WEIGHTS);
    struct out out;
    size_t i;
    int rc;

    rc = out_open(&out, full, e);
    free(full);
    if (rc < 0)
        return rc;
    all = mem_array(n_meta + 1, sizeof(*all));
    all[0] = (struct safetensors_meta){ "format", "pt" };
    for (i = 0; i < n_meta; i++)
        all[i + 1] = meta[i];
    rc = safetensors_start(&out, item, n, all, n_meta + 1, e);
    free(all);
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
