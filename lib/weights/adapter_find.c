/* adapter_find.c - an adapter's directory, by its own name or its run's. */
#include <stdlib.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "weights/adapter_mlx.h"

/* Why there is no adapter at path. */
static int
no_adapter(const char *path, const char *model, struct err *e)
{
    if (!path_exists(path))
        return err_set(e, ERR_IO, "%s: no such run or adapter", path);
    if (path_exists(model))
        return err_set(e, ERR_DATA, "%s: was trained in full: the result is "
                       "a base, %s, and there is no adapter", path, model);
    return err_set(e, ERR_DATA, "%s: holds no adapter", path);
}

int
adapter_find(char **dir, const char *path, struct err *e)
{
    char *config = path_join(path, ADAPTER_CONFIG);
    char *inside = path_join(path, "adapter");
    char *model = path_join(path, "model");
    char *manifest = path_join(path, "manifest.json");
    int rc = 0;

    if (path_exists(config))
        *dir = mem_strdup(path);
    else if (!path_exists(inside))
        rc = no_adapter(path, model, e);
    else
        *dir = mem_strdup(inside);
    if (rc == 0 && !path_exists(config) && !path_exists(manifest))
        log_warn("%s: the run is not complete, its adapter is what was "
                 "saved last", path);
    free(config);
    free(inside);
    free(model);
    free(manifest);
    return rc;
}

int
adapter_id(struct id *id, const char *dir, struct err *e)
{
    char *path = path_join(dir, adapter_is_mlx(dir) ? ADAPTER_MLX_WEIGHTS
                                                    : ADAPTER_WEIGHTS);
    int rc = id_of_file(id, path, e);

    free(path);
    return rc;
}
