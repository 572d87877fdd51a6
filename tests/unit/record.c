/* record.c - records to bytes and back, and what is refused. */
#include "test.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "record/look.h"
#include "record/tensor.h"
#include "record/text.h"
#include "record/tokens.h"

TEST(an_absent_field_differs_from_an_empty_one)
{
    struct text_rec r, back;
    struct buf b;
    struct err e;
    int64_t v;

    text_init(&r);
    text_init(&back);
    buf_init(&b);
    text_begin(&r, TEXT_COMMIT);
    text_add_str(&r, "ordinal", "-12");
    text_add_str(&r, "old_path", NULL);
    text_add(&r, "body", "\0", 1);
    text_add_str(&r, "subject", "");
    CHECK(text_encode(&b, &r, &e) == 0);
    CHECK(text_decode(&back, b.data, b.len, &e) == 0);
    CHECK_EQ_U64(back.n, 3);
    CHECK(back.kind == TEXT_COMMIT);
    CHECK(!text_get(&back, "old_path"));
    CHECK(text_get(&back, "subject") && text_get(&back, "subject")->len == 0);
    CHECK(text_get(&back, "body")->len == 1);
    CHECK(text_i64(&back, "ordinal", 0, &v, &e) == 0 && v == -12);
    CHECK(text_i64(&back, "time", 77, &v, &e) == 0 && v == 77);
    CHECK(text_i64(&back, "subject", 0, &v, &e) == ERR_DATA);
    text_release(&r);
    text_release(&back);
    buf_release(&b);
}

TEST(numbers_have_an_end)
{
    static const char *const good[] = {
        "0", "9223372036854775807", "-9223372036854775808"
    };
    static const char *const bad[] = {
        "9223372036854775808", "-9223372036854775809", "-", "", "1 ", "+1",
        "0x1"
    };
    struct text_rec r;
    struct err e;
    int64_t v;

    text_init(&r);
    for (size_t i = 0; i < 3; i++) {
        text_begin(&r, TEXT_DOC);
        text_add_str(&r, "time", good[i]);
        CHECK(text_i64(&r, "time", 0, &v, &e) == 0);
        CHECK(v == strtoll(good[i], NULL, 10));
    }
    for (size_t i = 0; i < 7; i++) {
        text_begin(&r, TEXT_DOC);
        text_add_str(&r, "time", bad[i]);
        CHECK(text_i64(&r, "time", 0, &v, &e) == ERR_DATA);
    }
    text_release(&r);
}

TEST(chats_repeat_role_and_content)
{
    struct text_message m;
    struct text_rec r, back;
    struct buf b;
    struct err e;
    size_t at = 0;

    text_init(&r);
    text_init(&back);
    buf_init(&b);
    text_begin(&r, TEXT_CHAT);
    CHECK(text_encode(&b, &r, &e) == ERR_DATA);
    for (int i = 0; i < 3; i++) {
        text_add_str(&r, "role", i % 2 ? "assistant" : "user");
        text_add_str(&r, "content", i == 2 ? "" : "hello");
        text_add_str(&r, "message_json", i == 1 ? "{\"name\":1}" : NULL);
    }
    text_add_str(&r, "source", "made up");
    CHECK(text_encode(&b, &r, &e) == 0);
    CHECK(text_decode(&back, b.data, b.len, &e) == 0);
    CHECK(text_next_message(&back, &at, &m) && !m.json);
    CHECK(text_next_message(&back, &at, &m) && m.json);
    CHECK(m.role->len == 9 && memcmp(m.role->data, "assistant", 9) == 0);
    CHECK(text_next_message(&back, &at, &m) && m.content->len == 0);
    CHECK(!text_next_message(&back, &at, &m));
    text_add_str(&r, "role", "user");
    CHECK(text_encode(&b, &r, &e) == ERR_DATA);
    CHECK(strstr(e.text, "role twice"));
    text_begin(&r, TEXT_CHAT);
    text_add_str(&r, "x", "");
    text_add_str(&r, "role", "user");
    text_add_str(&r, "content", "");
    text_add_str(&r, "x", "");
    CHECK(text_encode(&b, &r, &e) == ERR_DATA);
    CHECK(strstr(e.text, "x twice"));
    text_begin(&r, TEXT_DOC);
    text_add_str(&r, "text", "a");
    text_add_str(&r, "text", "b");
    CHECK(text_encode(&b, &r, &e) == ERR_DATA);
    CHECK(strstr(e.text, "text twice"));
    text_begin(&r, TEXT_DOC);
    text_add_str(&r, "Text", "a");
    CHECK(text_encode(&b, &r, &e) == ERR_DATA);
    text_release(&r);
    text_release(&back);
    buf_release(&b);
}

