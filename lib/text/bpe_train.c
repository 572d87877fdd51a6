/* bpe_train.c - counting pieces, and the merge loop.
 *
 * Of each pair of neighbours bpe_pairs.h knows the count and the words that
 * hold it, so a merge visits those alone; bpe_json.h writes what was learned.
 */
#include "text/bpe_train.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"
#include "base/utf8.h"
#include "text/alphabet.h"
#include "text/bpe_json.h"
#include "text/bpe_pairs.h"
#include "text/scan.h"
#include "text/tokenizer.h"
#include "text/uclass.h"

#define ANY UINT32_MAX /* no token has this id */

/* A distinct piece: symbols [at, at + n) of learner.symbol. */
struct word {
    size_t at, n;
    int64_t count;
};

struct learner {
    struct word *word;
    size_t n_words;
    uint32_t *symbol;
    struct bpe_pairs pairs;
    struct map id; /* spelled token to its id */
    struct bpe_merge *merge;
    size_t n_merges, cap_merges;
};

void
bpe_trainer_init(struct bpe_trainer *t)
{
    map_init(&t->piece);
    t->uclass = uclass_new();
    t->n_bytes = 0;
}

void
bpe_trainer_release(struct bpe_trainer *t)
{
    map_release(&t->piece);
    free(t->uclass);
    t->uclass = NULL;
}

void
bpe_trainer_add(struct bpe_trainer *t, const void *text, size_t n)
{
    const uint8_t *p = text, *end = p + n;
    size_t len;

    for (; p < end; p += len) {
        len = scan_piece(SCAN_GPT2, t->uclass, p, end);
        map_put(&t->piece, p, len, 0, NULL)->value++;
    }
    t->n_bytes += n;
}

/* ---- the loop ---- */

/* Adds by to the counts of all pairs of word i. Pairs with the token
 * `fresh`, or all of them (ANY), are new to the word. */
static void
count_word(struct learner *l, uint32_t i, int64_t by, uint32_t fresh)
{
    const struct word *w = &l->word[i];
    const uint32_t *s = l->symbol + w->at;
    bool is_new;
    size_t k;

    for (k = 0; k + 1 < w->n; k++) {
        is_new = by > 0
                 && (s[k] == fresh || s[k + 1] == fresh || fresh == ANY);
        bpe_pairs_add(&l->pairs, s[k], s[k + 1], by,
                      is_new ? i : BPE_NO_WORD);
    }
}

/* Merges the pair in word i, if it is still there. */
static void
merge_word(struct learner *l, uint32_t i, uint32_t left, uint32_t right,
           uint32_t token)
{
    struct word *w = &l->word[i];
    uint32_t *s = l->symbol + w->at;
    size_t k, n = 0;

    for (k = 0; k + 1 < w->n; k++)
        if (s[k] == left && s[k + 1] == right)
            break;
    if (k + 1 >= w->n)
        return;
    count_word(l, i, -w->count, token);
    for (k = 0; k < w->n; k++) {
        if (k + 1 < w->n && s[k] == left && s[k + 1] == right) {
            s[n++] = token;
            k++;
        } else {
            s[n++] = s[k];
        }
    }
    w->n = n;
    count_word(l, i, w->count, token);
}

static void
merge_pair(struct learner *l, struct bpe_pair *p, uint32_t token)
{
    uint32_t left = p->left, right = p->right, *word;
    size_t i, n;

    /* The words that hold the pair after this are noted anew. */
    word = bpe_pair_take_words(p, &n);
    for (i = 0; i < n; i++)
        merge_word(l, word[i], left, right, token);
    bpe_pairs_settle(&l->pairs);
    free(word);
}

static bool
is_ascii(const char *p, size_t n)
{
    while (n > 0 && (unsigned char)p[n - 1] < 0x80)
        n--;
    return n == 0;
}

/* How the token of two is spelled, in name. False where it can't be one: it
 * is longer than what a tokenizer may have, or spelled like a special token,
 * which stands for other bytes (as of "\u0120t" and " t"). */
