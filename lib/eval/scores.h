/* scores.h - what was measured on a split, and how it is told. Private to
 * lib/eval. */
#ifndef EVAL_SCORES_H
#define EVAL_SCORES_H

#include "data/dataset.h"
#include "eval/mean_loss.h"
#include "eval/score.h"

struct context_scores;

/* Sums of each record, over its tokens that are to be learned or over all of
 * them: the losses of base, base with adapter and the other base, and of the
 * two bases the divergences and how often the likeliest token is the same.
 * NULL for what isn't there. */
struct measured {
    struct record_loss *base, *adapter;
    struct record_loss *compare, *kl, *same_top;
    double *kls;    /* the divergence of each token, in no order */
    uint64_t n_kls;
};

struct scores {
    struct data_split *split;
    uint64_t n;                  /* records */
    struct measured target, all;
    const struct context_scores *context; /* NULL: was not measured */
};

/* The loss of each record with an adapter or (NULL) without; all as evaluate
 * has it. */
int score_measure(const struct model *m, const struct score_opts *o,
                  const struct adapter *a, const struct token_source *s,
                  struct record_loss *target, struct record_loss *all,
                  struct err *e);

/* Opens the split of o, o->records of it, with its clusters; ERR_DATA where
 * there is nothing to measure, and as score_check. */
int scores_open_split(struct dataset *data, struct data_split *split,
                      const struct model *m, const struct score_opts *o,
                      struct err *e);

/* The members of the summary, each after a comma. Sorts kls. */
void scores_put(struct buf *b, const struct score_opts *o,
                struct scores *s);

/* Counts, base and what is held against it, and the difference, of the losses
 * alone, without a comma before; mean is base's. */
void scores_put_part(struct buf *b, const struct scores *s,
                     struct mean_loss mean, struct measured *m);

/* A line for each record. */
int scores_write(const struct scores *s, const char *path, struct err *e);

#endif
