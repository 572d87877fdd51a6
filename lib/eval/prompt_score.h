/* prompt_score.h - a prompt file under a base, and under an adapter. */
#ifndef EVAL_PROMPT_SCORE_H
#define EVAL_PROMPT_SCORE_H

#include "base/buf.h"
#include "base/io.h"
#include "weights/model.h"

struct prompt_opts {
    const char *path;       /* of the prompt file; "-": stdin */
    const char *tokenizer;  /* NULL: the base's own */
    bool force;             /* also where memory is short */
    uint32_t max_tokens, context;
    double temperature, top_p;
    uint64_t seed;
};

/* ERR_LIMIT where the caches and all else do not fit into memory. */
int prompts_fit(const struct model *m, const struct prompt_opts *o,
                struct err *e);

/* Completes every prompt with the base and (with an adapter) the adapter,
 * writes a JSON line for each, and appends ", \"prompts\": {...}" with the
 * totals to summary: how many have checks, for each model how many of these
 * passed, with the 95% interval of that share, and of each kind of check
 * [held, given]; and how many the adapter gained and lost. */
int prompts_score(const struct model *m, const struct prompt_opts *o,
                  struct out *out, struct buf *summary, struct err *e);

#endif
