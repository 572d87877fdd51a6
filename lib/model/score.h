/* score.h - base against base and adapter on the same held-out tokens. */
#ifndef MODEL_SCORE_H
#define MODEL_SCORE_H

#include "base/buf.h"
#include "model/model.h"

struct score_opts {
    const char *data, *split;
    uint64_t records;        /* 0: all */
    uint32_t batch, seq_len;
};

/* Appends members of a JSON object, each after a comma: split, records,
 * tokens, base and (with an adapter) adapter and difference, each with loss,
 * half width of its 95% interval and perplexity (see mean_loss). ERR_DATA
 * when the split has no token with a loss, or the loss is not finite. */
int score_split(const struct model *m, const struct score_opts *o,
                struct buf *summary, struct err *e);

#endif
