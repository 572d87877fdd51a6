/* added.c - the trie of added tokens, children in lists. */
#include "text/added.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/uclass.h"

#define NO_TOKEN UINT32_MAX

struct added_node {
    uint32_t child, sibling; /* 0: none; node 0 is not used */
    uint32_t token;
    uint8_t byte;
};

void
added_set_init(struct added_set *s, const struct added_token *token)
{
    memset(s, 0, sizeof(*s));
    s->token = token;
}

void
added_set_release(struct added_set *s)
{
    free(s->node);
    added_set_init(s, NULL);
}

static uint32_t
new_node(struct added_set *s, uint8_t byte)
{
    if (s->n_nodes + 1 >= s->cap_nodes) {
        s->cap_nodes = s->cap_nodes * 2 + 64;
        s->node = mem_grow(s->node, s->cap_nodes * sizeof(s->node[0]));
    }
    s->n_nodes++;
    s->node[s->n_nodes] = (struct added_node){ 0, 0, NO_TOKEN, byte };
    return (uint32_t)s->n_nodes;
}

/* The child of node at (0: the root) by byte, or 0. */
static uint32_t
child(const struct added_set *s, uint32_t at, uint8_t byte)
{
    uint32_t c;

    if (at == 0)
        return s->first[byte];
    for (c = s->node[at].child; c != 0; c = s->node[c].sibling)
        if (s->node[c].byte == byte)
            break;
    return c;
}

void
added_set_put(struct added_set *s, size_t i, const void *p, size_t n)
{
    const uint8_t *b = p;
    uint32_t at = 0, c;
    size_t k;

    for (k = 0; k < n; k++) {
        c = child(s, at, b[k]);
        if (c == 0) {
            c = new_node(s, b[k]);
            if (at == 0) {
                s->first[b[k]] = c;
            } else {
                s->node[c].sibling = s->node[at].child;
                s->node[at].child = c;
            }
        }
        at = c;
    }
    if (s->node[at].token == NO_TOKEN)
        s->n_tokens++;
    s->node[at].token = (uint32_t)i;
}

/* The longest token at p[n], n > 0; its length, 0 if none. */
static size_t
longest(const struct added_set *s, const uint8_t *p, size_t n,
        size_t *token)
{
    uint32_t at = s->first[p[0]];
    size_t i, len = 0;

    for (i = 1; at != 0; i++) {
        if (s->node[at].token != NO_TOKEN) {
            len = i;
            *token = s->node[at].token;
        }
        if (i == n)
            break;
        at = child(s, at, p[i]);
    }
    return len;
}

/* The flags of the character that ends at p[n], n > 0. */
static unsigned
flags_before(const uint8_t *uclass, const uint8_t *p, size_t n, size_t *len)
{
    uint32_t code = p[n - 1];
    size_t i;

    for (i = 2; code >= 0x80 && i <= 4 && i <= n; i++)
        if (uclass_char(p + n - i, i, &code) == i) {
            *len = i;
            return uclass[code];
        }
    *len = 1;
    return code < 0x80 ? uclass[code] : 0;
}

static unsigned
flags_after(const uint8_t *uclass, const uint8_t *p, size_t n, size_t *len)
{
    uint32_t code;

    *len = uclass_char(p, n, &code);
    return uclass[code];
}

static bool
beside_word(const uint8_t *uclass, const uint8_t *p, size_t n, size_t start,
            size_t end)
{
    size_t len;

    return (start > 0
            && (flags_before(uclass, p, start, &len) & UC_WORD))
           || (end < n
            && (flags_after(uclass, p + end, n - end, &len) & UC_WORD));
}

/* Widens m by what its token strips. */
static void
strip(const struct added_token *t, const uint8_t *uclass, const uint8_t *p,
      size_t n, size_t done, struct added_match *m)
{
    size_t len;

    while (t->lstrip && m->start > done
           && (flags_before(uclass, p, m->start, &len) & UC_SPACE))
        m->start -= len;
    if (m->start < done)
        m->start = done;
    while (t->rstrip && m->end < n
           && (flags_after(uclass, p + m->end, n - m->end, &len) & UC_SPACE))
        m->end += len;
}

bool
added_find(const struct added_set *s, const uint8_t *uclass,
           const uint8_t *p, size_t n, size_t *at, size_t done,
           struct added_match *m)
{
    const struct added_token *t;
    size_t i, len, token = 0;

    for (i = *at; i < n; i++) {
        if (s->first[p[i]] == 0)
            continue;
        len = longest(s, p + i, n - i, &token);
        if (len == 0)
            continue;
        t = &s->token[token];
        *at = i + len;
        /* What an rstrip before has taken is no token any more. */
        if (*at <= done || (t->single_word
                            && beside_word(uclass, p, n, i, *at))) {
            i = *at - 1;
            continue;
        }
        *m = (struct added_match){ i, *at, token };
        strip(t, uclass, p, n, done, m);
        return true;
    }
    *at = n;
    return false;
}
