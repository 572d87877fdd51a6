/* bpe_words.c - a token that was merged keeps its first place and counts the
 * places that it covers; the others are empty. */
#include "text/bpe_words.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BETWEEN UINT32_MAX       /* a place between two pieces */
#define COVERED (UINT32_MAX - 1) /* one in a token, not its first */

int
bpe_words_init(struct bpe_words *w, const struct map *piece,
               const uint32_t byte[256], struct err *e)
{
    size_t i, k, at = 1;
    const char *p;

    memset(w, 0, sizeof(*w));
    w->n = piece->keys_len + piece->n + 1;
    if (w->n >= COVERED)
        return err_set(e, ERR_LIMIT, "%zu bytes of distinct pieces, limit %u",
                       w->n - 1, COVERED - 1);
    w->token = mem_array(w->n, sizeof(w->token[0]));
    w->size = mem_array(w->n, sizeof(w->size[0]));
    w->word = mem_array(w->n, sizeof(w->word[0]));
    w->count = mem_array(piece->n, sizeof(w->count[0]));
    w->token[0] = BETWEEN;
    for (i = 0; i < piece->n; i++) {
        w->count[i] = (int64_t)piece->entry[i].value;
        p = map_key(piece, i);
        for (k = 0; k < piece->entry[i].len; k++, at++) {
            w->token[at] = byte[(uint8_t)p[k]];
            w->size[at] = 1;
            w->word[at] = (uint32_t)i;
        }
        w->token[at++] = BETWEEN;
    }
    return 0;
}

void
bpe_words_release(struct bpe_words *w)
{
    free(w->token);
    free(w->size);
    free(w->word);
    free(w->count);
    memset(w, 0, sizeof(*w));
}

void
bpe_words_count(const struct bpe_words *w, struct bpe_pairs *s)
{
    size_t i;

    for (i = 1; i + 1 < w->n; i++)
        if (w->token[i] != BETWEEN && w->token[i + 1] != BETWEEN)
            bpe_pairs_add(s, w->token[i], w->token[i + 1],
                          w->count[w->word[i]], (uint32_t)i);
}

/* Makes the tokens at `at` and at `right` one. */
static void
merge_place(struct bpe_words *w, struct bpe_pairs *s, uint32_t at,
            uint32_t right, uint32_t token)
{
    int64_t count = w->count[w->word[at]];
    uint32_t next = right + w->size[right], before;
    uint16_t size = (uint16_t)(next - at);

    if (w->token[at - 1] != BETWEEN) {
        before = at - w->size[at - 1];
        bpe_pairs_drop(s, w->token[before], w->token[at], count);
        bpe_pairs_add(s, w->token[before], token, count, before);
    }
    if (w->token[next] != BETWEEN) {
        bpe_pairs_drop(s, w->token[right], w->token[next], count);
        bpe_pairs_add(s, token, w->token[next], count, at);
    }
    bpe_pairs_drop(s, w->token[at], w->token[right], count);
    w->token[right] = COVERED;
    w->token[at] = token;
    w->size[at] = w->size[next - 1] = size;
}

void
bpe_words_merge(struct bpe_words *w, struct bpe_pairs *s, uint32_t pair,
                uint32_t token)
{
    uint32_t left = s->pair[pair].left, right = s->pair[pair].right, *place;
    uint32_t next;
    size_t i, n;

    /* The places of the pair after this are noted anew. */
    place = bpe_pairs_take_places(s, pair, &n);
    for (i = 0; i < n; i++) {
        if (w->token[place[i]] != left)
            continue;
        next = place[i] + w->size[place[i]];
        if (w->token[next] == right)
            merge_place(w, s, place[i], next, token);
    }
    free(place);
}
