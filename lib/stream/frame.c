/* frame.c - header blocks, frames and end blocks to bytes and back.
 *
 * Everything that is read is compared with its hash before its fields mean
 * anything, except lengths, which are bounded by the caps first.
 */
#include "stream/frame.h"

#include <inttypes.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/bytes.h"
#include "stream/stream.h"

#define FRAME_MAGIC "GFrm"
#define END_MAGIC "graftend"
#define HASHED 32 /* bytes of a frame header or end block before its hash */
#define WINDOW_LOG_MAX 23

static const uint8_t check_bytes[12] = {
    0x89, 0x67, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0xff, 0x04, 0x03, 0x02, 0x01
};

size_t
block_pad(uint64_t n)
{
    return (size_t)(-n & (BLOCK_ALIGN - 1));
}

int
pad_check(const void *p, size_t n, const char *where, uint64_t at,
          struct err *e)
{
    const uint8_t *b = p;

    for (size_t i = 0; i < n; i++)
        if (b[i] != 0)
            return err_set(e, ERR_DATA, "%s:%" PRIu64 ": padding (found "
                           "%02x, expected 00)", where, at + i, b[i]);
    return 0;
}

/* ---- header block ---- */

int
head_block_format(struct buf *b, const struct stream_head *h, struct err *e)
{
    size_t start = b->len, pad;
    struct id id;
    int rc;

    rc = stream_head_format(b, h, e);
    if (rc < 0)
        return rc;
    pad = b->len - start;
    buf_add(b, check_bytes, sizeof(check_bytes));
    buf_u32(b, (uint32_t)pad);
    id = id_of(b->data + start, b->len - start);
    buf_add(b, id.b, ID_BYTES);
    pad = block_pad(b->len - start);
    memset(buf_room(b, pad), 0, pad);
    b->len += pad;
    b->data[b->len] = '\0';
    return 0;
}

/* The length of the text up to and with its line "end", 0 if not there. */
static size_t
text_length(const char *p, size_t n)
{
    const char *at = n ? memmem(p, n, "\nend\n", 5) : NULL;

    return at ? (size_t)(at - p) + 5 : 0;
}

/* The check block behind the text of n bytes. */
static int
head_check(const char *p, size_t n, const char *where, uint64_t at,
           struct err *e)
{
    const char *c = p + n;
    struct id id = id_of(p, n + HEAD_CHECK - ID_BYTES);

    if (memcmp(c, check_bytes, 8) != 0)
        return err_set(e, ERR_DATA, "%s:%" PRIu64 ": check bytes after the "
                       "header differ (line ends changed on the way?)",
                       where, at + n);
    if (memcmp(c + 8, check_bytes + 8, 4) != 0)
        return err_set(e, ERR_DATA, "%s:%" PRIu64 ": byte order (found %08x, "
                       "expected 01020304)", where, at + n + 8,
                       load_u32(c + 8));
    if (load_u32(c + 12) != n)
        return err_set(e, ERR_DATA, "%s:%" PRIu64 ": length of the header "
                       "(found %u, expected %zu)", where, at + n + 12,
                       load_u32(c + 12), n);
    if (memcmp(c + 16, id.b, ID_BYTES) != 0)
        return err_set(e, ERR_DATA, "%s:%" PRIu64 ": header does not match "
                       "its hash", where, at);
    return 0;
}

/* Refuses, as soon as it can be told, what is no stream of a known version:
 * the first line of another version may be all that is like this one. */
static int
head_start(const char *p, size_t n, const char *where, struct err *e)
{
    static const char magic[] = "graft stream ";
    size_t have = n < sizeof(magic) - 1 ? n : sizeof(magic) - 1;
    struct stream_head none;
    const char *nl;

    nl = n > have ? memchr(p, '\n', n < 40 ? n : 40) : NULL;
    if (memcmp(p, magic, have) == 0 && !nl && n < 40)
        return 0;
    if (nl && nl - p == 14 && p[13] >= '1' && p[13] <= '0' + STREAM_VERSION)
        return 0;
    return stream_head_parse(&none, p, nl ? (size_t)(nl - p) + 1 : 0, where,
                             e);
}

