/* losses.h - what could not be read, where that is to be borne. Private to
 * lib/repo.
 */
#ifndef REPO_LOSSES_H
#define REPO_LOSSES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct losses {
    bool borne;       /* else the first one is the end */
    uint64_t n;       /* paths and directories */
    struct err first; /* of them */
};

/* Whether a failed call may be passed over: it was about one object, whose
 * loss is counted. */
static inline bool
losses_bear(struct losses *l, int rc, const struct err *e)
{
    if (!l->borne || (rc != ERR_DATA && rc != ERR_LIMIT))
        return false;
    if (l->n++ == 0)
        l->first = *e;
    return true;
}

/* What was lost since there were `before` was one path. */
static inline void
losses_are_one(struct losses *l, uint64_t before)
{
    if (l->n > before)
        l->n = before + 1;
}

#endif
