/* bytes.c - a cursor that reads integers and byte strings checked. */
#include "base/bytes.h"

struct cursor
cursor_on(const void *p, size_t n)
{
    struct cursor c = {p, n, true};

    return c;
}

const void *
cursor_bytes(struct cursor *c, size_t n)
{
    const uint8_t *p = c->p;

    if (!c->ok || n > c->left) {
        c->ok = false;
        return NULL;
    }
    if (n > 0) {
        c->p += n;
        c->left -= n;
    }
    return p;
}

uint8_t
cursor_u8(struct cursor *c)
{
    const uint8_t *p = cursor_bytes(c, 1);

    return p ? *p : 0;
}

uint64_t
cursor_u64(struct cursor *c)
{
    const void *p = cursor_bytes(c, 8);

    return p ? load_u64(p) : 0;
}

uint64_t
cursor_varint(struct cursor *c)
{
    uint64_t v = 0;
    int shift;
    uint8_t b;

    for (shift = 0; shift < 70; shift += 7) {
        b = cursor_u8(c);
        /* the tenth byte holds one bit; a last byte of 0 is over-long */
        if (!c->ok || (shift == 63 && b > 1) || (shift > 0 && b == 0))
            break;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80)
            return v;
    }
    c->ok = false;
    return 0;
}
