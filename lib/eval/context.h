/* context.h - the records of a set that are most like a text, to stand before
 * it: what a repository's earlier commits were, as a model can be shown them.
 *
 * The set has a vector for each of its records, as embed makes them. A text's
 * own vector is made in the same way by the same base, of what is there before
 * anything is said to it; how alike two are is the cosine (vector_search.h).
 *
 * Nothing is found that would tell what is to be told: only records of the
 * set's train split; where the text is of a commit, only what comes before it
 * (search_earlier) and is of no later time, and none with the same edit, the
 * same file behind it or of the same commit (record/same.h).
 *
 * The most alike stands next to the text, as in RepoCoder (Zhang et al., 2023)
 * and others: that is what models look at most. Records follow on each other
 * without the token that ends a text, as files of one repository do where
 * starcoder2 and qwen2.5-coder were trained. What does not fit is cut where it
 * is farthest from the text.
 */
#ifndef EVAL_CONTEXT_H
#define EVAL_CONTEXT_H

#include "data/dataset.h"
#include "eval/hidden.h"
#include "eval/vector_search.h"

#define CONTEXT_NONE UINT32_MAX
#define CONTEXT_TEXTS SEARCH_QUERIES /* best looked for at a time */

struct context_opts {
    const char *set, *vectors; /* of tokens; of these, a set or a file */
    uint32_t records, tokens;  /* before a text: at most so many, of so many
                                  tokens */
    bool force;                /* also where memory is short */
};

struct context_set {
    struct context_opts o;
    struct dataset data;
    struct vector_search search; /* of the records of the train split */
    uint64_t *record;   /* of each of its vectors: the number in the set, */
    uint32_t *len;      /* its tokens, without the one that ends it, */
    struct same *same;  /* and by which repeats of it are known */
    size_t cap;
    enum hidden_pool pool;

    /* private */
    const struct model *m;
    const struct stream_in *in;
    const struct set_split *train;
    size_t range;
    uint64_t next;
    uint64_t end;       /* the token that ends a text; UINT64_MAX: none */
    uint32_t *ids;
    size_t n_ids;
    struct prog prog;   /* for texts, while it runs */
    struct exec exec;
    bool running;
};

/* A text that context is looked for. */
struct context_text {
    const uint32_t *ids;
    uint32_t n; /* 0: nothing is found */
    const struct tokens_origin *origin; /* NULL: of no commit, any will do */
};

/* What stands before a text. */
struct context_size {
    uint32_t records, tokens;
    bool cut; /* one of them is not there as a whole */
};

/* Opens the set and reads its vectors, for texts of m, which has to outlive
 * it. ERR_DATA where the vectors are not of the set's records, of another base
 * or of an adapter, or where there is no record of split train; ERR_LIMIT
 * where there isn't the memory. On failure *c is released. */
int context_open(struct context_set *c, const struct context_opts *o,
                 const struct model *m, struct err *e);
void context_release(struct context_set *c);

/* ERR_DATA where the set's tokens are those of another tokenizer than that, by
 * its id in hexadecimal: as far as both are known. */
int context_made_with(const struct context_set *c, const char *tokenizer,
                      struct err *e);

/* found[i * o.records ...]: of each of n texts, the most alike first, numbers
 * of vectors in c->search, and CONTEXT_NONE behind them. ERR_AGAIN when asked
 * to stop. What it takes to run texts stays until context_found. */
int context_find(struct context_set *c, const struct context_text *text,
                 size_t n, uint32_t *found, struct err *e);

/* No more is looked for, for now: its memory is given back. */
void context_found(struct context_set *c);

/* Of what was found for one text: what of it stands before the text, where
 * there is room for so many tokens. */
struct context_size context_fit(const struct context_set *c,
                                const uint32_t *found, uint32_t room);

/* out[context_fit(...).tokens] becomes these tokens. */
int context_put(struct context_set *c, const uint32_t *found, uint32_t room,
                uint32_t *out, struct err *e);

/* The sums over texts, for who is told about it. */
struct context_counts {
    uint64_t records, tokens; /* that stand before texts */
    uint64_t with, none, no_room; /* texts with such; for which there is
                                     nothing; that leave no room */
    uint64_t cut;             /* texts before which one is cut */
};

void context_count(struct context_counts *n, const struct context_size *s,
                   const uint32_t *found);

/* Appends these as members of a JSON object, without a comma before. */
void context_put_counts(struct buf *b, const struct context_counts *n);

#endif
