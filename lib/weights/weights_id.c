/* weights_id.c - the content id of a base: a set's own, or a hash over all
 * that a directory or a GGUF file says.
 */
#include <string.h>

#include "base/progress.h"
#include "weights/weights_source.h"

void
weights_hash_begin(struct weights_hash *h, const struct weights *w)
{
    h->known = w->source->set ? &w->source->set->manifest.content : NULL;
    if (h->known)
        return;
    hash_init(&h->h);
    hash_u64(&h->h, w->n_assets);
    for (size_t i = 0; i < w->n_assets; i++) {
        hash_field(&h->h, w->asset[i].name, strlen(w->asset[i].name));
        hash_field(&h->h, w->asset[i].data, w->asset[i].n);
    }
    hash_u64(&h->h, w->n);
}

void
weights_hash_tensor(struct weights_hash *h, const struct weight *t)
{
    if (h->known)
        return;
    hash_field(&h->h, t->name, strlen(t->name));
    hash_field(&h->h, dtype_name(t->dtype), strlen(dtype_name(t->dtype)));
    hash_u64(&h->h, t->n_dims);
    for (uint32_t i = 0; i < t->n_dims; i++)
        hash_u64(&h->h, t->shape[i]);
    if (t->scale != NULL)
        hash_field(&h->h, t->scale, (size_t)weight_side_bytes(t));
    hash_u64(&h->h, t->bytes);
}

void
weights_hash_data(struct weights_hash *h, const void *p, size_t n)
{
    if (h->known == NULL)
        hash_add(&h->h, p, n);
}

struct id
weights_hash_end(const struct weights_hash *h)
{
    return h->known ? *h->known : hash_id(&h->h);
}

/* t's data in its order, also where that is not the file's. */
static void
hash_rows(struct weights_hash *h, const struct weight *t)
{
    size_t n;

    if (t->data != NULL || t->heads == 0) {
        weights_hash_data(h, t->data, (size_t)t->bytes);
        return;
    }
    for (uint64_t row = 0; row < t->shape[0]; row++) {
        const void *p = weights_row(t, row, &n);

        weights_hash_data(h, p, n);
    }
}

struct id
weights_id(const struct weights *w)
{
    uint64_t bytes = 0;
    struct weights_hash h;

    weights_hash_begin(&h, w);
    if (h.known)
        return *h.known;
    for (size_t i = 0; i < w->n; i++)
        bytes += w->item[i].bytes;
    progress_begin("bytes", 0, bytes);
    for (size_t i = 0; i < w->n; i++) {
        weights_hash_tensor(&h, &w->item[i]);
        hash_rows(&h, &w->item[i]);
        weights_drop(w, &w->item[i]);
        progress_add(w->item[i].bytes);
    }
    progress_end();
    return weights_hash_end(&h);
}
