/* run_keys.h - what identifies a run, in its config.json; private to lib/train.
 *
 * The key is the id of the text between the braces of "identity". A run that
 * was extended has in "extends" the keys that it had with fewer steps: the
 * checkpoints of then are its own.
 */
#ifndef TRAIN_RUN_KEYS_H
#define TRAIN_RUN_KEYS_H

#include "train/checkpoint.h"

/* Reads the keys of the run at that path; ERR_DATA for one whose config.json
 * is none. On failure nothing is to be released. */
int run_keys_read(struct run_keys *k, const char *run, struct err *e);

/* Appends the member "extends", after a comma; nothing where there is none. */
void run_keys_put(const struct run_keys *k, struct buf *b);

#endif
