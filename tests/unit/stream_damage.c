/* stream_damage.c - streams that were cut, flipped or made up. */
#include "test.h"

#include "base/bytes.h"
#include "base/io.h"
#include "base/rng.h"
#include "stream/file.h"
#include "stream/frame.h"
#include "stream_made.h"

static const struct {
    const char *name;
    made_fn *fn;
    int n;
} types[] = {
    {"text", made_text, 5}, {"tokens", made_tokens, 9},
    {"weights", made_weights, 3}
};

#define N_TYPES (sizeof(types) / sizeof(types[0]))

/* A stream of a type, whole in memory. */
static void
make(size_t type, struct buf *b)
{
    const char *path = made_path("whole");
    struct err e;

    CHECK(made_file(path, types[type].fn, types[type].n, 1, &e) == 0);
    buf_init(b);
    CHECK(file_read(b, path, 1 << 20, &e) == 0);
}

static void
put(const char *path, const void *p, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    CHECK(write(fd, p, n) == (ssize_t)n);
    close(fd);
}

/* What both readers say of the bytes; CHECKs that the first n_whole records
 * are all that is ever seen, and that they are unharmed. */
static int
read_both(const void *p, size_t n, uint64_t *records, int *mapped)
{
    const char *path = made_path("damaged");
    struct stream_file f;
    struct buf raw;
    struct err e = {0};
    int rc;

    put(path, p, n);
    rc = made_read(path, records, NULL, true, &e);
    CHECK(rc == 0 || (e.code == rc && e.text[0]));
    buf_init(&raw);
    *mapped = stream_file_open(&f, path, NULL, &e);
    if (*mapped == 0) {
        for (size_t i = 0; *mapped == 0 && i < f.trailer.n_frames; i++)
            *mapped = f.trailer.frame[i].kind == FRAME_DATA
                          ? stream_file_check_data(&f, i, &e)
                          : stream_file_frame(&f, i, &raw, &e);
        stream_file_release(&f);
    }
    buf_release(&raw);
    return rc;
}

TEST(a_cut_at_any_byte_is_an_error)
{
    struct buf b;
    uint64_t n;
    int mapped;

    for (size_t t = 0; t < N_TYPES; t++) {
        make(t, &b);
        CHECK(read_both(b.data, b.len, &n, &mapped) == 0 && mapped == 0);
        for (size_t cut = 0; cut < b.len; cut++)
            if (!CHECK(read_both(b.data, cut, &n, &mapped) == ERR_DATA)
                || !CHECK(mapped == ERR_DATA)) {
                printf("%s cut at %zu of %zu\n", types[t].name, cut, b.len);
                break;
            }
        buf_release(&b);
    }
}

/* The records share one frame here, which ends at frame_end: after a flip up
 * to there none may be seen. The mapped reader looks at frames, header and
 * trailer, not at what is between them. */
static void
flip(size_t t, struct buf *b, size_t at, uint8_t bits, size_t frame_end)
{
    bool in_frame;
    uint64_t n;
    int mapped, rc;

    b->data[at] = (char)(b->data[at] ^ bits);
    rc = read_both(b->data, b->len, &n, &mapped);
    in_frame = at < frame_end;
    if (!CHECK(rc == ERR_DATA)
        || !CHECK(!in_frame || mapped == ERR_DATA)
        || !CHECK(!in_frame || n == 0))
        printf("%s byte %zu of %zu, bits %02x: %d\n", types[t].name, at,
               b->len, bits, rc);
    b->data[at] = (char)(b->data[at] ^ bits);
}

TEST(a_flip_of_any_byte_is_an_error)
{
    struct err e;
    struct stream_file f;
    struct buf b;

    for (size_t t = 0; t < N_TYPES; t++) {
        size_t end;

        make(t, &b);
        CHECK(stream_file_open(&f, made_path("whole"), NULL, &e) == 0);
        end = f.trailer.frame[0].at + 64 + f.trailer.frame[0].stored;
        stream_file_release(&f);
        for (size_t at = 0; at < b.len; at++) {
            flip(t, &b, at, (uint8_t)(1 << at % 8), end);
            flip(t, &b, at, 0xff, end);
        }
        buf_release(&b);
    }
}

/* Whatever happens to the bytes: no crash, and either an error or what was
 * there before (a mutation may change nothing). */
