/* stream_forged.c - streams whose hashes are right and whose contents are
 * hostile: bombs, claims of length, frames where none belong.
 */
#include "test.h"

#include <zstd.h>

#include "base/io.h"
#include "stream/file.h"
#include "stream/frame.h"
#include "stream/set.h"
#include "stream_made.h"

/* A segment being made; what is put in is believed. */
struct forged {
    struct buf b;
    uint64_t seq;
    struct hash content, file;
    struct stream_trailer t;
};

static void
begin(struct forged *f, const char *type)
{
    struct stream_head h;
    struct err e;

    buf_init(&f->b);
    stream_trailer_init(&f->t);
    f->seq = 0;
    stream_head_init(&h, type);
    CHECK(head_block_format(&f->b, &h, &e) == 0);
    hash_init(&f->content);
    head_content(&f->content, &h);
    hash_init(&f->file);
    hash_add(&f->file, f->b.data, f->b.len);
    stream_head_release(&h);
}

static void
pad(struct forged *f)
{
    while (f->b.len % BLOCK_ALIGN)
        buf_addc(&f->b, 0);
}

/* A frame of n stored bytes that claims what it likes. */
static struct frame_ref *
frame(struct forged *f, enum frame_kind kind, unsigned flags, const void *p,
      uint64_t n, uint64_t raw, uint64_t records)
{
    struct frame_head h = {
        .kind = kind, .flags = flags, .seq = f->seq++, .stored = n,
        .raw = raw
    };
    struct frame_ref *ref = stream_trailer_frame(&f->t);
    uint8_t head[FRAME_HEAD];

    ref->kind = kind;
    ref->at = f->b.len + (kind == FRAME_DATA ? FRAME_HEAD : 0);
    ref->stored = n;
    ref->raw = raw;
    ref->records = records;
    ref->block = f->t.n_blocks;
    frame_head_format(head, &h, kind == FRAME_DATA ? NULL : p);
    ref->hash = h.hash;
    hash_add(&f->file, head, sizeof(head));
    buf_add(&f->b, head, sizeof(head));
    buf_add(&f->b, p, p ? (size_t)n : 0);
    pad(f);
    if (kind == FRAME_DATA && p) {
        struct id id = id_of(p, n);

        stream_trailer_block(&f->t, &id);
        hash_add(&f->file, id.b, ID_BYTES);
    }
    f->t.records += records;
    f->t.raw += kind == FRAME_RECORDS ? raw : 0;
    f->t.tensors += kind == FRAME_TENSOR;
    f->t.data += kind == FRAME_DATA ? n : 0;
    return ref;
}

/* The digests of what was put in: nothing more may come but the trailer. */
static void
seal(struct forged *f)
{
    f->t.content = hash_id(&f->content);
    f->t.file = hash_id(&f->file);
}

/* The trailer as it is, or text in its place. */
static void
finish(struct forged *f, const char *text)
{
    struct frame_head h = {.kind = FRAME_TRAILER, .seq = f->seq};
    uint8_t head[FRAME_HEAD], last[BLOCK_ALIGN];
    uint64_t at = f->b.len;
    struct buf t;

    buf_init(&t);
    if (text)
        buf_addstr(&t, text);
    else
        stream_trailer_format(&t, &f->t);
    h.stored = h.raw = t.len;
    frame_head_format(head, &h, t.data);
    buf_add(&f->b, head, sizeof(head));
    buf_add(&f->b, t.data, t.len);
    pad(f);
    end_block_format(last, f->b.len + BLOCK_ALIGN, at);
    buf_add(&f->b, last, sizeof(last));
    buf_release(&t);
}

static void
end(struct forged *f, const char *text)
{
    seal(f);
    finish(f, text);
}

/* Who finds fault with a stream: any reader; one that sees every byte in
 * order; one that computes content ids, too. */
enum reader { ANY, IN_ORDER, CONTENT };

/* Reads it in order and mapped, and drops it. want is a part of the message
 * of the reader in order, NULL where it must be accepted by both. */
static void
judge_by(struct forged *f, enum reader who, const char *want)
{
    const char *path = made_path("forged");
    struct stream_file file;
    struct buf raw;
    struct err e = {0};
    uint64_t n;
    int rc, mapped;

    CHECK(file_write(path, f->b.data, f->b.len, &e) == 0);
    if (who == CONTENT)
        CHECK(made_read(path, &n, NULL, false, &e) == 0);
    rc = made_read(path, &n, NULL, who == CONTENT, &e);
    if (!CHECK(rc == (want ? ERR_DATA : 0))
        || !CHECK(!want || strstr(e.text, want)))
        printf("found %d \"%s\", expected \"%s\"\n", rc, e.text,
               want ? want : "");
    buf_init(&raw);
    mapped = stream_file_open(&file, path, NULL, &e);
    if (mapped == 0) {
        for (size_t i = 0; mapped == 0 && i < file.trailer.n_frames; i++)
            if (file.trailer.frame[i].kind != FRAME_DATA)
                mapped = stream_file_frame(&file, i, &raw, &e);
        stream_file_release(&file);
    }
    CHECK(mapped == (want && who == ANY ? ERR_DATA : 0));
    buf_release(&raw);
    buf_release(&f->b);
    stream_trailer_release(&f->t);
}

