/* device.h - from what a user says to a back end. */
#ifndef MODEL_DEVICE_H
#define MODEL_DEVICE_H

#include "kernels/ops.h"

struct device_opts {
    const char *name;    /* "auto" or "cpu" */
    const char *compute; /* what products compute in: "f32" or "bf16" */
};

/* Opens the back end that is meant; ERR_USAGE, with advice, when this machine
 * has none that can do it. */
int device_open(struct backend *b, const struct device_opts *o,
                struct err *e);
void device_close(struct backend *b);

#endif
