/* lr_find.h - the learning rate range test (Smith, arXiv:1506.01186): steps
 * whose rate rises geometrically, and what their losses say of it. */
#ifndef TRAIN_LR_FIND_H
#define TRAIN_LR_FIND_H

#include "train/trainer.h"

#define LR_FIND_FROM 1e-6
#define LR_FIND_TO 1.0
#define LR_FIND_STEPS 100

struct lr_point {
    double lr, loss;
    double smooth; /* exponential mean of the losses so far, 0.98, without
                      bias: loss i counts 0.98^(n - i) */
};

struct lr_curve {
    struct lr_point *point;
    size_t n;
    bool diverged;   /* it ended before its last step: the loss was not
                        finite, or its mean over 4 times the least */
    bool stopped;    /* somebody asked for that: the rest says nothing */
    double steepest; /* rate at which the mean fell most, by the logarithm of
                        the rate; NAN where it never fell */
    double tenth;    /* of the rate where the mean was least; as above */
};

/* Takes steps from where the trainer is, whose parameters are of no use
 * afterwards. ERR_AGAIN when it was asked to stop: *c has what was taken. On
 * another failure *c is released. */
int lr_find(struct lr_curve *c, struct trainer *t, uint64_t steps,
            struct err *e);

/* The smoothing and what follows from it, with lr and loss of n points
 * there; they are cut where the curve diverges. */
void lr_curve_read(struct lr_curve *c);

/* An object a point, then, unless it was stopped, one with steepest, tenth and
 * diverged: JSON lines. */
void lr_curve_json(const struct lr_curve *c, struct buf *b);

void lr_curve_release(struct lr_curve *c);

#endif
