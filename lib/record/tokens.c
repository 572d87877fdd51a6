/* tokens.c - token records to bytes and back. */
#include "record/tokens.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/utf8.h"

#define FIXED 64 /* bytes before the two counts */
#define GROUP_AT 24
#define NARROW 0x10000u /* ids below take two bytes */
#define MIDDLE 0x1000000u /* three */

static const char *const loss_name[] = {
    [LOSS_AUTO] = "auto", [LOSS_TARGET] = "target", [LOSS_ALL] = "all"
};

const char *
tokens_loss_name(enum tokens_loss loss)
{
    return loss_name[loss];
}

int
tokens_loss_of(const struct stream_head *h, const char *where,
               enum tokens_loss *loss, struct err *e)
{
    const char *v = stream_head_get(h, "loss");

    *loss = v && strcmp(v, loss_name[LOSS_ALL]) == 0 ? LOSS_ALL : LOSS_TARGET;
    if (v && strcmp(v, loss_name[*loss]) != 0)
        return err_set(e, ERR_DATA, "%s: header: key loss (found %s, expected "
                       "target or all)", where, v);
    return 0;
}

void
tokens_head(struct stream_head *h, uint64_t vocab, const char *tokenizer)
{
    stream_head_init(h, "tokens");
    if (vocab > 0)
        tokens_head_vocab(h, vocab);
    if (tokenizer)
        stream_head_set(h, "tokenizer", tokenizer);
}

void
tokens_head_vocab(struct stream_head *h, uint64_t vocab)
{
    stream_head_set_u64(h, "vocab", vocab);
    stream_head_drop(h, TOKENS_ID_BYTES);
    if (vocab > NARROW)
        stream_head_set(h, TOKENS_ID_BYTES, "3");
}

int
tokens_head_read(const struct stream_head *h, const char *where,
                 uint64_t *vocab, bool *wide, struct err *e)
{
    const char *v = stream_head_get(h, TOKENS_ID_BYTES);
    int rc = 0;

    *vocab = 0;
    if (stream_head_get(h, "vocab"))
        rc = stream_head_get_u64(h, "vocab", where, vocab, e);
    if (rc == 0 && v && (strcmp(v, "3") != 0 || *vocab <= NARROW))
        rc = err_set(e, ERR_DATA, "%s: header: key " TOKENS_ID_BYTES " (found "
                     "%s, expected 3, beside a vocab over %u)", where, v,
                     NARROW);
    *wide = !v;
    return rc;
}

struct tokens_name
tokens_name_of(const char *p, size_t n)
{
    struct tokens_name none = { NULL, 0 };

    if (n == 0 || n > TOKENS_NAME_MAX || !utf8_is_line(p, n))
        return none;
    return (struct tokens_name){ p, n };
}

/* ---- writing ---- */

/* Appends the run lengths to b and returns how many there are. */
static size_t
add_runs(struct buf *b, const uint8_t *loss, size_t n)
{
    size_t n_runs = 0, at = 0, len;
    const uint8_t *other;
    int flag = 0;

    if (!loss && n > 0) {
        buf_varint(b, 0);
        buf_varint(b, n);
        return 2;
    }
    for (; at < n; at += len, flag = !flag, n_runs++) {
        other = memchr(loss + at, !flag, n - at);
        len = other ? (size_t)(other - loss) - at : n - at;
        buf_varint(b, len);
    }
    return n_runs;
}

static int
check_ids(const uint32_t *ids, size_t n, uint64_t vocab, uint32_t *most,
          struct err *e)
{
    uint32_t max = 0;

    for (size_t i = 0; i < n; i++)
        max = ids[i] > max ? ids[i] : max;
    if (n && vocab && max >= vocab)
        return err_set(e, ERR_DATA, "token id (found %" PRIu32 ", vocabulary "
                       "of %" PRIu64 ")", max, vocab);
    *most = max;
    return 0;
}

/* The third bytes apart: they are few different ones, and the rest is as easy
 * to read as of two. */
static void
put_middle(char *out, const uint32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        store_u16(out + 2 * i, (uint16_t)ids[i]);
    for (size_t i = 0; i < n; i++)
        out[2 * n + i] = (char)(ids[i] >> 16);
}

