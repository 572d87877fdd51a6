/* hidden.h - texts as vectors: what a model's last layer has of their tokens,
 * behind the final norm (last_hidden_state in transformers), as one vector a
 * record.
 */
#ifndef EVAL_HIDDEN_H
#define EVAL_HIDDEN_H

#include "data/batch.h"
#include "model/prog.h"
#include "weights/model.h"

enum hidden_pool {
    HIDDEN_MEAN, /* over all tokens of the record */
    HIDDEN_LAST  /* of its last token */
};

/* The choices of a program for hidden_run. */
struct prog_opts hidden_opts(uint32_t batch, uint32_t seq_len);

/* m's program of those choices, with that adapter or (NULL) without, ready to
 * run. Both are to be released, p after x; on failure they are not there. */
int hidden_open(struct exec *x, struct prog *p, const struct model *m,
                const struct adapter *a, const struct prog_opts *o,
                struct err *e);

/* out[i * dim ...] = the vector of record i of s, which has a token at least.
 * Of one longer than the program's sequences each part starts anew. Packing
 * changes no vector: records don't see each other. ERR_DATA where the model's
 * output is not finite, ERR_AGAIN when asked to stop (base/stop.h). */
int hidden_run(struct exec *x, const struct token_source *s,
               enum hidden_pool pool, float *out, struct err *e);

#endif
