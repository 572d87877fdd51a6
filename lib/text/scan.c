/* scan.c - pre-tokenizers by hand.
 *
 * At the start of a piece the alternatives of the regular expression are
 * told apart by the first character or two, then a run is followed: that a
 * run by class gives what the backtracking expression gives is checked
 * against tokenizers on random texts (tests/golden/fuzz.py).
 */
#include "text/scan.h"

#include <stdbool.h>
#include <string.h>

#include "text/uclass.h"
#include "text/uset.h"

#define CLASS (UC_LETTER | UC_NUMBER | UC_SPACE)

/* In the table of SCAN_O200K: what is in U and in W. */
#define UPPER 32
#define LOWER 64

/* Gives flag to the characters of those properties, up to a NULL. */
static void
flag_all(uint8_t *table, uint8_t flag, const char *const *property)
{
    struct uset s;

    uset_init(&s);
    for (; *property; property++)
        uset_property(&s, *property, strlen(*property));
    for (size_t i = 0; i + 1 < s.n; i += 2)
        for (uint32_t c = s.at[i]; c < s.at[i + 1]; c++)
            table[c] |= flag;
    uset_release(&s);
}

uint8_t *
scan_table(enum scan_kind kind)
{
    static const char *const mark[] = { "M", NULL };
    static const char *const upper[] = { "Lu", "Lt", "Lm", "Lo", "M", NULL };
    static const char *const lower[] = { "Ll", "Lm", "Lo", "M", NULL };
    uint8_t *table;

    if (kind < SCAN_QWEN35)
        return NULL;
    table = uclass_new();
    for (size_t i = 0; i < UC_POINTS; i++)
        table[i] &= CLASS;
    if (kind == SCAN_QWEN35) {
        flag_all(table, UC_LETTER, mark);
    } else {
        flag_all(table, UPPER, upper);
        flag_all(table, LOWER, lower);
    }
    return table;
}

/* The flags of the character at p < end, *n its length. */
static inline unsigned
flags_at(const uint8_t *uclass, const uint8_t *p, const uint8_t *end,
         size_t *n)
{
    uint32_t code;

    if (*p < 0x80) {
        *n = 1;
        return uclass[*p];
    }
    *n = uclass_char(p, (size_t)(end - p), &code);
    return uclass[code];
}

/* Follows characters whose flags in mask are want. */
static inline const uint8_t *
run(const uint8_t *uclass, const uint8_t *p, const uint8_t *end,
    unsigned mask, unsigned want)
{
    unsigned f;
    size_t n;

    while (p < end) {
        f = flags_at(uclass, p, end, &n);
        if ((f & mask) != want)
            break;
        p += n;
    }
    return p;
}

/* The length of 's 't 'm 'd 're 've 'll at p, where an ' is; 0 if none. fold:
 * letters of either case, and the long s, which folds to s. */
static size_t
contraction(const uint8_t *p, const uint8_t *end, bool fold)
{
    size_t n = (size_t)(end - p);
    uint8_t a, b;

    if (n < 2)
        return 0;
    if (fold && n >= 3 && p[1] == 0xc5 && p[2] == 0xbf)
        return 3;
    a = p[1];
    b = n > 2 ? p[2] : 0;
    if (fold && a >= 'A' && a <= 'Z')
        a |= 0x20;
    if (fold && b >= 'A' && b <= 'Z')
        b |= 0x20;
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
        return 2;
    if (((a == 'r' || a == 'v') && b == 'e') || (a == 'l' && b == 'l'))
        return 3;
    return 0;
}

/* \s+(?!\S)|\s+ from p up to stop, where a run of spaces ends: all of it if
 * nothing follows, else all but its last character. */
static const uint8_t *
spaces(const uint8_t *p, const uint8_t *stop, bool followed)
{
    const uint8_t *last = stop - 1;

    if (!followed)
        return stop;
    while (last > p && (*last & 0xc0) == 0x80)
        last--;
    return last > p ? last : stop;
}

/* digits: end is the end of the text, and a UC_DIGIT ends it, too. */
static inline size_t
scan_gpt2(const uint8_t *uclass, const uint8_t *start, const uint8_t *end,
          bool digits)
{
    const uint8_t *p = start, *stop;
    unsigned mask = CLASS | (digits ? UC_DIGIT : 0), f;
    size_t n;

    f = flags_at(uclass, p, end, &n);
    if (digits && (f & UC_DIGIT))
        return n;
    if (*p == '\'') {
        size_t len = contraction(p, end, false);

        if (len > 0)
            return len;
    }
    if (*p == ' ' && p + 1 < end) {
        unsigned g = flags_at(uclass, p + 1, end, &n);

        if (!(g & UC_SPACE) && !(digits && (g & UC_DIGIT))) {
            p++;
            f = g;
        }
    }
    if (!(f & UC_SPACE))
        return (size_t)(run(uclass, p + n, end, mask, f & mask) - start);
    stop = run(uclass, p, end, mask, UC_SPACE);
    f = stop < end ? flags_at(uclass, stop, end, &n) : 0;
    return (size_t)(spaces(p, stop, stop < end
                           && !(digits && (f & UC_DIGIT))) - start);
}

