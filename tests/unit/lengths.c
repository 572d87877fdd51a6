/* lengths.c - a set's file of lengths: made, compared, damaged, used. Long,
 * for all of it works on the sets that it makes first. */
#include "record/lengths.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "data/dataset.h"
#include "record/sharding.h"
#include "record/verify.h"

#include "test.h"

#define VOCAB 100
#define N 400

static char dir[] = "/tmp/graft-lengths-XXXXXX";

static const char *
in_dir(const char *name)
{
    static char path[4][160];
    static int turn;
    char *p = path[turn++ % 4];

    snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
    return p;
}

/* Record i of the test's sets: 0 to 12 ids, some without loss, four records
 * a commit, every seventh a document. */
static void
make_record(struct buf *b, uint64_t i)
{
    struct tokens_origin origin = {
        .ordinal = i / 4, .time = i % 7 ? 1000 + (int64_t)(i / 4) : 0,
        .group = i * 7 % 50
    };
    uint32_t ids[12];
    uint8_t loss[12];
    struct err e;

    for (uint32_t k = 0; k < 12; k++) {
        ids[k] = (uint32_t)(i * 31 + k * k) % VOCAB;
        loss[k] = (i + k) % 3 > 0;
    }
    buf_reset(b);
    CHECK(tokens_encode(b, &origin, ids, loss, i % 13, VOCAB, &e) == 0);
}

/* Writes a stream of n records, in segments of `segment`. */
static void
make_stream(const char *path, uint64_t n, uint64_t segment, bool vocab)
{
    struct stream_out out;
    struct stream_head h;
    struct buf b;
    struct err e;

    stream_head_init(&h, "tokens");
    if (vocab)
        stream_head_set_u64(&h, "vocab", VOCAB);
    buf_init(&b);
    CHECK(stream_out_open(&out, path, &e) == 0);
    for (uint64_t i = 0; i < n; i++) {
        if (i % segment == 0)
            CHECK(stream_out_begin(&out, &h, &e) == 0);
        make_record(&b, i);
        CHECK(stream_out_record(&out, b.data, b.len, &e) == 0);
        if (i % segment == segment - 1 || i == n - 1)
            CHECK(stream_out_end(&out, &e) == 0);
    }
    CHECK(stream_out_close(&out, &e) == 0);
    buf_release(&b);
    stream_head_release(&h);
}

/* What shard does. */
static int
make_set(const char *set, const char *stream, enum split_by by, bool replace,
         struct err *e)
{
    struct sharding s = {
        .program = "shard", .file_bytes = 3000,
        .split = { .by = by, .val = 0.2, .test = 0.1, .seed = 3 }
    };
    struct stream_in in;
    int rc = set_out_open(&s.out, set, replace, e);

    if (rc < 0)
        return rc;
    rc = stream_in_open(&in, stream, NULL, e);
    while (rc == 0 && (rc = stream_in_segment(&in, e)) > 0)
        rc = sharding_segment(&s, &in, e);
    if (rc == 0)
        rc = sharding_finish(&s, e);
    stream_in_release(&in);
    sharding_release(&s);
    return rc;
}

static struct manifest
manifest_of(const char *set)
{
    struct manifest m;
    struct err e;

    if (!CHECK(set_manifest(&m, set, "tokens", &e) == 0))
        exit(1);
    return m;
}

/* As a set was before there were lengths. */
static void
drop_lengths(const char *set)
{
    struct manifest m = manifest_of(set);
    char *path = path_join(set, m.lengths.name);
    struct err e;

    CHECK(unlink(path) == 0);
    m.lengths.name[0] = '\0';
    CHECK(manifest_write(&m, set, &e) == 0);
    manifest_release(&m);
    free(path);
}

