/* mean_loss.c - the interval of a mean loss: by its definition, and by how
 * often it holds the truth. */
#include "eval/mean_loss.h"

#include <math.h>

#include "base/rng.h"
#include "test.h"

#define MAX_RECORDS 20000

/* Records in commits: commit g has the records of its size, one after the
 * other. */
struct sample {
    struct record_loss loss[MAX_RECORDS];
    uint32_t cluster[MAX_RECORDS];
    uint64_t n;
};

static void
add_record(struct sample *s, uint32_t cluster, uint64_t tokens, double mean)
{
    s->loss[s->n] = (struct record_loss){ mean * (double)tokens, tokens };
    s->cluster[s->n++] = cluster;
}

static bool
near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * (fabs(a) + fabs(b));
}

/* k clusters of one token each with the values 0, 1, ...: the half width is
 * t times the standard deviation over the root of k. Values of t from tables.
 */
TEST(t_is_that_of_the_tables)
{
    static const struct {
        uint32_t df;
        double t;
    } table[] = {
        { 1, 12.70620474 }, { 2, 4.302652730 }, { 3, 3.182446305 },
        { 4, 2.776445105 }, { 5, 2.570581836 }, { 9, 2.262157163 },
        { 10, 2.228138852 }, { 29, 2.045229642 }, { 30, 2.042272456 },
        { 60, 2.000297822 }, { 99, 1.984216952 }, { 100, 1.983971519 },
        { 199, 1.971956544 }, { 200, 1.971896224 }, { 1000, 1.962339081 },
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct record_loss r[1001];
        uint32_t k = table[i].df + 1;
        double sd = sqrt(k * (k + 1) / 12.0), t;

        for (uint32_t j = 0; j < k; j++)
            r[j] = (struct record_loss){ j, 1 };
        t = mean_of(r, NULL, k).half / sd * sqrt(k);
        if (!CHECK(fabs(t - table[i].t) < 2e-9 * table[i].t))
            printf("  %u degrees: %.10g, expected %.10g\n", table[i].df, t,
                   table[i].t);
    }
}

/* A few commits of very different sizes, records interleaved. */
static void
make_uneven(struct sample *s, struct rng *r)
{
    s->n = 0;
    for (uint32_t i = 0; i < 300; i++) {
        uint32_t g = (uint32_t)(rng_double(r) * rng_double(r) * 6);

        add_record(s, g, rng_below(r, 40), 2 + g + rng_normal(r));
    }
}

/* The mean without cluster `out`. */
static double
mean_without(const struct sample *s, uint32_t out)
{
    double sum = 0, n = 0;

    for (uint64_t i = 0; i < s->n; i++) {
        if (s->cluster[i] == out)
            continue;
        sum += s->loss[i].sum;
        n += (double)s->loss[i].n;
    }
    return sum / n;
}

TEST(the_variance_is_that_of_the_means_of_all_clusters_but_one)
{
    static struct sample s;
    struct mean_loss m;
    double var = 0, all;
    struct rng r;

    rng_init(&r, 5, 0);
    make_uneven(&s, &r);
    m = mean_of(s.loss, s.cluster, s.n);
    all = mean_without(&s, UINT32_MAX);
    for (uint32_t g = 0; g < 6; g++) {
        double d = mean_without(&s, g) - all;

        var += d * d;
    }
    CHECK_EQ_U64(m.clusters, 6);
    CHECK(near(m.mean, all));
    CHECK(near(m.half, 2.570581835636314 * sqrt(5.0 / 6 * var)));
}

TEST(where_clusters_are_equal_it_is_the_sandwich)
{
    static struct sample s;
    double sum[10] = { 0 }, var = 0;
    struct mean_loss m;
    struct rng r;

    rng_init(&r, 6, 0);
    s.n = 0;
    for (uint32_t i = 0; i < 100; i++) {
        add_record(&s, i % 10, 7, i % 10 + rng_normal(&r));
        sum[i % 10] += s.loss[i].sum;
    }
    m = mean_of(s.loss, s.cluster, s.n);
    for (int g = 0; g < 10; g++)
        var += (sum[g] - m.mean * 70) * (sum[g] - m.mean * 70);
    CHECK(near(m.half, 2.2621571627409915 * sqrt(10.0 / 9 * var) / 700));
}

