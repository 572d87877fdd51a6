/* device.h - from what a user says to a back end. */
#ifndef MODEL_DEVICE_H
#define MODEL_DEVICE_H

#include "kernels/ops.h"

/* What there is to choose from, as the choices of an option. */
#define DEVICE_NAMES "auto|cpu"
#define COMPUTE_TYPES "f32|bf16"

struct device_opts {
    const char *name;    /* of DEVICE_NAMES */
    const char *compute; /* of COMPUTE_TYPES: what products compute in */
};

/* Opens the back end that is meant; ERR_USAGE, with advice, when this machine
 * has none that can do it. */
int device_open(struct backend *b, const struct device_opts *o,
                struct err *e);
void device_close(struct backend *b);

#endif
