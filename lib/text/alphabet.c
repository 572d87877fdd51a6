/* alphabet.c - bytes and the characters that stand for them. */
#include "text/alphabet.h"

#include "base/utf8.h"

uint32_t
alphabet_code(uint8_t byte)
{
    if (byte <= 0x20)
        return 0x100u + byte;
    if (byte >= 0x7f && byte <= 0xa0)
        return 0x121u + byte - 0x7f;
    return byte == 0xad ? 0x143 : byte;
}

/* The byte of a character, or -1. */
static int
byte_of(uint32_t code)
{
    if (code > 0x143)
        return -1;
    if (code == 0x143)
        return 0xad;
    if (code >= 0x121)
        return (int)(code - 0x121 + 0x7f);
    if (code >= 0x100)
        return (int)(code - 0x100);
    return alphabet_code((uint8_t)code) == code ? (int)code : -1;
}

void
alphabet_spell(struct buf *b, const void *p, size_t n)
{
    const uint8_t *s = p;
    char utf8[4];
    size_t i;

    for (i = 0; i < n; i++)
        buf_add(b, utf8, utf8_encode(alphabet_code(s[i]), utf8));
}

bool
alphabet_read(struct buf *b, const char *text, size_t n)
{
    char *to = buf_room(b, n);
    uint32_t code;
    size_t i;
    int byte;

    for (i = 0; i < n; *to++ = (char)byte) {
        byte = text[i];
        if (byte > 0x20 && byte < 0x7f) {
            i++;
            continue;
        }
        i += utf8_decode(text + i, &code);
        byte = byte_of(code);
        if (byte < 0) {
            b->data[b->len] = '\0';
            return false;
        }
    }
    *to = '\0';
    b->len = (size_t)(to - b->data);
    return true;
}
