/* regex_class.c - what one character of a regular expression may be. */
#include "text/regex_parse.h"

#include <string.h>

#include "text/ucat.h"
#include "text/uclass.h"

int
regex_refuse(struct regex_parser *ps, size_t n, const char *why)
{
    size_t left = (size_t)(ps->end - ps->p);

    return err_set(ps->e, ERR_DATA, "%s%s\"%.*s\" is not supported", why,
                   *why ? " " : "", (int)(n < left ? n : left), ps->p);
}

uint32_t
regex_char(struct regex_parser *ps)
{
    uint32_t code;

    ps->p += uclass_char((const uint8_t *)ps->p, (size_t)(ps->end - ps->p),
                         &code);
    return code;
}

static bool
is_letter(uint32_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

int
regex_add_range(struct regex_parser *ps, struct uset *s, uint32_t first,
                uint32_t last)
{
    uset_add(s, first, last);
    if (!ps->fold)
        return 0;
    if (last >= 0x80)
        return err_set(ps->e, ERR_DATA,
                       "(?i:...) is supported of ASCII characters only");
    for (uint32_t c = first; c <= last; c++) {
        if (!is_letter(c))
            continue;
        uset_add(s, c ^ 0x20, c ^ 0x20);
        if ((c | 0x20) == 's')
            uset_add(s, 0x17f, 0x17f);
        if ((c | 0x20) == 'k')
            uset_add(s, 0x212a, 0x212a);
    }
    return 0;
}

static int
hex_digit(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* From least to most hexadecimal digits; -1 when there are not. */
static int32_t
hex_number(struct regex_parser *ps, int least, int most)
{
    int32_t v = 0;
    int n;

    for (n = 0; n < most && ps->p < ps->end && hex_digit(*ps->p) >= 0; n++)
        v = v * 16 + hex_digit(*ps->p++);
    return n < least ? -1 : v;
}

/* \xHH, \x{H...}, \uHHHH; ps->p is behind the letter. */
static int
by_number(struct regex_parser *ps, int letter, uint32_t *code)
{
    const char *from = ps->p;
    int32_t v;

    if (letter == 'u') {
        v = hex_number(ps, 4, 4);
    } else if (ps->p < ps->end && *ps->p == '{') {
        ps->p++;
        v = hex_number(ps, 1, 6);
        v = ps->p < ps->end && *ps->p == '}' ? v : -1;
        ps->p++;
    } else {
        v = hex_number(ps, 1, 2);
        v = v < 0x80 ? v : -1; /* a byte, not a character */
    }
    if (v < 0 || v >= UC_POINTS || (v >= 0xd800 && v < 0xe000)) {
        ps->p = from - 2;
        return regex_refuse(ps, 8, "");
    }
    *code = (uint32_t)v;
    return 1;
}

/* p{NAME}, P{NAME}, p{^NAME} */
static int
property(struct regex_parser *ps, struct uset *s)
{
    const char *from = ps->p - 1, *name = ps->p + 1, *stop;
    bool negate = from[1] == 'P';

    if (name == ps->end || *name++ != '{') {
        ps->p = from;
        return regex_refuse(ps, 3, "");
    }
    if (name < ps->end && *name == '^') {
        negate = !negate;
        name++;
    }
    stop = memchr(name, '}', (size_t)(ps->end - name));
    if (!stop || !uset_property(s, name, (size_t)(stop - name))) {
        ps->p = from;
        return regex_refuse(ps, stop ? (size_t)(stop - from + 1) : 8, "");
    }
    if (negate)
        uset_negate(s);
    ps->p = stop + 1;
    return 0;
}

static int
add_hex_digits(struct uset *s)
{
    uset_add(s, '0', '9');
    uset_add(s, 'A', 'F');
    uset_add(s, 'a', 'f');
    return 0;
}

/* \w; in a class Oniguruma leaves out what is a number but no digit, below
 * U+0100. */
static void
add_word(const struct regex_parser *ps, struct uset *s)
{
    static const uint32_t number[] = { 0xb2, 0xb3, 0xb9, 0xbc, 0xbd, 0xbe };
    struct uset others;
    size_t i;

    uset_ucat(s, UCAT_WORD);
    if (ps->n_classes == 0)
        return;
    uset_init(&others);
    for (i = 0; i < sizeof(number) / sizeof(number[0]); i++)
        uset_add(&others, number[i], number[i]);
    uset_negate(&others);
    uset_meet(s, &others);
    uset_release(&others);
}

/* \s and the like, or a property. */
static int
escaped_set(struct regex_parser *ps, struct uset *s)
{
    int c = *ps->p;

    if (ps->fold && (c == 'w' || c == 'W' || c == 'p' || c == 'P')) {
        ps->p--;
        return regex_refuse(ps, 2, "in (?i:...),");
    }
    if (c == 'p' || c == 'P')
        return property(ps, s);
    if (c == 's' || c == 'S')
        uset_uclass(s, UC_SPACE);
    else if (c == 'd' || c == 'D')
        uset_property(s, "Nd", 2);
    else if (c == 'w' || c == 'W')
        add_word(ps, s);
    else
        add_hex_digits(s);
    if (c < 'a')
        uset_negate(s);
    ps->p++;
    return 0;
}

int
regex_escape(struct regex_parser *ps, uint32_t *code, struct uset *s)
{
    static const char letters[] = "tnrfvae", means[] = "\t\n\r\f\v\a\x1b";
    const char *at;
    int c;

    if (ps->p == ps->end)
        return err_set(ps->e, ERR_DATA, "it ends with a backslash");
    c = (unsigned char)*ps->p;
    if (strchr("sSdDwWhHpP", c) && c)
        return escaped_set(ps, s);
    at = c ? strchr(letters, c) : NULL;
    if (c == 'x' || c == 'u') {
        ps->p++;
        return by_number(ps, c, code);
    }
    if (!at && (is_letter((uint32_t)c) || (c >= '0' && c <= '9'))) {
        ps->p--;
        return regex_refuse(ps, 2, "");
    }
    *code = at ? (uint32_t)means[at - letters] : regex_char(ps);
    if (at)
        ps->p++;
    return 1;
}

/* ---- [...] ---- */

/* One of a class: 1 a character, 0 a set, which is added. */
static int
class_item(struct regex_parser *ps, uint32_t *code, struct uset *s)
{
    struct uset more;
    int rc, c = *ps->p;

    uset_init(&more);
    if (c == '[' && ps->end - ps->p > 1 && ps->p[1] == ':')
        return regex_refuse(ps, 8, "");
    if (c == '[') {
        ps->p++;
        rc = regex_class(ps, &more);
    } else if (c == '\\') {
        ps->p++;
        if (ps->p < ps->end && *ps->p == 'b') {
            ps->p++;
            *code = 8;
            return 1;
        }
        rc = regex_escape(ps, code, &more);
    } else {
        *code = regex_char(ps);
        return 1;
    }
    if (rc == 0)
        uset_join(s, &more);
    uset_release(&more);
    return rc;
}

/* A - follows that is not the last of the class. */
static bool
dash(const struct regex_parser *ps)
{
    return ps->end - ps->p > 1 && ps->p[0] == '-' && ps->p[1] != ']';
}

/* A character, a range or a set. */
static int
class_part(struct regex_parser *ps, struct uset *s)
{
    const char *from = ps->p;
    uint32_t first, last;
    int rc = class_item(ps, &first, s);

    if (rc < 0)
        return rc;
    last = first;
    if (rc == 1 && dash(ps)) {
        ps->p++;
        rc = *ps->p == '[' ? 0 : class_item(ps, &last, s);
        if (rc < 0)
            return rc;
        if (rc == 0 || last < first) {
            ps->p = from;
            return regex_refuse(ps, 8, "range");
        }
        if (!dash(ps))
            return regex_add_range(ps, s, first, last);
    }
    if (dash(ps))
        return regex_refuse(ps, 8, "in a class,");
    return rc == 1 ? regex_add_range(ps, s, first, last) : 0;
}

/* Up to && or the end of the class. */
static int
class_operand(struct regex_parser *ps, struct uset *s)
{
    const char *from = ps->p;
    int rc = 0;

    while (rc == 0) {
        if (ps->p == ps->end)
            return err_set(ps->e, ERR_DATA, "a class without its ]");
        if (*ps->p == ']'
            || (ps->end - ps->p > 1 && memcmp(ps->p, "&&", 2) == 0))
            break;
        rc = class_part(ps, s);
    }
    if (rc == 0 && ps->p == from)
        return regex_refuse(ps, 2, "in a class,");
    return rc;
}

int
regex_class(struct regex_parser *ps, struct uset *s)
{
    struct uset operand;
    bool negate = ps->p < ps->end && *ps->p == '^';
    const char *from = ps->p;
    int rc;

    if (++ps->depth > REGEX_MAX_DEPTH)
        return err_set(ps->e, ERR_DATA, "it is over %d deep",
                       REGEX_MAX_DEPTH);
    ps->n_classes++;
    ps->p += negate;
    rc = class_operand(ps, s);
    while (rc == 0 && *ps->p == '&') {
        /* Oniguruma forgets some characters there. */
        if (negate && ps->n_classes > 1) {
            ps->p = from;
            return regex_refuse(ps, 8, "&& in a class of a class,");
        }
        ps->p += 2;
        uset_init(&operand);
        rc = class_operand(ps, &operand);
        uset_meet(s, &operand);
        uset_release(&operand);
    }
    if (rc == 0) {
        ps->p++;
        if (negate)
            uset_negate(s);
    }
    ps->n_classes--;
    ps->depth--;
    return rc;
}
