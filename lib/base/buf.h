/* buf.h - a growing byte buffer.
 *
 * data is never NULL and data[len] is always NUL, so a buffer of text can be
 * used as a string. Zero-initialise with buf_init; release with buf_release.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data;
    size_t len, cap;
};

void buf_init(struct buf *b);
void buf_release(struct buf *b); /* leaves it as buf_init does */
void buf_reset(struct buf *b);   /* length 0, keeps the memory */

/* Room for n more bytes beyond len, plus the NUL; returns data + len. */
char *buf_room(struct buf *b, size_t n);

/* Whether it holds this text and no more. */
bool buf_is(const struct buf *b, const char *text);

void buf_add(struct buf *b, const void *p, size_t n);
void buf_addstr(struct buf *b, const char *s);
void buf_addc(struct buf *b, int c);
void buf_addf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Little-endian integers, and LEB128 (7 bits a byte, low first). */
void buf_u32(struct buf *b, uint32_t v);
void buf_u64(struct buf *b, uint64_t v);
void buf_varint(struct buf *b, uint64_t v);

#endif
