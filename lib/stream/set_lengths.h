/* set_lengths.h - the file of lengths in a set's directory, as bytes: what
 * they mean is record/lengths.h's.
 */
#ifndef STREAM_SET_LENGTHS_H
#define STREAM_SET_LENGTHS_H

#include "stream/manifest.h"

/* Maps the file of lengths that the manifest of the set in a directory
 * names. ERR_DATA unless it is there with the length and hash that it should
 * have. A set without one gives an empty mapping. */
int set_lengths_map(struct file_map *map, const struct manifest *m,
                    const char *dir, struct err *e);

#endif
