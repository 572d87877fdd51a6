/* data.h - a set of token shards as sources of training and evaluation. */
#ifndef MODEL_DATA_H
#define MODEL_DATA_H

#include "model/batch.h"
#include "model/model.h"
#include "stream/set.h"

struct dataset {
    struct set set;
    uint64_t vocab;        /* rows of the tokenizer; 0: not known */
    const char *tokenizer; /* its content id, hex; NULL when not known */
};

/* A split's records by number, with their lengths. */
struct data_split {
    struct token_source source; /* ctx is this struct: don't move it */
    struct dataset *data;
    const struct set_split *split;
    uint64_t *first;   /* number in the split of each range's first record */
    uint32_t *len;
    uint64_t tokens, supervised; /* sums over the records */
    uint32_t *ids;     /* of the record last read */
    uint8_t *learn;
    size_t cap;
};

/* Opens a set of type tokens. */
int dataset_open(struct dataset *d, const char *path, struct err *e);
void dataset_release(struct dataset *d);

/* ERR_DATA unless the set was tokenized for this base: by its tokenizer,
 * where both are known, and with no more tokens than it has rows. */
int dataset_check(const struct dataset *d, const struct model *m,
                  struct err *e);

/* Reads the split's lengths, which decodes it once. A split that is not
 * there is one without records. Ids must be below vocab, the rows of the
 * model they are for. */
int data_split_open(struct data_split *s, struct dataset *d,
                    const char *name, uint32_t vocab, struct err *e);
void data_split_release(struct data_split *s);

#endif