TEST(without_clusters_each_record_is_its_own)
{
    static struct sample s;
    struct mean_loss a, b;
    struct rng r;

    rng_init(&r, 7, 0);
    make_uneven(&s, &r);
    a = mean_of(s.loss, NULL, s.n);
    for (uint64_t i = 0; i < s.n; i++)
        s.cluster[i] = (uint32_t)(s.n - 1 - i);
    b = mean_of(s.loss, s.cluster, s.n);
    CHECK(a.half > 0 && near(a.half, b.half));
    CHECK_EQ_U64(a.clusters, a.records);
}

TEST(one_cluster_or_no_token_has_no_interval)
{
    struct record_loss r[3] = { { 2, 1 }, { 9, 3 }, { 0, 0 } };
    uint32_t same[3] = { 0, 0, 0 }, apart[3] = { 0, 0, 2 };
    struct mean_loss m = mean_of(r, same, 3);

    CHECK(m.mean == 11 / 4.0 && isnan(m.half));
    CHECK_EQ_U64(m.clusters, 1);
    CHECK_EQ_U64(m.records, 2);
    m = mean_of(r, apart, 3); /* a record without a token is no cluster */
    CHECK(isnan(m.half));
    CHECK_EQ_U64(m.clusters, 1);
    m = mean_of(r + 2, NULL, 1);
    CHECK(isnan(m.mean) && isnan(m.half));
    CHECK_EQ_U64(m.clusters, 0);
    m = mean_of(NULL, NULL, 0);
    CHECK(isnan(m.mean) && isnan(m.half));
}

/* How many records commit g of a sample has. */
typedef uint64_t commit_size(struct rng *r, uint32_t g);

static uint64_t
equal_size(struct rng *r, uint32_t g)
{
    (void)r;
    (void)g;
    return 8;
}

/* As in histories: most commits are small, a few are very large. */
static uint64_t
uneven_size(struct rng *r, uint32_t g)
{
    (void)g;
    return (uint64_t)ceil(fmin(exp(1 + rng_normal(r)), 900));
}

/* One commit holds 10,000 records, the others three each. */
static uint64_t
giant_size(struct rng *r, uint32_t g)
{
    (void)r;
    return g == 0 ? 10000 : 3;
}

/* Draws commits whose records have a mean of 2 + an effect of the commit;
 * other[i] is the same with another model's, whose difference of 0.1 has an
 * effect of the commit, too. */
static void
draw(struct sample *s, struct record_loss *other, commit_size *size,
     uint32_t commits, struct rng *r)
{
    s->n = 0;
    for (uint32_t g = 0; g < commits; g++) {
        double own = 0.5 * rng_normal(r), change = 0.1 * rng_normal(r);

        for (uint64_t k = size(r, g); k-- > 0;) {
            uint64_t tokens = 20 + rng_below(r, 180);
            double mean = 2 + own + 0.3 * rng_normal(r);

            add_record(s, g, tokens, mean);
            other[s->n - 1] = (struct record_loss){
                (mean - 0.1 + change) * (double)tokens, tokens
            };
        }
    }
}

/* The part of many samples' intervals that hold the truth. */
struct coverage {
    double clustered, difference, records; /* records: as if independent */
};

static struct coverage
cover(commit_size *size, uint32_t commits, int samples)
{
    static struct record_loss other[MAX_RECORDS];
    static struct sample s;
    struct coverage c = { 0, 0, 0 };
    struct rng r;

    rng_init(&r, 8, commits);
    for (int i = 0; i < samples; i++) {
        struct mean_loss m, d, naive;

        draw(&s, other, size, commits, &r);
        m = mean_of(s.loss, s.cluster, s.n);
        d = mean_difference(other, s.loss, s.cluster, s.n);
        naive = mean_of(s.loss, NULL, s.n);
        c.clustered += fabs(m.mean - 2) <= m.half;
        c.difference += fabs(d.mean + 0.1) <= d.half;
        c.records += fabs(naive.mean - 2) <= naive.half;
    }
    c.clustered /= samples;
    c.difference /= samples;
    c.records /= samples;
    return c;
}

