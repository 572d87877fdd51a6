/* model.c - see model.h. */
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "model/base.h"

static int
open_base(struct model *m, const char *base, struct err *e)
{
    size_t unused;
    int rc = weights_open(&m->weights, base, e);

    if (rc == 0)
        rc = weights_check(&m->weights, e);
    if (rc == 0)
        rc = base_describe(&m->desc, &unused, &m->weights, e);
    return rc;
}

static int
open_adapter(struct model *m, const char *path, struct err *e)
{
    size_t linears;
    int rc = adapter_find(&m->adapter_dir, path, e);

    if (rc == 0)
        rc = adapter_read(&m->adapter, m->adapter_dir, e);
    if (rc < 0)
        return rc;
    m->with = &m->adapter;
    rc = adapter_match(&m->adapter, &m->desc, &linears, e);
    if (rc < 0)
        return err_prefix(e, "%s", m->adapter_dir);
    log_info("%s: %zu of the base's %zu linears are adapted", m->adapter_dir,
             m->adapter.n, linears);
    return 0;
}

int
model_open(struct model *m, const char *base, const char *adapter,
           const struct device_opts *device, struct err *e)
{
    int rc;

    memset(m, 0, sizeof(*m));
    rc = device_open(&m->backend, device, e);
    if (rc < 0)
        return rc;
    rc = open_base(m, base, e);
    if (rc == 0 && adapter != NULL)
        rc = open_adapter(m, adapter, e);
    if (rc < 0)
        model_release(m);
    return rc;
}

void
model_release(struct model *m)
{
    if (m->with != NULL)
        adapter_release(&m->adapter);
    free(m->adapter_dir);
    desc_release(&m->desc);
    weights_release(&m->weights);
    device_close(&m->backend);
    memset(m, 0, sizeof(*m));
}
