/* uset.c - sets of code points, put together by one walk over two lists. */
#include "text/uset.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/ucat.h"
#include "text/uclass.h"

void
uset_init(struct uset *s)
{
    memset(s, 0, sizeof(*s));
}

void
uset_release(struct uset *s)
{
    free(s->at);
    uset_init(s);
}

/* The walk enters or leaves at c, which is behind all that is there. */
static void
toggle(struct uset *s, uint32_t c)
{
    if (s->n == s->cap) {
        s->cap = s->cap * 2 + 8;
        s->at = mem_grow(s->at, s->cap * sizeof(s->at[0]));
    }
    s->at[s->n++] = c;
}

/* s becomes what is in at least `least` of the two. */
static void
combine(struct uset *s, const struct uset *other, int least)
{
    struct uset out = { NULL, 0, 0 };
    size_t i = 0, k = 0;
    bool in = false;

    while (i < s->n || k < other->n) {
        uint32_t c = i < s->n ? s->at[i] : UINT32_MAX;

        if (k < other->n && other->at[k] < c)
            c = other->at[k];
        i += i < s->n && s->at[i] == c;
        k += k < other->n && other->at[k] == c;
        if (((int)(i & 1) + (int)(k & 1) >= least) != in) {
            in = !in;
            toggle(&out, c);
        }
    }
    uset_release(s);
    *s = out;
}

void
uset_join(struct uset *s, const struct uset *other)
{
    combine(s, other, 1);
}

void
uset_meet(struct uset *s, const struct uset *other)
{
    combine(s, other, 2);
}

void
uset_add(struct uset *s, uint32_t first, uint32_t last)
{
    uint32_t ends[2] = { first, last + 1 };
    struct uset range = { ends, 2, 2 };

    uset_join(s, &range);
}

void
uset_negate(struct uset *s)
{
    struct uset out = { NULL, 0, 0 };
    size_t i = s->n > 0 && s->at[0] == 0;

    if (i == 0)
        toggle(&out, 0);
    for (; i < s->n; i++)
        toggle(&out, s->at[i]);
    uset_release(s);
    *s = out;
}

bool
uset_has(const struct uset *s, uint32_t c)
{
    size_t from = 0, to = s->n, middle;

    while (from < to) {
        middle = (from + to) / 2;
        if (s->at[middle] <= c)
            from = middle + 1;
        else
            to = middle;
    }
    return from & 1;
}

bool
uset_same(const struct uset *a, const struct uset *b)
{
    return a->n == b->n
           && (a->n == 0 || memcmp(a->at, b->at, a->n * sizeof(a->at[0])) == 0);
}

/* Adds the code points whose category is set in categories (bits), or whose
 * script is the one (0: none), or that have one of the flags. */
static void
add_ucat(struct uset *s, uint32_t categories, unsigned script, unsigned flags)
{
    struct uset found = { NULL, 0, 0 };
    uint32_t at = 0;
    size_t i;

    for (i = 0; i < ucat_n_runs; at += ucat_run[i++].n) {
        unsigned v = ucat_run[i].value;
        bool in = (categories >> (v & UCAT_CATEGORY) & 1) || (v & flags)
                  || (script && (v & UCAT_SCRIPT) >> 5 == script);

        if (in != (found.n & 1))
            toggle(&found, at);
    }
    if (found.n & 1)
        toggle(&found, at);
    uset_join(s, &found);
    uset_release(&found);
}

void
uset_ucat(struct uset *s, unsigned flags)
{
    add_ucat(s, 0, 0, flags);
}

void
uset_uclass(struct uset *s, unsigned flags)
{
    struct uset found = { NULL, 0, 0 };
    uint32_t at = 0;
    size_t i;

    for (i = 0; i < uclass_n_runs; at += uclass_run[i++].n)
        if (((uclass_run[i].flags & flags) != 0) != (found.n & 1))
            toggle(&found, at);
    if (found.n & 1)
        toggle(&found, at);
    uset_join(s, &found);
    uset_release(&found);
}

bool
uset_property(struct uset *s, const char *name, size_t n)
{
    uint32_t categories = 0;
    size_t i;

    if (n == 3 && memcmp(name, "Any", 3) == 0) {
        uset_add(s, 0, UC_POINTS - 1);
        return true;
    }
    for (i = 0; n <= 2 && ucat_category[i]; i++)
        if (n > 0 && memcmp(ucat_category[i], name, n) == 0)
            categories |= (uint32_t)1 << i;
    if (categories) {
        add_ucat(s, categories, 0, 0);
        return true;
    }
    for (i = 1; ucat_script[i]; i++)
        if (strlen(ucat_script[i]) == n
            && memcmp(ucat_script[i], name, n) == 0) {
            add_ucat(s, 0, (unsigned)i, 0);
            return true;
        }
    return false;
}
