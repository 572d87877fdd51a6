/* shape.c - sizes that are checked before they are multiplied, and shapes for
 * messages. */
#include "tensor/shape.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/mem.h"
#include "tensor/dtype.h"

char *
shape_text(char text[SHAPE_TEXT], const uint64_t *shape, size_t n_dims)
{
    size_t i, at = 0;

    text[at++] = '[';
    for (i = 0; i < n_dims && i < SHAPE_MAX_DIMS; i++)
        at += (size_t)snprintf(text + at, SHAPE_TEXT - at, "%s%llu",
                               i ? ", " : "", (unsigned long long)shape[i]);
    text[at++] = ']';
    text[at] = 0;
    return text;
}

uint64_t
shape_units(unsigned dtype, const uint64_t *shape, size_t n_dims, size_t i)
{
    return i + 1 == n_dims ? dtype_units(dtype, shape[i]) : shape[i];
}

int
tensor_bytes(uint64_t *bytes, unsigned dtype, const uint64_t *shape,
             size_t n_dims, struct err *e)
{
    uint64_t n = dtype_size(dtype);
    bool fits = true;
    size_t i;

    if (n_dims > SHAPE_MAX_DIMS)
        return err_set(e, ERR_DATA, "too many dimensions (found %zu, limit "
                       "%d)", n_dims, SHAPE_MAX_DIMS);
    /* Also behind a zero: every product of a prefix has to fit. */
    for (i = 0; i < n_dims && fits; i++)
        fits = size_mul(n, shape_units(dtype, shape, n_dims, i), &n);
    if (!fits)
        return err_set(e, ERR_DATA, "the size of the shape overflows");
    *bytes = n;
    return 0;
}
