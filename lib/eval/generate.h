/* generate.h - text from a model, a token at a time, with a KV cache.
 *
 * The prompt goes through in chunks of GENERATE_CHUNK rows, then one row a
 * token; both are decoding programs over one set of caches. Sampling draws
 * from (seed, site, position), so a completion does not depend on what was
 * generated before it.
 */
#ifndef EVAL_GENERATE_H
#define EVAL_GENERATE_H

#include "model/prog.h"
#include "weights/adapter.h"

#define GENERATE_CHUNK 64

struct generator {
    struct prog prefill, single;
    struct exec prefill_exec, single_exec;
    int32_t *ids, *pos, *zero, *head_row; /* GENERATE_CHUNK each */
    float *none;               /* as many zeroes */
    double *logits;            /* vocabulary: of the last token fed */
    uint32_t context;          /* most tokens of prompt and completion */
    double *weight;            /* vocabulary: sampling's scratch */
    uint32_t *order;
};

/* The program that takes most of a generator's memory. context as below. */
struct prog_opts generator_opts(const struct model_desc *d,
                                uint32_t context);

/* adapter may be NULL. context 0: what the model's positions allow, at most
 * 4096. d, base and b must outlive the generator. Don't move it once open.
 */
int generator_open(struct generator *g, const struct model_desc *d,
                   const struct frozen *base, const struct backend *b,
                   const struct adapter *adapter, uint32_t context,
                   struct err *e);
void generator_release(struct generator *g);

struct sampling {
    uint32_t max_tokens;
    double temperature; /* 0: the most likely token, ties to the lower id */
    double top_p;       /* sample among the likeliest that sum to it */
    uint64_t seed, site;
};

/* Called with each new token; false stops. */
typedef bool generate_emit(void *ctx, int32_t id);

/* Continues prompt[n], n >= 1. ERR_LIMIT when the prompt alone fills the
 * context; a completion ends there without error. ERR_DATA for an id
 * outside the vocabulary, and for a model whose output is not finite. */
int generate(struct generator *g, const int32_t *prompt, size_t n,
             const struct sampling *s, generate_emit *emit, void *ctx,
             struct err *e);

#endif
