/* generate.h - text from a model, a token at a time, with a KV cache.
 *
 * A generator holds several texts side by side, each with its own cache. A
 * pass takes each text on by the tokens of it that are not in its cache yet,
 * by up to a chunk of them; where none has more than one left, it is a pass
 * of one row a text. Both are decoding programs over one set of caches.
 */
#ifndef EVAL_GENERATE_H
#define EVAL_GENERATE_H

#include "eval/sample.h"
#include "model/prog.h"
#include "weights/adapter.h"

#define GENERATE_CHUNK 64        /* rows of a pass over a single text */
#define GENERATE_BATCH_CHUNK 32  /* of each, over several */

struct generator_text {
    int32_t *id;      /* context: prompt and completion so far */
    uint32_t n, fed;  /* of these, fed are in the cache */
    double *logits;   /* vocabulary: of what comes next, after a pass that
                         all of it is in the cache; else NULL */
};

struct generator {
    struct prog prefill, single;
    struct exec prefill_exec, single_exec;
    struct generator_text *text;
    uint32_t batch;    /* texts */
    uint32_t chunk;    /* rows of each that prefill takes */
    uint32_t context;  /* most tokens of prompt and completion */
    int32_t *ids, *pos, *zero, *head_row; /* batch * chunk each */
    float *none;                          /* as many zeroes */
    int32_t *cache_at, *seq_n;            /* batch */
    double *logits;                       /* batch * vocabulary */
    struct sampler sampler;
};

/* The program that takes most of a generator's memory. context as below. */
struct prog_opts generator_opts(const struct model_desc *d, uint32_t batch,
                                uint32_t context);

/* adapter may be NULL. batch: texts side by side. context 0: what the model's
 * positions allow, at most 4096. d, base and b must outlive the generator.
 * Don't move it once open. */
int generator_open(struct generator *g, const struct model_desc *d,
                   const struct frozen *base, const struct backend *b,
                   const struct adapter *adapter, uint32_t batch,
                   uint32_t context, struct err *e);
void generator_release(struct generator *g);

/* Text i is prompt[n] from now on, n >= 1, of which no token is in the cache
 * yet; with keep, as many as the text before began with alike (of a model that
 * has a state all of that text, or none). ERR_LIMIT when
 * it alone fills the context, ERR_DATA for an id outside the vocabulary: then
 * the text is as it was. */
int generator_begin(struct generator *g, uint32_t i, const int32_t *prompt,
                    size_t n, bool keep, struct err *e);

/* Takes every text on. ERR_DATA where the model's output is not finite. */
int generator_pass(struct generator *g, struct err *e);

/* The token that comes after text i, which has logits; the text stays as it
 * is. */
int32_t generator_next(struct generator *g, uint32_t i,
                       const struct sampling *s);

/* Appends a token; false where the context is full. */
bool generator_add(struct generator *g, uint32_t i, int32_t id);

/* Text i is over: passes leave it as it is. */
void generator_end(struct generator *g, uint32_t i);

/* Called with each new token; false stops. */
typedef bool generate_emit(void *ctx, int32_t id);

/* Continues prompt[n] as text 0. Fails as generator_begin and
 * generator_pass; a completion ends without error where the context does. */
int generate(struct generator *g, const int32_t *prompt, size_t n,
             const struct sampling *s, generate_emit *emit, void *ctx,
             struct err *e);

#endif
