/* hex.c - a digit for each four bits, high ones first. */
#include "base/hex.h"

char *
hex_put(char *out, const uint8_t *p, size_t n)
{
    static const char digit[] = "0123456789abcdef";
    size_t i;

    for (i = 0; i < n; i++) {
        out[2 * i] = digit[p[i] >> 4];
        out[2 * i + 1] = digit[p[i] & 15];
    }
    out[2 * n] = '\0';
    return out;
}

static int
digit_value(char c, bool capitals)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return capitals && c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool
hex_take(uint8_t *out, size_t n, const char *hex, bool capitals)
{
    size_t i;

    for (i = 0; i < 2 * n; i++) {
        if (digit_value(hex[i], capitals) < 0)
            return false;
    }
    for (i = 0; i < n; i++)
        out[i] = (uint8_t)(digit_value(hex[2 * i], capitals) << 4
                           | digit_value(hex[2 * i + 1], capitals));
    return true;
}
