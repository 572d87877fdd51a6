/* weights_set.c - a base from a shard set of type "weights". */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "record/tensor.h"
#include "weights/weights_source.h"

static int
add_records(struct weights *w, struct err *e)
{
    struct set *s = w->source->set;
    struct asset a;
    const void *p;
    uint64_t i;
    size_t n;
    int rc;

    for (i = 0; i < s->manifest.records; i++) {
        rc = set_record(s, i, &p, &n, e);
        if (rc == 0)
            rc = asset_decode(&a, p, n, e);
        if (rc < 0)
            return err_prefix(e, "%s: asset %llu", w->path,
                              (unsigned long long)i);
        if (weights_asset(w, a.name))
            return err_set(e, ERR_DATA, "%s: two assets are named %s",
                           w->path, a.name);
        weights_add_asset(w, a.name, a.data, a.n);
    }
    return 0;
}

static int
add_tensors(struct weights *w, struct err *e)
{
    struct set *s = w->source->set;
    size_t i;
    int rc;

    for (i = 0; i < s->n_tensors; i++) {
        const struct set_tensor *t = &s->tensor[i];
        struct tensor_desc d;
        struct weight x = { 0 };

        rc = tensor_decode(&d, t->desc, t->n_desc, t->n_data, e);
        if (rc < 0)
            return err_prefix(e, "%s: tensor %zu", w->path, i);
        x.name = d.name;
        x.dtype = (uint8_t)d.dtype;
        x.n_dims = d.n_dims;
        memcpy(x.shape, d.shape, sizeof(x.shape));
        x.data = t->data;
        x.bytes = d.bytes;
        rc = weights_add(w, &x, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* What a GGUF file that the set was made of said of its tokenizer. */
static void
read_made_of(struct weights *w)
{
    const char *hex = stream_head_get(&w->source->set->manifest.head,
                                      "tokenizer");
    struct id id;

    if (hex != NULL && id_parse(&id, hex, strlen(hex)))
        id_hex(&id, w->made_of);
}

int
weights_open_set(struct weights *w, struct err *e)
{
    struct set *s = mem_alloc(sizeof(*s));
    int rc;

    rc = set_open(s, w->path, "weights", e);
    if (rc < 0) {
        free(s);
        return rc;
    }
    w->source->set = s;
    w->mapped = s->mapped;
    read_made_of(w);
    rc = add_records(w, e);
    if (rc == 0)
        rc = add_tensors(w, e);
    return rc;
}

int
weights_check(const struct weights *w, struct err *e)
{
    return w->source->set ? set_check_data(w->source->set, e) : 0;
}
