/* tensor.c - descriptors of tensors and assets to bytes and back. */
#include "record/tensor.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "tensor/shape.h"

#define ASSET_MAX_NAME 255

/* The string at the front of the cursor, of 1 to max bytes of UTF-8 without
 * control characters; NULL if it is not one. */
static const char *
take_name(struct cursor *c, size_t max)
{
    size_t most = c->left < max + 1 ? c->left : max + 1, n;
    const char *s = (const char *)c->p;
    const char *nul = most ? memchr(s, 0, most) : NULL;

    if (!nul || nul == s)
        return NULL;
    n = (size_t)(nul - s);
    if (!utf8_is_line(s, n))
        return NULL;
    cursor_bytes(c, n + 1);
    return s;
}

/* Sets d->bytes from type and shape; false when that overflows. */
static bool
size_of(struct tensor_desc *d)
{
    uint64_t n = dtype_size(d->dtype);
    bool zero = false;

    for (uint32_t i = 0; i < d->n_dims; i++)
        zero = zero || d->shape[i] == 0;
    for (uint32_t i = 0; !zero && i < d->n_dims; i++)
        if (!size_mul(n, shape_units(d->dtype, d->shape, d->n_dims, i), &n))
            return false;
    d->bytes = zero ? 0 : n;
    return true;
}

int
tensor_encode(struct buf *b, const struct tensor_desc *d, struct err *e)
{
    size_t start = b->len;
    struct tensor_desc back;
    int rc;

    if (d->n_dims > TENSOR_MAX_DIMS)
        return err_set(e, ERR_DATA, "tensor %s: %" PRIu32 " dimensions "
                       "(limit %d)", d->name, d->n_dims, TENSOR_MAX_DIMS);
    buf_add(b, d->name, strlen(d->name) + 1);
    buf_add(b, dtype_name(d->dtype), strlen(dtype_name(d->dtype)) + 1);
    buf_varint(b, d->n_dims);
    for (uint32_t i = 0; i < d->n_dims; i++)
        buf_varint(b, d->shape[i]);
    back = *d;
    rc = size_of(&back) ? 0 : err_set(e, ERR_DATA, "tensor %s: shape is too "
                                      "large", d->name);
    if (rc == 0)
        rc = tensor_decode(&back, b->data + start, b->len - start,
                           back.bytes, e);
    if (rc < 0) {
        b->len = start;
        b->data[start] = '\0';
    }
    return rc;
}

int
tensor_decode(struct tensor_desc *d, const void *p, size_t n,
              uint64_t n_data, struct err *e)
{
    struct cursor c = cursor_on(p, n);
    struct tensor_desc got = {0};
    const char *type;
    uint64_t n_dims;

    got.name = take_name(&c, TENSOR_MAX_NAME);
    type = got.name ? take_name(&c, 32) : NULL;
    if (!type)
        return err_set(e, ERR_DATA, "tensor descriptor: bad name");
    got.dtype = dtype_parse(type, strlen(type));
    if (got.dtype == DTYPE_NONE)
        return err_set(e, ERR_DATA, "tensor %s: unknown type %s", got.name,
                       type);
    n_dims = cursor_varint(&c);
    if (!c.ok || n_dims > TENSOR_MAX_DIMS)
        return err_set(e, ERR_DATA, "tensor %s: dimensions (found %" PRIu64
                       ", limit %d)", got.name, n_dims, TENSOR_MAX_DIMS);
    got.n_dims = (uint32_t)n_dims;
    for (uint32_t i = 0; i < got.n_dims; i++)
        got.shape[i] = cursor_varint(&c);
    if (!c.ok || c.left || !size_of(&got))
        return err_set(e, ERR_DATA, "tensor %s: bad shape", got.name);
    if (got.bytes != n_data)
        return err_set(e, ERR_DATA, "tensor %s: data (found %" PRIu64
                       " bytes, expected %" PRIu64 ")", got.name, n_data,
                       got.bytes);
    *d = got;
    return 0;
}

/* A plain file name: no directory, not hidden. */
static bool
asset_name_ok(const char *name)
{
    return name[0] != '.' && !strchr(name, '/') && !strchr(name, '\\');
}

int
asset_encode(struct buf *b, const char *name, const void *data, size_t n,
             struct err *e)
{
    size_t len = strlen(name);
    struct cursor c = cursor_on(name, len + 1);

    if (!take_name(&c, ASSET_MAX_NAME) || !asset_name_ok(name))
        return err_set(e, ERR_DATA, "asset name '%s' (expected that of a "
                       "file)", name);
    buf_addc(b, 1);
    buf_add(b, name, len + 1);
    buf_add(b, data, n);
    return 0;
}

int
asset_decode(struct asset *a, const void *p, size_t n, struct err *e)
{
    struct cursor c = cursor_on(p, n);
    unsigned version = cursor_u8(&c);
    const char *name = c.ok ? take_name(&c, ASSET_MAX_NAME) : NULL;

    if (version != 1 || !name || !asset_name_ok(name))
        return err_set(e, ERR_DATA, "asset record: bad beginning or name");
    a->name = name;
    a->n = c.left;
    a->data = cursor_bytes(&c, c.left);
    return 0;
}
