/* shingles.h - a text as its shingles: five tokens that follow each other.
 *
 * A token is a run of letters, digits, underscores and bytes from 0x80 on
 * (letters of UTF-8): blanks and punctuation part tokens and are none. As in
 * BigCode's minhash_deduplication.py (The Stack), where other bytes than
 * [A-Za-z_0-9] part them. Hashes are XXH3's, which doesn't change from one
 * version of xxHash to the next: indexes hold them.
 */
#ifndef TEXT_SHINGLES_H
#define TEXT_SHINGLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHINGLE_TOKENS 5

/* Takes the hash of a shingle. words: one of its tokens, at least, does not
 * begin with a digit. */
typedef void shingle_taker(void *ctx, uint64_t hash, bool words);

/* Gives the hash of each run of n_gram tokens of p[n], in turn, seeded by
 * seed, to take; 1 <= n_gram <= 16. A text of fewer tokens is one
 * shingle, of all its tokens, and one without tokens none. Returns how many
 * tokens it has. */
uint64_t shingles_of(const char *p, size_t n, uint64_t seed, size_t n_gram,
                     shingle_taker *take, void *ctx);

#endif
