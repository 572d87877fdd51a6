/* room.h - how much memory this process may still take.
 *
 * Two questions with an answer each. What may become resident is bounded by
 * the machine (MemAvailable) and by every control group above the process
 * (memory.max of version 2, memory.limit_in_bytes of version 1), less what is
 * in use there; the pages of files count as free, as they do in MemAvailable,
 * because the kernel takes them back before it kills anybody. What may be
 * mapped is bounded by RLIMIT_AS and RLIMIT_DATA, less what is mapped. Swap is
 * not counted. What can't be read bounds nothing.
 */
#ifndef BASE_ROOM_H
#define BASE_ROOM_H

#include <stdint.h>

struct room_bound {
    uint64_t bytes;  /* UINT64_MAX: nothing bounds it */
    char by[256];    /* what does: a file of /proc or of a control group, or
                        the limit's name with the shell's */
};

struct room {
    struct room_bound resident, mapped;
    uint64_t held;   /* bytes resident that are the process's alone */
};

/* Measures for this process. root is put before /proc and before the mount
 * points of control groups: "" but in tests. */
void room_measure(struct room *r, const char *root);

#endif
