/* check_merged.h - what merge says of what it wrote. */
#ifndef CLI_CHECK_MERGED_H
#define CLI_CHECK_MERGED_H

#include "weights/model.h"

/* Runs a text through the model m, whose weights, description and adapter
 * are there, and through the merged base in a directory, and says how far
 * their logits are apart. prompt: the text; NULL for tokens of the
 * vocabulary. Says as well when there is too little memory for it. */
int check_merged(struct model *m, const char *merged, const char *prompt,
                 struct err *e);

#endif