static void
make_sets(void)
{
    struct err e;

    make_stream(in_dir("stream"), N, 150, true);
    CHECK(make_set(in_dir("set"), in_dir("stream"), SPLIT_BY_TIME, false,
                   &e) == 0);
    CHECK(make_set(in_dir("plain"), in_dir("stream"), SPLIT_BY_TIME, false,
                   &e) == 0);
    drop_lengths(in_dir("plain"));
}

static void
check_entry(const struct lengths *l, uint64_t i)
{
    struct record_length had = lengths_at(l, i), want;
    struct tokens t;
    struct buf b;
    struct err e;

    buf_init(&b);
    make_record(&b, i);
    CHECK(tokens_decode(&t, b.data, b.len, 0, &e) == 0);
    want = length_of(&t);
    CHECK_EQ_U64(want.tokens, i % 13);
    CHECK(length_equal(&had, &want));
    buf_release(&b);
}

TEST(each_record_of_all_segments_has_its_entry)
{
    struct manifest m = manifest_of(in_dir("set"));
    struct lengths l;
    struct err e;

    CHECK_EQ_U64(m.n_segments, 3);
    CHECK(m.n_files > 3);
    if (CHECK(lengths_open(&l, &m, in_dir("set"), &e) == 0)) {
        CHECK_EQ_U64(l.n, N);
        for (uint64_t i = 0; i < l.n; i++)
            check_entry(&l, i);
        lengths_release(&l);
    }
    manifest_release(&m);
    m = manifest_of(in_dir("plain"));
    CHECK(lengths_open(&l, &m, in_dir("plain"), &e) == 0);
    CHECK_EQ_U64(l.n, 0);
    manifest_release(&m);
}

TEST(a_loss_on_the_first_token_is_not_learned)
{
    static const uint32_t ids[] = {1, 2, 3};
    static const struct {
        uint8_t loss[3];
        uint32_t learned;
    } rows[] = {
        {{1, 1, 1}, 2}, {{1, 0, 0}, 0}, {{0, 1, 1}, 2}, {{0, 0, 0}, 0},
        {{1, 0, 1}, 1}
    };
    struct tokens_origin origin = { .ordinal = 1 };
    struct tokens t;
    struct buf b;
    struct err e;

    buf_init(&b);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        buf_reset(&b);
        CHECK(tokens_encode(&b, &origin, ids, rows[i].loss, 3, 0, &e) == 0);
        CHECK(tokens_decode(&t, b.data, b.len, 0, &e) == 0);
        CHECK_EQ_U64(length_of(&t).target, rows[i].learned);
    }
    buf_release(&b);
}

/* Both are the same to training. */
static void
compare_splits(struct data_split *a, struct data_split *b)
{
    struct data_place p, q;
    struct err e;

    CHECK_EQ_U64(a->source.n_records, b->source.n_records);
    CHECK_EQ_U64(a->tokens, b->tokens);
    CHECK_EQ_U64(a->supervised, b->supervised);
    CHECK(data_split_cluster(a, &e) == 0);
    CHECK(data_split_cluster(b, &e) == 0);
    for (uint64_t i = 0; i < a->source.n_records; i++) {
        CHECK_EQ_U64(a->len[i], b->len[i]);
        CHECK_EQ_U64(a->cluster[i], b->cluster[i]);
        CHECK(data_split_place(a, i, &p, &e) == 0);
        CHECK(data_split_place(b, i, &q, &e) == 0);
        CHECK(p.record == q.record && p.ordinal == q.ordinal
              && p.time == q.time);
    }
}

static void
compare_sets(const char *x, const char *y)
{
    static const char *const name[] = {"train", "val", "test", "none"};
    struct data_split a, b;
    struct dataset p, q;
    struct err e;

    if (!CHECK(dataset_open(&p, x, &e) == 0)
        || !CHECK(dataset_open(&q, y, &e) == 0))
        exit(1);
    CHECK(id_equal(&p.set.manifest.content, &q.set.manifest.content));
    for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
        CHECK(data_split_open(&a, &p, name[i], 0, VOCAB, &e) == 0);
        CHECK(data_split_open(&b, &q, name[i], 0, VOCAB, &e) == 0);
        CHECK(a.known == (i < 3) && !b.known);
        if (i < 3)
            compare_splits(&a, &b);
        data_split_release(&a);
        data_split_release(&b);
    }
    dataset_release(&p);
    dataset_release(&q);
}

