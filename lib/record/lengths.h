/* lengths.h - what is known of a set's token records without reading them.
 *
 * A set of tokens has a file of lengths beside its shards (named in its
 * manifest, see stream/manifest.h), so that training starts without decoding
 * its split: "graft lengths 1\n" (16 bytes), then an entry of 24 bytes for
 * each record of the set, in their order, little-endian: u32 number of ids;
 * u32 how many of them are the target's; u64 ordinal; i64 time.
 *
 * The target's are the ids with loss, but for one at the beginning of the
 * record, which has none before it to be predicted from.
 */
#ifndef RECORD_LENGTHS_H
#define RECORD_LENGTHS_H

#include "record/tokens.h"
#include "stream/manifest.h"

#define LENGTHS_HEAD "graft lengths 1\n"
#define LENGTHS_HEAD_BYTES 16
#define LENGTHS_ENTRY_BYTES 24

/* What is known of a record. */
struct record_length {
    uint32_t tokens, target;
    uint64_t ordinal; /* with time: its commit */
    int64_t time;
};

struct record_length length_of(const struct tokens *t);
bool length_equal(const struct record_length *a,
                  const struct record_length *b);

/* How many of its ids are learned. */
uint32_t length_learned(const struct record_length *r, enum tokens_loss loss);

/* The entry, as it is stored. */
void length_encode(uint8_t out[LENGTHS_ENTRY_BYTES],
                   const struct record_length *r);

/* The entries of a set. Any thread may read them. */
struct lengths {
    struct file_map map;
    uint64_t n; /* 0 where the set has no file of lengths */
};

/* Opens the file of the set in a directory with that manifest. ERR_DATA
 * unless it is whole, has an entry for each record, and each could be one's.
 * A set without one gives no entries. */
int lengths_open(struct lengths *l, const struct manifest *m,
                 const char *dir, struct err *e);
void lengths_release(struct lengths *l);

/* ERR_DATA unless the tokens of each split add up to what the manifest has.
 * Nothing without entries. */
int lengths_check_splits(const struct lengths *l, const struct manifest *m,
                         const char *dir, struct err *e);

/* Entry i, i < l->n. */
struct record_length lengths_at(const struct lengths *l, uint64_t i);

/* The entries are not needed soon: they are no longer memory of the process
 * until they are read again. */
void lengths_done(const struct lengths *l);

#endif
