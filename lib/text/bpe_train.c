/* bpe_train.c - counting pieces, and the merge loop.
 *
 * Of each pair of neighbours bpe_pairs.h knows the count and its places in
 * bpe_words.h, so a merge visits those alone; bpe_json.h writes what was
 * learned.
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
#include "text/bpe_words.h"
#include "text/scan.h"
#include "text/tokenizer.h"
#include "text/uclass.h"

struct learner {
    struct bpe_words words;
    struct bpe_pairs pairs;
    struct map id; /* spelled token to its id */
    struct bpe_merge *merge;
    size_t n_merges, cap_merges;
    size_t n_file; /* bytes that the file comes to, at most */
    enum bpe_end end;
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
    const uint8_t *p = text, *end = p + n, *stop[SCAN_MOST];
    size_t i, pieces;

    while (p < end) {
        pieces = scan_pieces(SCAN_GPT2, t->uclass, p, end, stop);
        for (i = 0; i < pieces; p = stop[i++])
            map_put(&t->piece, p, (size_t)(stop[i] - p), 0, NULL)->value++;
    }
    t->n_bytes += n;
}

/* ---- the loop ---- */

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

/* Whether the file is still one for a tokenizer to read with that merge. */
static bool
fits_file(struct learner *l, const struct bpe_pair *p, const struct buf *name)
{
    struct bpe_merge merge = { p->left, p->right };

    l->n_file += bpe_json_growth(&l->id, &merge, name->data, name->len);
    return l->n_file <= TOKENIZER_MAX_FILE;
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
    uint32_t token;

    buf_init(&name);
    bpe_words_count(&l->words, &l->pairs);
    bpe_pairs_settle(&l->pairs);
    progress_begin("tokens", l->id.n, o->size);
    while (l->id.n < o->size) {
        p = bpe_pairs_top(&l->pairs, min);
        l->end = p ? l->end : BPE_NO_PAIR;
        if (!p)
            break;
        if (!pair_name(l, o, p, &name))
            continue;
        l->end = fits_file(l, p, &name) ? l->end : BPE_FILE_FULL;
        if (l->end == BPE_FILE_FULL)
            break;
        token = add_merge(l, p, &name);
        bpe_words_merge(&l->words, &l->pairs, (uint32_t)(p - l->pairs.pair),
                        token);
        bpe_pairs_settle(&l->pairs);
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
learner_release(struct learner *l)
{
    free(l->merge);
    bpe_words_release(&l->words);
    bpe_pairs_release(&l->pairs);
    map_release(&l->id);
}

int
bpe_trainer_finish(const struct bpe_trainer *t,
                   const struct bpe_train_options *o, struct buf *json,
                   struct bpe_trained *made, struct err *e)
{
    uint32_t byte[256] = { 0 };
    struct learner l;
    int rc;

    memset(&l, 0, sizeof(l));
    map_init(&l.id);
    bpe_pairs_init(&l.pairs);
    name_bytes(&l, o, byte);
    rc = bpe_words_init(&l.words, &t->piece, byte, e);
    if (rc == 0) {
        bpe_json_put(json, o, &l.id, NULL, 0);
        l.n_file = json->len;
        buf_reset(json);
        learn(&l, o);
        bpe_json_put(json, o, &l.id, l.merge, l.n_merges);
        *made = (struct bpe_trained){ (uint32_t)l.id.n, l.end };
    }
    learner_release(&l);
    return rc;
}
