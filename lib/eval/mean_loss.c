/* mean_loss.c - sums by cluster, the jackknife over them, and Student's t. */
#include "eval/mean_loss.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"

#define PI 3.14159265358979323846
#define Z_95 1.959963984540054

/* The probability that Student's t with n degrees of freedom, n >= 1, lies
 * within -t and t (Abramowitz and Stegun, 26.7.3 and 26.7.4). */
static double
student_within(double t, uint64_t n)
{
    double cos2 = (double)n / ((double)n + t * t), sum = 0, term;
    bool odd = n % 2 == 1;

    term = odd ? sqrt(cos2) : 1;
    for (uint64_t k = odd ? 3 : 2; k <= n; k += 2) {
        sum += term;
        term *= cos2 * (double)(k - 1) / (double)k;
    }
    sum *= sqrt(1 - cos2);
    return odd ? (atan(t / sqrt((double)n)) + sum) * 2 / PI : sum;
}

/* The t that 95% lie within; from 200 degrees on by its expansion about the
 * normal distribution (26.7.5), which is then right to ten digits. */
static double
student_95(uint64_t n)
{
    double low = Z_95, high = 13, z = Z_95, z2 = z * z, d = (double)n;

    if (n >= 200)
        return z + z * (z2 + 1) / (4 * d)
               + z * ((5 * z2 + 16) * z2 + 3) / (96 * d * d)
               + z * (((3 * z2 + 19) * z2 + 17) * z2 - 15)
                 / (384 * d * d * d);
    for (int i = 0; i < 60; i++) {
        double t = (low + high) / 2;

        if (student_within(t, n) < 0.95)
            low = t;
        else
            high = t;
    }
    return low;
}

/* The records' losses by cluster, to be freed. */
static struct record_loss *
sum_clusters(const struct record_loss *r, const uint32_t *cluster, uint64_t n)
{
    struct record_loss *sum = mem_array(n, sizeof(*sum));

    for (uint64_t i = 0; i < n; i++) {
        struct record_loss *c = &sum[cluster ? cluster[i] : i];

        c->sum += r[i].sum;
        c->n += r[i].n;
    }
    return sum;
}

/* The mean of n clusters; records aren't counted. */
static struct mean_loss
jackknife(const struct record_loss *c, uint64_t n)
{
    struct mean_loss m = { NAN, NAN, 0, 0, 0 };
    double sum = 0, var = 0, k;

    for (uint64_t i = 0; i < n; i++) {
        sum += c[i].sum;
        m.tokens += c[i].n;
        m.clusters += c[i].n > 0;
    }
    if (m.tokens > 0)
        m.mean = sum / (double)m.tokens;
    for (uint64_t i = 0; i < n && m.clusters > 1; i++) {
        double d = (c[i].sum - m.mean * (double)c[i].n)
                   / (double)(m.tokens - c[i].n);

        var += d * d;
    }
    k = (double)m.clusters;
    if (m.clusters > 1)
        m.half = student_95(m.clusters - 1) * sqrt((k - 1) / k * var);
    return m;
}

struct mean_loss
mean_of(const struct record_loss *r, const uint32_t *cluster, uint64_t n)
{
    struct record_loss *c = sum_clusters(r, cluster, n);
    struct mean_loss m = jackknife(c, n);

    for (uint64_t i = 0; i < n; i++)
        m.records += r[i].n > 0;
    free(c);
    return m;
}

/* a - b of each record, to be freed. */
static struct record_loss *
differences(const struct record_loss *a, const struct record_loss *b,
            uint64_t n)
{
    struct record_loss *d = mem_array(n, sizeof(*d));

    for (uint64_t i = 0; i < n; i++) {
        d[i].sum = a[i].sum - b[i].sum;
        d[i].n = a[i].n;
    }
    return d;
}

struct mean_loss
mean_difference(const struct record_loss *a, const struct record_loss *b,
                const uint32_t *cluster, uint64_t n)
{
    struct record_loss *d = differences(a, b, n);
    struct mean_loss m = mean_of(d, cluster, n);

    free(d);
    return m;
}

/* mean_of with `each` clusters of the mean size added at either end of what
 * the mean can be, from least to 1. */
static struct share
share_within(const struct record_loss *r, const uint32_t *cluster, uint64_t n,
             double least, int each)
{
    struct share s = { mean_of(r, cluster, n), NAN, NAN };
    struct record_loss *c;
    struct mean_loss m;
    uint64_t size, all = n;

    if (s.seen.clusters < 2)
        return s;
    size = (s.seen.tokens + s.seen.clusters / 2) / s.seen.clusters;
    c = mem_grow(sum_clusters(r, cluster, n),
                 (n + 2 * (uint64_t)each) * sizeof(*c));
    for (int i = 0; i < each; i++) {
        c[all++] = (struct record_loss){ least * (double)size, size };
        c[all++] = (struct record_loss){ (double)size, size };
    }
    m = jackknife(c, all);
    free(c);
    s.low = fmax(m.mean - m.half, least);
    s.high = fmin(m.mean + m.half, 1);
    s.seen.half = fmax(s.seen.mean - s.low, s.high - s.seen.mean);
    return s;
}

struct share
share_mean(const struct record_loss *r, const uint32_t *cluster, uint64_t n)
{
    return share_within(r, cluster, n, 0, 2);
}

struct share
share_difference(const struct record_loss *a, const struct record_loss *b,
                 const uint32_t *cluster, uint64_t n)
{
    struct record_loss *d = differences(a, b, n);
    struct share s = share_within(d, cluster, n, -1, 1);

    free(d);
    return s;
}
