/* stream_io.c - writing and reading streams: what goes in comes out. */
#include "test.h"

#include "base/io.h"
#include "base/par.h"
#include "stream/file.h"
#include "stream_made.h"

static int
write_sizes(const char *path, const size_t *size, size_t n, struct err *e)
{
    struct stream_head h;
    struct stream_out o;
    char *bytes = mem_alloc(STREAM_RECORD_MAX + 1);
    int rc = stream_out_open(&o, path, e);

    for (size_t i = 0; i <= STREAM_RECORD_MAX; i++)
        bytes[i] = (char)(i * i >> 7);
    stream_head_init(&h, "text");
    if (rc == 0)
        rc = stream_out_begin(&o, &h, e);
    stream_head_release(&h);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = stream_out_record(&o, bytes, size[i], e);
    if (rc == 0)
        rc = stream_out_end(&o, e);
    if (rc == 0)
        rc = stream_out_close(&o, e);
    else
        stream_out_release(&o);
    free(bytes);
    return rc;
}

static void
pack(void *ctx, size_t i, int worker)
{
    stream_out_job(ctx, i, worker);
}

/* A segment of some 40 frames, some of them long; every `turn` records are
 * given beside jobs of the frames before them, as one more item is. */
static int
write_frames(const char *path, size_t turn, struct err *e)
{
    struct stream_head h;
    struct stream_out o;
    char *bytes = mem_alloc(3 << 20);
    size_t jobs = 0;
    int rc = stream_out_open(&o, path, e);

    for (size_t i = 0; i < 3 << 20; i++)
        bytes[i] = (char)(i * i >> 9);
    stream_head_init(&h, "text");
    if (rc == 0)
        rc = stream_out_begin(&o, &h, e);
    stream_head_release(&h);
    for (size_t i = 0; rc == 0 && i < 700; i++) {
        if (turn && i % turn == 0)
            jobs = stream_out_hold(&o);
        rc = stream_out_record(&o, bytes + i,
                               i % 97 ? i * 7919 % 40000 : 2 << 20, e);
        if (rc < 0 || !turn || i % turn != turn - 1)
            continue;
        par_for(jobs, pack, &o);
        rc = stream_out_go(&o, e);
    }
    if (rc == 0)
        rc = stream_out_end(&o, e);
    if (rc == 0)
        rc = stream_out_close(&o, e);
    else
        stream_out_release(&o);
    free(bytes);
    return rc;
}

/* Records of a stream that agrees with its trailer; 0 otherwise. */
static uint64_t
count_records(const char *path)
{
    struct stream_in in;
    struct stream_rec rec;
    struct err e;
    int rc = stream_in_open(&in, path, "text", &e);

    if (rc < 0)
        return 0;
    in.check_content = true;
    rc = stream_in_segment(&in, &e);
    while (rc > 0)
        rc = stream_in_record(&in, &rec, &e);
    stream_in_release(&in);
    return rc < 0 ? 0 : in.n_records;
}

TEST(however_frames_are_packed_the_bytes_are_the_same)
{
    static const struct {
        int threads;
        size_t turn;
    } by[] = {{1, 0}, {2, 0}, {7, 0}, {1, 50}, {4, 1}, {4, 140}};
    struct buf first, again;
    struct err e;

    buf_init(&first);
    buf_init(&again);
    for (size_t i = 0; i < sizeof(by) / sizeof(by[0]); i++) {
        const char *path = made_path("frames");
        struct buf *b = i ? &again : &first;

        par_set_threads(by[i].threads);
        CHECK(write_frames(path, by[i].turn, &e) == 0);
        buf_reset(b);
        CHECK(file_read(b, path, 1 << 26, &e) == 0);
        CHECK_EQ_U64(count_records(path), 700);
        CHECK(b->len == first.len
              && memcmp(b->data, first.data, first.len) == 0);
    }
    par_set_threads(0);
    buf_release(&first);
    buf_release(&again);
}