static unsigned
width_of(uint32_t most, bool wide)
{
    return most < 1u << 16 ? 2 : most < 1u << 24 && !wide ? 3 : 4;
}

TEST(token_records_of_all_widths)
{
    struct tokens_origin origin = {
        .ordinal = UINT64_MAX, .time = INT64_MIN, .group = 9, .quality = -1
    };
    static const uint32_t top[] = {65535, 65536, 151664, 0xffffff, 0x1000000,
                                   0xffffffff};
    uint32_t ids[300], got[300];
    uint8_t loss[300], mask[300];
    struct tokens t;
    struct rng r;
    struct buf b;
    struct err e;

    rng_init(&r, 1, 2);
    buf_init(&b);
    for (size_t i = 0; i < 400; i++) {
        size_t n = i % 299, n_loss = 0;
        bool wide = i / 6 % 2;
        uint64_t vocab = wide && i % 4 ? 0 : (uint64_t)1 << 32;

        for (size_t k = 0; k < n; k++) {
            ids[k] = rng_u32(&r) % (k ? 50000 : 1) + (k ? 0 : top[i % 6]);
            loss[k] = i % 3 ? (uint8_t)(rng_u32(&r) % 5 == 0) : 1;
            n_loss += loss[k];
        }
        buf_reset(&b);
        CHECK((wide && vocab ? tokens_encode_wide : tokens_encode)(
                  &b, &origin, ids, i % 3 ? loss : NULL, n, vocab, &e) == 0);
        if (!CHECK(tokens_decode(&t, b.data, b.len, vocab, &e) == 0))
            continue;
        CHECK_EQ_U64(t.n, n);
        CHECK_EQ_U64(t.n_loss, n_loss);
        CHECK_EQ_U64(t.width, n == 0 ? 2 : width_of(top[i % 6], wide));
        CHECK(memcmp(&t.origin, &origin, sizeof(origin)) == 0);
        tokens_ids(&t, got);
        tokens_mask(&t, mask);
        CHECK(memcmp(got, ids, n * sizeof(*ids)) == 0);
        CHECK(memcmp(mask, loss, n) == 0);
        for (size_t cut = 0; cut < b.len; cut++)
            if (!CHECK(tokens_decode(&t, b.data, cut, 0, &e) == ERR_DATA))
                break;
    }
    buf_release(&b);
}

TEST(the_head_tells_what_ids_take)
{
    struct stream_head h;
    uint64_t vocab;
    struct err e;
    bool wide;

    tokens_head(&h, 65536, NULL);
    CHECK(tokens_head_read(&h, "x", &vocab, &wide, &e) == 0 && wide);
    tokens_head_vocab(&h, 65537);
    CHECK(tokens_head_read(&h, "x", &vocab, &wide, &e) == 0 && !wide);
    CHECK_EQ_U64(vocab, 65537);
    stream_head_drop(&h, TOKENS_ID_BYTES);
    CHECK(tokens_head_read(&h, "x", &vocab, &wide, &e) == 0 && wide);
    stream_head_set(&h, TOKENS_ID_BYTES, "2");
    CHECK(tokens_head_read(&h, "x", &vocab, &wide, &e) == ERR_DATA);
    CHECK_STR(e.text, "x: header: key id-bytes (found 2, expected 3, beside "
              "a vocab over 65536)");
    stream_head_release(&h);
    tokens_head(&h, 0, NULL);
    CHECK(tokens_head_read(&h, "x", &vocab, &wide, &e) == 0 && wide);
    CHECK_EQ_U64(vocab, 0);
    stream_head_set(&h, TOKENS_ID_BYTES, "3");
    CHECK(tokens_head_read(&h, "x", &vocab, &wide, &e) == ERR_DATA);
    stream_head_release(&h);
}