/* \s*[\r\n]+|\s+(?!\S)|\s+ */
static size_t
line_spaces(const uint8_t *uclass, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *stop = run(uclass, p, end, CLASS, UC_SPACE), *q;

    for (q = stop; q > p; q--)
        if (q[-1] == '\r' || q[-1] == '\n')
            return (size_t)(q - p);
    return (size_t)(spaces(p, stop, stop < end) - p);
}

static inline size_t
scan_qwen2(const uint8_t *uclass, const uint8_t *start, const uint8_t *end,
           int digits)
{
    const uint8_t *p = start;
    unsigned f, g = CLASS;
    size_t n, m = 0;
    int i;

    f = flags_at(uclass, p, end, &n);
    if (*p == '\'') {
        size_t len = contraction(p, end, true);

        if (len > 0)
            return len;
    }
    if (f & UC_LETTER)
        return (size_t)(run(uclass, p + n, end, CLASS, UC_LETTER) - start);
    if (f & UC_NUMBER) {
        p += n;
        for (i = 1; i < digits && p < end; i++) {
            if (!(flags_at(uclass, p, end, &n) & UC_NUMBER))
                break;
            p += n;
        }
        return (size_t)(p - start);
    }
    if (p + n < end)
        g = flags_at(uclass, p + n, end, &m);
    if ((g & CLASS) == UC_LETTER && *p != '\r' && *p != '\n')
        return (size_t)(run(uclass, p + n + m, end, CLASS, UC_LETTER) -
                        start);
    if (*p == ' ' && !(g & CLASS))
        p++;
    else if (f & UC_SPACE)
        return line_spaces(uclass, p, end);
    p = run(uclass, p, end, CLASS, 0);
    while (p < end && (*p == '\r' || *p == '\n'))
        p++;
    return (size_t)(p - start);
}

/* Where U*W+ from p ends, or NULL; *upper is where U+W* does then, which has
 * no W, or NULL. */
static const uint8_t *
cased_word(const uint8_t *table, const uint8_t *p, const uint8_t *end,
           const uint8_t **upper)
{
    const uint8_t *start = p, *both = NULL;
    unsigned f = 0;
    size_t n;

    while (p < end) {
        f = flags_at(table, p, end, &n);
        if (!(f & UPPER))
            break;
        p += n;
        if (f & LOWER)
            both = p;
    }
    *upper = p > start ? p : NULL;
    if (p < end && (f & LOWER))
        return run(table, p, end, LOWER, LOWER);
    /* U* gives back what is behind the last that is also of W. */
    return both;
}

/* The first two alternatives of SCAN_O200K without their end; NULL: none. f
 * is of p's character, of n bytes. */
static const uint8_t *
cased_letters(const uint8_t *table, const uint8_t *p, const uint8_t *end,
              unsigned f, size_t n)
{
    bool prefix = !(f & (UC_LETTER | UC_NUMBER)) && *p != '\r' && *p != '\n';
    const uint8_t *stop = NULL, *behind = NULL, *here = NULL;

    if (prefix)
        stop = cased_word(table, p + n, end, &behind);
    if (!stop && (f & (UPPER | LOWER)))
        stop = cased_word(table, p, end, &here);
    return stop ? stop : behind ? behind : here;
}

static inline size_t
scan_cased(const uint8_t *table, const uint8_t *start, const uint8_t *end,
           int digits, bool contractions)
{
    const uint8_t *p = start, *stop;
    unsigned f;
    size_t n;
    int i;

    f = flags_at(table, p, end, &n);
    stop = cased_letters(table, p, end, f, n);
    if (stop) {
        if (contractions && stop < end && *stop == '\'')
            stop += contraction(stop, end, true);
        return (size_t)(stop - start);
    }
    for (i = 0; i < digits && p < end; i++, p += n)
        if (!(flags_at(table, p, end, &n) & UC_NUMBER))
            break;
    if (p > start)
        return (size_t)(p - start);
    if (*p == ' ' && p + 1 < end && !(flags_at(table, p + 1, end, &n) & CLASS))
        p++;
    else if (f & UC_SPACE)
        return line_spaces(table, p, end);
    p = run(table, p, end, CLASS, 0);
    while (p < end && (*p == '\r' || *p == '\n' || *p == '/'))
        p++;
    return (size_t)(p - start);
}

size_t
scan_piece(enum scan_kind kind, const uint8_t *table, const uint8_t *p,
           const uint8_t *end)
{
    switch (kind) {
    case SCAN_GPT2:
        return scan_gpt2(table, p, end, false);
    case SCAN_DIGITS:
        return scan_gpt2(table, p, end, true);
    case SCAN_QWEN2:
    case SCAN_QWEN35:
        return scan_qwen2(table, p, end, 1);
    case SCAN_LLAMA3:
        return scan_qwen2(table, p, end, 3);
    case SCAN_O200K:
        return scan_cased(table, p, end, 3, true);
    default:
        return scan_cased(table, p, end, 1, false);
    }
}
