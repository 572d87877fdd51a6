/* bytes.c - little-endian integers and a checked cursor. Shifts, not casts:
 * the same on any byte order and at any alignment. */
#include "base/bytes.h"

uint16_t
load_u16(const void *p)
{
    const uint8_t *b = p;

    return (uint16_t)(b[0] | b[1] << 8);
}

uint32_t
load_u32(const void *p)
{
    const uint8_t *b = p;

    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
           (uint32_t)b[3] << 24;
}

uint64_t
load_u64(const void *p)
{
    const uint8_t *b = p;

    return load_u32(b) | (uint64_t)load_u32(b + 4) << 32;
}

void
store_u16(void *p, uint16_t v)
{
    uint8_t *b = p;

    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
}

void
store_u32(void *p, uint32_t v)
{
    uint8_t *b = p;

    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
    b[2] = (uint8_t)(v >> 16);
    b[3] = (uint8_t)(v >> 24);
}

void
store_u64(void *p, uint64_t v)
{
    uint8_t *b = p;

    store_u32(b, (uint32_t)v);
    store_u32(b + 4, (uint32_t)(v >> 32));
}

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
