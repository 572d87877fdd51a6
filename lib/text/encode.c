/* encode.c - text to ids: added tokens, normal form, pieces, merges.
 *
 * Most pieces of a text were seen before, so each encoder has a cache from
 * pieces of at most KEY_BYTES bytes to at most SLOT_IDS ids. A hash chooses a
 * set of two slots, which is one cache line: first the slot that was asked for
 * last. What does not fit there (rulers, long names) goes to a cache with
 * fewer and wider slots. Caches hold answers only, so the ids do not depend on
 * them; an encoder that is asked for nothing has none.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/alphabet.h"
#include "text/tokenizer.h"

#define KEY_WORDS 2
#define KEY_BYTES 15 /* and one for the length and the number of ids */
#define KEY_COUNT 60 /* that number is the key's last 4 bits */
#define SLOT_IDS 4 /* < 16 */
#define SET_BITS 15
#define WIDE_BYTES 126
#define WIDE_IDS 64
#define WIDE_BITS 12

struct encoder_slot {
    uint64_t key[KEY_WORDS]; /* the piece, zeros, its length; 0: empty */
    uint32_t id[SLOT_IDS];
};

struct encoder_wide {
    uint8_t len, n; /* len 0: empty */
    uint8_t key[WIDE_BYTES];
    uint32_t id[WIDE_IDS];
};

void
ids_init(struct ids *s)
{
    memset(s, 0, sizeof(*s));
}

void
ids_release(struct ids *s)
{
    free(s->id);
    ids_init(s);
}

/* Room for n more. */
static uint32_t *
ids_room(struct ids *s, size_t n)
{
    if (s->cap - s->n < n) {
        s->cap = s->cap + s->cap / 2 + n;
        s->id = mem_grow(s->id, s->cap * sizeof(s->id[0]));
    }
    return s->id + s->n;
}

void
ids_add(struct ids *s, uint32_t id)
{
    *ids_room(s, 1) = id;
    s->n++;
}

/* The ids of a piece into id, which has room for n; returns how many. */
static size_t
encode_piece(struct encoder *en, const uint8_t *p, size_t n, uint32_t *id)
{
    const struct tokenizer *t = en->t;
    struct map_entry *whole;
    size_t i, m = 0;

    if (t->ignore_merges) {
        whole = map_get(&t->whole, p, n);
        if (whole) {
            *id = (uint32_t)whole->value;
            return 1;
        }
    }
    if (t->chars.on) {
        m = chars_symbols(t, p, n, id, &en->n_lost);
    } else {
        for (i = 0; i < n; i++)
            if (t->byte[p[i]] != TOKEN_NONE)
                id[m++] = t->byte[p[i]];
        en->n_lost += n - m;
    }
    return merge_piece(&t->merges, &en->scratch, id, m);
}

/* Makes the key of p[n], 0 < n <= KEY_BYTES; room bytes can be read at p. */
static inline void
make_key(uint64_t key[KEY_WORDS], const uint8_t *p, size_t n, size_t room)
{
    /* From byte 16 - n on the mask of n bytes. */
    static const uint8_t masks[32] = {
        255, 255, 255, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 255, 255, 255, 255
    };
    uint64_t mask[KEY_WORDS];

    if (room >= 16) {
        memcpy(key, p, 16);
        memcpy(mask, masks + 16 - n, 16);
        key[0] &= mask[0];
        key[1] &= mask[1];
    } else {
        key[0] = key[1] = 0;
        memcpy(key, p, n);
    }
    key[1] |= (uint64_t)n << 56;
}

/* Whether the slot is of that key. */
static inline bool
has_key(const struct encoder_slot *s, const uint64_t key[KEY_WORDS])
{
    return ((s->key[0] ^ key[0]) | (s->key[1] ^ key[1]) << (64 - KEY_COUNT))
           == 0;
}

/* The two slots where the key may be. */
static inline struct encoder_slot *
set_of(const struct encoder *en, const uint64_t key[KEY_WORDS])
{
    uint64_t h = key[0] * 0x9e3779b97f4a7c15u;

    h = (h ^ h >> 29 ^ key[1]) * 0xbf58476d1ce4e5b9u;
    return &en->cache[2 * (h >> (64 - SET_BITS))];
}

