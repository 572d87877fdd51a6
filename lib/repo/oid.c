/* oid.c - git object ids as hex and back. */
#include "repo/oid.h"

#include <string.h>

#include "base/hex.h"

bool
oid_equal(const struct oid *a, const struct oid *b)
{
    return memcmp(a->b, b->b, OID_BYTES) == 0;
}

bool
oid_zero(const struct oid *id)
{
    static const struct oid zero;

    return oid_equal(id, &zero);
}

char *
oid_hex(const struct oid *id, char out[OID_HEX + 1])
{
    return hex_put(out, id->b, OID_BYTES);
}

bool
oid_parse(struct oid *out, const char *hex, size_t n)
{
    return n == OID_HEX && hex_take(out->b, OID_BYTES, hex, true);
}

const char *
object_type_name(int type)
{
    static const char *const name[] = {
        "unknown", "commit", "tree", "blob", "tag"
    };

    return type >= 1 && type <= 4 ? name[type] : name[0];
}
