/* state.h - struct train_state as a file: a checkpoint's state.json. Private
 * to lib/train. */
#ifndef TRAIN_STATE_H
#define TRAIN_STATE_H

#include "train/checkpoint.h"

/* Writes s, and the key of the run that it is of. */
int state_write(const char *path, const struct train_state *s,
                const struct id *key, struct err *e);

/* Reads what state_write wrote; ERR_DATA where a member isn't there or is
 * none that it writes. */
int state_read(const char *path, struct train_state *s, struct id *key,
               struct err *e);

#endif
