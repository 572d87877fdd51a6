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

static bool
is_mark(const struct added_token *t)
{
    return t->special || !t->normalized;
}

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
    s->words = s->words || !is_mark(&s->token[i]);
}

/* Where, from byte i on, a mark may begin. */
static size_t
next_mark(struct added_search *q, size_t i)
{
    while (q->run_at < q->n_marks && q->marks[q->run_at].end <= i)
        q->run_at++;
    if (q->run_at == q->n_marks)
        return q->n;
    return i > q->marks[q->run_at].start ? i : q->marks[q->run_at].start;
}

/* How far a mark that begins at byte i may reach. */
static size_t
marks_end(struct added_search *q, size_t i)
{
    if (!q->marks)
        return q->n;
    return next_mark(q, i) > i ? i : q->marks[q->run_at].end;
}

/* The longest token at byte i; its end, i if there is none. */
static size_t
longest(struct added_search *q, size_t i, size_t *token)
{
    const struct added_set *s = q->set;
    size_t k, end = i, stop = marks_end(q, i);
    uint32_t at = s->first[q->p[i]], found;

    for (k = i + 1; at != 0; k++) {
        found = s->node[at].token;
        if (found != NO_TOKEN
            && (k <= stop || !is_mark(&s->token[found]))) {
            end = k;
            *token = found;
        }
        if (k == q->n)
            break;
        at = child(s, at, q->p[k]);
    }
    return end;
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
beside_word(const struct added_search *q, size_t start, size_t end)
{
    size_t len;

    return (start > 0
            && (flags_before(q->uclass, q->p, start, &len) & UC_WORD))
           || (end < q->n
            && (flags_after(q->uclass, q->p + end, q->n - end, &len)
                & UC_WORD));
}

/* Widens m by what its token strips. */
static void
strip(const struct added_search *q, struct added_match *m)
{
    const struct added_token *t = &q->set->token[m->token];
    size_t len;

    while (t->lstrip && m->start > q->done
           && (flags_before(q->uclass, q->p, m->start, &len) & UC_SPACE))
        m->start -= len;
    while (t->rstrip && m->end < q->n
           && (flags_after(q->uclass, q->p + m->end, q->n - m->end, &len)
               & UC_SPACE))
        m->end += len;
}

bool
added_next(struct added_search *q, struct added_match *m)
{
    bool jumps = q->marks && !q->set->words;
    size_t i, end, token = 0;

    if (q->set->n_tokens == 0)
        return false;
    for (i = q->at; i < q->n; i++) {
        if (jumps)
            i = next_mark(q, i);
        if (i == q->n || q->set->first[q->p[i]] == 0)
            continue;
        end = longest(q, i, &token);
        if (end == i)
            continue;
        if (q->set->token[token].single_word && beside_word(q, i, end)) {
            i = end - 1;
            continue;
        }
        *m = (struct added_match){ i, end, token };
        strip(q, m);
        q->at = end;
        q->done = m->end;
        return true;
    }
    q->at = q->n;
    return false;
}
