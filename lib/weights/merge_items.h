/* merge_items.h - what becomes of each tensor of a base that is merged, in
 * whatever file it is written; private to merge*.c.
 */
#ifndef WEIGHTS_MERGE_ITEMS_H
#define WEIGHTS_MERGE_ITEMS_H

#include "weights/merge.h"
#include "weights/merge_tensor.h"

struct merger {
    const struct merge_opts *o;
    unsigned dtype;            /* of all floats, or DTYPE_NONE */
    struct merge_tensor *item; /* by index of the base's items; then head */
    struct weight head;        /* of an untied one that the base has not: as
                                  the embedding, but for its name */
    size_t n;                  /* items, with it */
    struct merge_counts *counts;
    uint64_t bytes;            /* of what was written */
};

/* Sets x->dtype, and x->item, which the caller frees, as a model directory has
 * them; the rest of x is there. ERR_DATA as merge_write. */
int merge_items(struct merger *x, struct err *e);

/* The item of that name. NULL: a tied head's, which is the embedding's. */
struct merge_tensor *merge_item(const struct merger *x, const char *name);

#endif
