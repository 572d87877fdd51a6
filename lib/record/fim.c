/* fim.c - draws the cuts from Philox, keyed by the record and the seed, and
 * finds characters and line ends. */
#include "record/fim.h"

#include <string.h>

#include "base/bytes.h"
#include "base/rng.h"

static bool
begins_char(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

/* Bytes of the first k characters; the first byte always begins one. */
static size_t
chars_bytes(const char *p, size_t n, uint64_t k)
{
    size_t i = 0;

    for (; i < n && k > 0; k--) {
        i++;
        while (i < n && !begins_char(p[i]))
            i++;
    }
    return i;
}

static uint64_t
count_chars(const char *p, size_t n)
{
    uint64_t k = n > 0;

    for (size_t i = 1; i < n; i++)
        k += begins_char(p[i]);
    return k;
}

struct fim_draw
fim_draw(const struct fim *f, const struct id *id, uint64_t at,
         const char *p, size_t n)
{
    struct fim_draw d = { .apart = false };
    uint64_t chars = count_chars(p, n), a, b;
    struct rng r;

    rng_init(&r, load_u64(id->b) ^ f->seed, at);
    d.apart = rng_double(&r) < f->rate;
    d.spm = rng_double(&r) < f->spm_rate;
    a = rng_below(&r, chars + 1);
    b = rng_below(&r, chars + 1);
    if (d.apart) {
        d.from = chars_bytes(p, n, a < b ? a : b);
        d.to = chars_bytes(p, n, a < b ? b : a);
    }
    return d;
}

/* The line end of p[n] in (0, n) that is nearest to the half; 0: none. */
static size_t
line_end_near_half(const char *p, size_t n)
{
    const char *before = memrchr(p, '\n', n / 2);
    const char *behind = memchr(p + n / 2, '\n', n - n / 2);
    size_t low = before ? (size_t)(before - p) + 1 : 0;
    size_t high = behind ? (size_t)(behind - p) + 1 : n;

    if (high == n || (low > 0 && n / 2 - low <= high - n / 2))
        return low;
    return high;
}

size_t
fim_half(const char *p, size_t n)
{
    size_t at = line_end_near_half(p, n);

    if (at > 0)
        return at;
    for (at = n / 2; at > 0 && !begins_char(p[at]); at--)
        ;
    if (at == 0)
        at = chars_bytes(p, n, 1);
    return at < n ? at : 0;
}
