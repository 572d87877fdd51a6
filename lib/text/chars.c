/* chars.c - characters to symbols, and the places where no merge reaches
 * across. */
#include "text/chars.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "text/tokenizer.h"
#include "text/uclass.h"

void
chars_release(struct chars *c)
{
    free(c->token);
    merges_release(&c->pairs);
    normalizer_release(&c->fold);
    normalizer_release(&c->prepend);
    memset(c, 0, sizeof(*c));
}

/* ---- characters to symbols ---- */

/* The character at p[n], n > 0, and its token or TOKEN_NONE. */
static size_t
char_token(const struct chars *c, const uint8_t *p, size_t n, uint32_t *id)
{
    uint32_t code = 0;
    size_t len = uclass_char(p, n, &code);

    /* U+FFFD itself has three bytes. */
    *id = code == UC_BAD && len == 1 ? TOKEN_NONE : c->token[code] - 1;
    return len;
}

static bool
has_bytes(const struct tokenizer *t, const uint8_t *p, size_t n)
{
    size_t i;

    if (!t->chars.byte_fallback)
        return false;
    for (i = 0; i < n; i++)
        if (t->byte[p[i]] == TOKEN_NONE)
            return false;
    return true;
}

size_t
chars_symbols(const struct tokenizer *t, const uint8_t *p, size_t n,
              uint32_t *id, uint64_t *lost)
{
    const struct chars *c = &t->chars;
    const uint8_t *end = p + n;
    bool unk = false; /* one waits; as tokenizers does it, behind bytes */
    size_t m = 0, len, i;
    uint32_t one;

    for (; p < end; p += len) {
        len = char_token(c, p, (size_t)(end - p), &one);
        if (one != TOKEN_NONE) {
            if (unk)
                id[m++] = c->unk;
            unk = false;
            id[m++] = one;
        } else if (has_bytes(t, p, len)) {
            for (i = 0; i < len; i++)
                id[m++] = t->byte[p[i]];
        } else if (c->unk != TOKEN_NONE) {
            if (unk && !c->fuse_unk)
                id[m++] = c->unk;
            unk = true;
        } else {
            *lost += len;
        }
    }
    if (unk)
        id[m++] = c->unk;
    return m;
}

size_t
chars_unknown(const struct tokenizer *t, const uint8_t *p, size_t n)
{
    size_t at = 0, len;
    uint32_t id;

    while (at < n) {
        len = char_token(&t->chars, p + at, n - at, &id);
        if (id != TOKEN_NONE || has_bytes(t, p + at, len))
            break;
        at += len;
        if (!t->chars.fuse_unk)
            break;
    }
    return at;
}

bool
chars_metaspace(const struct chars *c, const uint8_t *uclass, bool first,
                const uint8_t *p, size_t n, struct buf *b,
                struct text_changes *changes)
{
    const struct normalizer *z = &c->fold;
    const struct buf *blank = &c->fold.step[0].from;

    if ((c->first == BLANK_ALWAYS || (c->first == BLANK_FIRST && first))
        && *p != ' '
        && (n < blank->len || memcmp(p, blank->data, blank->len) != 0))
        z = &c->prepend;
    if (!normal_needed(z, uclass, p, n))
        return false;
    normal_add(b, z, uclass, p, n, changes);
    return true;
}

bool
chars_put_byte(const struct tokenizer *t, const char *name, size_t n,
               uint32_t id, struct buf *b)
{
    int i;

    if (n != 6 || name[0] != '<')
        return false;
    for (i = 0; i < 256 && t->byte[i] != id; i++)
        ;
    if (i < 256)
        buf_addc(b, i);
    return i < 256;
}

/* ---- where a text may be cut ---- */

/* Whether the two at p, of a and b bytes, can be parted: each becomes what
 * it is without its neighbours, and no merge joins them. */
static bool
apart(const struct tokenizer *t, const uint8_t *p, size_t a, size_t b)
{
    uint32_t left, right;

    char_token(&t->chars, p, a, &left);
    char_token(&t->chars, p + a, b, &right);
    if (left != TOKEN_NONE && right != TOKEN_NONE)
        return !merges_has(&t->chars.pairs, left, right);
    /* Behind bytes an unknown one may still wait, where some lack bytes. */
    if (left == TOKEN_NONE
        && ((t->lacks_bytes && t->chars.unk != TOKEN_NONE)
            || !has_bytes(t, p, a)))
        return false;
    return right != TOKEN_NONE || has_bytes(t, p + a, b);
}