static bool
pair_name(const struct learner *l, const struct bpe_train_options *o,
          const struct bpe_pair *p, struct buf *name)
{
    const struct map_entry *same;

    buf_reset(name);
    buf_add(name, map_key(&l->id, p->left), l->id.entry[p->left].len);
    buf_add(name, map_key(&l->id, p->right), l->id.entry[p->right].len);
    if (name->len > TOKENIZER_MAX_TOKEN)
        return false;
    same = map_get(&l->id, name->data, name->len);
    return same == NULL || same->value >= o->n_special
        || is_ascii(name->data, name->len);
}

/* Notes the merge of two tokens; gives the id of what they make, which may
 * be there already. */
static uint32_t
add_merge(struct learner *l, const struct bpe_pair *p, const struct buf *name)
{
    if (l->n_merges == l->cap_merges) {
        l->cap_merges = l->cap_merges * 2 + 1024;
        l->merge = mem_grow(l->merge, l->cap_merges * sizeof(l->merge[0]));
    }
    l->merge[l->n_merges++] = (struct bpe_merge){ p->left, p->right };
    return (uint32_t)map_put(&l->id, name->data, name->len, l->id.n,
                             NULL)->value;
}

static void
learn(struct learner *l, const struct bpe_train_options *o)
{
    int64_t min = o->min_frequency > 1 ? (int64_t)o->min_frequency : 1;
    struct buf name;
    struct bpe_pair *p;
    uint32_t i, token;

    buf_init(&name);
    for (i = 0; i < l->n_words; i++)
        count_word(l, i, l->word[i].count, ANY);
    bpe_pairs_settle(&l->pairs);
    progress_begin("tokens", l->id.n, o->size);
    while (l->id.n < o->size) {
        p = bpe_pairs_top(&l->pairs, min);
        if (!p)
            break;
        if (!pair_name(l, o, p, &name))
            continue;
        token = add_merge(l, p, &name);
        merge_pair(l, p, token);
        progress_add(1);
    }
    progress_end();
    buf_release(&name);
}

/* ---- before and after ---- */

/* Special tokens and bytes get their ids; byte[] those of the bytes. */
static void
name_bytes(struct learner *l, const struct bpe_train_options *o,
           uint32_t byte[256])
{
    struct buf one;
    char utf8[4];
    uint32_t code;
    size_t i, n;

    for (i = 0; i < o->n_special; i++)
        map_put(&l->id, o->special[i], strlen(o->special[i]), l->id.n, NULL);
    buf_init(&one);
    for (code = 0x21; code < 0x144; code++) {
        n = utf8_encode(code, utf8);
        buf_reset(&one);
        if (alphabet_read(&one, utf8, n))
            byte[(uint8_t)one.data[0]] =
                (uint32_t)map_put(&l->id, utf8, n, l->id.n, NULL)->value;
    }
    buf_release(&one);
}

static void
make_words(struct learner *l, const struct map *piece,
           const uint32_t byte[256])
{
    size_t i, k, at = 0;
    const char *p;

    l->n_words = piece->n;
    l->word = mem_array(piece->n, sizeof(l->word[0]));
    l->symbol = mem_array(piece->keys_len, sizeof(l->symbol[0]));
    for (i = 0; i < piece->n; i++) {
        l->word[i] = (struct word){ at, piece->entry[i].len,
                                    (int64_t)piece->entry[i].value };
        p = map_key(piece, i);
        for (k = 0; k < piece->entry[i].len; k++)
            l->symbol[at++] = byte[(uint8_t)p[k]];
    }
}

static void
learner_release(struct learner *l)
{
    free(l->word);
    free(l->symbol);
    free(l->merge);
    bpe_pairs_release(&l->pairs);
    map_release(&l->id);
}

void
bpe_trainer_finish(const struct bpe_trainer *t,
                   const struct bpe_train_options *o, struct buf *json,
                   uint32_t *n_tokens)
{
    uint32_t byte[256] = { 0 };
    struct learner l;

    memset(&l, 0, sizeof(l));
    map_init(&l.id);
    bpe_pairs_init(&l.pairs);
    name_bytes(&l, o, byte);
    make_words(&l, &t->piece, byte);
    learn(&l, o);
    bpe_json_put(json, o, &l.id, l.merge, l.n_merges);
    *n_tokens = (uint32_t)l.id.n;
    learner_release(&l);
}
