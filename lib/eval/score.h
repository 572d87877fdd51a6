/* score.h - base against base and adapter, or against another base, on the
 * same held-out tokens. */
#ifndef EVAL_SCORE_H
#define EVAL_SCORE_H

#include "base/buf.h"
#include "eval/context.h"
#include "weights/model.h"

/* What records can be told apart by: bits of score_opts.by are 1 << one. */
enum score_by { SCORE_BY_LANGUAGE, SCORE_BY_REPOSITORY, SCORE_BY_PATH,
                SCORE_BY_AGE, SCORE_BYS };

struct score_opts {
    const char *data, *split;
    const struct model *compare; /* another base, or NULL; the model has no
                                    adapter then */
    const char *per_record;  /* file to write a line a record to; or NULL */
    unsigned by;             /* the strata that are told, too */
    uint64_t exactness;      /* records to complete (exactness.h) */
    uint32_t context;        /* of these; 0: what the model takes, at most
                                4096 */
    uint64_t records;        /* spread over the split; 0: all */
    bool force;              /* also where memory is short */
    uint32_t batch;
    uint32_t seq_len;        /* 0: 512 and what context may take, or what the
                                base has below that */
    struct context_set *context_set; /* whose records stand before those
                                        measured, once more; or NULL */
};

/* What score_split would refuse at once: data that is not for this base, no
 * such split, another base of other tokens, ERR_DATA; too little memory,
 * ERR_LIMIT. For a program that has other work to do before. */
int score_check(const struct model *m, const struct score_opts *o,
                struct err *e);

/* Appends members of a JSON object, each after a comma: split, seq_len,
 * records, clusters, tokens, cut (records longer than seq_len), base and
 * (with an adapter) adapter and difference, each with loss, half width of its
 * 95% interval and perplexity (see mean_loss.h), or (with another base)
 * compare and difference, and kl_divergence and same_top (see divergence.h),
 * of the target's tokens; and all, an object with the same of all tokens,
 * whatever the set says is learned; and strata, the same of the target by what
 * records are (strata.h); and context, an object with what stood before the
 * records, and the losses then (context_score.h). per_record gets a JSON line
 * for each record, with what the numbers are made of.
 * ERR_DATA when there is no such split, no token in it with a loss, or the
 * loss is not finite; per_record is not written then. */
int score_split(const struct model *m, const struct score_opts *o,
                struct buf *summary, struct err *e);

#endif
