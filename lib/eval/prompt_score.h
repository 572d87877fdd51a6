/* prompt_score.h - a prompt file under a base, and under an adapter. */
#ifndef EVAL_PROMPT_SCORE_H
#define EVAL_PROMPT_SCORE_H

#include "base/buf.h"
#include "base/io.h"
#include "eval/context.h"
#include "eval/sandbox.h"
#include "eval/suite.h"
#include "weights/model.h"

struct prompt_opts {
    const char *path;       /* of the prompt file; "-": stdin */
    const char *tokenizer;  /* NULL: the base's own */
    const char *junit;      /* file to write test cases to; or NULL */
    bool force;             /* also where memory is short */
    enum suite_kind suite;  /* that the file is of */
    uint32_t max_tokens;    /* 0: 64, or SUITE_MAX_TOKENS */
    uint32_t context;
    struct context_set *context_set; /* whose records stand before prompts; or
                                        NULL */
    uint32_t samples;       /* completions of each prompt */
    struct sandbox_limits limits; /* of programs that checks run */
    double temperature, top_p;
    uint64_t seed;
};

/* ERR_LIMIT where the caches and all else do not fit into memory. */
int prompts_fit(const struct model *m, const struct prompt_opts *o,
                struct err *e);

/* Completes every prompt with the base and (with an adapter) the adapter,
 * writes a JSON line for each completion, and appends ", \"prompts\": {...}"
 * with the totals to summary (see tally.h). Sample j is drawn with the seed +
 * j. A conversation has no context: with o->context_set it is ERR_USAGE. What
 * checks need to run programs is looked for before. */
int prompts_score(const struct model *m, const struct prompt_opts *o,
                  struct out *out, struct buf *summary, struct err *e);

#endif
