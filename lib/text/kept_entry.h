/* kept_entry.h - an entry of the log of what was kept, byte for byte; private
 * to lib/text.
 *
 *     0   id, 32 bytes
 *     32  u64 number of the record
 *     40  u32 least hashes n; bit 31: they are the whole set; 0: no sketch
 *     44  with a sketch: u32 of each band, u32 of each least hash, ascending
 *
 * Integers are little-endian.
 */
#ifndef TEXT_KEPT_ENTRY_H
#define TEXT_KEPT_ENTRY_H

#include "text/kept.h"

#define ENTRY_FIXED 44
#define ENTRY_MAX (ENTRY_FIXED + 4 * (MINHASH_BINS + MINHASH_LEAST))
#define ENTRY_WHOLE 0x80000000u

/* Adds the entry p[n], which is one. ERR_IO, ERR_LIMIT. */
int kept_add_entry(struct kept *k, const uint8_t *p, size_t n, struct err *e);

#endif