TEST(token_records_tell_what_they_are_the_same_as)
{
    struct tokens_origin origin = { .same = { 1, 2, UINT64_MAX } };
    static const uint32_t ids[] = { 1, 2 };
    char name[300];
    struct tokens t;
    struct buf b;
    struct err e;

    memset(name, 'r', sizeof(name));
    origin.repo = tokens_name_of(name, TOKENS_NAME_MAX);
    origin.lang = tokens_name_of("\xc3\xa9", 2);
    buf_init(&b);
    CHECK(tokens_encode(&b, &origin, ids, NULL, 2, 0, &e) == 0);
    CHECK(b.data[0] == 2);
    origin.path = tokens_name_of("src/a.c", 7);
    buf_reset(&b);
    CHECK(tokens_encode(&b, &origin, ids, NULL, 2, 0, &e) == 0);
    CHECK(b.data[0] == 3);
    if (CHECK(tokens_decode(&t, b.data, b.len, 0, &e) == 0)) {
        CHECK(memcmp(&t.origin.same, &origin.same, sizeof(origin.same)) == 0);
        CHECK_EQ_U64(t.origin.repo.n, 255);
        CHECK_EQ_U64(t.origin.lang.n, 2);
        CHECK(memcmp(t.origin.lang.p, "\xc3\xa9", 2) == 0);
        CHECK_EQ_U64(t.origin.path.n, 7);
        CHECK(memcmp(t.origin.path.p, "src/a.c", 7) == 0);
    }
    for (size_t cut = 0; cut < b.len; cut++)
        CHECK(tokens_decode(&t, b.data, cut, 0, &e) == ERR_DATA);
    b.data[64 + 24 + 1 + 255 + 1] = 'x'; /* é is no UTF-8 any more */
    CHECK(tokens_decode(&t, b.data, b.len, 0, &e) == ERR_DATA);
    CHECK_EQ_U64(tokens_name_of(name, 256).n, 0);
    CHECK_EQ_U64(tokens_name_of("a\nb", 3).n, 0);
    CHECK_EQ_U64(tokens_name_of("\xff", 1).n, 0);
    CHECK_EQ_U64(tokens_name_of(NULL, 0).n, 0);
    /* a form with nothing that a lesser one has not is none */
    memset(&origin, 0, sizeof(origin));
    buf_reset(&b);
    CHECK(tokens_encode(&b, &origin, ids, NULL, 2, 0, &e) == 0);
    CHECK(b.data[0] == 1);
    b.data[0] = 2;
    CHECK(tokens_decode(&t, b.data, b.len, 0, &e) == ERR_DATA);
    origin.ordinal = 1;
    origin.lang = tokens_name_of("C", 1);
    buf_reset(&b);
    CHECK(tokens_encode(&b, &origin, ids, NULL, 2, 0, &e) == 0);
    CHECK(b.data[0] == 2);
    b.data[0] = 3; /* its ids begin with no name */
    CHECK(tokens_decode(&t, b.data, b.len, 0, &e) == ERR_DATA);
    buf_release(&b);
}

TEST(ids_are_below_the_vocabulary)
{
    struct tokens_origin origin = {0};
    static const uint32_t ids[] = {1, 99, 3};
    struct tokens t;
    struct buf b;
    struct err e;

    buf_init(&b);
    CHECK(tokens_encode(&b, &origin, ids, NULL, 3, 99, &e) == ERR_DATA);
    CHECK_EQ_U64(b.len, 0);
    CHECK(tokens_encode(&b, &origin, ids, NULL, 3, 100, &e) == 0);
    CHECK(tokens_decode(&t, b.data, b.len, 100, &e) == 0);
    CHECK(tokens_decode(&t, b.data, b.len, 99, &e) == ERR_DATA);
    CHECK(strstr(e.text, "found 99"));
    buf_release(&b);
}

