/* gguf_write.c - GGUF files that are written, read by the reader. */
#include "tensor/gguf_write.h"

#include <unistd.h>

#include "test.h"

#define PATH "gguf-write-test.tmp"
#define SCORES 3

static const float scores[SCORES] = { -1.5f, 0, 3e-41f };
static const int32_t kinds[2] = { 1, -3 };
static const uint64_t square[2] = { 32, 2 }, row[1] = { 5 }, none[2] = { 4 };

static void
put_keys(struct gguf_out *g)
{
    static const struct gguf_text words[3] = {
        { "one", 3 }, { "", 0 }, { "a\0b", 3 }
    };

    gguf_out_string(g, "general.architecture", "llama");
    gguf_out_u32(g, "llama.block_count", 3000000000u);
    gguf_out_f32(g, "llama.rope.freq_base", 1e4f);
    gguf_out_bool(g, "on", true);
    gguf_out_strings(g, "words", words, 3);
    gguf_out_numbers(g, "scores", GGUF_F32, scores, SCORES);
    gguf_out_numbers(g, "kinds", GGUF_I32, kinds, 2);
}

static int
put_tensors(struct gguf_out *g, struct err *e)
{
    int rc = gguf_out_tensor(g, "a", 0, 1, row, e);

    if (rc == 0)
        rc = gguf_out_tensor(g, "empty", 0, 2, none, e);
    if (rc == 0)
        rc = gguf_out_tensor(g, "b", 8, 2, square, e);
    if (rc == 0)
        rc = gguf_out_tensor(g, "last", 0, 2, none, e);
    return rc;
}

/* n bytes of 0, 1, 2, ... as the data, in pieces. */
static int
put_data(struct gguf_out *g, size_t n, size_t piece, struct err *e)
{
    uint8_t all[128];
    int rc = 0;

    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (uint8_t)i;
    for (size_t i = 0; i < n && rc == 0; i += piece)
        rc = gguf_out_data(g, all + i, n - i < piece ? n - i : piece, e);
    return rc;
}

/* The file, with its data in pieces of that size. */
static int
write_file(size_t bytes, size_t piece, struct err *e)
{
    struct gguf_out g;
    struct out out;
    int rc;

    gguf_out_init(&g, PATH);
    put_keys(&g);
    rc = put_tensors(&g, e);
    if (rc == 0)
        rc = out_open(&out, PATH, e);
    if (rc == 0) {
        rc = gguf_out_start(&g, &out, e);
        if (rc == 0)
            rc = put_data(&g, bytes, piece, e);
        if (rc == 0)
            rc = gguf_out_finish(&g, e);
        if (rc == 0)
            rc = out_commit(&out, e);
        else
            out_release(&out);
    }
    gguf_out_release(&g);
    return rc;
}

static void
check_keys(const struct gguf *g)
{
    struct gguf_strings s = gguf_strings(gguf_find(g, "words"));
    struct gguf_text t;
    double real = 0;
    int64_t v = 0;

    CHECK_EQ_U64(g->n_keys, 7);
    CHECK(gguf_string(gguf_find(g, "general.architecture"), &t)
          && gguf_text_is(t, "llama"));
    CHECK(gguf_whole(gguf_find(g, "llama.block_count"), 0, &v)
          && v == 3000000000);
    CHECK(gguf_real(gguf_find(g, "llama.rope.freq_base"), 0, &real)
          && real == 1e4);
    CHECK(gguf_find(g, "on")->type == GGUF_BOOL
          && gguf_whole(gguf_find(g, "on"), 0, &v) && v == 1);
    CHECK(gguf_next(&s, &t) && gguf_text_is(t, "one"));
    CHECK(gguf_next(&s, &t) && t.n == 0);
    CHECK(gguf_next(&s, &t) && t.n == 3 && memcmp(t.p, "a\0b", 3) == 0);
    CHECK(!gguf_next(&s, &t));
    CHECK_EQ_U64(gguf_find(g, "scores")->n, SCORES);
    CHECK(memcmp(gguf_find(g, "scores")->at, scores, sizeof(scores)) == 0);
    CHECK(gguf_whole(gguf_find(g, "kinds"), 1, &v) && v == -3);
}

