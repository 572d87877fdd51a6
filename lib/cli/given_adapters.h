/* given_adapters.h - adapters as a user names them, DIR or DIR=WEIGHT, that
 * are taken as one.
 *
 * "=" and a number at the end are a weight; of a directory whose own name
 * ends so, "DIR/" or "DIR=1" is what to write.
 */
#ifndef CLI_GIVEN_ADAPTERS_H
#define CLI_GIVEN_ADAPTERS_H

#include <stddef.h>

#include "base/buf.h"
#include "weights/adapter.h"

struct given_adapter {
    char *path;    /* as given, without the weight */
    char *dir;     /* the adapter's: adapter_find */
    double weight;
};

struct given_adapters {
    struct given_adapter *item;
    size_t n;
};

/* What the n texts say, n > 0; every file of a run is compared with the run's
 * manifest. ERR_USAGE for a weight that is not finite; else as adapter_find
 * and rundir_verify. On failure *g is released. */
int given_adapters_find(struct given_adapters *g, const char *const *text,
                        size_t n, struct err *e);
void given_adapters_release(struct given_adapters *g);

/* Whether there is one, with the weight 1: an adapter as it is. */
bool given_adapters_plain(const struct given_adapters *g);

/* Reads them into what they add up to (adapter_combine), or into the one
 * there is; adapter_release is for the caller. That they name different bases
 * is warned of. */
int given_adapters_read(struct adapter *a, const struct given_adapters *g,
                        struct err *e);

/* Appends the content ids of their tensors, for provenance: "ID", and of more
 * than one "ID,ID=0.5", in their order. */
int given_adapters_ids(struct buf *b, const struct given_adapters *g,
                       struct err *e);

#endif
