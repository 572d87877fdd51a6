/* validation.c - two counters of evaluations that brought nothing. */
#include "train/validation.h"

#include <math.h>

#define GAIN 1e-4 /* of the loss: less is none */

static void
take_plateau(struct validation *v, const struct validation_opts *o,
             double loss)
{
    if (isfinite(loss)
        && (!v->plateau_seen || loss < v->plateau_best * (1 - GAIN))) {
        v->plateau_seen = 1;
        v->plateau_best = loss;
        v->plateau_bad = 0;
    } else if (++v->plateau_bad > o->plateau_patience) {
        v->plateau_bad = 0;
        v->plateau_cuts++;
    }
}

bool
validation_take(struct validation *v, const struct validation_opts *o,
                uint64_t step, double loss)
{
    if (step == 0) {
        v->has_first = isfinite(loss);
        v->first = v->has_first ? loss : 0;
        return false;
    }
    if (o->plateau)
        take_plateau(v, o, loss);
    if (isfinite(loss) && (v->best_step == 0 || loss < v->best)) {
        v->best = loss;
        v->best_step = step;
        v->worse = 0;
        return true;
    }
    v->worse++;
    v->over = o->patience > 0 && v->worse >= o->patience;
    return false;
}
