/* trend.c - means and products that are updated one by one, and forget. */
#include "train/trend.h"

#include <math.h>

void
trend_take(struct trend *t, uint64_t tokens, double loss)
{
    double w = (double)tokens, all = t->tokens + w, kept, x, y, dx, dy;

    if (tokens == 0)
        return;
    kept = t->tokens / all * (t->tokens / all);
    t->tokens = all;
    t->weight *= kept;
    t->xx *= kept;
    t->xy *= kept;
    if (!(loss > 0) || !isfinite(loss))
        return;
    x = log(all);
    y = log(loss);
    dx = x - t->x;
    dy = y - t->y;
    t->weight += w;
    t->x += w / t->weight * dx;
    t->y += w / t->weight * dy;
    t->xx += w * dx * (x - t->x);
    t->xy += w * dx * (y - t->y);
    t->n++;
}

double
trend_at(const struct trend *t, double tokens)
{
    if (t->n < TREND_FIRST || !(t->xx > 0) || !(tokens > 0))
        return NAN;
    return exp(t->y + t->xy / t->xx * (log(tokens) - t->x));
}