static void
add_ids(struct buf *b, const uint32_t *ids, size_t n, unsigned width)
{
    char *out = buf_room(b, n * width);

    if (width == 2)
        for (size_t i = 0; i < n; i++)
            store_u16(out + 2 * i, (uint16_t)ids[i]);
    else if (width == 3)
        put_middle(out, ids, n);
    else
        for (size_t i = 0; i < n; i++)
            store_u32(out + 4 * i, ids[i]);
    b->len += n * width;
    b->data[b->len] = '\0';
}

/* The form that has all there is. */
static unsigned
form_of(const struct tokens_origin *o)
{
    if (o->path.n > 0)
        return 3;
    return o->same.edit || o->same.content || o->same.commit || o->repo.n
           || o->lang.n ? 2 : 1;
}

void
tokens_name_put(struct buf *b, const struct tokens_name *name)
{
    buf_addc(b, (int)name->n);
    if (name->n > 0)
        buf_add(b, name->p, name->n);
}

static void
add_origin(struct buf *b, const struct tokens_origin *o, unsigned width)
{
    unsigned form = form_of(o);

    buf_addc(b, (int)form);
    buf_addc(b, (int)width);
    buf_add(b, "\0\0", 2);
    buf_u32(b, (uint32_t)o->quality);
    buf_u64(b, o->ordinal);
    buf_u64(b, (uint64_t)o->time);
    buf_u64(b, o->group);
    buf_add(b, o->text.b, ID_BYTES);
    if (form == 1)
        return;
    buf_u64(b, o->same.edit);
    buf_u64(b, o->same.content);
    buf_u64(b, o->same.commit);
    tokens_name_put(b, &o->repo);
    tokens_name_put(b, &o->lang);
    if (form == 3)
        tokens_name_put(b, &o->path);
}

static int
encode(struct buf *b, const struct tokens_origin *origin, const uint32_t *ids,
       const uint8_t *loss, size_t n, uint64_t vocab, bool wide,
       struct err *e)
{
    struct buf runs;
    size_t n_runs;
    uint32_t most = 0;
    unsigned width;
    int rc = check_ids(ids, n, vocab, &most, e);

    if (rc < 0)
        return rc;
    width = most < NARROW ? 2 : wide || most >= MIDDLE ? 4 : 3;
    add_origin(b, origin, width);
    buf_init(&runs);
    n_runs = add_runs(&runs, loss, n);
    buf_varint(b, n);
    buf_varint(b, n_runs);
    buf_add(b, runs.data, runs.len);
    buf_release(&runs);
    add_ids(b, ids, n, width);
    return 0;
}

int
tokens_encode(struct buf *b, const struct tokens_origin *origin,
              const uint32_t *ids, const uint8_t *loss, size_t n,
              uint64_t vocab, struct err *e)
{
    return encode(b, origin, ids, loss, n, vocab, vocab <= NARROW, e);
}

int
tokens_encode_wide(struct buf *b, const struct tokens_origin *origin,
                   const uint32_t *ids, const uint8_t *loss, size_t n,
                   uint64_t vocab, struct err *e)
{
    return encode(b, origin, ids, loss, n, vocab, true, e);
}

void
tokens_set_group(void *record, uint64_t group)
{
    store_u64((char *)record + GROUP_AT, group);
}

/* ---- reading ---- */

/* Steps over the runs; false unless they are what runs may be. */
static bool
decode_runs(struct tokens *t, struct cursor *c)
{
    uint64_t sum = 0, len;

    t->runs = c->p;
    t->n_loss = 0;
    for (size_t i = 0; i < t->n_runs; i++) {
        len = cursor_varint(c);
        if (!c->ok || len > t->n - sum || (len == 0 && i > 0))
            return false;
        sum += len;
        t->n_loss += i % 2 ? (size_t)len : 0;
    }
    t->runs_len = (size_t)(c->p - t->runs);
    return sum == t->n;
}

static uint32_t
id_at(const struct tokens *t, size_t i)
{
    if (t->width == 4)
        return load_u32(t->ids + 4 * i);
    return load_u16(t->ids + 2 * i)
           | (t->width == 3 ? (uint32_t)t->ids[2 * t->n + i] << 16 : 0);
}

