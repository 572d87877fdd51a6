/* tokenizer_merges.c - the merges of a tokenizer.json.
 *
 * Each takes three look-ups in the vocabulary, far apart in memory. So merges
 * are read in blocks, whose names are looked up together.
 */
#include <string.h>

#include "text/tokenizer_read.h"

#define BLOCK 64

/* Merges that were read: each left name, and the right one behind it. */
struct block {
    struct buf names;
    size_t n, first; /* merges, and the number of the first */
    struct {
        size_t at, left, right; /* bytes */
        struct json where;      /* for messages */
    } merge[BLOCK];
};

/* Appends the names of ["a", "b"]; *left is the length of the first. */
static int
read_list(struct buf *b, size_t *left, size_t i, struct json *j,
          struct err *e)
{
    size_t n = 0, from = b->len;
    struct buf name;
    int rc;

    buf_init(&name);
    rc = json_enter_array(j, e);
    while (rc == 0 && json_next_item(j)) {
        if (n == 1)
            *left = b->len - from;
        if (++n > 2) {
            json_skip(j);
            continue;
        }
        rc = json_string(j, &name, e);
        buf_add(b, name.data, name.len);
    }
    if (rc == 0 && n != 2)
        rc = json_error(j, e, "merge %zu is not of two tokens", i);
    buf_release(&name);
    return rc;
}

/* The same of "a b". */
static int
read_pair(struct buf *b, size_t *left, size_t i, struct json *j,
          struct err *e)
{
    struct buf name;
    const char *space;
    int rc;

    buf_init(&name);
    rc = json_string(j, &name, e);
    space = memchr(name.data, ' ', name.len);
    *left = space ? (size_t)(space - name.data) : 0;
    if (rc == 0
        && (!space || memchr(space + 1, ' ', name.len - *left - 1)))
        rc = json_error(j, e, "merge %zu is not two tokens with one space "
                        "between", i);
    if (rc == 0) {
        buf_add(b, name.data, *left);
        buf_add(b, space + 1, name.len - *left - 1);
    }
    buf_release(&name);
    return rc;
}

static int
no_token(const struct block *b, size_t k, const struct map_key *key,
         const char *what, struct err *e)
{
    int n = key->n < 100 ? (int)key->n : 100;

    return json_error(&b->merge[k].where, e, "merge %zu%s \"%.*s\"%s not in "
                      "the vocabulary", b->first + k, what, n,
                      (const char *)key->p, *what == ':' ? " is" :
                      ", which is");
}

/* Adds the merges of the block, which is empty then. */
static int
add_block(struct tokenizer *t, struct block *b, struct err *e)
{
    struct map_key key[3 * BLOCK];
    struct map_entry *found[3 * BLOCK];
    int rc = 0;
    size_t k;

    for (k = 0; k < b->n; k++) {
        const char *name = b->names.data + b->merge[k].at;
        size_t left = b->merge[k].left, right = b->merge[k].right;

        key[3 * k] = (struct map_key){ name, left };
        key[3 * k + 1] = (struct map_key){ name + left, right };
        key[3 * k + 2] = (struct map_key){ name, left + right };
    }
    map_get_all(&t->name, key, 3 * b->n, found);
    for (k = 0; k < b->n && rc == 0; k++) {
        struct map_entry **f = found + 3 * k;

        if (!f[0] || !f[1])
            rc = no_token(b, k, &key[3 * k + (f[0] != NULL)], ":", e);
        else if (!f[2])
            rc = no_token(b, k, &key[3 * k + 2], " gives", e);
        else
            merges_put(&t->merges, (uint32_t)f[0]->value,
                       (uint32_t)f[1]->value, (uint32_t)(b->first + k),
                       (uint32_t)f[2]->value);
    }
    b->first += b->n;
    b->n = 0;
    buf_reset(&b->names);
    return rc;
}

int
tokenizer_read_merges(struct tokenizer *t, struct json *j, struct err *e)
{
    struct block b = { .n = 0 };
    size_t n, left = 0, at;
    int rc;

    rc = json_count_items(*j, &n, e);
    if (rc < 0)
        return rc;
    merges_init(&t->merges, n);
    buf_init(&b.names);
    rc = json_enter_array(j, e);
    while (rc == 0 && json_next_item(j)) {
        at = b.names.len;
        rc = json_kind(j) == JSON_ARRAY ?
             read_list(&b.names, &left, b.first + b.n, j, e) :
             read_pair(&b.names, &left, b.first + b.n, j, e);
        b.merge[b.n].at = at;
        b.merge[b.n].left = left;
        b.merge[b.n].right = b.names.len - at - left;
        b.merge[b.n].where = *j;
        if (rc == 0 && ++b.n == BLOCK)
            rc = add_block(t, &b, e);
    }
    if (rc == 0)
        rc = add_block(t, &b, e);
    buf_release(&b.names);
    return rc;
}
