/* oid.c - git object ids as hex and back. */
#include "repo/oid.h"

#include <string.h>

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
    static const char digit[] = "0123456789abcdef";
    size_t i;

    for (i = 0; i < OID_BYTES; i++) {
        out[2 * i] = digit[id->b[i] >> 4];
        out[2 * i + 1] = digit[id->b[i] & 15];
    }
    out[OID_HEX] = '\0';
    return out;
}

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool
oid_parse(struct oid *out, const char *hex, size_t n)
{
    struct oid id;
    size_t i;
    int high, low;

    if (n != OID_HEX)
        return false;
    for (i = 0; i < OID_BYTES; i++) {
        high = hex_value(hex[2 * i]);
        low = hex_value(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        id.b[i] = (uint8_t)(high << 4 | low);
    }
    *out = id;
    return true;
}

const char *
object_type_name(int type)
{
    static const char *const name[] = {
        "unknown", "commit", "tree", "blob", "tag"
    };

    return type >= 1 && type <= 4 ? name[type] : name[0];
}
