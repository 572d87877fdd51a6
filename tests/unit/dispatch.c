/* dispatch.c - what the reading child sends comes out as it went in, and
 * what lacks a part is refused. */
#include "record/dispatch.h"

#include <unistd.h>

#include "base/bytes.h"
#include "test.h"

/* A sender whose frames stay in its buffer, or go to /dev/null. */
static struct sender
new_sender(void)
{
    struct sender s = { .fd = STDOUT_FILENO };

    buf_init(&s.out);
    return s;
}

/* The only frame in the sender's buffer, decoded; and each of its beginnings,
 * of which those shorter than `least` must be refused. */
static struct dispatch
received(const struct sender *s, size_t least)
{
    size_t n = load_u32(s->out.data) - 1;
    uint8_t type = (uint8_t)s->out.data[4];
    struct dispatch d;
    struct err e;

    CHECK_EQ_U64(n + 5, s->out.len);
    for (size_t k = 0; k < least; k++)
        if (!CHECK(dispatch_decode(&d, type, s->out.data + 5, k, &e)
                   == ERR_DATA))
            printf("  %c: %zu of %zu bytes\n", type, k, n);
    CHECK(dispatch_decode(&d, type, s->out.data + 5, n, &e) == 0);
    CHECK(d.kind == type);
    return d;
}

static void
check_text(const struct dispatch *d, const char *want)
{
    CHECK_EQ_U64(d->text.n, strlen(want));
    CHECK(memcmp(d->text.p, want, d->text.n) == 0);
}

TEST(a_start_has_its_name_and_tips)
{
    struct tip tip[2] = { { .flags = 1 }, { .flags = 0x01020304 } };
    struct tips tips = { .tip = tip, .n = 2 };
    struct dispatch d;
    struct buf got;
    struct err e;
    struct sender s = new_sender();
    int fd[2];

    memset(tip[1].id.b, 7, OID_BYTES);
    /* it is sent at once */
    CHECK(pipe(fd) == 0);
    s.fd = fd[1];
    CHECK(dispatch_start(&s, 12, 3, true, "name", "MIT", &tips, &e) == 0);
    CHECK_EQ_U64(s.out.len, 0);
    buf_init(&got);
    buf_room(&got, 1000);
    got.len = (size_t)read(fd[0], got.data, 1000);
    buf_release(&s.out);
    s.out = got;
    d = received(&s, 4 * 8 + 4);
    CHECK_EQ_U64(d.of.start.n_commits, 12);
    CHECK_EQ_U64(d.of.start.other_refs, 3);
    CHECK(d.of.start.replaced);
    CHECK_EQ_U64(d.of.start.license.n, 3);
    CHECK(memcmp(d.of.start.license.p, "MIT", 3) == 0);
    check_text(&d, "name");
    CHECK_EQ_U64(d.of.start.tips.n, 2 * DISPATCH_TIP_BYTES);
    CHECK_EQ_U64(load_u32(d.of.start.tips.p + DISPATCH_TIP_BYTES),
                 0x01020304);
    CHECK(memcmp(d.of.start.tips.p + DISPATCH_TIP_BYTES + 4, tip[1].id.b,
                 OID_BYTES) == 0);
    CHECK(dispatch_decode(&d, 'H', s.out.data + 5, s.out.len - 6, &e)
          == ERR_DATA);
    buf_release(&s.out);
    close(fd[0]);
    close(fd[1]);
}

TEST(authors_and_records_are_the_rest_of_the_frame)
{
    struct sender s = new_sender();
    struct dispatch d;
    struct err e;

    CHECK(dispatch_author(&s, 5, (struct span){ "A <a@b>", 7 }, &e) == 0);
    d = received(&s, 8);
    CHECK_EQ_U64(d.of.author.k, 5);
    check_text(&d, "A <a@b>");
    buf_reset(&s.out);
    dispatch_record_begin(&s);
    buf_addstr(&s.out, "record");
    CHECK(sender_end(&s, &e) == 0);
    d = received(&s, 0);
    check_text(&d, "record");
    buf_release(&s.out);
}

TEST(a_commit_counts_what_it_left_out)
{
    uint64_t skips[N_SKIPS];
    struct sender s = new_sender();
    struct dispatch d;
    struct err e;

    for (uint64_t i = 0; i < N_SKIPS; i++)
        skips[i] = i + 100;
    CHECK(dispatch_commit(&s, 9, skips, &e) == 0);
    d = received(&s, 8 + 8 * N_SKIPS);
    CHECK_EQ_U64(d.of.commit.ordinal, 9);
    CHECK(memcmp(d.of.commit.skips, skips, sizeof(skips)) == 0);
    buf_addc(&s.out, 0);
    CHECK(dispatch_decode(&d, 'C', s.out.data + 5, s.out.len - 5, &e)
          == ERR_DATA);
    buf_release(&s.out);
}

TEST(what_was_lost_is_told)
{
    struct sender s = new_sender();
    struct dispatch d;
    struct oid oid;
    struct err e;

    memset(oid.b, 3, OID_BYTES);
    CHECK(dispatch_lost(&s, &oid, 12, "a blob", &e) == 0);
    d = received(&s, OID_BYTES + 8);
    CHECK(memcmp(d.of.lost.commit, oid.b, OID_BYTES) == 0);
    CHECK_EQ_U64(d.of.lost.n, 12);
    check_text(&d, "a blob");
    buf_release(&s.out);
}

TEST(what_went_wrong_is_told)
{
    struct err why = { .code = ERR_LIMIT, .text = "too much" }, e;
    struct sender s = new_sender();
    struct dispatch d;
    struct oid oid;

    memset(oid.b, 3, OID_BYTES);
    CHECK(dispatch_bad(&s, &oid, true, "missing", &e) == 0);
    d = received(&s, OID_BYTES + 8);
    CHECK(memcmp(d.of.bad.commit, oid.b, OID_BYTES) == 0);
    CHECK(d.of.bad.cut);
    check_text(&d, "missing");
    buf_reset(&s.out);
    CHECK(dispatch_error(&s, &why, &e) == 0);
    d = received(&s, 8);
    CHECK(d.of.error.code == ERR_LIMIT);
    check_text(&d, "too much");
    /* no code of ours, and no kind */
    store_u64(s.out.data + 5, 7);
    CHECK(dispatch_decode(&d, 'E', s.out.data + 5, 8, &e) == ERR_DATA);
    store_u64(s.out.data + 5, 0);
    CHECK(dispatch_decode(&d, 'E', s.out.data + 5, 8, &e) == ERR_DATA);
    CHECK(dispatch_decode(&d, 'X', s.out.data + 5, 8, &e) == ERR_DATA);
    CHECK_STR(e.text, "the reader sent nonsense");
    buf_release(&s.out);
}

static const struct test tests[] = {
    RUN(a_start_has_its_name_and_tips),
    RUN(authors_and_records_are_the_rest_of_the_frame),
    RUN(a_commit_counts_what_it_left_out), RUN(what_was_lost_is_told),
    RUN(what_went_wrong_is_told),
};

TEST_MAIN("dispatch", tests)