TEST(a_frame_closes_with_the_record_that_brings_it_to_512_KiB)
{
    /* a record of 128 to 16383 bytes has a length of two */
    static const size_t size[] = {
        514284 - 3, 10003 - 2, 1,    /* 524287, then 524289: one frame */
        10, 524288 - 11 - 3,         /* exactly 524288: the second */
        0, 524285,                   /* 1, then 524289: the third */
        5                            /* the last */
    };
    struct stream_file f;
    struct err e;

    CHECK(write_sizes(made_path("sizes"), size, 8, &e) == 0);
    if (!CHECK(stream_file_open(&f, made_path("sizes"), "text", &e) == 0))
        return;
    CHECK_EQ_U64(f.trailer.n_frames, 4);
    CHECK_EQ_U64(f.trailer.frame[0].records, 3);
    CHECK_EQ_U64(f.trailer.frame[0].raw, 524289);
    CHECK_EQ_U64(f.trailer.frame[1].raw, 524288);
    CHECK_EQ_U64(f.trailer.frame[2].records, 2);
    CHECK_EQ_U64(f.trailer.frame[3].first, 7);
    CHECK_EQ_U64(f.trailer.frame[3].records, 1);
    stream_file_release(&f);
}

TEST(records_up_to_63_MiB_pass_and_no_larger)
{
    static const size_t most[] = {STREAM_RECORD_MAX, 0};
    static const size_t over[] = {STREAM_RECORD_MAX + 1};
    struct err e;
    uint64_t n;

    CHECK(write_sizes(made_path("big"), most, 2, &e) == 0);
    CHECK(made_read(made_path("big"), &n, NULL, true, &e) == ERR_DATA);
    CHECK(write_sizes(made_path("over"), over, 1, &e) == ERR_LIMIT);
    CHECK(!path_exists(made_path("over")));
}

TEST(segments_concatenate)
{
    struct id sum[3];
    struct buf one, two;
    struct err e;
    uint64_t n;

    CHECK(made_file(made_path("2"), made_text, 4, 2, &e) == 0);
    CHECK(made_file(made_path("1"), made_text, 4, 1, &e) == 0);
    buf_init(&one);
    buf_init(&two);
    CHECK(file_read(&one, made_path("1"), 1 << 20, &e) == 0);
    CHECK(file_read(&two, made_path("2"), 1 << 20, &e) == 0);
    CHECK_EQ_U64(two.len, 2 * one.len);
    CHECK(memcmp(two.data, one.data, one.len) == 0);
    CHECK(memcmp(two.data + one.len, one.data, one.len) == 0);
    CHECK(made_read(made_path("2"), &n, &sum[0], true, &e) == 0);
    CHECK_EQ_U64(n, 8);
    buf_addc(&one, 'x');
    CHECK(file_write(made_path("x"), one.data, one.len, &e) == 0);
    CHECK(made_read(made_path("x"), &n, &sum[1], true, &e) == ERR_DATA);
    CHECK(strstr(e.text, "after segment 1"));
    buf_release(&one);
    buf_release(&two);
}

TEST(empty_foreign_and_newer_input)
{
    static const char *const text[] = {
        "", "%PDF-1.7\n", "graft stream 3\ntype text\n",
        "graft stream 0\ntype text\n",
        "graft stream 01\n", "graft strea", "graft stream 1\r\ntype text\r\n"
    };
    static const char *const message[] = {
        "empty input, no header", "not a graft stream", "found 3, supported 1",
        "found 0, supported 1",
        "not a graft stream", "truncated", "not a graft stream"
    };
    struct err e;
    uint64_t n;

    for (size_t i = 0; i < 7; i++) {
        CHECK(file_write(made_path("t"), text[i], strlen(text[i]), &e) == 0);
        CHECK(made_read(made_path("t"), &n, NULL, false, &e) == ERR_DATA);
        if (!CHECK(strstr(e.text, message[i]) != NULL))
            printf("%s\n", e.text);
    }
}

/* What a text-mode transfer does. */
TEST(changed_line_ends_are_named)
{
    struct buf b, crlf;
    struct err e;
    uint64_t n;

    CHECK(made_file(made_path("t"), made_text, 1, 1, &e) == 0);
    buf_init(&b);
    buf_init(&crlf);
    CHECK(file_read(&b, made_path("t"), 1 << 20, &e) == 0);
    for (size_t i = 0; i < b.len; i++) {
        if (b.data[i] == '\n' && i > 150) /* past the header's text */
            buf_addc(&crlf, '\r');
        buf_addc(&crlf, b.data[i]);
    }
    CHECK(file_write(made_path("t"), crlf.data, crlf.len, &e) == 0);
    CHECK(made_read(made_path("t"), &n, NULL, false, &e) == ERR_DATA);
    buf_release(&b);
    buf_release(&crlf);
}

/* A filter: the head with one more line, the ledger handed on, the input
 * named; the content id knows nothing of provenance. */