TEST(lengths_tell_what_decoding_tells)
{
    struct err e;

    compare_sets(in_dir("set"), in_dir("plain"));
    CHECK(make_set(in_dir("g"), in_dir("stream"), SPLIT_BY_GROUP, false,
                   &e) == 0);
    CHECK(make_set(in_dir("g-plain"), in_dir("stream"), SPLIT_BY_GROUP,
                   false, &e) == 0);
    drop_lengths(in_dir("g-plain"));
    compare_sets(in_dir("g"), in_dir("g-plain"));
}

TEST(without_a_vocabulary_that_fits_a_split_is_decoded)
{
    struct data_split s;
    struct dataset d;
    struct err e;

    CHECK(dataset_open(&d, in_dir("set"), &e) == 0);
    CHECK(data_split_open(&s, &d, "train", 0, VOCAB - 1, &e) == ERR_DATA);
    dataset_release(&d);
    make_stream(in_dir("free-stream"), N, N, false);
    CHECK(make_set(in_dir("free"), in_dir("free-stream"), SPLIT_BY_TIME,
                   false, &e) == 0);
    CHECK(dataset_open(&d, in_dir("free"), &e) == 0);
    CHECK_EQ_U64(d.lengths.n, N);
    CHECK(data_split_open(&s, &d, "train", 0, VOCAB, &e) == 0);
    CHECK(!s.known && s.tokens > 0);
    data_split_release(&s);
    CHECK(data_split_open(&s, &d, "train", 0, VOCAB - 1, &e) == ERR_DATA);
    dataset_release(&d);
}

static void
read_into(struct buf *b, const char *path)
{
    struct err e;

    buf_init(b);
    CHECK(file_read(b, path, 1 << 20, &e) == 0);
}

static void
put_back(const struct buf *b, const char *path)
{
    struct err e;

    CHECK(file_write(path, b->data, b->len, &e) == 0);
}

/* Opening a split reads none of its records, whose frames begin at 64 bytes
 * after a header of at most 256. */
TEST(a_split_is_opened_without_its_records)
{
    struct manifest m = manifest_of(in_dir("set"));
    struct record_tokens r;
    struct buf had, b;
    struct data_split s;
    struct dataset d;
    struct err e;
    char *path;

    path = path_join(in_dir("set"), m.file[0].name);
    read_into(&had, path);
    read_into(&b, path);
    memset(b.data + 320, 0xee, 64);
    put_back(&b, path);
    CHECK(dataset_open(&d, in_dir("set"), &e) == 0);
    if (CHECK(data_split_open(&s, &d, "train", 0, VOCAB, &e) == 0)) {
        CHECK(data_split_cluster(&s, &e) == 0);
        CHECK(s.source.get(s.source.ctx, 0, &r, &e) == ERR_DATA);
        CHECK(s.source.get(s.source.ctx, s.source.n_records - 1, &r,
                           &e) == 0);
        data_split_release(&s);
    }
    dataset_release(&d);
    put_back(&had, path);
    buf_release(&had);
    buf_release(&b);
    manifest_release(&m);
    free(path);
}

/* Puts these bytes in the place of the set's lengths, with a manifest that
 * says so. */
static void
forge(const char *set, const void *p, size_t n)
{
    struct manifest m = manifest_of(set);
    struct id id = id_of(p, n);
    struct err e;
    char *path;

    path = path_join(set, m.lengths.name);
    CHECK(unlink(path) == 0);
    free(path);
    manifest_set_lengths(&m, n, &id);
    path = path_join(set, m.lengths.name);
    CHECK(file_write(path, p, n, &e) == 0);
    CHECK(manifest_write(&m, set, &e) == 0);
    free(path);
    manifest_release(&m);
}

