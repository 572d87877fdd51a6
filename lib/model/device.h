/* device.h - from what a user says to a back end. */
#ifndef MODEL_DEVICE_H
#define MODEL_DEVICE_H

#include "kernels/ops.h"

/* What there is to choose from, for help. */
#define DEVICE_NAMES "auto|cpu|cuda[:N]"
#define COMPUTE_TYPES "f32|bf16"

/* The CUDA back end, beside the program that opens it. */
#define CUDA_PLUGIN "graft-cuda.so"

struct device_opts {
    const char *name;    /* of DEVICE_NAMES */
    const char *compute; /* of COMPUTE_TYPES: what products compute in */
    bool plan;           /* nothing will be computed */
};

/* Opens the back end that is meant. "cuda" is the first card, "cuda:N" card
 * N; "auto" is a card where the plugin is there and finds one, else the
 * processor, and a line says so where only the card is missing. ERR_USAGE for
 * a name that is none and for what this machine can't do, ERR_IO for a card,
 * a driver or a plugin that is not there or not what it should be; both with
 * advice. To plan, one that is not there will do: *b is what it would be, with
 * prepare NULL, and a line says why. */
int device_open(struct backend *b, const struct device_opts *o,
                struct err *e);

/* NULL members, of a struct that was never opened, are nothing to close. */
void device_close(struct backend *b);

#endif
