/* lines.c - counting and finding newlines; eight bytes at a time where they
 * are only counted.
 */
#include "base/lines.h"

#include <stdint.h>
#include <string.h>

/* Eight bytes at a time: the high bit of each is set where it is a newline.
 * Counts gather bytewise, and are added up before a byte overflows. */
size_t
newlines_count(const char *p, size_t n)
{
    const uint64_t low = 0x7f7f7f7f7f7f7f7full, ones = 0x0101010101010101ull;
    const uint64_t pairs = 0x00ff00ff00ff00ffull;
    size_t count = 0, i = 0, end;
    uint64_t x, sum;

    while (i + 8 <= n) {
        end = n - i < 8 * 255 ? n : i + 8 * 255;
        for (sum = 0; i + 8 <= end; i += 8) {
            memcpy(&x, p + i, 8);
            x ^= ones * '\n';
            sum += (~(((x & low) + low) | x) & ~low) >> 7;
        }
        sum = (sum & pairs) + (sum >> 8 & pairs);
        count += (size_t)(sum * 0x0001000100010001ull >> 48);
    }
    for (; i < n; i++)
        count += p[i] == '\n';
    return count;
}

size_t
lines_count(const char *p, size_t n)
{
    return newlines_count(p, n) + (n > 0 && p[n - 1] != '\n');
}

size_t
lines_back(const char *p, size_t at, size_t lines)
{
    const char *newline;

    for (; lines > 0 && at > 0; lines--) {
        newline = memrchr(p, '\n', at - 1);
        at = newline ? (size_t)(newline - p) + 1 : 0;
    }
    return at;
}

size_t
lines_on(const char *p, size_t at, size_t n, size_t lines)
{
    const char *newline;

    for (; lines > 0 && at < n; lines--) {
        newline = memchr(p + at, '\n', n - at);
        at = newline ? (size_t)(newline - p) + 1 : n;
    }
    return at;
}