static int
verify(const char *set, struct err *e)
{
    struct manifest m;
    uint64_t good;
    int rc = record_set_verify(&m, set, &good, e);

    if (rc == 0)
        manifest_release(&m);
    return rc;
}

TEST(lengths_that_lie_are_found)
{
    static const struct {
        size_t at; /* in entry 10 */
        uint8_t by;
        bool possible;
    } rows[] = {
        {0, 1, true}, {3, 1, true}, {3, 0x80, false}, {4, 1, true},
        {7, 0x80, false}, {8, 1, true}, {15, 1, true}, {16, 1, true},
        {23, 0xff, true}
    };
    struct manifest m = manifest_of(in_dir("set"));
    char *path = path_join(in_dir("set"), m.lengths.name);
    struct data_split s;
    struct dataset d;
    struct buf b;
    struct err e;

    CHECK(make_set(in_dir("forged"), in_dir("stream"), SPLIT_BY_TIME, false,
                   &e) == 0);
    CHECK(verify(in_dir("forged"), &e) == 0);
    read_into(&b, path);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t at = LENGTHS_HEAD_BYTES + 10 * LENGTHS_ENTRY_BYTES + rows[i].at;

        b.data[at] = (char)((uint8_t)b.data[at] ^ rows[i].by);
        forge(in_dir("forged"), b.data, b.len);
        if (!CHECK(verify(in_dir("forged"), &e) == ERR_DATA)
            || !CHECK(strstr(e.text, "record 10 "))
            || !CHECK(!rows[i].possible || strstr(e.text, "split train")))
            printf("  byte %zu: %s\n", rows[i].at, e.text);
        if (rows[i].at < 4) { /* the sum is another one, too */
            CHECK(dataset_open(&d, in_dir("forged"), &e) == ERR_DATA);
            CHECK(!rows[i].possible || strstr(e.text, "split train"));
        }
        b.data[at] = (char)((uint8_t)b.data[at] ^ rows[i].by);
    }
    /* the sum right, the lengths not */
    b.data[LENGTHS_HEAD_BYTES + 10 * LENGTHS_ENTRY_BYTES]++;
    b.data[LENGTHS_HEAD_BYTES + 11 * LENGTHS_ENTRY_BYTES]--;
    forge(in_dir("forged"), b.data, b.len);
    CHECK(dataset_open(&d, in_dir("forged"), &e) == 0);
    if (CHECK(data_split_open(&s, &d, "train", 0, VOCAB, &e) == 0)) {
        struct record_tokens r;

        CHECK(s.source.get(s.source.ctx, 9, &r, &e) == 0);
        CHECK(s.source.get(s.source.ctx, 10, &r, &e) == ERR_DATA);
        data_split_release(&s);
    }
    dataset_release(&d);
    /* made again, they are right again, also without --replace */
    CHECK(make_set(in_dir("forged"), in_dir("stream"), SPLIT_BY_TIME, false,
                   &e) == 0);
    CHECK(verify(in_dir("forged"), &e) == 0);
    buf_release(&b);
    manifest_release(&m);
    free(path);
}

TEST(splits_have_the_tokens_that_the_manifest_says)
{
    struct manifest m;
    struct dataset d;
    struct err e;

    CHECK(make_set(in_dir("sums"), in_dir("stream"), SPLIT_BY_TIME, false,
                   &e) == 0);
    m = manifest_of(in_dir("sums"));
    m.split[1].tokens++;
    CHECK(manifest_write(&m, in_dir("sums"), &e) == 0);
    CHECK(dataset_open(&d, in_dir("sums"), &e) == ERR_DATA);
    CHECK(strstr(e.text, "sums/manifest.json: tokens of split val (found "));
    CHECK(verify(in_dir("sums"), &e) == ERR_DATA);
    manifest_release(&m);
}

