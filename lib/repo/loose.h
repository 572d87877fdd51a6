/* loose.h - loose objects, read without libgit2.
 *
 * libgit2 1.5.1 writes past its buffer when a loose object's header gives a
 * size below that of its body, and never returns from a truncated one.
 */
#ifndef REPO_LOOSE_H
#define REPO_LOOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "repo/oid.h"

/* *found is false, with result 0, if dir has no such loose object. Of an
 * object over max bytes only type and size are given, *data is NULL. Else
 * *data is allocated and ends in a NUL beyond size; that it hashes to id is
 * not checked. ERR_DATA if it is damaged or not a plain file. */
int loose_read(const char *dir, const struct oid *id, uint64_t max,
               bool *found, int *type, uint64_t *size, char **data,
               struct err *e);

/* Calls fn for every id in dir that begins with the n hex digits, n >= 2;
 * whether there is an object is not looked at. */
void loose_prefix(const char *dir, const char *hex, size_t n,
                  void (*fn)(void *ctx, const struct oid *id), void *ctx);

#endif
