/* dataset.h - a set of token shards as sources of training and evaluation. */
#ifndef DATA_DATASET_H
#define DATA_DATASET_H

#include "data/batch.h"
#include "record/lengths.h"
#include "stream/set.h"
#include "weights/model.h"

struct dataset {
    struct set set;
    struct lengths lengths; /* of all records, where the set has them */
    uint64_t vocab;        /* rows of the tokenizer; 0: not known */
    const char *tokenizer; /* its content id, hex; NULL when not known */
    enum tokens_loss loss; /* what is learned of a record: as the set says,
                              unless the caller sets it before splits are
                              opened */
};

/* A split's records by number, with their lengths. */
struct data_split {
    struct token_source source; /* ctx is this struct: don't move it;
                                   n_records: of those looked at */
    struct dataset *data;
    const struct set_split *split;
    bool known; /* the set's lengths are used: no record is read for them */
    uint64_t *first;   /* number in the split of each range's first record */
    uint32_t *len;
    uint32_t *cluster; /* of each record; NULL until data_split_cluster */
    uint64_t tokens, supervised; /* sums over the records: all tokens, those
                                    that are learned */
    uint32_t *ids;     /* of the record last read */
    uint8_t *learn;
    size_t cap;
};

/* Opens a set of type tokens, and its file of lengths where there is one. */
int dataset_open(struct dataset *d, const char *path, struct err *e);
void dataset_release(struct dataset *d);

/* ERR_DATA unless tokens were made for this base: by its tokenizer, where both
 * are known, or by that which a GGUF file's was made of, and with no more
 * tokens than it has rows. What is known of them: vocab, 0 for nothing; the
 * tokenizer's content id, or NULL. */
int dataset_made_for(const char *path, uint64_t vocab, const char *tokenizer,
                     const struct model *m, struct err *e);

/* The same of a set. */
int dataset_check(const struct dataset *d, const struct model *m,
                  struct err *e);

/* Finds the lengths of the split's records: the set's file of lengths has
 * them, and a record is compared with it when it is read. A set without that
 * file is decoded once, and so is one that does not say that its ids are
 * below vocab, the rows of the model they are for: an id beyond is ERR_DATA
 * here. A split that is not there is one without records.
 * Of a split of more than most records (0: all), as many are looked at,
 * spread evenly over it: those at its beginning may be of one commit. */
int data_split_open(struct data_split *s, struct dataset *d,
                    const char *name, uint64_t most, uint32_t vocab,
                    struct err *e);
void data_split_release(struct data_split *s);

/* Record i (i < source.n_records), read and decoded; *t lives until the next
 * call. */
int data_split_tokens(struct data_split *s, uint64_t i, struct tokens *t,
                      struct err *e);

/* Numbers the commits that the split's records are of, from 0 as they come,
 * and puts them into source.cluster: what mean_of takes for independent.
 * Records with the same ordinal and time are of one commit (ordinals restart
 * with each repository); of those without a time, which are documents, those
 * of one segment with the same ordinal that follow on each other. Where the
 * set's lengths are not used, this decodes the split once more. */
int data_split_cluster(struct data_split *s, struct err *e);

/* Rows of seq_len tokens against m's max_position_embeddings. More than its
 * learned positions are ERR_USAGE. Rotary positions go on beyond them, as
 * they do in transformers, with one warning that counts the records of the
 * split that do. */
int data_check_length(const struct data_split *s, const struct model *m,
                      uint32_t seq_len, struct err *e);

/* Where record i of the split (i < source.n_records) is from: its number in
 * the set, and what its commit is known by. */
struct data_place {
    uint64_t record, ordinal;
    int64_t time;
};
int data_split_place(struct data_split *s, uint64_t i, struct data_place *p,
                     struct err *e);

#endif