TEST(a_file_of_lengths_that_is_none_is_refused)
{
    struct buf b;
    struct err e;
    struct dataset d;

    CHECK(make_set(in_dir("bad"), in_dir("stream"), SPLIT_BY_TIME, false,
                   &e) == 0);
    buf_init(&b);
    buf_addstr(&b, LENGTHS_HEAD);
    for (size_t i = 0; i <= N * LENGTHS_ENTRY_BYTES; i++)
        buf_addc(&b, 0);
    for (int i = 0; i < 4; i++) {
        static const size_t n[] = {0, 10, LENGTHS_HEAD_BYTES,
                                   LENGTHS_HEAD_BYTES + 1
                                   + N * LENGTHS_ENTRY_BYTES};

        forge(in_dir("bad"), b.data, n[i]);
        CHECK(dataset_open(&d, in_dir("bad"), &e) == ERR_DATA);
        CHECK(verify(in_dir("bad"), &e) == ERR_DATA);
    }
    b.data[0]++;
    forge(in_dir("bad"), b.data, b.len - 1);
    CHECK(dataset_open(&d, in_dir("bad"), &e) == ERR_DATA);
    CHECK(strstr(e.text, "no file of lengths"));
    buf_release(&b);
}

/* The file of lengths is part of the set: each flipped byte is found, and
 * that it is missing; --replace makes it anew. */
TEST(a_damaged_file_of_lengths_is_found)
{
    struct manifest m;
    struct dataset d;
    struct buf b;
    struct err e;
    char *path;

    CHECK(make_set(in_dir("hurt"), in_dir("stream"), SPLIT_BY_TIME, false,
                   &e) == 0);
    m = manifest_of(in_dir("hurt"));
    path = path_join(in_dir("hurt"), m.lengths.name);
    read_into(&b, path);
    for (size_t i = 0; i < b.len; i += 61) {
        b.data[i] ^= 4;
        put_back(&b, path);
        b.data[i] ^= 4;
        CHECK(dataset_open(&d, in_dir("hurt"), &e) == ERR_DATA);
        CHECK(verify(in_dir("hurt"), &e) == ERR_DATA);
    }
    CHECK(make_set(in_dir("hurt"), in_dir("stream"), SPLIT_BY_TIME, false,
                   &e) == ERR_DATA);
    CHECK(make_set(in_dir("hurt"), in_dir("stream"), SPLIT_BY_TIME, true,
                   &e) == 0);
    CHECK(verify(in_dir("hurt"), &e) == 0);
    CHECK(unlink(path) == 0);
    CHECK(verify(in_dir("hurt"), &e) == ERR_DATA);
    CHECK(strstr(e.text, "is missing"));
    CHECK(make_set(in_dir("hurt"), in_dir("stream"), SPLIT_BY_TIME, true,
                   &e) == 0);
    CHECK(verify(in_dir("hurt"), &e) == 0);
    buf_release(&b);
    manifest_release(&m);
    free(path);
}

static const struct test tests[] = {
    RUN(each_record_of_all_segments_has_its_entry),
    RUN(a_loss_on_the_first_token_is_not_learned),
    RUN(lengths_tell_what_decoding_tells),
    RUN(without_a_vocabulary_that_fits_a_split_is_decoded),
    RUN(a_split_is_opened_without_its_records),
    RUN(lengths_that_lie_are_found),
    RUN(splits_have_the_tokens_that_the_manifest_says),
    RUN(a_file_of_lengths_that_is_none_is_refused),
    RUN(a_damaged_file_of_lengths_is_found)
};

int
main(void)
{
    struct err e;
    int rc;

    if (!mkdtemp(dir))
        return 1;
    make_sets();
    rc = test_run("lengths", tests, sizeof(tests) / sizeof(tests[0]));
    path_remove(dir, &e);
    return rc;
}
