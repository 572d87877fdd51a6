/* gguf.c - any bytes as a GGUF file: what is read lies in the file, and each
 * key gives what its type has. */
#include "tensor/gguf.h"

#include <string.h>

#include "fuzz.h"

/* Whether p[n] is a part of the file. */
static bool
within(const uint8_t *data, size_t size, const void *p, uint64_t n)
{
    const uint8_t *q = p;

    return q >= data && n <= size && (size_t)(q - data) <= size - n;
}

static void
read_key(const struct gguf_key *k, const uint8_t *data, size_t size)
{
    struct gguf_text text;
    uint64_t n = 0;
    int64_t whole;
    double real;

    MUST(within(data, size, k->name.p, k->name.n));
    MUST(within(data, size, k->at, k->bytes));
    if (k->n > 0) {
        MUST(gguf_whole(k, k->n - 1, &whole) || k->type == GGUF_U64
             || k->type == GGUF_STRING || gguf_type_is_real(k->type));
        MUST(gguf_real(k, k->n - 1, &real) || k->type == GGUF_U64
             || k->type == GGUF_STRING);
    }
    if (gguf_string(k, &text))
        MUST(within(data, size, text.p, text.n));
    for (struct gguf_strings s = gguf_strings(k); gguf_next(&s, &text); n++)
        MUST(within(data, size, text.p, text.n));
    MUST(n == (k->is_array && k->type == GGUF_STRING ? k->n : 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gguf g;
    struct err e;
    uint64_t used = 0;

    if (gguf_parse(&g, data, size, "fuzz", &e) < 0) {
        MUST(g.n_keys == 0 && g.n_tensors == 0 && e.text[0]);
        return 0;
    }
    MUST(g.data_at <= size);
    for (size_t i = 0; i < g.n_keys; i++) {
        read_key(&g.key[i], data, size);
        MUST(memchr(g.key[i].name.p, 0, g.key[i].name.n) == NULL);
    }
    for (size_t i = 0; i < g.n_tensors; i++) {
        const struct gguf_tensor *t = &g.tensor[i];

        MUST(within(data, size, data + g.data_at + t->begin, t->bytes));
        MUST(t->begin % g.align == 0 && gguf_format(t->type) != NULL);
        used += t->bytes;
    }
    MUST(used <= size - g.data_at); /* nothing overlaps */
    gguf_release(&g);
    return 0;
}
