/* packer.c - the packing order: every position once an epoch, rows never
 * overfull, and a cursor that resumes exactly. */
#include "data/packer.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "test.h"

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
    rows = packer_count(len, N_RECORDS, NULL, SEQ_LEN, 5, 0);
    packer_init(&p, len, N_RECORDS, NULL, SEQ_LEN, 5);
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
    packer_init(&p, len, N_RECORDS, NULL, SEQ_LEN, 5);
    packer_init(&q, len, N_RECORDS, NULL, SEQ_LEN, 5);
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
        packer_init(&p, len, N_RECORDS, NULL, SEQ_LEN, i == 2 ? 6 : 5);
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

    packer_init(&p, len, 3, NULL, SEQ_LEN, 1);
    CHECK(packer_row(&p, &n) == NULL);
    CHECK_EQ_U64(n, 0);
    packer_release(&p);
}

/* How often each record begins in an epoch, into count[N_RECORDS]. */
static void
count_draws(const struct draws *d, const uint32_t *len, uint64_t epoch,
            uint32_t *count)
{
    uint64_t rows = packer_count(len, N_RECORDS, d, SEQ_LEN, 5, epoch);
    struct packer p;

    memset(count, 0, N_RECORDS * sizeof(*count));
    packer_init(&p, len, N_RECORDS, d, SEQ_LEN, 5);
    packer_seek(&p, (struct cursor_row){ epoch, 0, 0 });
    while (rows-- > 0) {
        size_t n;
        const struct slice *q = packer_row(&p, &n);

        for (size_t i = 0; i < n; i++)
            count[q[i].record] += q[i].at == 0;
    }
    packer_release(&p);
}

/* The line for weights 0 to 4 and, of record 7, 100; returns their sum. */
static double
lay_line(uint64_t *end, double *w)
{
    double sum = 0, at = 0;

    for (uint32_t i = 0; i < N_RECORDS; i++) {
        w[i] = i == 7 ? 100 : i % 5;
        sum += w[i];
    }
    for (uint32_t i = 0; i < N_RECORDS; i++) {
        at += w[i];
        end[i] = (uint64_t)(at / sum * N_RECORDS * 0x1p32);
    }
    return sum;
}

TEST(a_record_is_drawn_as_often_as_it_weighs)
{
    static uint64_t end[N_RECORDS];
    static uint32_t len[N_RECORDS], count[N_RECORDS], sum[N_RECORDS];
    static double w[N_RECORDS];
    const struct draws d = { .end = end };
    double total = lay_line(end, w);
    uint64_t all = 0;

    for (uint32_t i = 0; i < N_RECORDS; i++)
        len[i] = 2 + i % 30;
    for (uint64_t epoch = 0; epoch < 400; epoch++) {
        count_draws(&d, len, epoch, count);
        for (uint32_t i = 0; i < N_RECORDS; i++) {
            double want = w[i] * N_RECORDS / total;

            CHECK(count[i] + 1e-6 >= floor(want));
            CHECK(count[i] <= ceil(want) + 1e-6);
            sum[i] += count[i];
            all += count[i];
        }
    }
    CHECK_EQ_U64(all, 400 * N_RECORDS);
    /* a share of 400 shifts: six standard deviations of at most 0.025 */
    for (uint32_t i = 0; i < N_RECORDS; i++)
        CHECK(fabs(sum[i] / 400.0 - w[i] * N_RECORDS / total) < 0.15);
}

TEST(equal_weights_leave_the_order_as_it_is)
{
    static uint64_t end[N_RECORDS];
    static uint32_t len[N_RECORDS];
    const struct draws d = { .end = end };
    struct packer p, q;

    fill_lengths(len, N_RECORDS);
    for (uint64_t i = 0; i < N_RECORDS; i++)
        end[i] = (i + 1) << 32;
    packer_init(&p, len, N_RECORDS, NULL, SEQ_LEN, 5);
    packer_init(&q, len, N_RECORDS, &d, SEQ_LEN, 5);
    for (int i = 0; i < 9000; i++) {
        size_t n, k;
        const struct slice *a = packer_row(&p, &n), *b = packer_row(&q, &k);

        CHECK_EQ_U64(n, k);
        CHECK(memcmp(a, b, n * sizeof(*a)) == 0);
    }
    packer_release(&p);
    packer_release(&q);
}

TEST(a_curriculum_is_of_the_first_epoch)
{
    static uint32_t len[N_RECORDS], record[N_RECORDS];
    const struct draws d = { NULL, record, .staged = true };
    uint32_t before = 0, late = 0, stage = N_RECORDS / PACK_STAGES;
    struct packer p;

    for (uint32_t i = 0; i < N_RECORDS; i++) {
        len[i] = 2 + i % 40;
        record[i] = N_RECORDS - 1 - i;
    }
    packer_init(&p, len, N_RECORDS, &d, SEQ_LEN, 5);
    while (p.at.epoch == 0) {
        uint64_t window = p.at.window;
        size_t n;
        const struct slice *q = packer_row(&p, &n);

        for (size_t i = 0; p.at.epoch == 0 && i < n; i++) {
            uint32_t place = N_RECORDS - 1 - (uint32_t)q[i].record;

            before += p.at.window == window && place / stage == window;
            late += p.at.window == window && place / stage != window;
        }
    }
    CHECK(before > N_RECORDS * 3 / 4);
    CHECK_EQ_U64(late, 0);
    for (int i = 0; i < 20; i++) { /* not in order any more */
        size_t n;
        const struct slice *q = packer_row(&p, &n);

        late += N_RECORDS - 1 - q[0].record >= stage;
    }
    CHECK(late > 0);
    packer_release(&p);
}

static const struct test tests[] = {
    RUN(an_epoch_holds_every_position_once),
    RUN(a_cursor_resumes_anywhere),
    RUN(epochs_and_seeds_differ),
    RUN(records_without_a_position_give_no_rows),
    RUN(a_record_is_drawn_as_often_as_it_weighs),
    RUN(equal_weights_leave_the_order_as_it_is),
    RUN(a_curriculum_is_of_the_first_epoch),
};

TEST_MAIN("packer", tests)