static int
check_vocab(const struct tokens *t, uint64_t vocab, struct err *e)
{
    if (vocab == 0 || (t->width == 2 && vocab >= NARROW))
        return 0;
    for (size_t i = 0; i < t->n; i++)
        if (id_at(t, i) >= vocab)
            return err_set(e, ERR_DATA, "token record: id %zu (found %"
                           PRIu32 ", vocabulary of %" PRIu64 ")", i,
                           id_at(t, i), vocab);
    return 0;
}

bool
tokens_name_take(struct tokens_name *name, struct cursor *c)
{
    size_t n = cursor_u8(c);
    const char *p = cursor_bytes(c, n);

    if (!c->ok)
        return false;
    *name = tokens_name_of(p, n);
    return name->n == n;
}

/* What is before the ids; false where that can't be. */
static bool
decode_origin(struct tokens *t, struct cursor *c)
{
    struct tokens_origin *o = &t->origin;
    const uint8_t *b = cursor_bytes(c, FIXED);

    if (!b || b[0] < 1 || b[0] > 3 || b[1] < 2 || b[1] > 4 || b[2]
        || b[3])
        return false;
    t->width = b[1];
    o->quality = (int32_t)load_u32(b + 4);
    o->ordinal = load_u64(b + 8);
    o->time = (int64_t)load_u64(b + 16);
    o->group = load_u64(b + GROUP_AT);
    memcpy(o->text.b, b + 32, ID_BYTES);
    if (b[0] == 1)
        return true;
    o->same.edit = cursor_u64(c);
    o->same.content = cursor_u64(c);
    o->same.commit = cursor_u64(c);
    return tokens_name_take(&o->repo, c) && tokens_name_take(&o->lang, c)
           && (b[0] == 2 || tokens_name_take(&o->path, c))
           && form_of(o) == b[0];
}

int
tokens_decode(struct tokens *t, const void *p, size_t n, uint64_t vocab,
              struct err *e)
{
    struct cursor c = cursor_on(p, n);
    struct tokens got = {0};
    uint64_t n_ids, n_runs;
    int rc;

    if (!decode_origin(&got, &c))
        return err_set(e, ERR_DATA, "token record: bad beginning");
    n_ids = cursor_varint(&c);
    n_runs = cursor_varint(&c);
    if (!c.ok || n_ids > c.left / got.width || n_runs > c.left)
        return err_set(e, ERR_DATA, "token record: counts (found %" PRIu64
                       " ids, %" PRIu64 " runs in %zu bytes)", n_ids, n_runs,
                       c.left);
    got.n = (size_t)n_ids;
    got.n_runs = (size_t)n_runs;
    if (!decode_runs(&got, &c))
        return err_set(e, ERR_DATA, "token record: runs do not make %zu ids",
                       got.n);
    if (c.left != got.n * got.width)
        return err_set(e, ERR_DATA, "token record: ids (found %zu bytes, "
                       "expected %zu)", c.left, got.n * got.width);
    got.ids = c.p;
    rc = check_vocab(&got, vocab, e);
    if (rc == 0)
        *t = got;
    return rc;
}

void
tokens_ids(const struct tokens *t, uint32_t *out)
{
    if (t->width == 2)
        for (size_t i = 0; i < t->n; i++)
            out[i] = load_u16(t->ids + 2 * i);
    else if (t->width == 3)
        for (size_t i = 0; i < t->n; i++)
            out[i] = load_u16(t->ids + 2 * i)
                     | (uint32_t)t->ids[2 * t->n + i] << 16;
    else
        for (size_t i = 0; i < t->n; i++)
            out[i] = load_u32(t->ids + 4 * i);
}

void
tokens_mask(const struct tokens *t, uint8_t *out)
{
    struct cursor c = cursor_on(t->runs, t->runs_len);
    size_t len;

    for (size_t i = 0; i < t->n_runs; i++, out += len) {
        len = (size_t)cursor_varint(&c);
        memset(out, (int)(i % 2), len);
    }
}

void
tokens_learned(const struct tokens *t, enum tokens_loss loss, uint8_t *out)
{
    if (loss == LOSS_ALL)
        memset(out, 1, t->n);
    else
        tokens_mask(t, out);
}
