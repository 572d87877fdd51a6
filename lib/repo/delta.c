/* delta.c - checks every length of a delta against what there is, and copies.
 */
#include "repo/delta.h"

#include <string.h>

static bool
take_size(const uint8_t **p, const uint8_t *end, uint64_t *out)
{
    unsigned shift = 0;
    uint64_t v = 0;
    uint8_t byte;

    do {
        if (*p == end || shift > 56)
            return false;
        byte = *(*p)++;
        v |= (uint64_t)(byte & 127) << shift;
        shift += 7;
    } while (byte & 128);
    *out = v;
    return true;
}

size_t
delta_sizes(const void *p, size_t n, uint64_t *base, uint64_t *result)
{
    const uint8_t *at = p, *end = at + n;

    if (!take_size(&at, end, base) || !take_size(&at, end, result))
        return 0;
    return (size_t)(at - (const uint8_t *)p);
}

/* Offset and size of a copy; false at the end of the delta. */
static bool
take_copy(const uint8_t **p, const uint8_t *end, uint8_t op, size_t *from,
           size_t *n)
{
    int i;

    *from = *n = 0;
    for (i = 0; i < 7; i++) {
        if (!(op & 1 << i))
            continue;
        if (*p == end)
            return false;
        if (i < 4)
            *from |= (size_t)*(*p)++ << (8 * i);
        else
            *n |= (size_t)*(*p)++ << (8 * (i - 4));
    }
    if (*n == 0)
        *n = 0x10000;
    return true;
}

bool
delta_apply(const void *p, size_t n, const char *base, size_t n_base,
            char *out, size_t n_out)
{
    const uint8_t *at = p, *end = at + n;
    size_t from, len;
    uint8_t op;

    while (at < end) {
        op = *at++;
        if (op & 128) {
            if (!take_copy(&at, end, op, &from, &len) || from > n_base
                || len > n_base - from || len > n_out)
                return false;
            memcpy(out, base + from, len);
        } else {
            len = op;
            if (len == 0 || len > (size_t)(end - at) || len > n_out)
                return false;
            memcpy(out, at, len);
            at += len;
        }
        out += len;
        n_out -= len;
    }
    return n_out == 0;
}