int
head_block_parse(struct stream_head *h, const char *p, size_t n,
                 size_t *used, const char *where, uint64_t at, struct err *e)
{
    size_t text, block;
    int rc;

    if (n == 0)
        return 0;
    rc = head_start(p, n, where, e);
    if (rc < 0)
        return rc;
    text = text_length(p, n);
    if (text == 0 && n < STREAM_HEAD_MAX)
        return 0;
    if (text == 0 || text > STREAM_HEAD_MAX)
        return err_set(e, ERR_DATA, "%s:%" PRIu64 ": header has no end "
                       "within %u bytes", where, at, STREAM_HEAD_MAX);
    block = text + HEAD_CHECK;
    block += block_pad(block);
    if (n < block)
        return 0;
    rc = head_check(p, text, where, at, e);
    if (rc == 0)
        rc = pad_check(p + text + HEAD_CHECK, block - text - HEAD_CHECK,
                       where, at + text + HEAD_CHECK, e);
    if (rc == 0)
        rc = stream_head_parse(h, p, text, where, e);
    if (rc < 0)
        return rc;
    *used = block;
    return 1;
}

int
head_expect(const struct stream_head *h, const char *type, const char *where,
            struct err *e)
{
    if (type && strcmp(h->type, type) != 0)
        return err_set(e, ERR_DATA, "%s: type (found %s, expected %s)",
                       where, h->type, type);
    return 0;
}

/* ---- frames ---- */

static struct id
frame_hash(const uint8_t p[FRAME_HEAD], const void *stored, uint64_t n)
{
    struct hash h;

    hash_init(&h);
    hash_add(&h, p, HASHED);
    if (stored)
        hash_add(&h, stored, (size_t)n);
    return hash_id(&h);
}

void
frame_head_format(uint8_t out[FRAME_HEAD], struct frame_head *h,
                  const void *stored)
{
    memcpy(out, FRAME_MAGIC, 4);
    out[4] = (uint8_t)h->kind;
    out[5] = (uint8_t)h->flags;
    store_u16(out + 6, 0);
    store_u64(out + 8, h->seq);
    store_u64(out + 16, h->stored);
    store_u64(out + 24, h->raw);
    h->hash = frame_hash(out, stored, h->stored);
    memcpy(out + HASHED, h->hash.b, ID_BYTES);
}

/* The most that the raw bytes of a kind of frame may be; 0: no such kind. */
static uint64_t
frame_cap(unsigned kind)
{
    switch (kind) {
    case FRAME_RECORDS:
    case FRAME_TRAILER:
        return STREAM_FRAME_MAX;
    case FRAME_TENSOR:
        return STREAM_TENSOR_MAX;
    case FRAME_DATA:
        return UINT64_C(1) << 60;
    default:
        return 0;
    }
}

int
frame_head_parse(struct frame_head *h, const uint8_t p[FRAME_HEAD],
                 const char *where, uint64_t at, struct err *e)
{
    struct frame_head f = {
        .kind = p[4], .flags = p[5], .seq = load_u64(p + 8),
        .stored = load_u64(p + 16), .raw = load_u64(p + 24)
    };
    uint64_t cap = frame_cap(p[4]);
    bool zstd = f.flags & FRAME_ZSTD;

    if (memcmp(p, FRAME_MAGIC, 4) != 0)
        return err_set(e, ERR_DATA, "%s:%" PRIu64 ": no frame here (found "
                       "%02x%02x%02x%02x, expected \"" FRAME_MAGIC "\")",
                       where, at, p[0], p[1], p[2], p[3]);
    if (cap == 0 || load_u16(p + 6) != 0 || (f.flags & ~FRAME_ZSTD)
        || (zstd && f.kind != FRAME_RECORDS))
        return err_set(e, ERR_DATA, "%s:%" PRIu64 ": frame of unknown kind "
                       "or flags (found %u, %#x)", where, at, p[4], p[5]);
    if (f.raw > cap || f.stored > f.raw)
        return err_set(e, ERR_DATA, "%s:%" PRIu64 ": frame length (found "
                       "%" PRIu64 " stored, %" PRIu64 " raw, limit %" PRIu64
                       ")", where, at, f.stored, f.raw, cap);
    if (zstd ? f.stored == f.raw : f.stored != f.raw)
        return err_set(e, ERR_DATA, "%s:%" PRIu64 ": frame of %" PRIu64
                       " bytes stored as %" PRIu64, where, at, f.raw,
                       f.stored);
    memcpy(f.hash.b, p + HASHED, ID_BYTES);
    *h = f;
    return 0;
}

int
frame_check(const struct frame_head *h, const uint8_t p[FRAME_HEAD],
            const void *stored, const char *where, uint64_t at,
            struct err *e)
{
    struct id id = frame_hash(p, h->kind == FRAME_DATA ? NULL : stored,
                              h->stored);

    if (!id_equal(&id, &h->hash))
        return err_set(e, ERR_DATA, "%s:%" PRIu64 ": frame %" PRIu64
                       " does not match its hash", where, at, h->seq);
    return 0;
}

