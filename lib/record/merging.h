/* merging.h - the sets that another one is made of: their splits and their
 * rules of sampling.
 */
#ifndef RECORD_MERGING_H
#define RECORD_MERGING_H

#include "stream/manifest.h"

struct merging {
    struct manifest *set; /* n of them, in the order of the paths */
    size_t n;             /* 0: the input is no set */
};

/* Reads the manifests of n paths. A single one need not be a set; of several
 * one that is none is ERR_USAGE. On failure *g is released. */
int merging_open(struct merging *g, char *const *path, size_t n,
                 struct err *e);
void merging_release(struct merging *g);

/* The rules that all of them have, which live as long as *g; ERR_USAGE where
 * they have different ones. */
int merging_rules(const struct merging *g, const char *const **rule,
                  size_t *n, struct err *e);

#endif
