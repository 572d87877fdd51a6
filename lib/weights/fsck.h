/* fsck.h - the fsck of a base: what `verify` does with one. */
#ifndef WEIGHTS_FSCK_H
#define WEIGHTS_FSCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "weights/weights.h"

struct base_report {
    char model_type[32];
    uint64_t params; /* of the model that config.json describes */
    size_t tensors;  /* in the base */
    size_t unused;   /* of them not part of the model: buffers and the like */
    uint64_t bytes;  /* of all tensors with their scales */
};

/* Reads all of a base, a model directory or a shard set: its hashes where it
 * has them (and they were not checked already), its config, every tensor the
 * config asks for with type and shape, every float for NaN and infinity
 * (tensor and index are named). ERR_DATA at the first thing that is wrong. */
int base_check(struct base_report *r, const char *path, bool hashes,
               struct err *e);

/* The first element of t that is not finite, or whose scale is not; false
 * when there is none. *value is what it is. */
bool weight_bad(const struct weight *t, uint64_t *index, float *value);

#endif