TEST(a_filter_hands_on_header_and_ledger)
{
    struct stream_head head;
    struct stream_in in;
    struct stream_out out;
    struct stream_rec rec;
    struct id content;
    struct err e;

    CHECK(made_file(made_path("a"), made_text, 3, 1, &e) == 0);
    CHECK(stream_in_open(&in, made_path("a"), "text", &e) == 0);
    CHECK(stream_out_open(&out, made_path("b"), &e) == 0);
    CHECK(stream_in_segment(&in, &e) == 1);
    stream_head_copy(&head, &in.head);
    stream_head_prov(&head, "scrub 1");
    CHECK(stream_out_begin(&out, &head, &e) == 0);
    stream_head_release(&head);
    while (stream_in_record(&in, &rec, &e) > 0)
        CHECK(stream_out_record(&out, rec.p, rec.n, &e) == 0);
    stream_out_skip(&out, "scrub", "minified", 2);
    CHECK(stream_pass_end(&out, &in, &e) == 0);
    content = in.trailer.content;
    CHECK(stream_in_segment(&in, &e) == 0);
    stream_in_release(&in);
    CHECK(stream_out_close(&out, &e) == 0);
    CHECK(stream_in_open(&in, made_path("b"), "text", &e) == 0);
    CHECK(stream_in_segment(&in, &e) == 1);
    CHECK_EQ_U64(in.head.n_prov, 2);
    CHECK_STR(in.head.prov[1], "scrub 1");
    CHECK_STR(stream_head_get(&in.head, "repo"), "naïve repository");
    while (stream_in_record(&in, &rec, &e) > 0)
        ;
    CHECK(id_equal(&in.trailer.content, &content));
    CHECK_EQ_U64(in.trailer.n_inputs, 1);
    CHECK(id_equal(&in.trailer.input[0], &content));
    CHECK_STR(in.trailer.ledger.line[0].program, "gitscrape");
    CHECK_EQ_U64(ledger_get(&in.trailer.ledger, "gitscrape", "binary"), 3);
    CHECK_EQ_U64(ledger_get(&in.trailer.ledger, "scrub", "minified"), 2);
    stream_in_release(&in);
}

TEST(a_stream_of_another_type_is_refused)
{
    struct stream_in in;
    struct err e;

    CHECK(made_file(made_path("a"), made_text, 3, 1, &e) == 0);
    CHECK(stream_in_open(&in, made_path("a"), "tokens", &e) == 0);
    CHECK(stream_in_segment(&in, &e) == ERR_DATA);
    CHECK(strstr(e.text, "found text, expected tokens"));
    stream_in_release(&in);
}

TEST(nothing_appears_without_close)
{
    struct stream_head h;
    struct stream_out o;
    struct err e;

    stream_head_init(&h, "text");
    CHECK(stream_out_open(&o, made_path("never"), &e) == 0);
    CHECK(stream_out_begin(&o, &h, &e) == 0);
    CHECK(stream_out_close(&o, &e) == ERR_IO);
    CHECK(!path_exists(made_path("never")));
    stream_head_set(&h, "repo", "two\nlines");
    CHECK(stream_out_open(&o, made_path("never"), &e) == 0);
    CHECK(stream_out_begin(&o, &h, &e) == ERR_USAGE);
    stream_out_release(&o);
    stream_head_release(&h);
}

/* A tensor of n bytes in an unfinished segment, in uneven pieces. */
static void
write_tensor(struct stream_out *o, int version, const char *data, size_t n)
{
    struct stream_head h;
    struct err e;

    stream_head_init(&h, "weights");
    CHECK_EQ_U64((uint64_t)h.version, 2);
    h.version = version;
    CHECK(stream_out_begin(o, &h, &e) == 0);
    CHECK(stream_out_tensor(o, "d", 1, n, &e) == 0);
    CHECK(stream_out_data(o, data, 5000, &e) == 0);
    CHECK(stream_out_end(o, &e) == ERR_IO);
    CHECK(stream_out_data(o, data + 5000, n - 5000, &e) == 0);
    CHECK(stream_out_data(o, data, 1, &e) == ERR_IO);
    stream_head_release(&h);
}

