/* bytes.h - integers in byte strings, and a cursor that reads them checked. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Little-endian integers at any alignment. An instruction each, so that loops
 * over ids cost what their memory does. */
static inline uint16_t
load_u16(const void *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof(v));
    return le16toh(v);
}

static inline uint32_t
load_u32(const void *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return le32toh(v);
}

static inline uint64_t
load_u64(const void *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return le64toh(v);
}

static inline void
store_u16(void *p, uint16_t v)
{
    v = htole16(v);
    memcpy(p, &v, sizeof(v));
}

static inline void
store_u32(void *p, uint32_t v)
{
    v = htole32(v);
    memcpy(p, &v, sizeof(v));
}

static inline void
store_u64(void *p, uint64_t v)
{
    v = htole64(v);
    memcpy(p, &v, sizeof(v));
}

/* A span of bytes being read from the front. After any failed read ok is
 * false, stays false, and reads give zero: check once at the end. */
struct cursor {
    const uint8_t *p;
    size_t left;
    bool ok;
};

struct cursor cursor_on(const void *p, size_t n);
uint8_t cursor_u8(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
uint64_t cursor_varint(struct cursor *c); /* refuses over-long forms */

/* The next n bytes, or NULL (and ok false) when fewer are left. */
const void *cursor_bytes(struct cursor *c, size_t n);

#endif
