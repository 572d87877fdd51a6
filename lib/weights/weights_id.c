/* weights_id.c - the content id of a base: a set's own, or a hash over all
 * that a directory or a GGUF file says.
 */
#include <string.h>

#include "base/progress.h"
#include "weights/weights_source.h"

const struct id *
weights_known_id(const struct weights *w)
{
    return w->source->set ? &w->source->set->manifest.content : NULL;
}

static void
hash_assets(struct hash *h, const struct weights *w)
{
    hash_u64(h, w->n_assets);
    for (size_t i = 0; i < w->n_assets; i++) {
        hash_field(h, w->asset[i].name, strlen(w->asset[i].name));
        hash_field(h, w->asset[i].data, w->asset[i].n);
    }
}

/* t's data in its order, also where that is not the file's. */
static void
hash_rows(struct hash *h, const struct weight *t)
{
    size_t n;

    if (t->data != NULL || t->heads == 0) {
        hash_add(h, t->data, (size_t)t->bytes);
        return;
    }
    for (uint64_t row = 0; row < t->shape[0]; row++) {
        const void *p = weights_row(t, row, &n);

        hash_add(h, p, n);
    }
}

static void
hash_tensor(struct hash *h, const struct weight *t)
{
    hash_field(h, t->name, strlen(t->name));
    hash_field(h, dtype_name(t->dtype), strlen(dtype_name(t->dtype)));
    hash_u64(h, t->n_dims);
    for (uint32_t i = 0; i < t->n_dims; i++)
        hash_u64(h, t->shape[i]);
    if (t->scale != NULL)
        hash_field(h, t->scale, (size_t)weight_side_bytes(t));
    hash_u64(h, t->bytes);
    hash_rows(h, t);
}

struct id
weights_id(const struct weights *w)
{
    const struct id *known = weights_known_id(w);
    uint64_t bytes = 0;
    struct hash h;

    if (known)
        return *known;
    for (size_t i = 0; i < w->n; i++)
        bytes += w->item[i].bytes;
    progress_begin("bytes", 0, bytes);
    hash_init(&h);
    hash_assets(&h, w);
    hash_u64(&h, w->n);
    for (size_t i = 0; i < w->n; i++) {
        hash_tensor(&h, &w->item[i]);
        weights_drop(w, &w->item[i]);
        progress_add(w->item[i].bytes);
    }
    progress_end();
    return hash_id(&h);
}
