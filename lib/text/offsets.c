/* offsets.c - the bytes of the tokens are laid beside those of the text's
 * segments: merges need not be followed again, and the pre-tokenizer only
 * where it leaves something out or puts something in. */
#include "text/offsets.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
offsets_init(struct offsets *o, const struct tokenizer *t)
{
    memset(o, 0, sizeof(*o));
    segments_init(&o->segments, t);
    pretok_run_init(&o->pre, &t->pre, t->uclass);
    o->segments.want_changes = true;
}

void
offsets_release(struct offsets *o)
{
    segments_release(&o->segments);
    pretok_run_release(&o->pre);
    free(o->at);
    memset(o, 0, sizeof(*o));
}

/* The next id, which is the unknown token, for what is unknown at *at. */
static bool
take_unknown(struct offsets *o, const struct segment *s, size_t *at)
{
    size_t n = chars_unknown(o->segments.t, s->p + *at, s->n - *at);

    if (n == 0)
        return false;
    o->at[o->n++] = segment_given(s, *at, *at + n);
    *at += n;
    return true;
}

/* A stretch of a segment: n_put blanks before it that the pre-tokenizer put
 * there, which is one or none, and n bytes at `from`. */
struct stretch {
    const struct segment *s;
    size_t n_put, from, n;
};

static uint8_t
byte_at(const struct stretch *st, size_t k)
{
    return k < st->n_put ? ' ' : st->s->p[st->from + k - st->n_put];
}

static struct text_run
given(const struct stretch *st, size_t start, size_t end)
{
    start = start > st->n_put ? start - st->n_put : 0;
    end = end > st->n_put ? end - st->n_put : 0;
    return segment_given(st->s, st->from + start, st->from + end);
}

/* How many bytes of st from byte at on may have become no token. A model over
 * characters has whole segments. */
static size_t
lost(const struct tokenizer *t, const struct stretch *st, size_t at)
{
    if (t->chars.on)
        return chars_unknown(t, st->s->p + at, st->s->n - at);
    return t->byte[byte_at(st, at)] == TOKEN_NONE;
}

/* The next id's bytes in st from *at on, bytes without a token among them;
 * false: they are others. */
static bool
take_token(struct offsets *o, const struct stretch *st, size_t *at)
{
    const struct tokenizer *t = o->segments.t;
    const struct token_span *span = &t->span[o->id[o->n]];
    const uint8_t *token = (const uint8_t *)t->bytes.data + span->at;
    size_t n = st->n_put + st->n, i = 0, start = n, k = *at, skip;

    while (i < span->len && k < n) {
        if (byte_at(st, k) == token[i]) {
            start = i++ == 0 ? k : start;
            k++;
            continue;
        }
        skip = i > 0 ? lost(t, st, k) : 0;
        if (skip == 0)
            return false;
        k += skip;
    }
    if (i < span->len || i == 0)
        return false;
    o->at[o->n++] = given(st, start, k);
    *at = k;
    return true;
}

/* An unk_token that comes late, as tokenizers lets it wait behind the bytes of
 * the characters that follow: it has no bytes where it stands. */
static void
take_late(struct offsets *o, const struct segment *s, size_t at)
{
    o->at[o->n++] = segment_given(s, at, at);
    o->late--;
}

/* The next id, or bytes that are in none. */
static void
take_one(struct offsets *o, const struct stretch *st, size_t *at)
{
    const struct tokenizer *t = o->segments.t;
    bool there = o->n < o->n_ids;
    bool unknown = there && t->chars.on && o->id[o->n] == t->chars.unk;
    size_t skip;

    if (unknown && take_unknown(o, st->s, at))
        return;
    if (unknown && o->late > 0) {
        take_late(o, st->s, *at);
        return;
    }
    if (there && take_token(o, st, at))
        return;
    skip = lost(t, st, *at);
    o->late += skip > 0;
    o->strange = skip == 0;
    *at += skip;
}

/* As long as the ids are s's bytes, one behind the other, and these
 * the given ones: nearly always. Returns where that ends. */
static size_t
take_plain(struct offsets *o, const struct segment *s)
{
    const struct tokenizer *t = o->segments.t;
    const uint32_t *id = o->id + o->n, *end = o->id + o->n_ids;
    size_t at = 0, given = s->from + s->normal.start;
    struct text_run *run = o->at + o->n;

    if (s->changes || s->blanks)
        return 0;
    for (; id < end && at < s->n; id++, run++) {
        const struct token_span *span = &t->span[*id];

        if (span->len > s->n - at || *id == t->chars.unk
            || memcmp(s->p + at, t->bytes.data + span->at, span->len) != 0)
            break;
        *run = (struct text_run){ given + at, given + at + span->len };
        at += span->len;
    }
    o->n = (size_t)(run - o->at);
    return at;
}

/* What is of st from byte at on. */
static void
take_stretch(struct offsets *o, const struct stretch *st, size_t at)
{
    const struct tokenizer *t = o->segments.t;
    size_t n = st->n_put + st->n;

    o->late = 0;
    while (at < n && !o->strange)
        take_one(o, st, &at);
    if (o->late > 0 && !o->strange && o->n < o->n_ids && t->chars.on
        && o->id[o->n] == t->chars.unk)
        take_late(o, st->s, at);
}

/* A segment of which the pieces are not just its bytes in order. */
static void
take_pieces(struct offsets *o, const struct segment *s)
{
    struct pretok_run *r = &o->pre;
    const uint8_t *p;
    size_t n;
    int rc;

    pretok_start(r, s->p, s->n);
    while ((rc = pretok_next(r, &p, &n)) > 0)
        take_stretch(o, &(struct stretch){ s, r->n_put, r->from, r->n_from },
                     0);
    o->strange = o->strange || rc < 0;
}

static void
take_segment(void *ctx, const struct segment *s)
{
    struct offsets *o = ctx;

    if (s->token == TOKEN_NONE && o->segments.t->pre.changes) {
        take_pieces(o, s);
    } else if (s->token == TOKEN_NONE) {
        take_stretch(o, &(struct stretch){ s, 0, 0, s->n },
                     take_plain(o, s));
    } else {
        o->strange = o->strange || o->n == o->n_ids
                     || o->id[o->n] != s->token;
        if (!o->strange)
            o->at[o->n++] = segment_given(s, 0, s->n);
    }
}

bool
offsets_find(struct offsets *o, const void *p, size_t n,
             const struct text_run *marks, size_t n_marks,
             const uint32_t *id, size_t n_ids)
{
    if (n_ids > o->cap) {
        o->cap = n_ids + n_ids / 2;
        o->at = mem_grow(o->at, o->cap * sizeof(o->at[0]));
    }
    o->n = 0;
    o->n_ids = n_ids;
    o->id = id;
    o->strange = false;
    o->segments.found = take_segment;
    o->segments.ctx = o;
    segments_walk(&o->segments, p, n, marks, n_marks);
    return !o->strange && o->n == n_ids;
}
