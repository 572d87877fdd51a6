/* model.c - opens back end, base and adapter, in that order, and asks
 * fit.h about programs of them. */
#include "weights/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "model/fit.h"
#include "weights/adapter_saved.h"
#include "weights/base.h"
#include "weights/lora.h"

static int
open_base(struct model *m, const char *base, bool plan, struct err *e)
{
    size_t unused;
    int rc = weights_open(&m->weights, base, e);

    if (rc == 0 && !plan)
        rc = weights_check(&m->weights, e);
    if (rc == 0)
        rc = base_describe(&m->desc, &unused, &m->weights, e);
    if (rc == 0 && !plan)
        rc = weights_all_ready(&m->weights, e);
    if (rc == 0)
        rc = base_bind(&m->base, &m->weights, &m->desc, e);
    return rc;
}

static void
drop_adapter(struct model *m)
{
    if (m->with != NULL)
        adapter_release(&m->adapter);
    m->with = NULL;
    free(m->adapter_dir);
    m->adapter_dir = NULL;
}

int
model_untie(struct model *m, const struct adapter *a, struct err *e)
{
    if (!adapter_unties(a, &m->desc))
        return 0;
    base_unbind(&m->base);
    desc_untie(&m->desc);
    return base_bind(&m->base, &m->weights, &m->desc, e);
}

int
model_adapt(struct model *m, const char *path, struct err *e)
{
    int rc;

    drop_adapter(m);
    if (path == NULL)
        return 0;
    rc = adapter_find(&m->adapter_dir, path, e);
    if (rc == 0)
        rc = adapter_read(&m->adapter, m->adapter_dir, e);
    if (rc < 0)
        return rc;
    m->with = &m->adapter;
    rc = model_untie(m, m->with, e);
    if (rc == 0)
        rc = adapter_match(m->with, &m->desc, &m->linears, e);
    if (rc < 0) {
        err_prefix(e, "%s", m->adapter_dir);
        drop_adapter(m);
    }
    return rc;
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
    rc = open_base(m, base, device->plan, e);
    if (rc == 0)
        rc = model_adapt(m, adapter, e);
    if (rc < 0)
        model_release(m);
    else if (m->with != NULL)
        log_info("%s: %zu of the base's %zu linears are adapted%s%s",
                 m->adapter_dir, m->adapter.n, m->linears,
                 m->adapter.n_whole > 0 ? ", modules_to_save are replaced"
                                        : "",
                 m->adapter.n_tokens > 0 ? ", rows of tokens are replaced"
                                         : "");
    return rc;
}

int
model_open_beside(struct model *m, const char *base,
                  const struct model *with, struct err *e)
{
    int rc;

    memset(m, 0, sizeof(*m));
    m->backend = with->backend;
    m->backend.close = NULL; /* is with's */
    rc = open_base(m, base, false, e);
    if (rc < 0)
        model_release(m);
    return rc;
}

static int
plan_program(const struct model *model, const struct prog_opts *o,
             const struct frozen *base, struct plan_memory *m, struct err *e)
{
    struct prog p;
    int rc = prog_build(&p, &model->desc, o, base, &model->backend, e);

    if (rc < 0)
        return rc;
    *m = prog_memory(&p, &model->backend);
    prog_release(&p);
    return 0;
}

/* fit's plan: a program. */
static int
plan_way(void *ctx, const struct fit_way *way, struct plan_memory *m,
         struct err *e)
{
    return plan_program(ctx, &way->prog, way->base, m, e);
}

int
model_fit(const struct model *m, const struct prog_opts *o,
          const char *what, bool force, struct err *e)
{
    struct fit f = { .what = what, .plan = plan_way, .ctx = (void *)m,
                     .desc = &m->desc,
                     .way = { .prog = *o, .accum = 1, .base = &m->base },
                     .backend = &m->backend };
    struct lora_part *parts = NULL;
    int rc = m->with ? lora_opts(&f.way.prog, m->with, &m->desc, &parts, e)
                     : 0;

    if (rc == 0)
        rc = fit_now(&f, force, e);
    free(parts);
    return rc;
}

struct both {
    const struct model *model[2];
    uint64_t beside;
};

/* fit's plan: two programs and what is beside them. */
static int
plan_both(void *ctx, const struct fit_way *way, struct plan_memory *m,
          struct err *e)
{
    const struct both *b = ctx;
    bool apart = b->model[0]->backend.apart;
    struct plan_memory more;
    int rc = plan_program(b->model[0], &way->prog, way->base, m, e);

    if (rc == 0)
        rc = plan_program(b->model[1], &way->prog, &b->model[1]->base, &more,
                          e);
    if (rc < 0)
        return rc;
    m->base += more.base;
    m->state += more.state;
    m->arena += more.arena;
    m->batch += more.batch + (apart ? 0 : b->beside);
    m->total += more.total + (apart ? 0 : b->beside);
    m->host += more.host + (apart ? b->beside : 0);
    return 0;
}

int
model_fit_both(const struct model *m, const struct model *other,
               const struct prog_opts *o, uint64_t beside, const char *what,
               bool force, struct err *e)
{
    struct both b = { { m, other }, beside };
    struct fit f = { .what = what, .plan = plan_both, .ctx = &b,
                     .desc = &m->desc, .as_stored = true,
                     .way = { .prog = *o, .accum = 1, .base = &m->base },
                     .backend = &m->backend };

    return fit_now(&f, force, e);
}

void
model_release(struct model *m)
{
    drop_adapter(m);
    base_unbind(&m->base);
    desc_release(&m->desc);
    weights_release(&m->weights);
    device_close(&m->backend);
    memset(m, 0, sizeof(*m));
}
