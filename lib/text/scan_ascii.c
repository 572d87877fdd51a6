/* scan_ascii.c - pieces of ASCII, as many at a time as 64 bytes tell: bytes
 * are masks, bit 0 the first, and where pieces start is computed for all of
 * them together, without a branch for each character or piece.
 *
 * Of the bytes at the end, and of what is not ASCII or needs more than its
 * neighbours to be told, nothing is said: scan_piece goes on there.
 */
#include "text/scan.h"

#include <stdbool.h>
#include <string.h>

#define BLOCK 64
#define LAST ((uint64_t)1 << (BLOCK - 1))

struct ascii {
    uint64_t letter, upper, digit, space, other;
    uint64_t blank, line; /* ' '; \r and \n */
    uint64_t quote, slash;
    uint64_t high; /* is not ASCII */
};

#ifdef __SSE2__
#include <emmintrin.h>

#define ASCII_HERE true

/* The bytes from first on, n of them. */
static inline uint64_t
in_range(__m128i bytes, char first, int n)
{
    __m128i low = _mm_sub_epi8(bytes, _mm_set1_epi8((char)(first + 128)));

    /* The range now begins at the lowest signed byte. */
    return (uint64_t)_mm_movemask_epi8(
        _mm_cmplt_epi8(low, _mm_set1_epi8((char)(n - 128))));
}

static inline uint64_t
equals(__m128i bytes, char byte)
{
    return (uint64_t)_mm_movemask_epi8(
        _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte)));
}

static inline void
look(struct ascii *a, const uint8_t p[BLOCK])
{
    memset(a, 0, sizeof(*a));
    for (int i = 0; i < BLOCK; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(p + i));
        __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));

        a->letter |= in_range(folded, 'a', 26) << i;
        a->upper |= in_range(bytes, 'A', 26) << i;
        a->digit |= in_range(bytes, '0', 10) << i;
        a->space |= in_range(bytes, '\t', 5) << i;
        a->blank |= equals(bytes, ' ') << i;
        a->line |= (equals(bytes, '\n') | equals(bytes, '\r')) << i;
        a->quote |= equals(bytes, '\'') << i;
        a->slash |= equals(bytes, '/') << i;
        a->high |= (uint64_t)_mm_movemask_epi8(bytes) << i;
    }
    a->space |= a->blank;
    a->other = ~(a->letter | a->digit | a->space | a->high);
}
#else
#define ASCII_HERE false

static inline void
look(struct ascii *a, const uint8_t p[BLOCK])
{
    (void)p;
    memset(a, 0, sizeof(*a));
}
#endif

/* The bits below the lowest one that is set. */
static inline uint64_t
below(uint64_t mask)
{
    return (mask & -mask) - 1;
}

/* What is certain of `starts`, where each bit but that depends on the byte
 * behind it; `doubt`: from there on nothing is. */
static inline uint64_t
certain(const struct ascii *a, uint64_t starts, uint64_t doubt)
{
    return starts & below(doubt | a->high | a->high >> 1 | LAST) & ~1ull;
}

static inline uint64_t
starts_gpt2(const struct ascii *a, bool digits)
{
    uint64_t parted = digits ? a->digit : 0;
    uint64_t goes_on = (a->letter & a->letter << 1)
                       | (a->digit & a->digit << 1)
                       | (a->other & a->other << 1) | a->blank << 1;
    uint64_t inside = a->space << 1 & (a->space | parted) >> 1;

    /* Behind a quote: it may be a contraction. */
    return certain(a, parted | (~a->space & ~goes_on)
                   | (a->space & ~inside), a->quote << 1 & a->letter);
}

/* Of a run of digits every third. */
static inline uint64_t
starts_threes(uint64_t digit)
{
    uint64_t more = digit & digit << 1, starts = digit & ~more, next;

    more &= more << 2;
    for (next = starts << 3 & more; next; next = next << 3 & more)
        starts |= next;
    return starts;
}

/* From the run of spaces on that goes on behind the block, or has one before
 * the end of a line; all of those before its last line are one piece. */
static inline uint64_t
doubtful_spaces(const struct ascii *a)
{
    uint64_t last = a->space & ~a->line & (a->line >> 1 | a->high >> 1 | LAST);
    uint64_t before = ~a->space & below(last);

    if (!last)
        return 0;
    return before ? (uint64_t)4 << (BLOCK - 1 - __builtin_clzll(before)) : 2;
}

/* cased: SCAN_O200K and SCAN_TEKKEN. */
static inline uint64_t
starts_lines(const struct ascii *a, int digits, bool cased, bool contractions)
{
    uint64_t inner = a->space & ~a->line; /* of a line */
    uint64_t lone = a->other & ~(a->other << 1) & ~(a->blank << 1);
    uint64_t starts = lone | (digits == 1 ? a->digit :
                              starts_threes(a->digit));
    uint64_t doubt = doubtful_spaces(a);

    /* What is before a letter joins it, if it would start a piece. */
    starts |= a->letter & ~((a->letter | inner | lone) << 1);
    starts |= inner & ~(inner << 1 & a->space >> 1);
    starts |= a->line & ~((a->other | a->line) << 1);
    if (cased) {
        starts |= a->upper & (a->letter & ~a->upper) << 1;
        doubt |= a->slash & a->line << 1;
    }
    if (contractions)
        doubt |= cased ? a->quote & a->letter << 1 & a->letter >> 1
                       : a->quote << 1 & a->letter;
    return certain(a, starts, doubt);
}

static uint64_t
starts_of(enum scan_kind kind, const uint8_t p[BLOCK])
{
    struct ascii a;

    look(&a, p);
    switch (kind) {
    case SCAN_GPT2:
        return starts_gpt2(&a, false);
    case SCAN_DIGITS:
        return starts_gpt2(&a, true);
    case SCAN_QWEN2:
    case SCAN_QWEN35:
        return starts_lines(&a, 1, false, true);
    case SCAN_LLAMA3:
        return starts_lines(&a, 3, false, true);
    case SCAN_O200K:
        return starts_lines(&a, 3, true, true);
    default:
        return starts_lines(&a, 1, true, false);
    }
}

size_t
scan_pieces(enum scan_kind kind, const uint8_t *table, const uint8_t *p,
            const uint8_t *end, const uint8_t *stop[SCAN_MOST])
{
    uint8_t tail[BLOCK];
    const uint8_t *block = p;
    uint64_t starts = 0;
    size_t n = 0;

    if (end - p < BLOCK) {
        memset(tail, 0x80, sizeof(tail));
        memcpy(tail, p, (size_t)(end - p));
        block = tail;
    }
    if (ASCII_HERE && (block[0] | block[1]) < 0x80)
        starts = starts_of(kind, block);
    for (; starts; starts &= starts - 1)
        stop[n++] = p + __builtin_ctzll(starts);
    if (n == 0)
        stop[n++] = p + scan_piece(kind, table, p, end);
    return n;
}
