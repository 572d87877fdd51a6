/* sampling_config.h - how a base is to be sampled from, by its own
 * generation_config.json. */
#ifndef EVAL_SAMPLING_CONFIG_H
#define EVAL_SAMPLING_CONFIG_H

#include "base/err.h"
#include "eval/sample.h"
#include "weights/weights.h"

/* Sets temperature, top_k, top_p, min_p and repetition_penalty of *s as
 * transformers' generate takes them from the base's generation_config.json:
 * without do_sample the likeliest token is taken each time, which leaves
 * temperature 0; with it the temperature is 1 where none is said. What isn't
 * said leaves nothing out. A key by which generate would take other tokens and
 * this program doesn't is warned of. ERR_DATA names the key with a value that
 * can't be. */
int sampling_config_read(struct sampling *s, const struct weights *w,
                         struct err *e);

#endif