TEST(two_thousand_random_mutations)
{
    struct buf b, c;
    struct rng r;
    uint64_t n;
    int mapped, rc;

    rng_init(&r, 20, 1);
    buf_init(&c);
    for (int i = 0; i < 2000; i++) {
        if (i % 500 == 0)
            make((size_t)i / 500 % N_TYPES, &b);
        buf_reset(&c);
        buf_add(&c, b.data, b.len);
        for (uint64_t k = 1 + rng_below(&r, 4); k > 0; k--) {
            size_t at = rng_below(&r, c.len), len = rng_below(&r, 80);
            size_t from = rng_below(&r, c.len);

            len = len < c.len - at ? len : c.len - at;
            len = len < c.len - from ? len : c.len - from;
            if (rng_below(&r, 3) == 0)
                memmove(c.data + at, c.data + from, len);
            else if (rng_below(&r, 4) == 0)
                c.len -= rng_below(&r, c.len / 2);
            else
                store_u32(c.data + (at < 4 ? 0 : at - 4), rng_u32(&r));
        }
        rc = read_both(c.data, c.len, &n, &mapped);
        if (c.len == b.len && memcmp(b.data, c.data, b.len) == 0)
            CHECK(rc == 0);
        else if (!CHECK(rc == ERR_DATA))
            printf("mutation %d\n", i);
        if (i % 500 == 499)
            buf_release(&b);
    }
    buf_release(&c);
}

/* Makes the hashes of a changed stream right again, where parts can still be
 * found. */
static void
put_hashes_right(struct buf *b)
{
    char *at = memmem(b->data, b->len, "\nend\n", 5);
    uint8_t *p = (uint8_t *)b->data, *check;
    struct frame_head h;
    struct err e;
    struct id id;

    if (at && (size_t)(at - b->data) + 5 + HEAD_CHECK <= b->len) {
        check = (uint8_t *)at + 5;
        store_u32(check + 12, (uint32_t)(check - p));
        id = id_of(p, (size_t)(check - p) + 16);
        memcpy(check + 16, id.b, ID_BYTES);
    }
    for (size_t i = 0; i + BLOCK_ALIGN <= b->len; i += BLOCK_ALIGN) {
        if (memcmp(p + i, "graftend", 8) == 0)
            end_block_format(p + i, load_u64(p + i + 8),
                             load_u64(p + i + 16));
        else if (frame_head_parse(&h, p + i, "", 0, &e) == 0
                 && h.stored <= b->len - i - FRAME_HEAD)
            frame_head_format(p + i, &h, h.kind == FRAME_DATA
                                             ? NULL : p + i + FRAME_HEAD);
    }
}

/* What gets past the hashes is refused by what comes after them, or is
 * another good stream. */
TEST(mutations_with_right_hashes)
{
    struct buf b, c;
    struct rng r;
    uint64_t n;
    int mapped, rc, good = 0;

    rng_init(&r, 21, 1);
    buf_init(&c);
    for (int i = 0; i < 2000; i++) {
        if (i % 500 == 0)
            make((size_t)i / 500 % N_TYPES, &b);
        buf_reset(&c);
        buf_add(&c, b.data, b.len);
        for (uint64_t k = 1 + rng_below(&r, 3); k > 0; k--) {
            size_t at = rng_below(&r, c.len);

            if (rng_below(&r, 2))
                c.data[at] = (char)(c.data[at] ^ 1 << rng_below(&r, 8));
            else
                c.data[at] = (char)rng_u32(&r);
        }
        put_hashes_right(&c);
        rc = read_both(c.data, c.len, &n, &mapped);
        good += rc == 0;
        if (!CHECK(rc == 0 || rc == ERR_DATA)
            || !CHECK(mapped == 0 || mapped == ERR_DATA))
            printf("mutation %d\n", i);
        if (i % 500 == 499)
            buf_release(&b);
    }
    CHECK(good < 200); /* digests and index tell of nearly all */
    buf_release(&c);
}

static const struct test tests[] = {
    RUN(a_cut_at_any_byte_is_an_error), RUN(a_flip_of_any_byte_is_an_error),
    RUN(two_thousand_random_mutations), RUN(mutations_with_right_hashes)
};

int
main(void)
{
    struct err e;
    int rc;

    if (!mkdtemp(made_dir))
        return 1;
    rc = test_run("stream_damage", tests, sizeof(tests) / sizeof(tests[0]));
    path_remove(made_dir, &e);
    return rc;
}