TEST(descriptors_and_assets)
{
    struct tensor_desc d = {
        .name = "model.w", .dtype = DTYPE_BF16, .n_dims = 2, .shape = {3, 5}
    }, back;
    struct asset a;
    struct buf b;
    struct err e;

    buf_init(&b);
    CHECK(tensor_encode(&b, &d, &e) == 0);
    CHECK(tensor_decode(&back, b.data, b.len, 30, &e) == 0);
    CHECK_STR(back.name, "model.w");
    CHECK(back.dtype == DTYPE_BF16 && back.shape[1] == 5);
    CHECK(tensor_decode(&back, b.data, b.len, 31, &e) == ERR_DATA);
    for (size_t cut = 0; cut < b.len; cut++)
        CHECK(tensor_decode(&back, b.data, cut, 30, &e) == ERR_DATA);
    d.shape[0] = UINT64_C(1) << 62;
    CHECK(tensor_encode(&b, &d, &e) == ERR_DATA);
    d.shape[1] = 0;
    buf_reset(&b);
    CHECK(tensor_encode(&b, &d, &e) == 0);
    CHECK(tensor_decode(&back, b.data, b.len, 0, &e) == 0);
    d.name = "";
    CHECK(tensor_encode(&b, &d, &e) == ERR_DATA);
    buf_reset(&b);
    CHECK(asset_encode(&b, "../x", "", 0, &e) == ERR_DATA);
    CHECK(asset_encode(&b, "a/x", "", 0, &e) == ERR_DATA);
    CHECK(asset_encode(&b, "config.json", "{}", 2, &e) == 0);
    CHECK(asset_decode(&a, b.data, b.len, &e) == 0);
    CHECK(a.n == 2 && memcmp(a.data, "{}", 2) == 0);
    CHECK(asset_decode(&a, b.data, 5, &e) == ERR_DATA);
    buf_release(&b);
}

/* Decoders stay inside of what they are given, whatever it is. */
/* The id of a file with that path and text, decoded from its encoding,
 * and what it is the same as. */
static struct id
id_of_file_record(const char *path, const char *text, struct same *same)
{
    const struct id *body;
    struct text_rec r;
    struct id id, room;
    struct buf b;
    struct err e;

    text_init(&r);
    buf_init(&b);
    text_begin(&r, TEXT_FILE);
    text_add_str(&r, "path", path);
    text_add_str(&r, "text", text);
    text_add_str(&r, "lang", "c");
    CHECK(text_encode(&b, &r, &e) == 0);
    CHECK(text_decode(&r, b.data, b.len, &e) == 0);
    body = text_body(&r, &room);
    CHECK(body != NULL);
    id = text_id(&r, b.data, b.len, body);
    *same = same_of(&r, NULL, body);
    text_release(&r);
    buf_release(&b);
    return id;
}

/* Each part of a record counts for its id; its text alone for what it is the
 * same as. */
TEST(a_record_and_its_text_have_ids)
{
    static const char *const path[] = { "a.c", "a.c", "b.c", "a.c", "a.c" },
                      *const text[] = { "x\n", "x\n", "x\n", "y\n", "" };
    struct same same[5];
    struct id id[5], content = id_of("x\n", 2);

    for (int i = 0; i < 5; i++)
        id[i] = id_of_file_record(path[i], text[i], &same[i]);
    for (int i = 1; i < 5; i++) {
        CHECK((memcmp(id[i].b, id[0].b, ID_BYTES) == 0) == (i == 1));
        CHECK((same[i].edit == same[0].edit) == (i < 3));
        CHECK((same[i].content == same[0].content) == (i < 3));
    }
    CHECK_EQ_U64(same[0].content, load_u64(content.b));
    CHECK_EQ_U64(same[4].content, 0);
}

