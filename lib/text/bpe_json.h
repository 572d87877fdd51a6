/* bpe_json.h - a trained vocabulary as a tokenizer.json; private to lib/text.
 */
#ifndef TEXT_BPE_JSON_H
#define TEXT_BPE_JSON_H

#include "base/buf.h"
#include "base/map.h"
#include "text/bpe_train.h"

struct bpe_merge {
    uint32_t left, right;
};

/* Appends the file. id: tokens as they are spelled, to their ids, which are
 * their places in it; merges in their order. */
void bpe_json_put(struct buf *b, const struct bpe_train_options *o,
                  const struct map *id, const struct bpe_merge *merge,
                  size_t n_merges);

/* The most bytes by which the file grows with a token, spelled name[n], and
 * its merge. */
size_t bpe_json_growth(const struct map *id, const struct bpe_merge *merge,
                       const char *name, size_t n);

#endif
