/* packer.c - the packing order: every position once an epoch, rows never
 * overfull, and a cursor that resumes exactly. */
#include "data/packer.h"

#include <stdlib.h>

#include "base/mem.h"
#include "test.h"
#include "train/schedule.h"

#define N_RECORDS 3000
#define SEQ_LEN 50

static void
fill_lengths(uint32_t *len, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        len[i] = i * 7919 % 120; /* 0 to 119: some empty, some in slices */
}

TEST(an_epoch_holds_every_position_once)
{
    static uint32_t len[N_RECORDS];
    uint8_t *seen = mem_array(N_RECORDS, 120);
    uint64_t rows, want = 0, got = 0;
    struct packer p;

    fill_lengths(len, N_RECORDS);
    for (int i = 0; i < N_RECORDS; i++)
        want += len[i] > 0 ? len[i] - 1 : 0;
    rows = packer_count(len, N_RECORDS, SEQ_LEN, 5, 0);
    packer_init(&p, len, N_RECORDS, SEQ_LEN, 5);
    for (uint64_t r = 0; r < rows; r++) {
        size_t n;
        const struct slice *q = packer_row(&p, &n);
        uint32_t used = 0;

        CHECK_EQ_U64(p.at.epoch, 0);
        for (size_t i = 0; i < n; i++) {
            used += q[i].n;
            for (uint32_t k = 0; k < q[i].n; k++)
                CHECK(seen[q[i].record * 120 + q[i].at + k]++ == 0);
        }
        CHECK(used > 0 && used <= SEQ_LEN);
        got += used;
    }
    CHECK_EQ_U64(got, want);
    CHECK(rows * SEQ_LEN < want * 11 / 10); /* little padding */
    packer_release(&p);
    free(seen);
}

TEST(a_cursor_resumes_anywhere)
{
    static uint32_t len[N_RECORDS];
    struct packer p, q;

    fill_lengths(len, N_RECORDS);
    packer_init(&p, len, N_RECORDS, SEQ_LEN, 5);
    packer_init(&q, len, N_RECORDS, SEQ_LEN, 5);
    for (int i = 0; i < 9000; i++) {
        struct cursor_row at = p.at;
        size_t n, k;
        const struct slice *a = packer_row(&p, &n), *b;

        if (i % 97 != 0)
            continue;
        packer_seek(&q, at);
        b = packer_row(&q, &k);
        CHECK_EQ_U64(n, k);
        CHECK(memcmp(a, b, n * sizeof(*a)) == 0);
        CHECK(memcmp(&p.at, &q.at, sizeof(p.at)) == 0);
    }
    CHECK(p.at.epoch > 1);
    packer_release(&p);
    packer_release(&q);
}

TEST(epochs_and_seeds_differ)
{
    static uint32_t len[N_RECORDS];
    struct slice first[3];
    struct packer p;
    size_t n;

    fill_lengths(len, N_RECORDS);
    for (int i = 0; i < 3; i++) {
        packer_init(&p, len, N_RECORDS, SEQ_LEN, i == 2 ? 6 : 5);
        packer_seek(&p, (struct cursor_row){ i == 1, 0, 0 });
        first[i] = *packer_row(&p, &n);
        packer_release(&p);
    }
    CHECK(memcmp(&first[0], &first[1], sizeof(first[0])) != 0);
    CHECK(memcmp(&first[0], &first[2], sizeof(first[0])) != 0);
}

TEST(records_without_a_position_give_no_rows)
{
    static const uint32_t len[3] = { 0, 1, 1 };
    struct packer p;
    size_t n = 9;

    packer_init(&p, len, 3, SEQ_LEN, 1);
    CHECK(packer_row(&p, &n) == NULL);
    CHECK_EQ_U64(n, 0);
    packer_release(&p);
}

TEST(rates_follow_their_schedule)
{
    CHECK(schedule_rate(SCHEDULE_CONSTANT, 2, 0, 0, 4, 100) == 0.5);
    CHECK(schedule_rate(SCHEDULE_CONSTANT, 2, 0, 3, 4, 100) == 2);
    CHECK(schedule_rate(SCHEDULE_CONSTANT, 2, 0, 99, 4, 100) == 2);
    CHECK(schedule_rate(SCHEDULE_LINEAR, 2, 0, 0, 0, 101) == 2);
    CHECK(schedule_rate(SCHEDULE_LINEAR, 2, 0, 50, 0, 101) == 1);
    CHECK(schedule_rate(SCHEDULE_LINEAR, 2, 0.5, 100, 0, 101) == 1);
    CHECK(schedule_rate(SCHEDULE_COSINE, 2, 0, 50, 0, 101) - 1 < 1e-12);
    CHECK(schedule_rate(SCHEDULE_COSINE, 2, 0, 100, 0, 101) < 1e-12);
    CHECK(schedule_rate(SCHEDULE_COSINE, 2, 0.1, 500, 0, 101) - 0.2
          < 1e-12);
}

static const struct test tests[] = {
    RUN(an_epoch_holds_every_position_once),
    RUN(a_cursor_resumes_anywhere),
    RUN(epochs_and_seeds_differ),
    RUN(records_without_a_position_give_no_rows),
    RUN(rates_follow_their_schedule),
};

TEST_MAIN("packer", tests)
