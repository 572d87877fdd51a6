/* watch.h - the page that a reading child shares with its parent.
 *
 * The child writes what it is about to touch before it touches it, so the
 * parent of a child that was killed or hangs can name the object. Only the
 * child writes; the parent reads it racily while the child lives, exactly
 * once it is dead.
 */
#ifndef REPO_WATCH_H
#define REPO_WATCH_H

#include <stdint.h>

#include "repo/oid.h"

struct watch {
    volatile uint64_t ticks;     /* grows with every object read */
    volatile uint32_t reading;   /* an object is being read: object */
    volatile uint32_t has_commit;
    struct oid object;
    struct oid commit;           /* the commit whose records are made */
    uint64_t ordinal;            /* and its ordinal, if has_commit */
};

#endif
