/* keywords.c - words to a table of states, and the pass over a text.
 *
 * An entry of the table is where the next state's row begins, doubled, and
 * lowest its bit that tells of hits: the pass is one look-up a byte.
 */
#include "text/keywords.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct keyword {
    size_t at, len; /* in words */
    uint32_t value;
    uint32_t other; /* 1 + one that ends in the same state, or 0 */
};

void
keywords_init(struct keywords *k)
{
    memset(k, 0, sizeof(*k));
    buf_init(&k->words);
}

void
keywords_release(struct keywords *k)
{
    buf_release(&k->words);
    free(k->word);
    free(k->next);
    free(k->first);
    free(k->suffix);
    keywords_init(k);
}

static uint8_t
fold(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c | 0x20;
    return c >= '0' && c <= '9' ? '0' : c;
}

void
keywords_add(struct keywords *k, const char *p, size_t n, uint32_t value)
{
    if (k->n == k->cap) {
        k->cap = k->cap ? 2 * k->cap : 64;
        k->word = mem_grow(k->word, k->cap * sizeof(*k->word));
    }
    k->word[k->n++] = (struct keyword){ k->words.len, n, value, 0 };
    for (size_t i = 0; i < n; i++)
        buf_addc(&k->words, fold((uint8_t)p[i]));
}

/* Bytes that are in no word are of class 0. */
static void
make_classes(struct keywords *k)
{
    uint8_t of[256] = { 0 };

    k->n_classes = 1;
    for (size_t i = 0; i < k->words.len; i++) {
        uint8_t c = (uint8_t)k->words.data[i];

        if (of[c] == 0 && k->n_classes < 256)
            of[c] = (uint8_t)k->n_classes++;
    }
    for (int c = 0; c < 256; c++)
        k->class_of[c] = of[fold((uint8_t)c)];
}

/* The trie; entries are states, 0 where there is none. */
static void
put_word(struct keywords *k, uint32_t i)
{
    struct keyword *w = &k->word[i];
    uint32_t state = 0, *to;

    for (size_t j = 0; j < w->len; j++) {
        uint8_t c = (uint8_t)k->words.data[w->at + j];

        to = &k->next[(size_t)state * k->n_classes + k->class_of[c]];
        if (*to == 0)
            *to = k->n_states++;
        state = *to;
    }
    w->other = k->first[state];
    k->first[state] = i + 1;
}

/* Fills what the trie lacks, by breadth: where a state has no way on, its
 * longest proper end that is a state has. */
static void
complete(struct keywords *k)
{
    uint32_t *queue = mem_array(k->n_states, sizeof(*queue));
    uint32_t *fail = mem_array(k->n_states, sizeof(*fail));
    size_t done = 0, n = 0;

    for (uint32_t c = 0; c < k->n_classes; c++)
        if (k->next[c] != 0)
            queue[n++] = k->next[c];
    while (done < n) {
        uint32_t s = queue[done++];
        uint32_t *row = k->next + (size_t)s * k->n_classes;
        const uint32_t *end = k->next + (size_t)fail[s] * k->n_classes;

        k->suffix[s] = k->first[fail[s]] ? fail[s] : k->suffix[fail[s]];
        for (uint32_t c = 0; c < k->n_classes; c++) {
            if (row[c] == 0) {
                row[c] = end[c];
                continue;
            }
            fail[row[c]] = end[c];
            queue[n++] = row[c];
        }
    }
    free(queue);
    free(fail);
}

int
keywords_build(struct keywords *k, struct err *e)
{
    uint64_t entries;

    make_classes(k);
    entries = (k->words.len + 1) * (uint64_t)k->n_classes;
    if (entries * sizeof(*k->next) > KEYWORDS_TABLE_MAX)
        return err_set(e, ERR_LIMIT, "%zu bytes of keywords and names are "
                       "too many", k->words.len);
    k->next = mem_array((size_t)entries, sizeof(*k->next));
    k->first = mem_array(k->words.len + 1, sizeof(*k->first));
    k->suffix = mem_array(k->words.len + 1, sizeof(*k->suffix));
    k->n_states = 1;
    for (uint32_t i = 0; i < k->n; i++)
        put_word(k, i);
    complete(k);
    entries = (uint64_t)k->n_states * k->n_classes;
    for (size_t i = 0; i < entries; i++) {
        uint32_t s = k->next[i];

        k->next[i] = 2 * s * k->n_classes
                     + (k->first[s] != 0 || k->suffix[s] != 0);
    }
    return 0;
}

static int
tell(const struct keywords *k, uint32_t state, size_t end, keywords_hit *hit,
     void *ctx)
{
    int rc = 0;

    for (; state != 0; state = k->suffix[state])
        for (uint32_t w = k->first[state]; w != 0 && rc >= 0;
             w = k->word[w - 1].other)
            rc = hit(ctx, k->word[w - 1].value, end);
    return rc;
}

int
keywords_find(const struct keywords *k, const char *p, size_t n,
              keywords_hit *hit, void *ctx)
{
    const uint32_t *next = k->next;
    uint32_t at = 0;
    int rc;

    for (size_t i = 0; i < n; i++) {
        at = next[(at >> 1) + k->class_of[(uint8_t)p[i]]];
        if (at & 1) {
            rc = tell(k, (at >> 1) / k->n_classes, i + 1, hit, ctx);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}
