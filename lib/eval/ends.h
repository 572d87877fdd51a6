/* ends.h - the tokens that a model ends its text with.
 *
 * They are eos_token_id, one or several, of the base's generation_config.json
 * or, where that has none, of its config.json: as in transformers, the first
 * wins, because a chat model ends its turns with another token than a text.
 * (transformers looks no further where a generation config is silent; a base
 * whose config.json names an end has one all the same.)
 */
#ifndef EVAL_ENDS_H
#define EVAL_ENDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "weights/weights.h"

struct end_tokens {
    uint32_t *id;
    size_t n;
};

/* Reads what the base says; nothing is no error. A token beyond vocab, the
 * model's rows, can't come up, which a warning says. ERR_DATA names the file
 * in which eos_token_id is something else. On failure *t is released. */
int end_tokens_read(struct end_tokens *t, const struct weights *w,
                    uint32_t vocab, struct err *e);
void end_tokens_release(struct end_tokens *t);

bool end_tokens_has(const struct end_tokens *t, uint32_t id);

#endif
