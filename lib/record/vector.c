/* vector.c - the encoding of vector records. */
#include "record/vector.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/bytes.h"

#define FIXED 56 /* bytes before the names */
#define TEXT_AT 24

static float
element(const uint8_t *data, size_t i)
{
    uint32_t bits = load_u32(data + 4 * i);
    float x;

    memcpy(&x, &bits, sizeof(x));
    return x;
}

int
vector_encode(struct buf *b, const struct tokens_origin *origin,
              const float *x, size_t dim, struct err *e)
{
    uint32_t bits;

    for (size_t i = 0; i < dim; i++)
        if (!isfinite(x[i]))
            return err_set(e, ERR_DATA, "element %zu of a vector (found %g, "
                           "expected a finite number)", i, (double)x[i]);
    buf_addc(b, 1);
    buf_add(b, "\0\0\0\0\0\0", 7);
    buf_u64(b, origin->ordinal);
    buf_u64(b, (uint64_t)origin->time);
    buf_add(b, origin->text.b, ID_BYTES);
    tokens_name_put(b, &origin->repo);
    tokens_name_put(b, &origin->lang);
    for (size_t i = 0; i < dim; i++) {
        memcpy(&bits, &x[i], sizeof(bits));
        buf_u32(b, bits);
    }
    return 0;
}

int
vector_decode(struct vector *v, const void *p, size_t n, uint64_t dim,
              struct err *e)
{
    struct cursor c = cursor_on(p, n);
    const uint8_t *b = cursor_bytes(&c, FIXED);
    struct vector got = { .dim = 0 };

    if (!b || memcmp(b, "\1\0\0\0\0\0\0", 8) != 0
        || !tokens_name_take(&got.origin.repo, &c)
        || !tokens_name_take(&got.origin.lang, &c))
        return err_set(e, ERR_DATA, "vector record: bad beginning");
    got.origin.ordinal = load_u64(b + 8);
    got.origin.time = (int64_t)load_u64(b + 16);
    memcpy(got.origin.text.b, b + TEXT_AT, ID_BYTES);
    got.dim = c.left / 4;
    got.data = c.p;
    if (c.left % 4 != 0 || got.dim == 0 || (dim != 0 && got.dim != dim))
        return err_set(e, ERR_DATA, "vector record: elements (found %zu "
                       "bytes, expected 4 times %" PRIu64 ")", c.left, dim);
    for (size_t i = 0; i < got.dim; i++)
        if (!isfinite(element(got.data, i)))
            return err_set(e, ERR_DATA, "vector record: element %zu is not "
                           "finite", i);
    *v = got;
    return 0;
}

void
vector_floats(const struct vector *v, float *out)
{
    for (size_t i = 0; i < v->dim; i++)
        out[i] = element(v->data, i);
}

int
vector_dim(const struct stream_head *h, const char *where, uint64_t *dim,
           struct err *e)
{
    int rc = stream_head_get_u64(h, "dim", where, dim, e);

    if (rc == 0 && (*dim == 0 || *dim > VECTOR_DIM_MAX))
        rc = err_set(e, ERR_DATA, "%s: dim (found %" PRIu64 ", expected 1 to "
                     "%u)", where, *dim, VECTOR_DIM_MAX);
    return rc;
}