TEST(names_of_fields_have_a_form)
{
    static const struct {
        const char *name;
        int rc;
    } names[] = {
        { "a", 0 }, { "old_path", 0 }, { "a0_", 0 }, { "z9", 0 },
        { "abcdefghijklmnopqrstuvwxyz012345", 0 },
        { "abcdefghijklmnopqrstuvwxyz0123456", ERR_DATA },
        { "", ERR_DATA }, { "A", ERR_DATA }, { "0a", ERR_DATA },
        { "_a", ERR_DATA }, { "a-b", ERR_DATA }, { "aB", ERR_DATA },
        { "`", ERR_DATA }, { "{", ERR_DATA }, { "a{", ERR_DATA },
    };
    struct text_rec r;
    struct buf b;
    struct err e;

    text_init(&r);
    buf_init(&b);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        buf_reset(&b);
        text_begin(&r, TEXT_DOC);
        text_add_str(&r, names[i].name, "x");
        if (!CHECK(text_encode(&b, &r, &e) == names[i].rc))
            printf("    %s\n", names[i].name);
    }
    text_release(&r);
    buf_release(&b);
}

/* One good record of each kind: text, descriptor, asset, tokens. */
static void
make_record(struct buf *b, int kind)
{
    static const uint32_t ids[] = {7, 70000, 3, 3, 9};
    static const uint8_t loss[] = {0, 1, 1, 0, 1};
    struct tensor_desc d = {
        .name = "model.w", .dtype = DTYPE_I8, .n_dims = 2, .shape = {3, 4}
    };
    struct tokens_origin origin = {.ordinal = 9};
    struct text_rec r;
    struct err e;
    int rc = 0;

    buf_reset(b);
    if (kind == 0) {
        text_init(&r);
        text_begin(&r, TEXT_COMMIT);
        text_add_str(&r, "ordinal", "12");
        text_add_str(&r, "body", "a body of some bytes");
        rc = text_encode(b, &r, &e);
        text_release(&r);
    } else if (kind == 1) {
        rc = tensor_encode(b, &d, &e);
    } else if (kind == 2) {
        rc = asset_encode(b, "config.json", "{}", 2, &e);
    } else {
        rc = tokens_encode(b, &origin, ids, loss, 5, 70001, &e);
    }
    CHECK(rc == 0);
}

/* What look_at says of a record of that kind and type, n bytes of it, in a
 * stream of that vocabulary (0: none said). */
static int
look(const char *type, int kind, size_t cut, uint64_t vocab, uint64_t data)
{
    struct stream_rec rec = { .kind = kind == 1 ? FRAME_TENSOR
                                                : FRAME_RECORDS };
    struct stream_head head;
    struct look d;
    struct buf b;
    struct err e;
    int rc;

    buf_init(&b);
    make_record(&b, kind);
    rec.p = b.data;
    rec.n = b.len - cut;
    rec.data = data;
    stream_head_init(&head, type);
    if (vocab > 0)
        tokens_head_vocab(&head, vocab);
    look_init(&d);
    rc = look_at(&d, &head, &rec, &e);
    look_release(&d);
    stream_head_release(&head);
    buf_release(&b);
    return rc;
}

TEST(a_look_finds_what_is_no_record_of_its_type)
{
    CHECK(look("text", 0, 0, 0, 0) == 0);
    CHECK(look("text", 0, 1, 0, 0) == ERR_DATA);
    CHECK(look("weights", 1, 0, 0, 12) == 0);
    CHECK(look("weights", 1, 0, 0, 13) == ERR_DATA);
    CHECK(look("weights", 2, 0, 0, 0) == 0);
    CHECK(look("weights", 3, 0, 0, 0) == ERR_DATA);
    CHECK(look("tokens", 3, 0, 0, 0) == ERR_DATA); /* of three bytes */
    CHECK(look("tokens", 3, 0, 70001, 0) == 0);
    CHECK(look("tokens", 3, 0, 70000, 0) == ERR_DATA);
    CHECK(look("tokens", 3, 1, 70001, 0) == ERR_DATA);
    CHECK(look("tokens", 0, 0, 0, 0) == ERR_DATA);
    CHECK(look("text", 3, 0, 0, 0) == ERR_DATA);
    CHECK(look("vectors", 0, 0, 0, 0) == ERR_DATA);
}