/* One zstd frame of known content that fills src[n] exactly, without
 * dictionary, with a window of at most 8 MiB unless it is one segment (then
 * the content, which is under the cap, is the window). */
static bool
zstd_sane(const uint8_t *src, size_t n, uint64_t raw)
{
    unsigned exponent;

    if (n < 6 || load_u32(src) != ZSTD_MAGICNUMBER)
        return false;
    exponent = 10 + (src[5] >> 3);
    if (!(src[4] & 0x20) && (exponent > WINDOW_LOG_MAX
                             || (exponent == WINDOW_LOG_MAX && (src[5] & 7))))
        return false;
    return ZSTD_getFrameContentSize(src, n) == raw
           && ZSTD_getDictID_fromFrame(src, n) == 0
           && ZSTD_findFrameCompressedSize(src, n) == n;
}

void
zstd_free(void *zstd)
{
    ZSTD_freeDCtx(zstd);
}

int
frame_raw(const struct frame_head *h, const void *stored, void **zstd,
          struct buf *out, const char **raw, const char *where, uint64_t at,
          struct err *e)
{
    size_t n = (size_t)h->stored, got;

    if (!(h->flags & FRAME_ZSTD)) {
        *raw = stored;
        return 0;
    }
    if (!zstd_sane(stored, n, h->raw))
        return err_set(e, ERR_DATA, "%s:%" PRIu64 ": frame %" PRIu64 ": not "
                       "one zstd frame of %" PRIu64 " bytes", where, at,
                       h->seq, h->raw);
    if (!*zstd)
        *zstd = ZSTD_createDCtx();
    if (!*zstd)
        return err_set(e, ERR_IO, "%s: out of memory", where);
    ZSTD_DCtx_setParameter(*zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    buf_reset(out);
    got = ZSTD_decompressDCtx(*zstd, buf_room(out, (size_t)h->raw),
                              (size_t)h->raw, stored, n);
    if (ZSTD_getErrorCode(got) == ZSTD_error_memory_allocation)
        return err_set(e, ERR_IO, "%s: out of memory", where);
    if (ZSTD_isError(got) || got != h->raw)
        return err_set(e, ERR_DATA, "%s:%" PRIu64 ": frame %" PRIu64
                       ": zstd: %s", where, at, h->seq,
                       ZSTD_isError(got) ? ZSTD_getErrorName(got)
                                         : "short");
    out->len = got;
    out->data[got] = '\0';
    *raw = out->data;
    return 0;
}

int
record_next(const char *raw, size_t n, size_t *pos, const void **p,
            size_t *len, const char *where, uint64_t at, struct err *e)
{
    struct cursor c = cursor_on(raw + *pos, n - *pos);
    uint64_t want = cursor_varint(&c);
    const void *bytes = NULL;

    if (c.ok && want <= STREAM_RECORD_MAX)
        bytes = cursor_bytes(&c, (size_t)want);
    if (!bytes || !c.ok)
        return err_set(e, ERR_DATA, "%s:%" PRIu64 ": record length at byte "
                       "%zu of the frame (found %" PRIu64 ", %zu left)",
                       where, at, *pos, want, n - *pos);
    *p = bytes;
    *len = (size_t)want;
    *pos = n - c.left;
    return 0;
}

/* ---- end block ---- */

void
end_block_format(uint8_t out[BLOCK_ALIGN], uint64_t length,
                 uint64_t trailer_at)
{
    struct id id;

    memcpy(out, END_MAGIC, 8);
    store_u64(out + 8, length);
    store_u64(out + 16, trailer_at);
    store_u64(out + 24, 0);
    id = id_of(out, HASHED);
    memcpy(out + HASHED, id.b, ID_BYTES);
}

int
end_block_parse(const uint8_t p[BLOCK_ALIGN], uint64_t *length,
                uint64_t *trailer_at, const char *where, uint64_t at,
                struct err *e)
{
    struct id id = id_of(p, HASHED);

    if (memcmp(p, END_MAGIC, 8) != 0)
        return err_set(e, ERR_DATA, "%s:%" PRIu64 ": no end block here",
                       where, at);
    if (memcmp(id.b, p + HASHED, ID_BYTES) != 0 || load_u64(p + 24) != 0)
        return err_set(e, ERR_DATA, "%s:%" PRIu64 ": end block does not "
                       "match its hash", where, at);
    *length = load_u64(p + 8);
    *trailer_at = load_u64(p + 16);
    return 0;
}
