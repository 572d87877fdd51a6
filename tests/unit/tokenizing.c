/* tokenizing.c - streams of text to tokens and back: groups in the order of
 * the stream at any number of threads, bad records named, ends left off. */
#include "record/tokenizing.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "base/par.h"
#include "byte_tokenizer.h"
#include "record/detokenizing.h"
#include "record/tokens.h"

#define N 3000 /* records: several batches */

static char dir[] = "/tmp/graft-tokenizing-XXXXXX";
static const char *const special[] = {"<|endoftext|>", NULL};

static const char *
in_dir(const char *name)
{
    static char path[4][128];
    static int turn;
    char *p = path[turn++ % 4];

    snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
    return p;
}

/* Record i: a file that most commits rename, among ten; every seventh has no
 * edit and gives no tokens. */
static void
make_record(struct text_rec *r, struct buf *b, int i)
{
    static char path[32], old[32], ordinal[16];
    struct err e;

    snprintf(path, sizeof(path), "file-%d-%d", i % 10, i / 10);
    snprintf(old, sizeof(old), "file-%d-%d", i % 10, i / 10 - 1);
    snprintf(ordinal, sizeof(ordinal), "%d", i);
    text_begin(r, TEXT_COMMIT);
    text_add_str(r, "repo", "r");
    text_add_str(r, "ordinal", ordinal);
    text_add_str(r, "subject", path);
    text_add_str(r, "path", path);
    if (i >= 10 && i % 3 > 0)
        text_add_str(r, "old_path", old);
    if (i % 7 > 0)
        text_add_str(r, "change", "1 1\n@@ -1,1 +1,1 @@\n-a\n+b\n");
    buf_reset(b);
    CHECK(text_encode(b, r, &e) == 0);
}

/* Writes the stream; record number `bad`, if any, is none. */
static void
make_stream(const char *path, int bad)
{
    struct stream_head h;
    struct stream_out out;
    struct text_rec r;
    struct buf b;
    struct err e;

    text_init(&r);
    buf_init(&b);
    stream_head_init(&h, "text");
    CHECK(stream_out_open(&out, path, &e) == 0);
    CHECK(stream_out_begin(&out, &h, &e) == 0);
    for (int i = 0; i < N; i++) {
        make_record(&r, &b, i);
        CHECK(stream_out_record(&out, b.data, i == bad ? 1 : b.len, &e) == 0);
    }
    CHECK(stream_out_end(&out, &e) == 0);
    CHECK(stream_out_close(&out, &e) == 0);
    stream_head_release(&h);
    text_release(&r);
    buf_release(&b);
}

static uint64_t max_tokens;

static int
tokenize(const char *from, const char *to, int threads, uint64_t *left,
         struct err *e)
{
    struct tokenizing z;
    struct stream_out out;
    struct stream_in in;
    struct tokenizer t;
    int rc;

    par_set_threads(threads);
    byte_tokenizer(&t, special);
    tokenizing_init(&z, &t, tokenizer_end(&t));
    z.program = "tokenize";
    z.render.max_tokens = max_tokens;
    CHECK(render_use(&z.render, TEMPLATE_PLAIN, e) == 0);
    CHECK(stream_in_open(&in, from, "text", e) == 0);
    CHECK(stream_out_open(&out, to, e) == 0);
    CHECK(stream_in_segment(&in, e) == 1);
    rc = tokenizing_segment(&z, &in, &out, NULL, e);
    if (rc == 0)
        rc = stream_out_close(&out, e);
    else
        stream_out_release(&out);
    *left = z.left[RENDER_EDIT].records;
    stream_in_release(&in);
    tokenizing_release(&z);
    tokenizer_release(&t);
    return rc;
}

/* Opens a stream and its first segment. */
static void
open_stream(struct stream_in *in, const char *path)
{
    struct err e;

    if (!CHECK(stream_in_open(in, path, NULL, &e) == 0)
        || !CHECK(stream_in_segment(in, &e) == 1))
        exit(1);
}

TEST(groups_follow_renames_in_the_order_of_the_stream)
{
    struct group_key key;
    struct stream_rec rec;
    struct stream_in in;
    struct groups g;
    struct text_rec r;
    struct tokens t;
    struct buf b;
    struct err e;
    uint64_t left, group;

    make_stream(in_dir("text"), -1);
    CHECK(tokenize(in_dir("text"), in_dir("tokens"), 3, &left, &e) == 0);
    CHECK_EQ_U64(left, (N + 6) / 7);
    open_stream(&in, in_dir("tokens"));
    groups_init(&g);
    text_init(&r);
    buf_init(&b);
    for (int i = 0; i < N; i++) {
        make_record(&r, &b, i);
        key = group_key_of(&r, b.data, b.len, NULL);
        group = groups_next(&g, &key);
        if (i % 7 == 0)
            continue;
        if (!CHECK(stream_in_record(&in, &rec, &e) == 1)
            || !CHECK(tokens_decode(&t, rec.p, rec.n, 0, &e) == 0))
            break;
        CHECK_EQ_U64(t.origin.ordinal, (uint64_t)i);
        CHECK_EQ_U64(t.origin.group, group);
    }
    CHECK(stream_in_record(&in, &rec, &e) == 0);
    stream_in_release(&in);
    groups_release(&g);
    text_release(&r);
    buf_release(&b);
}

