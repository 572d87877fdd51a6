/* aside.h - a file that a program writes besides stdout: that it takes the
 * place of nothing that the same run reads or writes. */
#ifndef CLI_ASIDE_H
#define CLI_ASIDE_H

#include <stddef.h>

#include "base/err.h"

/* Looks, before any work, at the path that `option` named. ERR_USAGE where it
 * is "-" or the file that stdout goes to; ERR_EXISTS where it is what is read:
 * stdin, one of the n inputs (NULL: none) or a file in one that is a
 * directory; and what out_check refuses. */
int aside_check(const char *option, const char *path,
                const char *const *input, size_t n, struct err *e);

#endif
