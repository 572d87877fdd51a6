/* tokenizer.c - any bytes as a tokenizer.json, behind a text and a NUL: what
 * is read encodes that text and others; ids are tokens, and decode. */
#include "text/tokenizer.h"

#include <string.h>

#include "fuzz.h"

static void
encode(const struct tokenizer *t, struct encoder *en, const char *p, size_t n)
{
    struct err e;
    struct ids ids;
    size_t i;

    ids_init(&ids);
    encoder_add(en, p, n, false, &ids);
    encoder_add(en, p, n, true, &ids);
    encoder_check(en, &e);
    for (i = 0; i < ids.n; i++)
        MUST(ids.id[i] < t->n);
    ids_release(&ids);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = memchr(data, 0, size);
    static const char text[] = "int main(void)\n{\n\treturn 12'345; }  "
                               "\xc3\xa9 caf\xcc\x81 \xe4\xb8\x96 \xff x";
    struct encoder en;
    struct tokenizer t;
    struct err e;

    if (!nul)
        return 0;
    if (tokenizer_read(&t, (const char *)nul + 1,
                       size - (size_t)(nul + 1 - data), "fuzz", &e) < 0)
        return 0;
    encoder_init(&en, &t);
    encode(&t, &en, text, sizeof(text) - 1);
    encode(&t, &en, (const char *)data, (size_t)(nul - data));
    encoder_release(&en);
    tokenizer_release(&t);
    return 0;
}
