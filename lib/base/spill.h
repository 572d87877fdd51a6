/* spill.h - a table that may outgrow memory: a file without a name, mapped.
 *
 * Its pages are the page cache's: the kernel writes them out and takes them
 * back when memory is wanted for something else, so what a process must have
 * does not grow with the table. The file has no name from the start, so
 * nothing stays behind, however the process ends. Room on the disk is taken
 * before it is used: a full disk is an error and not a signal.
 */
#ifndef BASE_SPILL_H
#define BASE_SPILL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct spill {
    int fd;
    uint8_t *p;  /* size bytes; moves when it grows */
    size_t size;
    char *dir;   /* for messages */
};

/* An empty one, in that directory. ERR_IO. */
int spill_open(struct spill *s, const char *dir, struct err *e);
void spill_release(struct spill *s); /* also of one that is all zero */

/* Makes it n bytes at least, by doubling; new ones are zero. ERR_IO, *s is
 * then as it was. */
int spill_room(struct spill *s, size_t n, struct err *e);

#endif
