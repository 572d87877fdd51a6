/* similar.c - bytes are counted by hash in a table that is emptied by what
 * was put into it; two files are compared as sorted lists are merged.
 */
#include "repo/similar.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define N_HASHES 107927u
#define CHUNK_BYTES 64
#define TEXT_PROBE 8000

void
chunker_release(struct chunker *k)
{
    free(k->n_bytes);
    free(k->seen);
    memset(k, 0, sizeof(*k));
}

void
chunks_release(struct chunks *c)
{
    free(c->chunk);
    memset(c, 0, sizeof(*c));
}

static int
by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void
count_chunk(struct chunker *k, uint32_t low, uint32_t high, uint32_t n,
            size_t *n_seen)
{
    uint32_t hash = (low + high * 97) % N_HASHES;

    if (k->n_bytes[hash] == 0)
        k->seen[(*n_seen)++] = hash;
    k->n_bytes[hash] += n;
}

/* Fills k with the chunks of p[n]; how many different ones there are. A CR
 * before a line's end is no part of a text. */
static size_t
count_chunks(struct chunker *k, const unsigned char *p, size_t n)
{
    bool text = !memchr(p, '\0', n < TEXT_PROBE ? n : TEXT_PROBE);
    uint32_t low = 0, high = 0, old, len = 0;
    size_t i, n_seen = 0;

    for (i = 0; i < n; i++) {
        if (text && p[i] == '\r' && i + 1 < n && p[i + 1] == '\n')
            continue;
        old = low;
        low = (low << 7 ^ high >> 25) + p[i];
        high = high << 7 ^ old >> 25;
        if (++len < CHUNK_BYTES && p[i] != '\n')
            continue;
        count_chunk(k, low, high, len, &n_seen);
        low = high = len = 0;
    }
    if (len > 0)
        count_chunk(k, low, high, len, &n_seen);
    return n_seen;
}

void
chunks_make(struct chunker *k, const char *p, size_t n, struct chunks *out)
{
    size_t i;

    if (!k->n_bytes) {
        k->n_bytes = mem_array(N_HASHES, sizeof(*k->n_bytes));
        k->seen = mem_array(N_HASHES, sizeof(*k->seen));
    }
    out->size = n;
    out->n = count_chunks(k, (const unsigned char *)p, n);
    qsort(k->seen, out->n, sizeof(*k->seen), by_value);
    out->chunk = mem_array(out->n + 1, sizeof(*out->chunk));
    for (i = 0; i < out->n; i++) {
        out->chunk[i] = (struct chunk){ k->seen[i], k->n_bytes[k->seen[i]] };
        k->n_bytes[k->seen[i]] = 0;
    }
}

bool
similar_sizes(uint64_t a, uint64_t b)
{
    uint64_t more = a > b ? a : b, less = a > b ? b : a;

    return less > 0
           && more * (SIMILAR_MAX - SIMILAR_LEAST)
                  >= (more - less) * SIMILAR_MAX;
}

unsigned
similar_files(const struct chunks *a, const struct chunks *b)
{
    uint64_t common = 0, more = a->size > b->size ? a->size : b->size;
    size_t i = 0, j = 0;

    while (i < a->n && j < b->n) {
        const struct chunk *x = &a->chunk[i], *y = &b->chunk[j];

        if (x->hash == y->hash)
            common += x->n_bytes < y->n_bytes ? x->n_bytes : y->n_bytes;
        i += x->hash <= y->hash;
        j += y->hash <= x->hash;
    }
    return (unsigned)(common * SIMILAR_MAX / more);
}
