/* set_dir.h - the directory of a set that is being made: what may be in it,
 * and what is removed from it; private to lib/stream.
 */
#ifndef STREAM_SET_DIR_H
#define STREAM_SET_DIR_H

#include "stream/manifest.h"

/* The directory, made (*made) or found; ERR_EXISTS for anything that is none.
 * One that is not there is registered, before it is made, for removal while it
 * is empty: it is its maker's alone once that one has locked it. */
int set_dir_make(const char *dir, bool *made, struct err *e);

/* That a directory that was there holds a set, or nothing of others:
 * ERR_EXISTS. That a manifest can't be read is an error of its own. replace:
 * a manifest that is no set's is that of a damaged one. */
int set_dir_check(const char *dir, bool replace, struct err *e);

/* Removes what a set's maker leaves and the manifest does not name; with keep
 * NULL all of it, the lock included. */
int set_dir_clean(const char *dir, const struct manifest *keep,
                  struct err *e);

#endif
