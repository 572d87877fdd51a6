/* adapter_gguf.c - the adapter's matrices under llama.cpp's names: A as it is,
 * B in the order and of the strength that its loader expects. */
#include "weights/adapter_gguf.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "model/family.h"
#include "tensor/gguf_write.h"
#include "weights/adapter_layout.h"
#include "weights/gguf_config.h"
#include "weights/weights_source.h"

#define MERGE_IT "merge the adapter into its base instead"

struct writer {
    const struct adapter *a;
    const struct model_desc *d;
    const struct weights *base;
    const struct gguf_arch *arch;
    enum dtype dtype;
    double alpha;            /* of the file */
    struct gguf_out file;
    struct err *e;
};

static int
find_arch(struct writer *w)
{
    const struct gguf *g = &w->base->source->gguf;
    const char *type = w->d->family->model_type;

    if (g->n_tensors > 0)
        return gguf_arch_find(&w->arch, g, w->e);
    w->arch = gguf_arch_of(type);
    if (w->arch == NULL)
        return err_set(w->e, ERR_USAGE, "%s: models of type %s are not "
                       "written as GGUF: " MERGE_IT, w->base->path, type);
    return 0;
}

/* The type of GGUF's that stores it: a float has one. */
static uint32_t
type_of(enum dtype dtype)
{
    const struct gguf_format *f;
    uint32_t type = 0;

    while ((f = gguf_format(type)) == NULL || f->dtype != dtype)
        type++;
    return type;
}

static const struct adapter_module *
find_item(const struct adapter *a, const struct module *m)
{
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->item[i].name, m->name) == 0)
            return &a->item[i];
    return NULL;
}

/* Names both tensors of a module. */
static int
list_module(struct writer *w, const struct module *m,
            const struct adapter_module *item)
{
    const uint64_t ne_a[] = { item->in, item->rank };
    const uint64_t ne_b[] = { item->rank, item->out };
    const struct gguf *g = &w->base->source->gguf;
    uint32_t type = type_of(w->dtype);
    struct buf name;
    int rc = 0;

    buf_init(&name);
    gguf_weight_name(&name, m);
    if (item->magnitude)
        rc = err_set(w->e, ERR_USAGE, "module %s: a GGUF adapter has no "
                     "place for the magnitudes of DoRA: " MERGE_IT,
                     item->name);
    else if (m->expert >= 0)
        rc = err_set(w->e, ERR_USAGE, "module %s: llama.cpp has all experts "
                     "of a layer in one tensor: " MERGE_IT, item->name);
    else if (g->n_tensors > 0 && gguf_tensor(g, name.data) == NULL)
        rc = err_set(w->e, ERR_USAGE, "module %s: %s holds no tensor %s, but "
                     "a larger one: " MERGE_IT, item->name, w->base->path,
                     name.data);
    buf_addstr(&name, ".lora_a");
    if (rc == 0)
        rc = gguf_out_tensor(&w->file, name.data, type, 2, ne_a, w->e);
    name.data[name.len - 1] = 'b';
    if (rc == 0)
        rc = gguf_out_tensor(&w->file, name.data, type, 2, ne_b, w->e);
    buf_release(&name);
    return rc;
}

static int
put_floats(struct writer *w, float *x, size_t n, const char *module)
{
    void *bytes = mem_array(n, sizeof(*x));
    int rc = adapter_pack(bytes, w->dtype, x, n, module, w->e);

    if (rc == 0)
        rc = gguf_out_data(&w->file, bytes, n * dtype_size(w->dtype), w->e);
    free(bytes);
    return rc;
}

/* Row i of B in the file is this one of the adapter's: of a head's n rows, j
 * of the first half stands before j of the second. */
static uint32_t
row_of(uint32_t i, uint32_t n)
{
    return i / n * n + i % 2 * (n / 2) + i % n / 2;
}

static int
put_module(struct writer *w, const struct module *m,
           const struct adapter_module *item)
{
    const struct layer_desc *y = &w->d->layer[m->layer];
    bool paired = w->arch->paired
                  && (m->role == ROLE_Q || m->role == ROLE_K);
    double factor = adapter_scale(w->a, item) * item->rank / w->alpha;
    size_t n_a = (size_t)item->rank * item->in;
    size_t n_b = (size_t)item->rank * item->out;
    float *x = mem_array(n_a > n_b ? n_a : n_b, sizeof(*x));
    int rc;

    memcpy(x, item->a, n_a * sizeof(*x));
    rc = put_floats(w, x, n_a, item->name);
    for (uint32_t i = 0; i < item->out && rc == 0; i++) {
        uint32_t row = paired ? row_of(i, y->head_dim) : i;

        for (uint32_t k = 0; k < item->rank; k++)
            x[(size_t)i * item->rank + k] = (float)(factor
                * item->b[(size_t)row * item->rank + k]);
    }
    if (rc == 0)
        rc = put_floats(w, x, n_b, item->name);
    free(x);
    return rc;
}

/* Calls each for the adapter's modules, in the order of the base's. */
static int
for_modules(struct writer *w,
            int (*each)(struct writer *, const struct module *,
                        const struct adapter_module *))
{
    int rc = 0;

    for (size_t i = 0; i < w->d->n_modules && rc == 0; i++) {
        const struct module *m = &w->d->module[i];
        const struct adapter_module *item = find_item(w->a, m);

        if (item != NULL)
            rc = each(w, m, item);
    }
    return rc;
}

static void
put_keys(struct writer *w)
{
    gguf_out_string(&w->file, "general.architecture", w->arch->name);
    gguf_out_string(&w->file, "general.type", "adapter");
    gguf_out_string(&w->file, "adapter.type", "lora");
    gguf_out_f32(&w->file, "adapter.lora.alpha", (float)w->alpha);
}

int
adapter_gguf_write(const struct adapter *a, const struct model_desc *d,
                   const struct weights *base, enum dtype dtype,
                   struct out *out, struct err *e)
{
    struct writer w = { .a = a, .d = d, .base = base, .dtype = dtype,
                        .e = e };
    int rc = find_arch(&w);

    if (rc < 0)
        return rc;
    w.alpha = a->rslora ? a->alpha * sqrt(a->rank) : a->alpha;
    if (fabs(w.alpha) < FLT_MIN)
        w.alpha = 1;
    gguf_out_init(&w.file, out->path ? out->path : "stdout");
    put_keys(&w);
    rc = for_modules(&w, list_module);
    if (rc == 0)
        rc = gguf_out_start(&w.file, out, e);
    if (rc == 0)
        rc = for_modules(&w, put_module);
    if (rc == 0)
        rc = gguf_out_finish(&w.file, e);
    gguf_out_release(&w.file);
    return rc;
}
