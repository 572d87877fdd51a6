/* divergence.c - two passes over the logits: the maxima, then the sums. */
#include "eval/divergence.h"

#include <math.h>

/* The first of the largest; n where one of them is not finite. */
static uint32_t
find_top(const double *x, uint32_t n)
{
    uint32_t top = 0;

    for (uint32_t i = 0; i < n; i++) {
        if (!isfinite(x[i]))
            return n;
        if (x[i] > x[top])
            top = i;
    }
    return top;
}

struct divergence
divergence_of(const double *p, const double *q, uint32_t n, uint32_t target)
{
    uint32_t top_p = find_top(p, n), top_q = find_top(q, n);
    double sum_p = 0, sum_q = 0, sum = 0, kl;

    if (top_p == n || top_q == n)
        return (struct divergence){ .bad = top_p == n ? 1 : 2 };
    for (uint32_t i = 0; i < n; i++) {
        double a = p[i] - p[top_p], b = q[i] - q[top_q], weight = exp(a);

        sum_p += weight;
        sum_q += exp(b);
        if (weight > 0)
            sum += weight * (a - b);
    }
    kl = sum / sum_p - (log(sum_p) - log(sum_q));
    return (struct divergence){
        .loss = { log(sum_p) - (p[target] - p[top_p]),
                  log(sum_q) - (q[target] - q[top_q]) },
        .kl = kl > 0 ? kl : 0, .same_top = top_p == top_q
    };
}

double
quantile(const double *v, uint64_t n, double share)
{
    double at;
    uint64_t low;

    if (n == 0)
        return NAN;
    at = share * (double)(n - 1);
    low = (uint64_t)at;
    if (low + 1 >= n)
        return v[n - 1];
    return v[low] + (at - (double)low) * (v[low + 1] - v[low]);
}