static void
judge(struct forged *f, const char *want)
{
    judge_by(f, ANY, want);
}

static const char record[] = "\x08" "\x03\x01text\0\0";

TEST(a_forged_stream_can_be_good)
{
    struct forged f;

    begin(&f, "text");
    frame(&f, FRAME_RECORDS, 0, record, 9, 9, 1);
    end(&f, NULL);
    judge(&f, NULL);
}

/* One records frame with these stored bytes. */
static void
frame_by(enum reader who, unsigned flags, const void *p, size_t n,
         uint64_t raw, const char *want)
{
    struct forged f;

    begin(&f, "text");
    frame(&f, FRAME_RECORDS, flags, p, n, raw, 1);
    end(&f, NULL);
    judge_by(&f, who, want);
}

static void
one_frame(unsigned flags, const void *p, size_t n, uint64_t raw,
          const char *want)
{
    frame_by(ANY, flags, p, n, raw, want);
}

TEST(record_lengths)
{
    /* a mapped frame's records are its user's to part */
    frame_by(IN_ORDER, 0, "\x09" "12345678", 9, 9, "record length");
    frame_by(IN_ORDER, 0, "\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 9, 9,
             "record length");
    frame_by(IN_ORDER, 0, "\x80\x00", 2, 2, "record length");
    frame_by(IN_ORDER, 0, "\x80", 1, 1, "record length");
    one_frame(0, "", 0, 0, "empty frame");
    one_frame(0, record, 9, 10, "stored as");
    one_frame(0, record, 9, 8, "frame length");
    one_frame(2, record, 9, 9, "unknown kind or flags");
    one_frame(0, record, 9, (64u << 20) + 1, "frame length");
    one_frame(1, record, 9, UINT64_MAX, "frame length");
}

/* zstd that is not one plain frame of the raw length. */
TEST(zstd_bombs)
{
    static const uint8_t skippable[] = {
        0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4
    };
    size_t n = 5u << 20, k;
    char *zero = mem_alloc(n), *out = mem_alloc(n);
    uint8_t *header = (uint8_t *)out;

    /* 5 MiB in a few hundred bytes, which claim to be a thousand */
    k = ZSTD_compress(out, n, zero, n, 19);
    CHECK(k < 1000);
    one_frame(1, out, k, 1000, "not one zstd frame");
    one_frame(1, out, k, n - 1, "not one zstd frame");
    one_frame(1, out, k, n + 1, "not one zstd frame");
    memset(out + k, 0, 8);
    one_frame(1, out, k + 1, n, "not one zstd frame");
    memmove(out + sizeof(skippable), out, k);
    memcpy(out, skippable, sizeof(skippable));
    one_frame(1, out, k + sizeof(skippable), n, "not one zstd frame");
    one_frame(1, skippable, sizeof(skippable), n, "not one zstd frame");
    memmove(out, out + sizeof(skippable), k);
    one_frame(1, out, k - 1, n, "not one zstd frame");
    /* a window of 16 MiB, of 3.75 TB, a dictionary */
    header[4] = (uint8_t)((header[4] & 0xc0) | 0x00);
    header[5] = 14 << 3;
    one_frame(1, out, k, n, "not one zstd frame");
    header[5] = 0xff;
    one_frame(1, out, k, n, "not one zstd frame");
    k = ZSTD_compress(out, n, zero, 100, 1);
    memmove(out + 7, out + 6, k - 6);
    out[6] = 5;
    header[4] |= 1;
    one_frame(1, out, k + 1, 100, "not one zstd frame");
    k = ZSTD_compress(out, n, zero, 1000, 1);
    header[k - 6] ^= 0x55;
    one_frame(1, out, k, 1000, "zstd");
    free(zero);
    free(out);
}

