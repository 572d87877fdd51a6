/* kept.c - any bytes as an index of dedup, but for its hash, which is put
 * right here: what is read finds each of its records again, by its id, and
 * looking for others gives one of its own or none. At a threshold of 1, where
 * entries are short. */
#include <string.h>

#include "base/bytes.h"
#include "fuzz.h"
#include "text/kept.h"
#include "text/kept_entry.h"

/* The ids of the entries; and their sketches, of which the bands are another's
 * perhaps. */
static void
look_for_all(struct kept *k)
{
    struct kept_look look = { .near = true, .sketch = { .n_least = 1 } };
    struct kept_match m;

    for (size_t at = 0; at < k->log_len;) {
        const uint8_t *p = k->log.p + at;
        uint32_t n = load_u32(p + 40) & ~ENTRY_WHOLE;

        memcpy(look.id.b, p, ID_BYTES);
        kept_find(k, &look, &m);
        MUST(m.found == KEPT_EXACT && m.number < k->seen);
        at += ENTRY_FIXED;
        if (n == 0)
            continue;
        look.id.b[0] ^= 1;
        look.sketch.band[0] = load_u32(p + ENTRY_FIXED);
        look.sketch.n_least = n;
        look.sketch.whole = n < MINHASH_LEAST;
        memcpy(look.sketch.least, p + ENTRY_FIXED + 4, 4 * (size_t)n);
        kept_find(k, &look, &m);
        MUST(m.found != KEPT_NONE && m.number < k->seen);
        at += 4 + 4 * (size_t)n;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct id id = id_of(data, size);
    struct kept k;
    struct buf b;
    struct err e;

    buf_init(&b);
    buf_add(&b, data, size);
    buf_add(&b, id.b, ID_BYTES);
    MUST(kept_open(&k, 1, "/tmp", &e) == 0);
    if (kept_parse(&k, (const uint8_t *)b.data, b.len, "fuzz", &e) == 0)
        look_for_all(&k);
    kept_release(&k);
    buf_release(&b);
    return 0;
}
