/* change.c - any bytes as the change of a commit: what decodes is encoded to
 * the same bytes, and has views. */
#include "record/change.h"

#include <string.h>

#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct change c;
    struct buf b;
    struct err e;

    change_init(&c);
    buf_init(&b);
    if (change_decode(&c, data, size, &e) == 0) {
        change_encode(&b, &c);
        MUST(b.len == size && memcmp(b.data, data, size) == 0);
        change_side(&b, &c, CHANGE_BEFORE);
        change_side(&b, &c, CHANGE_AFTER);
        change_unified(&b, &c, "a b\"\n", 5, "c", 1);
        if (change_whole(&c))
            change_unified(&b, &c, "a", 1, NULL, 0);
    } else {
        MUST(c.n_hunks == 0 && c.n_lines == 0 && e.text[0]);
    }
    buf_release(&b);
    change_release(&c);
    return 0;
}