TEST(tensors_and_their_data)
{
    struct forged f;

    begin(&f, "weights");
    frame(&f, FRAME_DATA, 0, "123", 3, 3, 0);
    end(&f, NULL);
    judge(&f, "data without a tensor");
    begin(&f, "weights");
    frame(&f, FRAME_TENSOR, 0, "d", 1, 1, 0);
    end(&f, NULL);
    judge(&f, "tensor without data");
    begin(&f, "weights");
    frame(&f, FRAME_TENSOR, 0, "d", 1, 1, 0);
    frame(&f, FRAME_TENSOR, 0, "d", 1, 1, 0);
    end(&f, NULL);
    judge(&f, "tensor without data");
    begin(&f, "weights");
    frame(&f, FRAME_TENSOR, 0, "d", 1, 1, 0);
    frame(&f, FRAME_DATA, 0, NULL, UINT64_C(1) << 59, UINT64_C(1) << 59, 0);
    end(&f, "end\n");
    judge(&f, "truncated");
    begin(&f, "weights");
    frame(&f, FRAME_TENSOR, 0, "d", 1, 1, 0);
    frame(&f, FRAME_DATA, 0, "123", 3, 3, 0);
    end(&f, NULL);
    judge(&f, NULL);
}

/* A good stream of one record, but for its trailer. */
static void
begin_good(struct forged *f)
{
    begin(f, "text");
    frame(f, FRAME_RECORDS, 0, record, 9, 9, 1);
    hash_add(&f->content, record, 9);
    seal(f);
}

TEST(what_a_trailer_claims)
{
    static const struct {
        uint64_t records, frame_records, at, raw;
        enum reader found_by;
    } lie[] = {
        {UINT64_C(1) << 32, 1, 0, 0, ANY}, {1, UINT64_C(1) << 32, 0, 0, ANY},
        {2, 2, 0, 0, IN_ORDER}, {1, 1, 64, 0, ANY}, {1, 1, 0, 1, ANY},
        {0, 0, 0, 0, ANY}
    };
    struct forged f;

    for (size_t i = 0; i < 6; i++) {
        begin_good(&f);
        f.t.records = lie[i].records;
        f.t.frame[0].records = lie[i].frame_records;
        f.t.frame[0].at += lie[i].at;
        f.t.raw += lie[i].raw;
        finish(&f, NULL);
        judge_by(&f, lie[i].found_by, "trailer: ");
    }
    begin(&f, "text");
    end(&f, "records 0\nraw 0\ntensors 0\ndata 0\nend\n");
    judge(&f, "trailer: line 5");
    begin_good(&f);
    f.seq++;
    finish(&f, NULL);
    judge(&f, "out of order");
}

TEST(digests_are_recomputed)
{
    struct forged f;

    begin_good(&f);
    finish(&f, NULL);
    judge_by(&f, CONTENT, NULL);
    begin_good(&f);
    f.t.file.b[0] ^= 1;
    finish(&f, NULL);
    judge_by(&f, IN_ORDER, "file digest is not that");
    begin_good(&f);
    f.t.file.b[ID_BYTES - 1] ^= 0x80;
    finish(&f, NULL);
    judge_by(&f, IN_ORDER, "file digest is not that");
    begin_good(&f);
    f.t.content.b[ID_BYTES - 1] ^= 0x80;
    finish(&f, NULL);
    judge_by(&f, CONTENT, "content id is not that");
}

/* Records are not in the digest of what was put in, so its content id is
 * wrong. Opening a set trusts it, verifying does not. */
TEST(a_set_with_the_content_id_of_other_records)
{
    const char *dir = made_path("forged-set");
    struct manifest m;
    struct forged f;
    struct err e = {0};
    struct set set;
    uint64_t good;
    char *path;

    begin(&f, "text");
    frame(&f, FRAME_RECORDS, 0, record, 9, 9, 1);
    end(&f, NULL);
    manifest_init(&m, "text");
    path = path_join(dir, manifest_add_file(&m, &f.t, f.b.len)->name);
    CHECK(dir_make(dir, &e) == 0);
    CHECK(file_write(path, f.b.data, f.b.len, &e) == 0);
    CHECK(manifest_write(&m, dir, &e) == 0);
    if (CHECK(set_open(&set, dir, "text", &e) == 0))
        set_release(&set);
    CHECK(set_verify(&m, dir, NULL, NULL, &good, &e) == ERR_DATA);
    CHECK(strstr(e.text, "content id is not that of the segment"));
    free(path);
    manifest_release(&m);
    buf_release(&f.b);
    stream_trailer_release(&f.t);
}

static const struct test tests[] = {
    RUN(a_forged_stream_can_be_good), RUN(record_lengths), RUN(zstd_bombs),
    RUN(tensors_and_their_data), RUN(what_a_trailer_claims),
    RUN(digests_are_recomputed),
    RUN(a_set_with_the_content_id_of_other_records),
};

int
main(void)
{
    struct err e;
    int rc;

    if (!mkdtemp(made_dir))
        return 1;
    rc = test_run("stream_forged", tests, sizeof(tests) / sizeof(tests[0]));
    path_remove(made_dir, &e);
    return rc;
}