TEST(any_number_of_threads_gives_the_same_bytes)
{
    struct id one, many;
    struct err e;
    uint64_t left;

    for (max_tokens = 0; max_tokens <= 120; max_tokens += 120) {
        CHECK(tokenize(in_dir("text"), in_dir("one"), 1, &left, &e) == 0);
        CHECK(id_of_file(&one, in_dir("one"), &e) == 0);
        for (int threads = 2; threads < 6; threads += 3) {
            CHECK(tokenize(in_dir("text"), in_dir("many"), threads, &left,
                           &e) == 0);
            CHECK(id_of_file(&many, in_dir("many"), &e) == 0);
            CHECK(id_equal(&one, &many));
        }
    }
    max_tokens = 0;
}

TEST(a_bad_record_is_named)
{
    static const int bad[] = {0, 511, 512, N - 1};
    struct err e;
    uint64_t left;
    char want[64];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        make_stream(in_dir("bad"), bad[i]);
        CHECK(tokenize(in_dir("bad"), in_dir("none"), 2, &left, &e)
              == ERR_DATA);
        snprintf(want, sizeof(want), "bad: record %d: ", bad[i]);
        if (!CHECK(strstr(e.text, want)))
            printf("  %s\n", e.text);
    }
}

/* Drops the last n bytes of the file, and writes it as another. */
static void
cut(const char *from, const char *to, size_t n)
{
    struct buf b;
    struct err e;

    buf_init(&b);
    CHECK(file_read(&b, from, 1 << 24, &e) == 0 && b.len > n);
    CHECK(file_write(to, b.data, b.len - n, &e) == 0);
    buf_release(&b);
}

/* A stream of one frame: what it lacks is missed behind its last record. */
TEST(of_a_bad_record_and_a_stream_cut_short_the_first_is_told)
{
    static const int bad[] = {-1, 0, 600, 1100, N - 1};
    struct err e;
    uint64_t left;
    char want[64];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        make_stream(in_dir("bad"), bad[i]);
        cut(in_dir("bad"), in_dir("cut"), 1);
        snprintf(want, sizeof(want), bad[i] < 0 ? "truncated" :
                 "cut: record %d: ", bad[i]);
        for (int threads = 1; threads < 4; threads++) {
            CHECK(tokenize(in_dir("cut"), in_dir("none"), threads, &left, &e)
                  == ERR_DATA);
            if (!CHECK(strstr(e.text, want)))
                printf("  %s\n", e.text);
        }
    }
    CHECK(!path_exists(in_dir("none")));
}

static int
detokenize(const char *from, struct out *bytes, const char *const *tokens,
           struct err *e)
{
    struct detokenizing d;
    struct tokenizer t;
    struct stream_in in;
    int rc;

    byte_tokenizer(&t, tokens);
    detokenizing_init(&d);
    d.t = &t;
    d.begin = tokenizer_begin(&t);
    d.end = tokenizer_end(&t);
    d.bytes = bytes;
    open_stream(&in, from);
    rc = detokenizing_segment(&d, &in, NULL, e);
    stream_in_release(&in);
    detokenizing_release(&d);
    tokenizer_release(&t);
    return rc;
}

TEST(tokens_come_back_as_their_text_without_the_end)
{
    static const char *const others[] = {"<|endoftext|>", "<x>", NULL};
    static const char want[] = "file-1-0\n\ndiff --git a/file-1-0 b/";
    struct out out;
    struct buf b;
    struct err e;

    CHECK(out_open(&out, in_dir("bytes"), &e) == 0);
    CHECK(detokenize(in_dir("tokens"), &out, special, &e) == 0);
    CHECK(out_commit(&out, &e) == 0);
    buf_init(&b);
    CHECK(file_read(&b, in_dir("bytes"), 1 << 24, &e) == 0);
    CHECK(b.len > sizeof(want) && memcmp(b.data, want,
                                         sizeof(want) - 1) == 0);
    CHECK(strstr(b.data, "<|endoftext|>") == NULL);
    buf_release(&b);
    CHECK(out_open(&out, in_dir("bytes"), &e) == 0);
    CHECK(detokenize(in_dir("tokens"), &out, others, &e) == ERR_DATA);
    CHECK(strstr(e.text, "made with another tokenizer"));
    out_release(&out);
}

static const struct test tests[] = {
    RUN(groups_follow_renames_in_the_order_of_the_stream),
    RUN(any_number_of_threads_gives_the_same_bytes),
    RUN(a_bad_record_is_named),
    RUN(of_a_bad_record_and_a_stream_cut_short_the_first_is_told),
    RUN(tokens_come_back_as_their_text_without_the_end)
};

int
main(void)
{
    struct err e;
    int rc;

    if (!mkdtemp(dir))
        return 1;
    rc = test_run("tokenizing", tests, sizeof(tests) / sizeof(tests[0]));
    path_remove(dir, &e);
    return rc;
}
