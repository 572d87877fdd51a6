/* records.c - any bytes as a record, or as the header of a stream, which the
 * first one chooses: what decodes is encoded to the same bytes, or, as ids may
 * be wider than they need to be, to what decodes to the same tokens. */
#include <string.h>

#include "fuzz.h"
#include "record/text.h"
#include "record/tokens.h"
#include "record/vector.h"
#include "stream/head.h"

static void
same(const struct buf *b, const void *p, size_t n)
{
    MUST(b->len == n && memcmp(b->data, p, n) == 0);
}

static void
text(struct buf *b, const uint8_t *p, size_t n)
{
    struct text_rec r;
    struct err e;

    text_init(&r);
    if (text_decode(&r, p, n, &e) == 0) {
        MUST(text_encode(b, &r, &e) == 0);
        same(b, p, n);
    }
    text_release(&r);
}

static void
tokens(struct buf *b, const uint8_t *p, size_t n)
{
    struct tokens t, back;
    struct err e;
    uint32_t *ids, *ids_back;
    uint8_t *loss, *loss_back;

    if (tokens_decode(&t, p, n, 0, &e) < 0)
        return;
    ids = calloc(2 * t.n + 1, sizeof(*ids));
    loss = calloc(2 * t.n + 1, 1);
    ids_back = ids + t.n;
    loss_back = loss + t.n;
    tokens_ids(&t, ids);
    tokens_mask(&t, loss);
    MUST(tokens_encode(b, &t.origin, ids, loss, t.n, 0, &e) == 0);
    MUST(tokens_decode(&back, b->data, b->len, 0, &e) == 0);
    MUST(back.n == t.n && back.n_loss == t.n_loss);
    tokens_ids(&back, ids_back);
    tokens_mask(&back, loss_back);
    MUST(memcmp(ids, ids_back, t.n * sizeof(*ids)) == 0);
    MUST(memcmp(loss, loss_back, t.n) == 0);
    free(ids);
    free(loss);
}

static void
vector(struct buf *b, const uint8_t *p, size_t n)
{
    struct vector v;
    struct err e;
    float *x;

    if (vector_decode(&v, p, n, 0, &e) < 0)
        return;
    x = malloc(v.dim * sizeof(*x));
    vector_floats(&v, x);
    MUST(vector_encode(b, &v.origin, x, v.dim, &e) == 0);
    same(b, p, n);
    free(x);
}

static void
head(struct buf *b, const uint8_t *p, size_t n)
{
    struct stream_head h;
    struct err e;

    if (stream_head_parse(&h, (const char *)p, n, "fuzz", &e) < 0)
        return;
    MUST(stream_head_format(b, &h, &e) == 0);
    same(b, p, n);
    stream_head_release(&h);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf b;

    if (size == 0)
        return 0;
    buf_init(&b);
    if (data[0] % 4 == 0)
        text(&b, data + 1, size - 1);
    else if (data[0] % 4 == 1)
        tokens(&b, data + 1, size - 1);
    else if (data[0] % 4 == 3)
        vector(&b, data + 1, size - 1);
    else
        head(&b, data + 1, size - 1);
    buf_release(&b);
    return 0;
}