/* The length of the character at p. */
static size_t
char_len(const uint8_t *p, const uint8_t *end)
{
    uint32_t code;

    return *p < 0x80 ? 1 : uclass_char(p, (size_t)(end - p), &code);
}

size_t
chars_piece(const struct tokenizer *t, const uint8_t *p, const uint8_t *end)
{
    const struct chars *c = &t->chars;
    const uint8_t *s = p, *next = p + char_len(p, end);

    for (; next < end; s = next, next += char_len(next, end)) {
        if (c->split && *next == ' ')
            break;
        if (c->uncut)
            continue;
        if ((*s | *next) < 0x80) {
            if (!(c->joined[*s][*next >> 6] >> (*next & 63) & 1))
                break;
        } else if (apart(t, s, (size_t)(next - s), char_len(next, end))) {
            break;
        }
    }
    return (size_t)(next - p);
}

/* ---- what is known of a vocabulary ---- */

/* The code point that p[n] is, or UINT32_MAX if it is not one. */
static uint32_t
single(const char *p, size_t n)
{
    uint32_t code;

    return n > 0 && utf8_decode(p, &code) == n ? code : UINT32_MAX;
}

static void
fill_tokens(struct tokenizer *t)
{
    struct chars *c = &t->chars;
    uint32_t code;
    size_t i;

    c->token = mem_array(UC_POINTS, sizeof(c->token[0]));
    for (i = 0; i < t->n_vocab; i++) {
        code = single(map_key(&t->name, i), t->name.entry[i].len);
        if (code != UINT32_MAX)
            c->token[code] = (uint32_t)t->name.entry[i].value + 1;
    }
    if (c->blank != 0)
        c->token[' '] = c->token[c->blank];
}

/* The token of the first or the last character of a token. */
static uint32_t
edge_token(const struct tokenizer *t, uint32_t id, bool last)
{
    const struct token_span *s = &t->span[id];
    const uint8_t *p = (const uint8_t *)t->bytes.data + s->at;
    size_t at = last ? s->len - 1 : 0;
    uint32_t token;

    while (at > 0 && (p[at] & 0xc0) == 0x80)
        at--;
    char_token(&t->chars, p + at, s->len - at, &token);
    return token;
}

/* Notes what a merge joins. odd: tokens that stand for other characters than
 * they are spelled with. */
static void
join(struct tokenizer *t, uint32_t left, uint32_t right, const uint8_t *odd)
{
    if (odd[left] || odd[right]) {
        t->chars.uncut = true;
        return;
    }
    left = edge_token(t, left, true);
    right = edge_token(t, right, false);
    /* Where there is no such token the merge never comes about. */
    if (left != TOKEN_NONE && right != TOKEN_NONE)
        merges_put(&t->chars.pairs, left, right, 0, 0);
}

static void
fill_joined(struct tokenizer *t)
{
    uint8_t pair[2];

    for (pair[0] = 0; pair[0] < 128; pair[0]++)
        for (pair[1] = 0; pair[1] < 128; pair[1]++)
            if (!apart(t, pair, 1, 1))
                t->chars.joined[pair[0]][pair[1] >> 6] |=
                    (uint64_t)1 << (pair[1] & 63);
}

void
chars_prepare(struct tokenizer *t)
{
    uint8_t *odd = mem_alloc(t->n);
    uint32_t left, right, rank;
    size_t i;

    fill_tokens(t);
    for (i = 0; i < 256; i++)
        if (t->byte[i] != TOKEN_NONE)
            odd[t->byte[i]] = 1;
    if (t->chars.unk != TOKEN_NONE)
        odd[t->chars.unk] = 1;
    merges_init(&t->chars.pairs, t->merges.n);
    for (i = 0; i <= t->merges.mask; i++)
        if (merges_at(&t->merges, i, &left, &right, &rank))
            join(t, left, right, odd);
    fill_joined(t);
    free(odd);
}
