/* oid.h - git object ids (SHA-1) and object types. */
#ifndef REPO_OID_H
#define REPO_OID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OID_BYTES 20
#define OID_HEX (2 * OID_BYTES)

struct oid {
    uint8_t b[OID_BYTES];
};

/* The values are those that git itself stores in packs. */
enum object_type {
    OBJECT_COMMIT = 1, OBJECT_TREE, OBJECT_BLOB, OBJECT_TAG
};

bool oid_equal(const struct oid *a, const struct oid *b);
bool oid_zero(const struct oid *id);

/* 40 lower-case hex digits and a NUL; returns out. */
char *oid_hex(const struct oid *id, char out[OID_HEX + 1]);

/* False unless hex[n] is exactly 40 hex digits, of either case. */
bool oid_parse(struct oid *out, const char *hex, size_t n);

/* "commit", "tree", "blob", "tag", or "unknown". */
const char *object_type_name(int type);

#endif