static size_t
wide_hash(const uint8_t *p, size_t n)
{
    uint64_t h = n, word;

    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&word, p, 8);
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 32;
    }
    for (; n > 0; n--)
        h = (h ^ *p++) * 0x9e3779b97f4a7c15u;
    return (size_t)(h >> (64 - WIDE_BITS));
}

/* As encode_piece, by way of the wide cache. */
static size_t
wide_piece(struct encoder *en, const uint8_t *p, size_t n, uint32_t *id)
{
    struct encoder_wide *slot;
    uint64_t lost = en->n_lost;
    size_t m;

    if (n > WIDE_BYTES)
        return encode_piece(en, p, n, id);
    slot = &en->wide[wide_hash(p, n)];
    if (slot->len == n && memcmp(slot->key, p, n) == 0) {
        memcpy(id, slot->id, slot->n * sizeof(id[0]));
        return slot->n;
    }
    m = encode_piece(en, p, n, id);
    /* One with lost bytes is to be counted each time. */
    if ((n > KEY_BYTES || m > SLOT_IDS) && m <= WIDE_IDS
        && en->n_lost == lost) {
        memcpy(slot->key, p, n);
        memcpy(slot->id, id, m * sizeof(id[0]));
        slot->len = (uint8_t)n;
        slot->n = (uint8_t)m;
    }
    return m;
}

/* A piece that is not in its set's first slot, and is then. */
static size_t
other_piece(struct encoder *en, struct encoder_slot *set,
            const uint64_t *key, const uint8_t *p, size_t n, uint32_t *id)
{
    struct encoder_slot first = set[0];
    uint64_t lost = en->n_lost;
    size_t m;

    if (has_key(&set[1], key)) {
        set[0] = set[1];
        set[1] = first;
        memcpy(id, set->id, sizeof(set->id));
        return set->key[1] >> KEY_COUNT;
    }
    m = wide_piece(en, p, n, id);
    if (m <= SLOT_IDS && en->n_lost == lost) {
        set[1] = first;
        memcpy(set->key, key, sizeof(set->key));
        memcpy(set->id, id, m * sizeof(id[0]));
        set->key[1] |= (uint64_t)m << KEY_COUNT;
    }
    return m;
}

/* A piece that was cut off and waits for its set to come from memory. */
struct ahead {
    const uint8_t *p;
    size_t n;
    struct encoder_slot *set; /* NULL: too long for one */
    uint64_t key[KEY_WORDS];
};

/* Cuts pieces off [p, end), at most SCAN_MOST; returns how many. */
static size_t
cut(const struct encoder *en, const uint8_t *p, const uint8_t *end,
    struct ahead *a)
{
    const struct pretok_step *scan = &en->t->pre.step[0];
    const uint8_t *table = scan->table ? scan->table : en->t->uclass;
    const uint8_t *stop[SCAN_MOST];
    const uint8_t *q = p;
    size_t n = 0;

    if (en->t->chars.on)
        while (q < end && n < SCAN_MOST)
            q = stop[n++] = q + chars_piece(en->t, q, end);
    else
        n = scan_pieces(scan->scan, table, p, end, stop);
    for (size_t i = 0; i < n; p = stop[i++], a++) {
        a->p = p;
        a->n = (size_t)(stop[i] - p);
        a->set = NULL;
        if (a->n <= KEY_BYTES) {
            make_key(a->key, p, a->n, (size_t)(end - p));
            a->set = set_of(en, a->key);
            __builtin_prefetch(a->set);
        }
    }
    return n;
}

/* As encode_piece, by way of the caches. */
static size_t
cached_piece(struct encoder *en, const uint8_t *p, size_t n, uint32_t *id)
{
    struct encoder_slot *set;
    uint64_t key[KEY_WORDS];

    if (n > KEY_BYTES)
        return wide_piece(en, p, n, id);
    make_key(key, p, n, n);
    set = set_of(en, key);
    if (!has_key(set, key))
        return other_piece(en, set, key, p, n, id);
    memcpy(id, set->id, sizeof(set->id));
    return set->key[1] >> KEY_COUNT;
}