/* 2,000 samples tell a part of 0.95 to 0.01 (two standard errors). */
static void
check_coverage(commit_size *size, uint32_t commits, int samples, double low,
               double high)
{
    struct coverage c = cover(size, commits, samples);

    if (!CHECK(c.clustered > low && c.clustered < high)
        || !CHECK(c.difference > low && c.difference < high)
        || !CHECK(c.records < 0.7))
        printf("  %u commits: %.3f, difference %.3f, by records %.3f\n",
               commits, c.clustered, c.difference, c.records);
}

TEST(intervals_hold_the_truth_19_times_in_20)
{
    check_coverage(equal_size, 4, 2000, 0.93, 0.97);
    check_coverage(equal_size, 30, 2000, 0.93, 0.97);
    check_coverage(uneven_size, 10, 2000, 0.9, 0.97);
    check_coverage(uneven_size, 30, 2000, 0.92, 0.97);
    check_coverage(uneven_size, 100, 1000, 0.92, 0.97);
}

/* Nothing can tell how far off one commit is; but it may not seem sure. */
TEST(a_giant_commit_does_not_make_it_sure)
{
    check_coverage(giant_size, 6, 500, 0.8, 1);
}

/* Prompts of which the adapter gains and loses such parts, some of them twins
 * of one cluster: how often the interval holds the difference. */
static double
cover_pairs(uint32_t prompts, double gained, double lost, int samples)
{
    static struct record_loss with[MAX_RECORDS], base[MAX_RECORDS];
    static uint32_t cluster[MAX_RECORDS];
    struct rng r;
    int held = 0;

    rng_init(&r, 9, prompts);
    for (int i = 0; i < samples; i++) {
        uint64_t n = 0;
        struct share d;

        for (uint32_t g = 0; g < prompts; g++) {
            double u = rng_double(&r);

            for (uint32_t twin = g % 2 + 1; twin-- > 0; n++) {
                with[n] = (struct record_loss){ u < gained, 1 };
                base[n] = (struct record_loss){ u > 1 - lost, 1 };
                cluster[n] = g;
            }
        }
        d = share_difference(with, base, cluster, n);
        held += d.low <= gained - lost && gained - lost <= d.high
                && fabs(d.seen.mean - gained + lost) <= d.seen.half;
    }
    return (double)held / samples;
}

/* Also of few, all of which may be alike. */
TEST(intervals_of_shares_hold_the_truth_as_often_at_least)
{
    static const uint32_t prompts[] = { 2, 5, 10, 20, 50, 164 };
    static const double parts[][2] = { { 0.1, 0.02 }, { 0.3, 0.1 },
                                       { 0.9, 0 }, { 0, 0.05 } };

    for (size_t i = 0; i < 6; i++) {
        for (size_t k = 0; k < 4; k++) {
            double c = cover_pairs(prompts[i], parts[k][0], parts[k][1],
                                   1000);

            if (!CHECK(c > 0.93))
                printf("  %u prompts, gained %g, lost %g: %.3f\n", prompts[i],
                       parts[k][0], parts[k][1], c);
        }
    }
}

static const struct test tests[] = {
    RUN(t_is_that_of_the_tables),
    RUN(the_variance_is_that_of_the_means_of_all_clusters_but_one),
    RUN(where_clusters_are_equal_it_is_the_sandwich),
    RUN(without_clusters_each_record_is_its_own),
    RUN(one_cluster_or_no_token_has_no_interval),
    RUN(intervals_hold_the_truth_19_times_in_20),
    RUN(a_giant_commit_does_not_make_it_sure),
    RUN(intervals_of_shares_hold_the_truth_as_often_at_least),
};

TEST_MAIN("mean_loss", tests)
