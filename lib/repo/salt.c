/* salt.c - each line with its SipHash behind it, in hex; behind a line of
 * white space in white space, so that it stays one, but not in blanks or
 * tabs, which would indent it.
 */
#include "repo/salt.h"

#include <ctype.h>
#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint8_t salt_key[crypto_shorthash_KEYBYTES];

static void
setup(void)
{
    randombytes_buf(salt_key, sizeof(salt_key));
}

#define SALT_DIGITS 16
#define SALT_BLANKS 64

static bool
is_blank(const char *p, size_t n)
{
    while (n > 0 && isspace((unsigned char)*p)) {
        p++;
        n--;
    }
    return n == 0;
}

static void
add_salt(struct buf *out, const char *line, size_t n)
{
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t bits;
    int i;

    crypto_shorthash(hash, (const uint8_t *)line, n, salt_key);
    bits = load_u64(hash);
    if (!is_blank(line, n)) {
        for (i = 0; i < 4 * SALT_DIGITS; i += 4)
            buf_addc(out, "0123456789abcdef"[bits >> i & 15]);
        return;
    }
    for (i = 0; i < SALT_BLANKS; i++)
        buf_addc(out, bits >> i & 1 ? '\f' : '\v');
}

void
salt_lines(struct buf *out, const char *p, size_t n)
{
    const char *end = p + n, *eol;

    pthread_once(&once, setup);
    buf_reset(out);
    while (p < end) {
        eol = memchr(p, '\n', (size_t)(end - p));
        if (!eol)
            eol = end;
        buf_add(out, p, (size_t)(eol - p));
        add_salt(out, p, (size_t)(eol - p));
        if (eol < end)
            buf_addc(out, '\n');
        p = eol < end ? eol + 1 : end;
    }
}

size_t
salt_stripped(const char *line, size_t n)
{
    char last = n > 0 ? line[n - 1] : '\n';
    size_t salt = 0;

    if (last == '\f' || last == '\v')
        salt = SALT_BLANKS;
    else if ((last >= '0' && last <= '9') || (last >= 'a' && last <= 'f'))
        salt = SALT_DIGITS;
    return n - (salt < n ? salt : n);
}
