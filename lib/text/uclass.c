/* uclass.c - the flat table of classes, and stepping through bytes that may
 * not be UTF-8. */
#include "text/uclass.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

uint8_t *
uclass_new(void)
{
    uint8_t *t = mem_alloc(UC_POINTS);
    size_t i, at = 0;

    for (i = 0; i < uclass_n_runs; i++) {
        if (uclass_run[i].flags)
            memset(t + at, uclass_run[i].flags, uclass_run[i].n);
        at += uclass_run[i].n;
    }
    return t;
}

static bool
follows(uint8_t c)
{
    return (c & 0xc0) == 0x80;
}

size_t
uclass_char(const uint8_t *p, size_t n, uint32_t *code)
{
    uint32_t c = p[0];

    *code = UC_BAD;
    if (c < 0x80) {
        *code = c;
    } else if (c >= 0xc2 && c < 0xe0 && n >= 2 && follows(p[1])) {
        *code = (c & 0x1f) << 6 | (p[1] & 0x3f);
        return 2;
    } else if (c >= 0xe0 && c < 0xf0 && n >= 3 && follows(p[1])
               && follows(p[2])) {
        c = (c & 0xf) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3f);
        if (c < 0x800 || (c >= 0xd800 && c < 0xe000))
            return 1;
        *code = c;
        return 3;
    } else if (c >= 0xf0 && c < 0xf5 && n >= 4 && follows(p[1])
               && follows(p[2]) && follows(p[3])) {
        c = (c & 7) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 |
            (p[3] & 0x3f);
        if (c < 0x10000 || c >= UC_POINTS)
            return 1;
        *code = c;
        return 4;
    }
    return 1;
}