TEST(what_is_written_is_read)
{
    struct err e = { 0 };
    struct gguf g;
    const uint8_t *p;

    for (size_t piece = 1; piece <= 88; piece += 29) {
        CHECK(write_file(88, piece, &e) == 0);
        if (!CHECK(gguf_open(&g, PATH, &e) == 0))
            break;
        CHECK_EQ_U64(g.version, 3);
        check_keys(&g);
        CHECK_EQ_U64(g.n_tensors, 4);
        CHECK_EQ_U64(g.tensor[0].bytes, 20);
        CHECK_EQ_U64(g.tensor[1].ne[0], 4);
        CHECK_EQ_U64(g.tensor[1].bytes, 0);
        CHECK(gguf_text_is(g.tensor[2].name, "b") && g.tensor[2].type == 8);
        CHECK_EQ_U64(g.tensor[2].bytes, 68);
        CHECK_EQ_U64(g.tensor[2].ne[1], 2);
        CHECK_EQ_U64(g.data_at % GGUF_OUT_ALIGN, 0);
        CHECK_EQ_U64(g.map.n % GGUF_OUT_ALIGN, 0);
        p = gguf_data(&g, &g.tensor[0]);
        CHECK(p[0] == 0 && p[19] == 19 && p[20] == 0);
        p = gguf_data(&g, &g.tensor[2]);
        CHECK(p[0] == 20 && p[67] == 87 && p[68] == 0);
        gguf_release(&g);
    }
    unlink(PATH);
}

TEST(a_key_is_copied)
{
    struct gguf_out again;
    struct err e = { 0 };
    struct gguf g;

    CHECK(write_file(88, 88, &e) == 0);
    if (!CHECK(gguf_open(&g, PATH, &e) == 0))
        return;
    gguf_out_init(&again, "again");
    for (size_t i = 0; i < g.n_keys; i++)
        gguf_out_key(&again, &g.key[i]);
    CHECK(again.keys.len > 0
          && memcmp(again.keys.data, g.map.p + 24, again.keys.len) == 0);
    gguf_out_release(&again);
    gguf_release(&g);
    unlink(PATH);
}

TEST(data_that_does_not_fit)
{
    struct err e = { 0 };

    CHECK(write_file(87, 87, &e) == ERR_IO);
    CHECK_STR(e.text, PATH ": tensor b: 67 of its 68 bytes were written");
    CHECK(write_file(89, 89, &e) == ERR_IO);
    CHECK_STR(e.text, PATH ": 1 bytes more than the tensors have");
    CHECK(access(PATH, F_OK) != 0);
}

TEST(names_and_shapes_that_are_refused)
{
    static const uint64_t huge[5] = { 1ull << 40, 1ull << 40, 1, 1, 1 };
    static const uint64_t half[1] = { 1ull << 61 };
    struct err e = { 0 };
    struct gguf_out g;
    char name[65];

    memset(name, 'x', sizeof(name));
    name[64] = 0;
    gguf_out_init(&g, "out");
    CHECK(gguf_out_tensor(&g, name, 0, 1, row, &e) == ERR_DATA);
    CHECK(gguf_out_tensor(&g, name + 1, 0, 1, row, &e) == 0);
    CHECK(gguf_out_tensor(&g, name + 1, 0, 1, row, &e) == ERR_DATA);
    CHECK(strncmp(e.text, "out: two tensors are named xx", 29) == 0);
    CHECK(gguf_out_tensor(&g, "t", 4, 1, row, &e) == ERR_DATA);
    CHECK(gguf_out_tensor(&g, "t", 8, 1, row, &e) == ERR_DATA);
    CHECK_STR(e.text, "out: tensor t: rows of 5 elements are no whole "
              "blocks of Q8_0 (32 each)");
    CHECK(gguf_out_tensor(&g, "t", 0, 2, huge, &e) == ERR_DATA);
    CHECK(gguf_out_tensor(&g, "t", 0, 5, huge, &e) == ERR_DATA);
    CHECK(gguf_out_tensor(&g, "u", 0, 1, half, &e) == 0);
    CHECK(gguf_out_tensor(&g, "v", 0, 1, half, &e) == ERR_DATA);
    CHECK_STR(e.text, "out: tensor v: over 2^64 bytes of tensors");
    gguf_out_u32(&g, "k", 1);
    gguf_out_bool(&g, "k", true);
    CHECK(gguf_out_start(&g, NULL, &e) == ERR_DATA);
    CHECK_STR(e.text, "out: two keys are named k");
    gguf_out_release(&g);
}

static const struct test tests[] = {
    RUN(what_is_written_is_read),
    RUN(a_key_is_copied),
    RUN(data_that_does_not_fit),
    RUN(names_and_shapes_that_are_refused),
};

TEST_MAIN("gguf_write", tests)