/* Whether what was decoded lies within the record. */
static bool
is_within(const void *at, size_t len, const void *p, size_t n)
{
    const char *a = at, *from = p;

    return a >= from && len <= n && a - from <= (ptrdiff_t)(n - len);
}

/* Decodes n bytes of that kind: 1 accepted, 0 refused. */
static int
decode_any(struct text_rec *r, int kind, const char *p, size_t n)
{
    struct tensor_desc d;
    struct tokens t;
    struct asset a;
    struct err e;
    int rc;

    if (kind == 0) {
        rc = text_decode(r, p, n, &e);
        for (size_t i = 0; rc == 0 && i < r->n; i++)
            CHECK(is_within(r->field[i].data, r->field[i].len, p, n));
    } else if (kind == 1) {
        rc = tensor_decode(&d, p, n, 12, &e);
        if (rc == 0)
            CHECK(is_within(d.name, strlen(d.name), p, n) && d.bytes == 12);
    } else if (kind == 2) {
        rc = asset_decode(&a, p, n, &e);
        if (rc == 0)
            CHECK(is_within(a.data, a.n, p, n)
                  && is_within(a.name, strlen(a.name), p, n));
    } else {
        rc = tokens_decode(&t, p, n, 70001, &e);
        if (rc == 0)
            CHECK(is_within(t.ids, t.n * t.width, p, n) && t.n_loss <= t.n
                  && is_within(t.runs, t.runs_len, p, n));
    }
    CHECK(rc == 0 || rc == ERR_DATA);
    return rc == 0;
}

/* Good records with some bytes changed, often cut or made longer: whatever
 * is still accepted lies within its bytes. */
TEST(damaged_records_are_refused_or_lie_within_their_bytes)
{
    struct text_rec r;
    struct buf b;
    struct rng rng;

    rng_init(&rng, 3, 4);
    text_init(&r);
    buf_init(&b);
    for (int kind = 0; kind < 4; kind++) {
        int accepted = 0, tries = 5000;

        for (int i = 0; i < tries; i++) {
            char *p;
            size_t n;

            make_record(&b, kind);
            for (uint64_t k = rng_below(&rng, 4); k > 0; k--)
                b.data[rng_below(&rng, b.len)]
                    = (char)(rng_u32(&rng) >> (rng_u32(&rng) & 31));
            n = i % 4 ? b.len : rng_below(&rng, b.len + 3);
            p = mem_alloc(n); /* of that size: reading on is noticed */
            memcpy(p, b.data, n < b.len ? n : b.len);
            memset(p + (n < b.len ? n : b.len), 0, n > b.len ? n - b.len : 0);
            accepted += decode_any(&r, kind, p, n);
            text_begin(&r, TEXT_DOC); /* it pointed into p */
            free(p);
        }
        CHECK(accepted > tries / 10 && accepted < tries - tries / 10);
    }
    text_release(&r);
    buf_release(&b);
}

static const struct test tests[] = {
    RUN(an_absent_field_differs_from_an_empty_one), RUN(numbers_have_an_end),
    RUN(chats_repeat_role_and_content), RUN(token_records_of_all_widths),
    RUN(the_head_tells_what_ids_take),
    RUN(token_records_tell_what_they_are_the_same_as),
    RUN(ids_are_below_the_vocabulary), RUN(descriptors_and_assets),
    RUN(names_of_fields_have_a_form), RUN(a_record_and_its_text_have_ids),
    RUN(a_look_finds_what_is_no_record_of_its_type),
    RUN(damaged_records_are_refused_or_lie_within_their_bytes)
};

TEST_MAIN("record", tests)
