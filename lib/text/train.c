/* train.c - counting pieces, and the merge loop.
 *
 * Each pair knows its count and the pieces that hold it (or once did). A
 * heap has an entry for each pair at a count that is at least the true one:
 * counts only fall after a pair was pushed, save in the merge that makes its
 * newest token, and there it is pushed anew. A popped entry whose count is
 * stale goes back with the true one.
 */
#include "text/train.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/utf8.h"
#include "text/alphabet.h"
#include "text/scan.h"
#include "text/tokenizer.h"
#include "text/uclass.h"

#define ANY UINT32_MAX /* no token has this id */

/* A distinct piece: symbols [at, at + n) of learner.symbol. */
struct word {
    size_t at, n;
    int64_t count;
};

struct pair {
    uint32_t left, right;
    int64_t count;
    uint32_t *word; /* where it is */
    size_t n, cap;
    bool touched; /* in learner.touched */
};

struct pair_entry {
    int64_t count;
    uint32_t left, right;
    uint32_t pair;
};

struct learner {
    struct word *word;
    size_t n_words;
    uint32_t *symbol;
    struct pair *pair;
    size_t n_pairs, cap_pairs;
    uint32_t *slot; /* pair + 1 by hash of its symbols; 0: free */
    size_t mask;
    struct pair_entry *heap;
    size_t n_heap, cap_heap;
    uint32_t *touched; /* pairs to push after a merge */
    size_t n_touched, cap_touched;
    struct map id;      /* spelled token to its id */
    struct buf merges;  /* of the JSON text */
    size_t n_merges;
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

/* ---- pairs ---- */

static size_t
hash_pair(uint32_t left, uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;

    return (size_t)(h ^ h >> 32);
}

static void
place_pair(struct learner *l, uint32_t i)
{
    size_t at = hash_pair(l->pair[i].left, l->pair[i].right) & l->mask;

    while (l->slot[at])
        at = (at + 1) & l->mask;
    l->slot[at] = i + 1;
}

static void
grow_pairs(struct learner *l)
{
    uint32_t i;

    l->cap_pairs = l->cap_pairs * 2 + 512;
    l->pair = mem_grow(l->pair, l->cap_pairs * sizeof(l->pair[0]));
    for (l->mask = 1024; l->mask < 2 * l->cap_pairs; l->mask *= 2)
        ;
    free(l->slot);
    l->slot = mem_array(l->mask, sizeof(l->slot[0]));
    l->mask--;
    for (i = 0; i < l->n_pairs; i++)
        place_pair(l, i);
}

/* The number of the pair, which is made if need be. */
static uint32_t
pair_of(struct learner *l, uint32_t left, uint32_t right)
{
    size_t at;
    struct pair *p;

    if (l->n_pairs == l->cap_pairs)
        grow_pairs(l);
    at = hash_pair(left, right) & l->mask;
    for (; l->slot[at]; at = (at + 1) & l->mask) {
        p = &l->pair[l->slot[at] - 1];
        if (p->left == left && p->right == right)
            return l->slot[at] - 1;
    }
    l->pair[l->n_pairs] = (struct pair){ .left = left, .right = right };
    l->slot[at] = (uint32_t)++l->n_pairs;
    return (uint32_t)l->n_pairs - 1;
}

/* Notes that the word holds the pair. */
static void
pair_in_word(struct pair *p, uint32_t word)
{
    if (p->n > 0 && p->word[p->n - 1] == word)
        return;
    if (p->n == p->cap) {
        p->cap = p->cap * 2 + 2;
        p->word = mem_grow(p->word, p->cap * sizeof(p->word[0]));
    }
    p->word[p->n++] = word;
}

/* ---- heap: the highest count first, then the smallest ids ---- */

static int
before(const struct pair_entry *a, const struct pair_entry *b)
{
    if (a->count != b->count)
        return a->count > b->count;
    return a->left != b->left ? a->left < b->left : a->right < b->right;
}

static void
heap_push(struct learner *l, uint32_t pair)
{
    const struct pair *p = &l->pair[pair];
    struct pair_entry item = { p->count, p->left, p->right, pair };
    size_t i = l->n_heap++, up;

    if (i == l->cap_heap) {
        l->cap_heap = l->cap_heap * 2 + 1024;
        l->heap = mem_grow(l->heap, l->cap_heap * sizeof(l->heap[0]));
    }
    for (; i > 0; i = up) {
        up = (i - 1) / 2;
        if (!before(&item, &l->heap[up]))
            break;
        l->heap[i] = l->heap[up];
    }
    l->heap[i] = item;
}

static struct pair_entry
heap_pop(struct learner *l)
{
    struct pair_entry top = l->heap[0], last = l->heap[--l->n_heap];
    size_t i = 0, down;

    for (; (down = 2 * i + 1) < l->n_heap; i = down) {
        if (down + 1 < l->n_heap
            && before(&l->heap[down + 1], &l->heap[down]))
            down++;
        if (!before(&l->heap[down], &last))
            break;
        l->heap[i] = l->heap[down];
    }
    l->heap[i] = last;
    return top;
}

/* The pair to merge, or NULL when none counts enough. */
static struct pair *
next_pair(struct learner *l, int64_t min)
{
    struct pair_entry top;
    struct pair *p;

    while (l->n_heap > 0) {
        top = heap_pop(l);
        p = &l->pair[top.pair];
        if (p->count == top.count)
            return p->count >= min ? p : NULL;
        if (p->count >= min)
            heap_push(l, top.pair);
    }
    return NULL;
}

/* ---- the loop ---- */

static void
touch(struct learner *l, uint32_t pair)
{
    if (l->pair[pair].touched)
        return;
    l->pair[pair].touched = true;
    if (l->n_touched == l->cap_touched) {
        l->cap_touched = l->cap_touched * 2 + 256;
        l->touched = mem_grow(l->touched,
                              l->cap_touched * sizeof(l->touched[0]));
    }
    l->touched[l->n_touched++] = pair;
}

/* Adds by to the counts of all pairs of word i. Pairs with the token
 * `fresh`, or all of them (ANY), are new to the word. */
static void
count_word(struct learner *l, uint32_t i, int64_t by, uint32_t fresh)
{
    const struct word *w = &l->word[i];
    const uint32_t *s = l->symbol + w->at;
    uint32_t pair;
    size_t k;

    for (k = 0; k + 1 < w->n; k++) {
        pair = pair_of(l, s[k], s[k + 1]);
        l->pair[pair].count += by;
        if (by > 0
            && (s[k] == fresh || s[k + 1] == fresh || fresh == ANY)) {
            pair_in_word(&l->pair[pair], i);
            touch(l, pair);
        }
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
push_touched(struct learner *l)
{
    size_t i;

    for (i = 0; i < l->n_touched; i++) {
        l->pair[l->touched[i]].touched = false;
        if (l->pair[l->touched[i]].count > 0)
            heap_push(l, l->touched[i]);
    }
    l->n_touched = 0;
}

static void
merge_pair(struct learner *l, const struct pair *p, uint32_t token)
{
    uint32_t left = p->left, right = p->right, *word = p->word;
    size_t i, n = p->n, number = (size_t)(p - l->pair);

    /* count_word may move l->pair and add to the pair's own list. */
    l->pair[number].word = NULL;
    l->pair[number].n = l->pair[number].cap = 0;
    for (i = 0; i < n; i++)
        merge_word(l, word[i], left, right, token);
    push_touched(l);
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
pair_name(const struct learner *l, const struct train_options *o,
          const struct pair *p, struct buf *name)
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

/* Notes the merge of two tokens; gives the id of what they make. */
static uint32_t
name_merge(struct learner *l, const struct pair *p, const struct buf *name)
{
    size_t n_left = l->id.entry[p->left].len;

    buf_addstr(&l->merges, l->n_merges++ > 0 ? ",\n      [\n        " :
                                               "\n      [\n        ");
    json_put_string(&l->merges, name->data, n_left);
    buf_addstr(&l->merges, ",\n        ");
    json_put_string(&l->merges, name->data + n_left, name->len - n_left);
    buf_addstr(&l->merges, "\n      ]");
    return (uint32_t)map_put(&l->id, name->data, name->len, l->id.n,
                             NULL)->value;
}

static void
learn(struct learner *l, const struct train_options *o)
{
    int64_t min = o->min_frequency > 1 ? (int64_t)o->min_frequency : 1;
    struct buf name;
    struct pair *p;
    uint32_t i, token;

    buf_init(&name);
    for (i = 0; i < l->n_words; i++)
        count_word(l, i, l->word[i].count, ANY);
    push_touched(l);
    progress_begin("tokens", l->id.n, o->size);
    while (l->id.n < o->size) {
        p = next_pair(l, min);
        if (!p)
            break;
        if (!pair_name(l, o, p, &name))
            continue;
        token = name_merge(l, p, &name);
        merge_pair(l, p, token);
        progress_add(1);
    }
    progress_end();
    buf_release(&name);
}

/* ---- before and after ---- */

/* Special tokens and bytes get their ids; byte[] those of the bytes. */
static void
name_bytes(struct learner *l, const struct train_options *o,
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
put_added(struct buf *b, const struct train_options *o)
{
    size_t i;

    buf_addstr(b, "  \"added_tokens\": [");
    for (i = 0; i < o->n_special; i++) {
        buf_addf(b, "%s\n    {\n      \"id\": %zu,\n      \"content\": ",
                 i > 0 ? "," : "", i);
        json_put_string(b, o->special[i], strlen(o->special[i]));
        buf_addstr(b, ",\n      \"single_word\": false,\n"
                   "      \"lstrip\": false,\n      \"rstrip\": false,\n"
                   "      \"normalized\": false,\n"
                   "      \"special\": true\n    }");
    }
    buf_addstr(b, o->n_special > 0 ? "\n  ],\n" : "],\n");
}

static void
put_json(struct buf *b, const struct learner *l,
         const struct train_options *o)
{
    size_t i;

    buf_addstr(b, "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n"
               "  \"padding\": null,\n");
    put_added(b, o);
    buf_addstr(b, "  \"normalizer\": null,\n  \"pre_tokenizer\": {\n"
               "    \"type\": \"ByteLevel\",\n"
               "    \"add_prefix_space\": false,\n"
               "    \"trim_offsets\": true,\n    \"use_regex\": true\n"
               "  },\n  \"post_processor\": null,\n  \"decoder\": {\n"
               "    \"type\": \"ByteLevel\",\n"
               "    \"add_prefix_space\": true,\n"
               "    \"trim_offsets\": true,\n    \"use_regex\": true\n"
               "  },\n  \"model\": {\n    \"type\": \"BPE\",\n"
               "    \"dropout\": null,\n    \"unk_token\": null,\n"
               "    \"continuing_subword_prefix\": null,\n"
               "    \"end_of_word_suffix\": null,\n"
               "    \"fuse_unk\": false,\n    \"byte_fallback\": false,\n"
               "    \"ignore_merges\": false,\n    \"vocab\": {");
    for (i = 0; i < l->id.n; i++) {
        buf_addstr(b, i > 0 ? ",\n      " : "\n      ");
        json_put_string(b, map_key(&l->id, i), l->id.entry[i].len);
        buf_addf(b, ": %zu", i);
    }
    buf_addstr(b, "\n    },\n    \"merges\": [");
    buf_add(b, l->merges.data, l->merges.len);
    buf_addstr(b, l->n_merges > 0 ? "\n    ]\n  }\n}" : "]\n  }\n}");
}

static void
learner_release(struct learner *l)
{
    size_t i;

    for (i = 0; i < l->n_pairs; i++)
        free(l->pair[i].word);
    free(l->pair);
    free(l->slot);
    free(l->heap);
    free(l->touched);
    free(l->word);
    free(l->symbol);
    map_release(&l->id);
    buf_release(&l->merges);
}

void
bpe_trainer_finish(const struct bpe_trainer *t,
                   const struct train_options *o, struct buf *json,
                   uint32_t *n_tokens)
{
    uint32_t byte[256] = { 0 };
    struct learner l;

    memset(&l, 0, sizeof(l));
    map_init(&l.id);
    buf_init(&l.merges);
    name_bytes(&l, o, byte);
    make_words(&l, &t->piece, byte);
    learn(&l, o);
    put_json(json, &l, o);
    *n_tokens = (uint32_t)l.id.n;
    learner_release(&l);
}
