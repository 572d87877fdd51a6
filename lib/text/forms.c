/* forms.c - decomposition and composition by utf8proc, ordering of marks here.
 *
 * Only runs of UC_FORM_PART and UC_COMPAT characters are handed to utf8proc:
 * those existed in Unicode 9, and what was normal then is the same in every
 * later version, so its own version does not matter. Marks are ordered here
 * because utf8proc's way is quadratic in their number.
 */
#include "text/forms.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "text/uclass.h"

#define MAX_PARTS 32 /* of one character; Unicode's longest is 18 */

/* Code points in the making, of that form. */
struct points {
    enum form form;
    int32_t *at;
    size_t n, cap;
};

/* A mark, with what orders it. */
struct mark {
    int32_t code;
    int ccc;
    size_t place;
};

static bool
composes(enum form form)
{
    return form == FORM_NFC || form == FORM_NFKC;
}

/* The flags of the characters that the form looks at. */
static uint8_t
parts_of(enum form form)
{
    return form >= FORM_NFKC ? UC_FORM_PART | UC_COMPAT : UC_FORM_PART;
}

/* Of those that it may change, beyond ASCII. */
static uint8_t
changed_by(enum form form)
{
    uint8_t own = composes(form) ? UC_NFC : UC_FORM_PART;

    return form >= FORM_NFKC ? own | UC_COMPAT : own;
}

bool
form_needed(enum form form, const uint8_t *uclass, const void *p, size_t n)
{
    const uint8_t *s = p, *end = s + n;
    uint8_t changed = changed_by(form);
    uint32_t code;

    while (s < end) {
        if (utf8_is_ascii(s, (size_t)(end - s))) {
            s += UTF8_ASCII;
            continue;
        }
        if (*s < 0x80) {
            s++;
            continue;
        }
        s += uclass_char(s, (size_t)(end - s), &code);
        if (uclass[code] & changed)
            return true;
    }
    return false;
}

static void
add_decomposed(struct points *d, uint32_t code)
{
    utf8proc_ssize_t n;
    int boundary = 0;

    if (d->cap - d->n < MAX_PARTS) {
        d->cap = d->cap * 2 + MAX_PARTS;
        d->at = mem_grow(d->at, d->cap * sizeof(d->at[0]));
    }
    n = utf8proc_decompose_char((int32_t)code, d->at + d->n, MAX_PARTS,
                                UTF8PROC_DECOMPOSE | UTF8PROC_STABLE
                                | (d->form >= FORM_NFKC ? UTF8PROC_COMPAT
                                                        : 0),
                                &boundary);
    if (n < 0 || n > MAX_PARTS) {
        d->at[d->n] = (int32_t)code;
        n = 1;
    }
    d->n += (size_t)n;
}

static int
ccc_of(int32_t code)
{
    return utf8proc_get_property(code)->combining_class;
}

static int
by_class(const void *a, const void *b)
{
    const struct mark *x = a, *y = b;

    if (x->ccc != y->ccc)
        return x->ccc < y->ccc ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

/* Orders the marks d[from, to) by class, equal ones as they stood. */
static void
order_run(struct points *d, size_t from, size_t to)
{
    struct mark *m = mem_array(to - from, sizeof(*m));
    size_t i;

    for (i = from; i < to; i++)
        m[i - from] = (struct mark){ d->at[i], ccc_of(d->at[i]), i };
    qsort(m, to - from, sizeof(*m), by_class);
    for (i = from; i < to; i++)
        d->at[i] = m[i - from].code;
    free(m);
}

static void
order_marks(struct points *d)
{
    size_t i, from = 0;

    for (i = 0; i <= d->n; i++) {
        if (i < d->n && ccc_of(d->at[i]) != 0)
            continue;
        if (i - from > 1)
            order_run(d, from, i);
        from = i + 1;
    }
}

static void
put(struct buf *b, struct points *d)
{
    utf8proc_ssize_t n = (utf8proc_ssize_t)d->n, i;
    char utf8[4];

    order_marks(d);
    if (composes(d->form))
        n = utf8proc_normalize_utf32(d->at, n,
                                     UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    for (i = 0; i < n; i++)
        buf_add(b, utf8, utf8_encode((uint32_t)d->at[i], utf8));
    d->n = 0;
}

/* p[n] of characters that the form looks at, normalised. */
static void
add_run(struct buf *b, struct points *d, const uint8_t *p, size_t n)
{
    uint32_t code;
    size_t i, len;

    for (i = 0; i < n; i += len) {
        len = uclass_char(p + i, n - i, &code);
        add_decomposed(d, code);
    }
    put(b, d);
}

/* The length of the character at p[n] and of the marks behind it. */
static size_t
cluster(struct points *d, const uint8_t *p, size_t n)
{
    uint32_t code;
    size_t at = 0, len;

    while (at < n) {
        len = uclass_char(p + at, n - at, &code);
        add_decomposed(d, code);
        len = at > 0 && ccc_of(d->at[0]) == 0 ? 0 : len;
        d->n = 0;
        if (len == 0)
            break;
        at += len;
    }
    return at;
}

/* Whether the nx bytes behind p[n] change or are changed by it: what becomes
 * of both together is not what becomes of each. */
static bool
joins(struct buf *b, struct points *d, const uint8_t *p, size_t n,
      size_t nx)
{
    size_t start = b->len, apart, whole;
    bool same;

    add_run(b, d, p, n);
    add_run(b, d, p + n, nx);
    apart = b->len - start;
    add_run(b, d, p, n + nx);
    whole = b->len - start - apart;
    same = whole == apart
           && memcmp(b->data + start, b->data + start + apart, whole) == 0;
    b->len = start;
    return !same;
}

/* As add_run, with the changes; `from` is where p is in the given text. */
static void
add_clusters(struct buf *b, struct points *d, const uint8_t *p, size_t n,
             size_t from, struct text_changes *changes)
{
    struct text_change c;
    size_t at = 0, len, next;

    for (; at < n; at += len) {
        len = cluster(d, p + at, n - at);
        while (at + len < n) {
            next = cluster(d, p + at + len, n - at - len);
            if (!joins(b, d, p + at, len, next))
                break;
            len += next;
        }
        c = (struct text_change){ b->len, 0, from + at, len };
        add_run(b, d, p + at, len);
        c.n = b->len - c.at;
        if (c.n != len || memcmp(b->data + c.at, p + at, len) != 0)
            text_changes_add(changes, &c);
    }
}

/* Where the characters from s[at] on end that the form looks at, or, `part`
 * false, those that it does not. */
static size_t
stretch_end(enum form form, const uint8_t *uclass, const uint8_t *s,
            size_t at, size_t n, bool part)
{
    uint8_t parts = parts_of(form);
    uint32_t code;
    size_t len;

    for (; at < n; at += len) {
        len = uclass_char(s + at, n - at, &code);
        if (((uclass[code] & parts) != 0) != part)
            break;
    }
    return at;
}

void
form_add(struct buf *b, enum form form, const uint8_t *uclass, const void *p,
         size_t n, struct text_changes *changes)
{
    const uint8_t *s = p;
    struct points d = { .form = form };
    size_t at = 0, end;

    while (at < n) {
        end = stretch_end(form, uclass, s, at, n, false);
        buf_add(b, s + at, end - at);
        at = end;
        end = stretch_end(form, uclass, s, at, n, true);
        if (changes)
            add_clusters(b, &d, s + at, end - at, at, changes);
        else if (end > at)
            add_run(b, &d, s + at, end - at);
        at = end;
    }
    free(d.at);
}
