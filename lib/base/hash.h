/* hash.h - content ids: BLAKE2b with 32 bytes of output (libsodium). */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define ID_BYTES 32
#define ID_HEX (2 * ID_BYTES)

struct id {
    uint8_t b[ID_BYTES];
};

/* A BLAKE2b state; unlike libsodium's it needs no alignment of 64, so it may
 * be part of anything. */
struct hash {
    uint64_t state[48];
};

void hash_init(struct hash *h);
void hash_add(struct hash *h, const void *p, size_t n);
void hash_u64(struct hash *h, uint64_t v); /* eight bytes, little-endian */

/* Length (u64), then bytes: so that ("ab","c") and ("a","bc") differ. */
void hash_field(struct hash *h, const void *p, size_t n);

/* The id of what was added so far; h can go on. */
struct id hash_id(const struct hash *h);

struct id id_of(const void *p, size_t n);

/* Of a regular file (in_open_regular). */
int id_of_file(struct id *out, const char *path, struct err *e);
bool id_equal(const struct id *a, const struct id *b);

/* 64 lower-case hex digits and a NUL; returns out. */
char *id_hex(const struct id *id, char out[ID_HEX + 1]);
bool id_parse(struct id *out, const char *hex, size_t n);

#endif
