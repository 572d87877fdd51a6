/* tokenizer_merges.c - the merges of a tokenizer.json.
 *
 * Each takes three look-ups in the vocabulary. Two are of names far apart in
 * memory, so merges are read in blocks, whose names are looked up together.
 * What a merge gives is the token behind that of the merge before, or the same
 * one, in nearly all files: it is compared with these first.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/tokenizer_read.h"

#define BLOCK 64

/* Merges that were read. */
struct block {
    struct json in;
    size_t n, first; /* merges, and the number of the first */
    struct map_key name[2 * BLOCK];
    const char *where[BLOCK]; /* for messages */
    char *own[2 * BLOCK];     /* strings that have escapes, decoded */
    size_t n_own;
    size_t given;    /* what the merge before gave: an entry of names */
    struct buf text; /* of one string */
};

/* The string that comes next; it is there until the block is added. */
static int
read_string(struct block *b, struct json_text *out, struct err *e)
{
    int rc;

    buf_reset(&b->text);
    rc = json_view(&b->in, out, &b->text, e);
    if (b->text.len > 0)
        out->p = b->own[b->n_own++] = mem_dup(out->p, out->n);
    return rc;
}

static void
release_own(struct block *b)
{
    while (b->n_own > 0)
        free(b->own[--b->n_own]);
}

/* Reads the names of ["a", "b"]. */
static int
read_list(struct block *b, struct map_key *name, struct err *e)
{
    struct json *j = &b->in;
    struct json_text text;
    size_t n = 0;
    int rc = json_enter_array(j, e);

    while (rc == 0 && json_next_item(j)) {
        if (n++ >= 2) {
            json_skip(j);
            continue;
        }
        rc = read_string(b, &text, e);
        if (rc == 0)
            name[n - 1] = (struct map_key){ text.p, text.n };
    }
    if (rc == 0 && n != 2)
        rc = json_error(j, e, "merge %zu is not of two tokens",
                        b->first + b->n);
    return rc;
}

/* The same of "a b". */
static int
read_pair(struct block *b, struct map_key *name, struct err *e)
{
    struct json *j = &b->in;
    struct json_text text;
    const char *space, *right;
    size_t n;
    int rc = read_string(b, &text, e);

    if (rc < 0)
        return rc;
    space = memchr(text.p, ' ', text.n);
    right = space ? space + 1 : text.p;
    n = text.n - (size_t)(right - text.p);
    if (!space || memchr(right, ' ', n))
        return json_error(j, e, "merge %zu is not two tokens with one space "
                          "between", b->first + b->n);
    name[0] = (struct map_key){ text.p, (size_t)(space - text.p) };
    name[1] = (struct map_key){ right, n };
    return 0;
}

static int
no_token(const struct block *b, size_t k, const void *name, size_t n,
         const char *what, struct err *e)
{
    struct json where = b->in;

    where.p = b->where[k];
    return json_error(&where, e, "merge %zu%s \"%.*s\"%s not in the "
                      "vocabulary", b->first + k, what,
                      n < 100 ? (int)n : 100, (const char *)name,
                      *what == ':' ? " is" : ", which is");
}

/* Whether entry i of names is the two names, one behind the other. */
static bool
is_joined(const struct map *names, size_t i, const struct map_key *name)
{
    const char *p;

    if (i >= names->n || names->entry[i].len != name[0].n + name[1].n)
        return false;
    p = map_key(names, i);
    return memcmp(p, name[0].p, name[0].n) == 0
           && memcmp(p + name[0].n, name[1].p, name[1].n) == 0;
}

/* The token that the merge of the two gives, or NULL. */
static const struct map_entry *
find_joined(const struct map *names, struct block *b,
            const struct map_key *name)
{
    const struct map_entry *found;

    if (is_joined(names, b->given + 1, name))
        return &names->entry[++b->given];
    if (is_joined(names, b->given, name))
        return &names->entry[b->given];
    buf_reset(&b->text);
    buf_add(&b->text, name[0].p, name[0].n);
    buf_add(&b->text, name[1].p, name[1].n);
    found = map_get(names, b->text.data, b->text.len);
    if (found)
        b->given = (size_t)(found - names->entry);
    return found;
}

/* Adds the merges of the block, which is empty then. */
static int
add_block(struct tokenizer *t, struct block *b, struct err *e)
{
    struct map_entry *found[2 * BLOCK];
    const struct map_entry *joined;
    int rc = 0;
    size_t k;

    map_get_all(&t->name, b->name, 2 * b->n, found);
    for (k = 0; k < b->n; k++)
        if (found[2 * k] && found[2 * k + 1])
            merges_expect(&t->merges, (uint32_t)found[2 * k]->value,
                          (uint32_t)found[2 * k + 1]->value);
    for (k = 0; k < b->n && rc == 0; k++) {
        const struct map_key *name = &b->name[2 * k];
        struct map_entry **f = found + 2 * k;

        if (!f[0] || !f[1]) {
            name += f[0] != NULL;
            rc = no_token(b, k, name->p, name->n, ":", e);
            break;
        }
        joined = find_joined(&t->name, b, name);
        if (!joined)
            rc = no_token(b, k, b->text.data, b->text.len, " gives", e);
        else
            merges_put(&t->merges, (uint32_t)f[0]->value,
                       (uint32_t)f[1]->value, (uint32_t)(b->first + k),
                       (uint32_t)joined->value);
    }
    b->first += b->n;
    b->n = 0;
    release_own(b);
    return rc;
}

static int
read_merge(struct tokenizer *t, struct block *b, struct err *e)
{
    struct map_key *name = &b->name[2 * b->n];
    int rc = json_kind(&b->in) == JSON_ARRAY ? read_list(b, name, e) :
             read_pair(b, name, e);

    if (rc < 0)
        return rc;
    b->where[b->n++] = b->in.p;
    return b->n < BLOCK ? 0 : add_block(t, b, e);
}

int
tokenizer_read_merges(struct tokenizer *t, const struct json *j,
                      struct err *e)
{
    struct block b = { .in = *j };
    size_t n;
    int rc = json_count_items(*j, &n, e);

    if (rc == 0)
        rc = tokenizer_limit(j, "a list", n, "merges", MERGE_MOST, e);
    if (rc < 0)
        return rc;
    merges_init(&t->merges, n);
    buf_init(&b.text);
    rc = json_enter_array(&b.in, e);
    while (rc == 0 && json_next_item(&b.in))
        rc = read_merge(t, &b, e);
    if (rc == 0)
        rc = add_block(t, &b, e);
    release_own(&b);
    buf_release(&b.text);
    return rc;
}
