/* tally.h - what came of all completions under one model, and under two.
 *
 * Of n completions of a prompt of which c passed, pass@k is how probable it
 * is that one of k passes, estimated without bias by
 *
 *     1 - C(n-c, k) / C(n, k)                (Chen et al., 2107.03374, (1))
 *
 * and averaged over the prompts that have checks.
 */
#ifndef EVAL_TALLY_H
#define EVAL_TALLY_H

#include "base/buf.h"
#include "eval/context.h"
#include "eval/prompts.h"

struct tally {
    uint64_t passed; /* completions */
    uint64_t given[CHECK_KINDS], held[CHECK_KINDS];
    uint32_t *pass;  /* of each prompt: completions that passed its checks */
};

void tally_init(struct tally *t, const struct prompts *p);
void tally_release(struct tally *t);

/* One more completion of prompt i. */
void tally_add(struct tally *t, const struct prompts *p, size_t i,
               const struct check_result *r);

/* pass@k of c among n, k <= n. */
double pass_at(uint32_t n, uint32_t c, uint32_t k);

/* Appends ", \"prompts\": {...}": the totals of so many samples a prompt. with
 * is the adapter's, context what stood before the prompts; or NULL. */
void tally_put(struct buf *b, const struct prompts *p, uint32_t samples,
               const struct tally *base, const struct tally *with,
               const struct context_counts *context);

#endif