/* The content id of that segment, by graft-stream(5). */
static struct id
content_by_page(int version, const char *data, size_t n)
{
    struct hash h;

    hash_init(&h);
    hash_add(&h, "type weights\n\0d", 15);
    if (version == 1)
        hash_add(&h, data, n);
    for (size_t at = 0; version == 2 && at < n; at += STREAM_BLOCK) {
        size_t left = n - at < STREAM_BLOCK ? n - at : STREAM_BLOCK;
        struct id id = id_of(data + at, left);

        hash_add(&h, id.b, ID_BYTES);
    }
    return hash_id(&h);
}

/* Reads "w" in uneven pieces, which become "copy". */
static void
copy_tensor(const char *data, size_t n)
{
    char *back = mem_alloc(n);
    struct stream_rec rec;
    struct stream_out o;
    struct stream_in in;
    size_t got, at = 0;
    struct err e;

    CHECK(stream_out_open(&o, made_path("copy"), &e) == 0);
    CHECK(stream_in_open(&in, made_path("w"), "weights", &e) == 0);
    in.check_content = true;
    CHECK(stream_in_segment(&in, &e) == 1);
    CHECK(stream_out_begin(&o, &in.head, &e) == 0);
    CHECK(stream_in_record(&in, &rec, &e) == 1);
    CHECK(rec.kind == FRAME_TENSOR && rec.data == n && rec.n == 1);
    CHECK(stream_out_tensor(&o, rec.p, rec.n, n, &e) == 0);
    while (stream_in_data(&in, back + at, 70001, &got, &e) == 0 && got) {
        CHECK(stream_out_copy(&o, &in, back + at, got, &e) == 0);
        at += got;
        CHECK((stream_in_block(&in) != NULL)
              == (at % STREAM_BLOCK == 0 || at == n));
    }
    CHECK(at == n && memcmp(data, back, n) == 0);
    CHECK(stream_out_copy(&o, &in, back, 1, &e) == ERR_IO);
    CHECK(stream_in_record(&in, &rec, &e) == 0);
    CHECK(stream_out_end(&o, &e) == 0);
    CHECK(stream_out_close(&o, &e) == 0);
    stream_in_release(&in);
    free(back);
}

static void
check_copy(void)
{
    struct buf one, two;
    struct err e;

    buf_init(&one);
    buf_init(&two);
    CHECK(file_read(&one, made_path("w"), 64 << 20, &e) == 0);
    CHECK(file_read(&two, made_path("copy"), 64 << 20, &e) == 0);
    CHECK(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
    buf_release(&one);
    buf_release(&two);
}

/* A tensor of over one block, written, read and copied. */
TEST(data_in_blocks)
{
    size_t n = STREAM_BLOCK + 100;
    char *data = mem_alloc(n);
    struct stream_file f;
    struct stream_out o;
    struct id expected;
    struct err e;
    uint64_t len;

    for (size_t i = 0; i < n; i++)
        data[i] = (char)(i % 251);
    for (int version = 1; version <= STREAM_VERSION; version++) {
        CHECK(stream_out_open(&o, made_path("w"), &e) == 0);
        write_tensor(&o, version, data, n);
        CHECK(stream_out_end(&o, &e) == 0);
        expected = content_by_page(version, data, n);
        CHECK(id_equal(&o.trailer.content, &expected));
        CHECK(stream_out_close(&o, &e) == 0);
        copy_tensor(data, n);
        check_copy();
    }
    CHECK(stream_file_open(&f, made_path("w"), NULL, &e) == 0);
    CHECK(memcmp(stream_file_data(&f, 1, &len), data, n) == 0 && len == n);
    CHECK((uintptr_t)stream_file_data(&f, 1, &len) % 64 == 0);
    CHECK(stream_file_check_data(&f, 1, &e) == 0);
    stream_file_release(&f);
    free(data);
}

static const struct test tests[] = {
    RUN(however_frames_are_packed_the_bytes_are_the_same),
    RUN(a_frame_closes_with_the_record_that_brings_it_to_512_KiB),
    RUN(records_up_to_63_MiB_pass_and_no_larger), RUN(segments_concatenate),
    RUN(empty_foreign_and_newer_input), RUN(changed_line_ends_are_named),
    RUN(a_filter_hands_on_header_and_ledger),
    RUN(a_stream_of_another_type_is_refused),
    RUN(nothing_appears_without_close), RUN(data_in_blocks)
};

int
main(void)
{
    struct err e;
    int rc;

    if (!mkdtemp(made_dir))
        return 1;
    rc = test_run("stream_io", tests, sizeof(tests) / sizeof(tests[0]));
    path_remove(made_dir, &e);
    return rc;
}
