/* minhash.c - sketches of sets of shingles.
 *
 * While a set comes in, its bins have what round 0 gives, and the least
 * hashes are collected. A set of up to KEPT hashes is there as a whole at the
 * end, and further rounds fill the bins that stayed empty from it; of a larger
 * one a bin stays empty once in e^16 times, and is filled from the KEPT least.
 */
#include "text/minhash.h"

#include <math.h>
#include <string.h>

#include "base/bytes.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define KEPT 2048
#define EMPTY UINT64_MAX
#define MISS 1e-3

double
minhash_miss(struct banding b, double similarity)
{
    return pow(1 - pow(similarity, b.rows), b.bands);
}

struct banding
minhash_banding(double similarity)
{
    struct banding best = { 1, MINHASH_BINS };

    for (unsigned rows = 2; rows <= MINHASH_BINS; rows++) {
        struct banding b = { rows, MINHASH_BINS / rows };

        if (minhash_miss(b, similarity) < MISS)
            best = b;
    }
    return best;
}

/* The finaliser of MurmurHash3, by which every bit of h depends on all. */
static uint64_t
mix(uint64_t h)
{
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdu;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53u;
    return h ^ (h >> 33);
}

/* What the hash is in that round: its top 7 bits are a bin, and what is below
 * them the value that goes there. */
static uint64_t
in_round(uint64_t hash, unsigned round)
{
    return mix(hash ^ mix(round + 1));
}

static void
put(uint64_t *bin, uint64_t value)
{
    if (value < *bin)
        *bin = value;
}

/* The round comes first: a later one never takes an earlier one's place. */
static uint64_t
value_of(uint64_t h, unsigned round)
{
    return (uint64_t)round << 48 | (h & 0xffffffffffffu);
}

void
minhash_begin(struct minhash *m)
{
    memset(m->bin, 0xff, sizeof(m->bin));
    m->n = 0;
    m->limit = UINT64_MAX;
    m->cut = false;
}

/* Shell's sort, by Ciura's gaps: most sets are of some dozens, and qsort calls
 * a function for each comparison. */
static void
sort(uint64_t *v, size_t n)
{
    static const size_t gaps[] = { 1750, 701, 301, 132, 57, 23, 10, 4, 1 };

    for (size_t g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++) {
        size_t gap = gaps[g];

        for (size_t i = gap; i < n; i++) {
            uint64_t x = v[i];
            size_t at = i;

            for (; at >= gap && v[at - gap] > x; at -= gap)
                v[at] = v[at - gap];
            v[at] = x;
        }
    }
}

/* Sorts the hashes and leaves each once: those are the same whose upper halves
 * are, as these alone are stored. */
static void
tidy(struct minhash *m)
{
    size_t n = 0;

    sort(m->hash, m->n);
    for (size_t i = 0; i < m->n; i++)
        if (n == 0 || m->hash[i] >> 32 != m->hash[n - 1] >> 32)
            m->hash[n++] = m->hash[i];
    if (n > KEPT) {
        n = KEPT;
        m->limit = m->hash[n - 1];
        m->cut = true;
    }
    m->n = n;
}

void
minhash_add(struct minhash *m, uint64_t shingle)
{
    uint64_t h = in_round(shingle, 0);

    put(&m->bin[h >> 57], value_of(h, 0));
    if (shingle > m->limit)
        return;
    m->hash[m->n++] = shingle;
    if (m->n == MINHASH_ROOM)
        tidy(m);
}

/* Further rounds, until no bin is empty. */
static void
fill(struct minhash *m)
{
    uint64_t fresh[MINHASH_BINS], h;
    size_t empty = 0;

    for (size_t i = 0; i < MINHASH_BINS; i++)
        empty += m->bin[i] == EMPTY;
    for (unsigned round = 1; empty > 0; round++) {
        memset(fresh, 0xff, sizeof(fresh));
        for (size_t i = 0; i < m->n; i++) {
            h = in_round(m->hash[i], round);
            put(&fresh[round < MINHASH_BINS ? h >> 57 : round % MINHASH_BINS],
                value_of(h, round));
        }
        for (size_t i = 0; i < MINHASH_BINS; i++) {
            if (m->bin[i] != EMPTY || fresh[i] == EMPTY)
                continue;
            m->bin[i] = fresh[i];
            empty--;
        }
    }
}

void
minhash_end(struct minhash *m, struct banding b, struct sketch *out)
{
    size_t n;

    tidy(m);
    fill(m);
    for (size_t i = 0; i < MINHASH_BINS; i++)
        store_u64(&m->bin[i], m->bin[i]);
    for (unsigned i = 0; i < b.bands; i++)
        out->band[i] = (uint32_t)XXH3_64bits_withSeed(
            m->bin + i * b.rows, b.rows * sizeof(m->bin[0]), i);
    n = m->n < MINHASH_LEAST ? m->n : MINHASH_LEAST;
    for (size_t i = 0; i < n; i++)
        out->least[i] = (uint32_t)(m->hash[i] >> 32);
    out->n_least = (uint32_t)n;
    out->whole = !m->cut && m->n <= MINHASH_LEAST;
}

double
minhash_similarity(const void *a, size_t n_a, bool whole_a, const void *b,
                   size_t n_b, bool whole_b)
{
    const uint8_t *p = a, *p_end = p + 4 * n_a;
    const uint8_t *q = b, *q_end = q + 4 * n_b;
    size_t most = whole_a && whole_b ? n_a + n_b : MINHASH_LEAST;
    size_t both = 0, either = 0;

    while ((p < p_end || q < q_end) && either < most) {
        uint64_t x = p < p_end ? load_u32(p) : UINT64_MAX;
        uint64_t y = q < q_end ? load_u32(q) : UINT64_MAX;

        either++;
        both += x == y;
        p += x <= y ? 4 : 0;
        q += y <= x ? 4 : 0;
    }
    return (double)both / (double)either;
}
