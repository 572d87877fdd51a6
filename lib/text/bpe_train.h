/* bpe_train.h - learns byte-pair merges from text, the same ones as Hugging
 * Face's BpeTrainer.
 *
 * Text is cut by the GPT-2 pre-tokenizer (SCAN_GPT2) and each distinct piece
 * is counted. Then, until there are as many tokens as wanted, the pair of
 * neighbours with the highest count becomes a token; of equal counts the one
 * with the smallest left id, then the smallest right id. Every neighbourhood
 * counts, overlapping ones too; a merge goes from left to right. A pair that
 * makes no token for a reader is passed over: one of over 4 KiB, or one that
 * is spelled like a special token of other bytes. A file of over 64 MiB is
 * none for a reader either, so there it ends.
 *
 * Ids: special tokens in their order; the 256 bytes in the order of the
 * characters that spell them (alphabet.h); merges in order.
 *
 * Time and memory go with the length of the distinct pieces, whether they
 * are many or one, not with that of the text. Counts are 64 bits.
 */
#ifndef TEXT_BPE_TRAIN_H
#define TEXT_BPE_TRAIN_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"

struct bpe_trainer {
    struct map piece; /* to its count */
    uint8_t *uclass;
    uint64_t n_bytes; /* of all text */
};

void bpe_trainer_init(struct bpe_trainer *t);
void bpe_trainer_release(struct bpe_trainer *t);

/* Counts the pieces of p[n]: a text of its own, whose end is an end to the
 * pre-tokenizer. */
void bpe_trainer_add(struct bpe_trainer *t, const void *p, size_t n);

struct bpe_train_options {
    uint32_t size; /* tokens wanted, at least special + 256 */
    uint64_t min_frequency; /* of a pair */
    const char *const *special; /* distinct, none of a single byte */
    size_t n_special;
};

enum bpe_end {
    BPE_SIZE,     /* it has the tokens that were wanted */
    BPE_NO_PAIR,  /* no pair was left that counts enough */
    BPE_FILE_FULL /* with one more, no tokenizer would read the file */
};

struct bpe_trained {
    uint32_t n_tokens;
    enum bpe_end end; /* why it has no more */
};

/* Learns, and puts the tokenizer.json, laid out as tokenizers saves it, into
 * the empty *json. ERR_LIMIT for over 2^32 - 3 bytes of distinct pieces. */
int bpe_trainer_finish(const struct bpe_trainer *t,
                       const struct bpe_train_options *o, struct buf *json,
                       struct bpe_trained *made, struct err *e);

#endif
