/* par.h - the one parallel construct.
 *
 * par_for runs fn(ctx, i, worker) for 0 <= i < n on par_threads() workers.
 * Which worker runs an item is not fixed: an item may write only what is its
 * own, and scratch indexed by worker may not carry anything between items,
 * so results do not depend on the number of threads. Not reentrant: fn may
 * not call par_for.
 */
#ifndef BASE_PAR_H
#define BASE_PAR_H

#include <stddef.h>

/* n = 0: the processors this process may use. */
void par_set_threads(int n);
int par_threads(void);
void par_for(size_t n, void (*fn)(void *ctx, size_t i, int worker), void *ctx);

/* The same, beside which the caller's thread first runs own(ctx): reading and
 * writing, which want order and that thread (signals, the progress line). The
 * items must not touch what own does. By one thread: own, then the items. A
 * par_for that own calls runs on its thread alone: the others have items. */
void par_for_beside(size_t n,
                    void (*fn)(void *ctx, size_t i, int worker),
                    void (*own)(void *ctx), void *ctx);

#endif
