/* word.c - bytes as a word, and back. */
#include "base/word.h"

#include <stdint.h>

#include "base/hex.h"

void
word_put(struct buf *b, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];

        if (c > ' ' && c < 0x7f && c != '%')
            buf_addc(b, c);
        else
            buf_addf(b, "%%%02X", c);
    }
}

void
word_take(struct buf *b, const char *p, size_t n)
{
    uint8_t byte;

    for (size_t i = 0; i < n; i++) {
        if (p[i] == '%' && n - i > 2 && hex_take(&byte, 1, p + i + 1, true)) {
            buf_addc(b, byte);
            i += 2;
        } else {
            buf_addc(b, p[i]);
        }
    }
}
