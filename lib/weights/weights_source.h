/* weights_source.h - what is behind an opened base; private to weights*.c. */
#ifndef WEIGHTS_WEIGHTS_SOURCE_H
#define WEIGHTS_WEIGHTS_SOURCE_H

#include "stream/set.h"
#include "tensor/modeldir.h"
#include "weights/weights.h"

struct weights_source {
    struct modeldir dir; /* one of the two is in use */
    struct set *set;
    void **copy; /* tensors that were not aligned in their file */
    size_t n_copies;
    size_t cap;  /* of item */
};

/* Appends a tensor, copied if its data is not aligned. */
int weights_add(struct weights *w, struct weight *t, struct err *e);
void weights_add_asset(struct weights *w, const char *name, const void *data,
                       size_t n);

/* Fills w, whose path and source are there, from a set. */
int weights_open_set(struct weights *w, struct err *e);

#endif
