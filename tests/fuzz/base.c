/* base.c - any config.json and any header of a .safetensors file, as a model
 * directory: what opens has sorted names and elements that can be read, and
 * what its config describes can be bound.
 *
 * The input: the bytes of data behind the header (u16), the config, a NUL, the
 * header, and, if there is another NUL, the data's end. The data begins with
 * the values of NF4's codes, as a quant_map that is accepted must have them,
 * and is zero otherwise. */
#include "weights/base.h"

#include <string.h>

#include "base/log.h"
#include "tensor/nf4.h"
#include "scratch.h"

/* The file: the header's length, the header, the data. */
static void
put_tensors(const uint8_t *header, size_t n, size_t bytes)
{
    const uint8_t *nul = memchr(header, 0, n);
    size_t text = nul ? (size_t)(nul - header) : n;
    size_t tail = nul ? n - text - 1 : 0;
    char *path = scratch_path("model.safetensors");
    uint8_t *file = calloc(1, 8 + text + bytes);

    MUST(file);
    for (size_t i = 0; i < 8; i++)
        file[i] = (uint8_t)((uint64_t)text >> 8 * i);
    memcpy(file + 8, header, text);
    memcpy(file + 8 + text, nf4_value, bytes < 64 ? bytes : 64);
    if (tail > 0 && tail <= bytes)
        memcpy(file + 8 + text + bytes - tail, nul + 1, tail);
    scratch_put(path, file, 8 + text + bytes);
    free(file);
    free(path);
}

static void
read_weights(const struct weights *w)
{
    float x;

    for (size_t i = 0; i < w->n; i++) {
        const struct weight *t = &w->item[i];
        const struct stored *s = stored_of(t->dtype);
        uint64_t n = weight_elements(t);

        MUST(i == 0 || strcmp(w->item[i - 1].name, t->name) < 0);
        MUST(weights_find(w, t->name) == t);
        if (n == 0 || !s || (s->side_dtype != DTYPE_NONE && !t->scale))
            continue;
        weight_floats(&x, t, 0, 1);
        weight_floats(&x, t, n - 1, 1);
    }
}

static void
describe(const struct weights *w)
{
    struct model_desc d;
    struct frozen f;
    struct err e;
    size_t unused;

    if (base_describe(&d, &unused, w, &e) < 0) {
        MUST(e.text[0]);
        return;
    }
    if (base_bind(&f, w, &d, &e) == 0)
        base_unbind(&f);
    desc_release(&d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size > 2 ? memchr(data + 2, 0, size - 2) : NULL;
    struct weights w;
    struct err e;
    char *path;

    if (!nul)
        return 0;
    log_setup("fuzz", -1);
    path = scratch_path("config.json");
    scratch_put(path, data + 2, (size_t)(nul - data) - 2);
    free(path);
    put_tensors(nul + 1, size - (size_t)(nul + 1 - data),
                (size_t)(data[0] | data[1] << 8));
    if (weights_open(&w, scratch_dir, &e) < 0) {
        MUST(e.text[0]);
        return 0;
    }
    read_weights(&w);
    describe(&w);
    weights_release(&w);
    return 0;
}
