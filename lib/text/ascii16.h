/* ascii16.h - what the next 16 bytes of a text are, as bits of masks, bit 0
 * the first byte: so that the end of a run is found without a branch for each
 * character. Private to lib/text.
 *
 * All scanners need of a piece is mostly there; where it is not, or a byte is
 * not ASCII, they go through the text character by character.
 */
#ifndef TEXT_ASCII16_H
#define TEXT_ASCII16_H

#include <stddef.h>
#include <stdint.h>

#define ASCII16 16

struct ascii16 {
    uint32_t letter, upper, digit, space, line, other; /* line: \r and \n */
    uint32_t stop; /* bits from the first byte on that is not ASCII, or from
                    * the last of the 16 on: not to be relied on */
};

#ifdef __SSE2__
#include <emmintrin.h>

#define ASCII16_HERE 1

/* The bytes from first to last. */
static inline uint32_t
ascii16_range(__m128i bytes, char first, int n)
{
    __m128i low = _mm_sub_epi8(bytes, _mm_set1_epi8((char)(first + 128)));

    /* The range now begins at the lowest signed byte. */
    return (uint32_t)_mm_movemask_epi8(
        _mm_cmplt_epi8(low, _mm_set1_epi8((char)(n - 128))));
}

static inline struct ascii16
ascii16_at(const uint8_t *p)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)p);
    __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    struct ascii16 a;

    a.letter = ascii16_range(folded, 'a', 26);
    a.upper = ascii16_range(bytes, 'A', 26);
    a.digit = ascii16_range(bytes, '0', 10);
    a.space = ascii16_range(bytes, '\t', 5)
              | (uint32_t)_mm_movemask_epi8(
                  _mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')));
    a.line = (uint32_t)_mm_movemask_epi8(_mm_or_si128(
        _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')),
        _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\r'))));
    a.stop = (uint32_t)_mm_movemask_epi8(bytes) | 1u << (ASCII16 - 1);
    a.other = ~(a.letter | a.digit | a.space) & ((1u << ASCII16) - 1);
    return a;
}
#else
#define ASCII16_HERE 0

static inline struct ascii16
ascii16_at(const uint8_t *p)
{
    (void)p;
    return (struct ascii16){ .stop = 1 };
}
#endif

/* How far the run of set bits goes that begins at bit `from`, as the bit
 * behind it. */
static inline size_t
ascii16_run(uint32_t mask, size_t from)
{
    return from + (size_t)__builtin_ctz(~(mask >> from));
}

/* Whether what was found out of the bytes before bit `at`, and that one,
 * holds. */
static inline int
ascii16_holds(const struct ascii16 *a, size_t at)
{
    return at < (size_t)__builtin_ctz(a->stop);
}

#endif
