/* kept.c - what was kept, and who is like it. */
#include "text/kept.h"

#include <string.h>

#include "base/bytes.h"
#include "text/kept_entry.h"

struct kept_near {
    uint64_t at;   /* its entry */
    uint64_t seen; /* the last find that compared it */
};

int
kept_open(struct kept *k, double threshold, const char *dir, struct err *e)
{
    int rc;

    memset(k, 0, sizeof(*k));
    k->threshold = threshold;
    k->banding = minhash_banding(threshold);
    rc = spill_open(&k->log, dir, e);
    if (rc == 0)
        rc = spill_open(&k->at, dir, e);
    if (rc == 0)
        rc = spill_open(&k->near, dir, e);
    if (rc == 0)
        rc = chains_open(&k->exact, dir, e);
    if (rc == 0)
        rc = chains_open(&k->bands, dir, e);
    if (rc < 0)
        kept_release(k);
    return rc;
}

void
kept_release(struct kept *k)
{
    spill_release(&k->log);
    spill_release(&k->at);
    spill_release(&k->near);
    chains_release(&k->exact);
    chains_release(&k->bands);
}

static bool
find_exact(const struct kept *k, const struct id *id, struct kept_match *m)
{
    uint32_t key = load_u32(id->b), link;

    for (link = chains_first(&k->exact, key); link > 0;
         link = chains_next(&k->exact, link)) {
        uint64_t at = ((const uint64_t *)k->at.p)[link - 1];
        const uint8_t *entry = k->log.p + at;

        if (memcmp(entry, id->b, ID_BYTES) != 0)
            continue;
        *m = (struct kept_match){ KEPT_EXACT, load_u64(entry + ID_BYTES), 1 };
        return true;
    }
    return false;
}

/* Whether the sketch is like that entry's. */
static bool
is_like(const struct kept *k, const uint8_t *entry, const struct sketch *s,
        struct kept_match *m)
{
    uint32_t n = load_u32(entry + 40);
    const uint8_t *least = entry + ENTRY_FIXED + 4 * (size_t)k->banding.bands;
    double similarity = minhash_similarity(
        least, n & ~ENTRY_WHOLE, n & ENTRY_WHOLE, s->least, s->n_least,
        s->whole);

    if (similarity < k->threshold)
        return false;
    *m = (struct kept_match){ KEPT_NEAR, load_u64(entry + ID_BYTES),
                              similarity };
    return true;
}

static bool
find_in_band(struct kept *k, const struct sketch *s, unsigned band,
             struct kept_match *m)
{
    uint32_t link = chains_first(&k->bands, s->band[band]);

    for (int i = 0; link > 0 && i < KEPT_NEWEST; i++) {
        struct kept_near *near = (struct kept_near *)k->near.p
                                 + (link - 1) / k->banding.bands;

        if (near->seen != k->finds && is_like(k, k->log.p + near->at, s, m))
            return true;
        near->seen = k->finds;
        link = chains_next(&k->bands, link);
    }
    return false;
}

void
kept_find(struct kept *k, const struct kept_look *look, struct kept_match *m)
{
    k->finds++;
    m->found = KEPT_NONE;
    if (find_exact(k, &look->id, m) || !look->near)
        return;
    for (unsigned i = 0; i < k->banding.bands; i++)
        if (find_in_band(k, &look->sketch, i, m))
            return;
}

/* The entry's bands, by which it is found. */
static int
add_bands(struct kept *k, const uint8_t *entry, uint64_t at, struct err *e)
{
    size_t i = k->bands.n / k->banding.bands;
    int rc = spill_room(&k->near, (i + 1) * sizeof(struct kept_near), e);

    if (rc < 0)
        return rc;
    ((struct kept_near *)k->near.p)[i] = (struct kept_near){ at, 0 };
    for (unsigned b = 0; b < k->banding.bands && rc == 0; b++)
        rc = chains_add(&k->bands, load_u32(entry + ENTRY_FIXED + 4 * b), e);
    return rc;
}

int
kept_add_entry(struct kept *k, const uint8_t *p, size_t n, struct err *e)
{
    uint64_t at = k->log_len;
    size_t i = k->exact.n;
    int rc = spill_room(&k->log, k->log_len + n, e);

    if (rc == 0)
        rc = spill_room(&k->at, (i + 1) * sizeof(uint64_t), e);
    if (rc < 0)
        return rc;
    memcpy(k->log.p + at, p, n);
    k->log_len += n;
    ((uint64_t *)k->at.p)[i] = at;
    rc = chains_add(&k->exact, load_u32(p), e);
    if (rc == 0 && n > ENTRY_FIXED)
        rc = add_bands(k, p, at, e);
    return rc;
}

int
kept_add(struct kept *k, const struct kept_look *look, uint64_t number,
         struct err *e)
{
    const struct sketch *s = &look->sketch;
    uint32_t n = look->near ? s->n_least : 0;
    uint8_t entry[ENTRY_MAX], *p = entry + ENTRY_FIXED;

    memcpy(entry, look->id.b, ID_BYTES);
    store_u64(entry + ID_BYTES, number);
    store_u32(entry + 40, n | (n > 0 && s->whole ? ENTRY_WHOLE : 0));
    for (unsigned i = 0; n > 0 && i < k->banding.bands; i++, p += 4)
        store_u32(p, s->band[i]);
    for (uint32_t i = 0; i < n; i++, p += 4)
        store_u32(p, s->least[i]);
    return kept_add_entry(k, entry, (size_t)(p - entry), e);
}