/* Text without added tokens, in normal form, by the steps of the
 * pre-tokenizer. */
static void
add_steps(struct encoder *en, const uint8_t *p, size_t n, struct ids *out)
{
    bool spelled = en->t->pre.spelled;
    int more = 0;

    pretok_start(&en->pre, p, n);
    while (out->n <= en->enough
           && (more = pretok_next(&en->pre, &p, &n)) > 0) {
        if (spelled) {
            buf_reset(&en->bytes);
            alphabet_read(&en->bytes, (const char *)p, n);
            p = (const uint8_t *)en->bytes.data;
            n = en->bytes.len;
        }
        out->n += cached_piece(en, p, n, ids_room(out, n + SLOT_IDS));
    }
    en->gave_up |= more < 0;
}

/* The same, by a scanner. */
static void
add_pieces(struct encoder *en, const uint8_t *p, size_t n, struct ids *out)
{
    const uint8_t *end = p + n;
    uint32_t *id = ids_room(out, n + SLOT_IDS);
    struct ahead ahead[SCAN_MOST], *a, *stop;

    while (p < end && (size_t)(id - out->id) <= en->enough) {
        stop = ahead + cut(en, p, end, ahead);
        for (a = ahead; a < stop; a++) {
            if (!a->set) {
                id += wide_piece(en, a->p, a->n, id);
            } else if (has_key(a->set, a->key)) {
                memcpy(id, a->set->id, sizeof(a->set->id));
                id += a->set->key[1] >> KEY_COUNT;
            } else {
                id += other_piece(en, a->set, a->key, a->p, a->n, id);
            }
        }
        p = stop[-1].p + stop[-1].n;
    }
    out->n = (size_t)(id - out->id);
}

static void
make_caches(struct encoder *en)
{
    en->cache = mem_table((size_t)2 << SET_BITS, sizeof(en->cache[0]));
    en->wide = mem_table((size_t)1 << WIDE_BITS, sizeof(en->wide[0]));
}

/* A segment of the text: where segments_walk puts it. */
static void
add_segment(void *ctx, const struct segment *s)
{
    struct encoder *en = ctx;

    if (en->out->n > en->enough)
        return;
    if (s->token != TOKEN_NONE)
        ids_add(en->out, s->token);
    else if (!en->t->chars.on && !pretok_scans(&en->t->pre))
        add_steps(en, s->p, s->n, en->out);
    else
        add_pieces(en, s->p, s->n, en->out);
}

void
encoder_init(struct encoder *en, const struct tokenizer *t)
{
    memset(en, 0, sizeof(*en));
    en->t = t;
    en->enough = SIZE_MAX;
    pretok_run_init(&en->pre, &t->pre, t->uclass);
    buf_init(&en->bytes);
    segments_init(&en->segments, t);
    en->segments.found = add_segment;
}

void
encoder_release(struct encoder *en)
{
    free(en->cache);
    free(en->wide);
    merge_scratch_release(&en->scratch);
    pretok_run_release(&en->pre);
    buf_release(&en->bytes);
    segments_release(&en->segments);
}

void
encoder_add_marked(struct encoder *en, const void *p, size_t n,
                   const struct text_run *marks, size_t n_marks,
                   struct ids *out)
{
    if (!en->cache)
        make_caches(en);
    en->out = out;
    en->segments.ctx = en;
    segments_walk(&en->segments, p, n, marks, n_marks);
}

void
encoder_add(struct encoder *en, const void *p, size_t n, bool marks,
            struct ids *out)
{
    static const struct text_run none;

    encoder_add_marked(en, p, n, marks ? NULL : &none, 0, out);
}

int
encoder_check(struct encoder *en, struct err *e)
{
    if (!en->gave_up)
        return 0;
    en->gave_up = false;
    return err_set(e, ERR_LIMIT, "the pre-tokenizer's regular expression "
                   "takes more than %d steps to cut the text",
                   REGEX_MATCH_LIMIT);
}
