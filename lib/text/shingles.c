/* shingles.c - the runs of tokens of a text, as hashes. */
#include "text/shingles.h"

#include <string.h>

#include "base/bytes.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define MOST 16

static bool
is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static bool
in_token(unsigned char c)
{
    return c >= 0x80 || is_digit(c) || c == '_'
           || (unsigned)((c | 0x20) - 'a') < 26;
}

uint64_t
shingles_of(const char *p, size_t n, uint64_t seed, size_t n_gram,
            shingle_taker *take, void *ctx)
{
    uint64_t token[2 * MOST]; /* the last ones, as they are stored */
    uint64_t tokens = 0, last_word = 0; /* its number, from 1 */
    size_t at = 0, held = 0;

    for (;;) {
        size_t from;

        while (at < n && !in_token((unsigned char)p[at]))
            at++;
        if (at == n)
            break;
        from = at;
        while (at < n && in_token((unsigned char)p[at]))
            at++;
        if (held == 2 * MOST) {
            memmove(token, token + held - (n_gram - 1),
                    (n_gram - 1) * sizeof(token[0]));
            held = n_gram - 1;
        }
        store_u64(&token[held++], XXH3_64bits(p + from, at - from));
        tokens++;
        if (!is_digit((unsigned char)p[from]))
            last_word = tokens;
        if (held >= n_gram)
            take(ctx, XXH3_64bits_withSeed(token + held - n_gram,
                                           n_gram * sizeof(token[0]), seed),
                 last_word + n_gram > tokens);
    }
    if (tokens > 0 && tokens < n_gram)
        take(ctx, XXH3_64bits_withSeed(token, held * sizeof(token[0]), seed),
             last_word > 0);
    return tokens;
}
