/* gguf_parse.c - the head of a GGUF file, read as hostile.
 *
 * A key takes 13 bytes at least and a tensor 24, so that counts are compared
 * with the bytes left before there is memory for them. Arrays of strings are
 * walked once, to see that each lies in the file.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "tensor/gguf.h"

#define MAGIC "GGUF"
#define MIN_KEY 13
#define MIN_TENSOR 24
#define MAX_ALIGN (1 << 20)

/* Where the reader is. */
struct head {
    struct cursor c;
    size_t size; /* of the file */
    const char *where;
};

static uint32_t
head_u32(struct head *h)
{
    const void *p = cursor_bytes(&h->c, 4);

    return p ? load_u32(p) : 0;
}

static unsigned long long
head_at(const struct head *h)
{
    return h->size - h->c.left;
}

static int
cut_short(const struct head *h, struct err *e, const char *what)
{
    return err_set(e, ERR_DATA, "%s:%llu: the file ends within %s", h->where,
                   head_at(h), what);
}

/* The next string; where it does not fit, ok is false. */
static struct gguf_text
head_text(struct head *h)
{
    uint64_t n = cursor_u64(&h->c);
    const char *p = cursor_bytes(&h->c, n);

    return (struct gguf_text){ p, p ? n : 0 };
}

/* A name, which messages and maps can hold. */
static int
read_name(struct gguf_text *name, struct head *h, const char *what,
          struct err *e)
{
    unsigned long long at = head_at(h);

    *name = head_text(h);
    if (!h->c.ok)
        return err_set(e, ERR_DATA, "%s:%llu: the name of a %s runs past the "
                       "end of the file", h->where, at, what);
    if (name->n == 0 || name->n > GGUF_MAX_NAME)
        return err_set(e, ERR_DATA, "%s:%llu: a %s with a name of %zu bytes "
                       "(expected 1 to %d)", h->where, at, what, name->n,
                       GGUF_MAX_NAME);
    if (utf8_valid(name->p, name->n) < name->n
        || memchr(name->p, 0, name->n) != NULL)
        return err_set(e, ERR_DATA, "%s:%llu: the name of a %s is no text",
                       h->where, at, what);
    return 0;
}

/* Keys */

static void
skip_strings(struct head *h, uint64_t n)
{
    for (uint64_t i = 0; i < n && h->c.ok; i++)
        cursor_bytes(&h->c, cursor_u64(&h->c));
}

/* The value of k, whose type and n are known. */
static int
read_elements(struct gguf_key *k, struct head *h, struct err *e)
{
    const uint8_t *start = h->c.p;
    uint64_t bytes;

    if (k->type == GGUF_STRING)
        skip_strings(h, k->n);
    else if (!size_mul(k->n, gguf_type_bytes(k->type), &bytes))
        h->c.ok = false;
    else
        cursor_bytes(&h->c, bytes);
    if (!h->c.ok)
        return err_set(e, ERR_DATA, "%s: key %.*s: %llu of type %s run past "
                       "the end of the file", h->where, (int)k->name.n,
                       k->name.p, (unsigned long long)k->n,
                       gguf_type_name(k->type));
    k->at = start;
    k->bytes = (size_t)(h->c.p - start);
    return 0;
}

static int
read_type(uint8_t *type, const struct gguf_key *k, struct head *h,
          struct err *e)
{
    uint32_t found = head_u32(h);

    if (!h->c.ok)
        return cut_short(h, e, "a key");
    if (found >= GGUF_TYPES || (k->is_array && found == GGUF_ARRAY))
        return err_set(e, ERR_DATA, "%s: key %.*s: %s (found type %u)",
                       h->where, (int)k->name.n, k->name.p,
                       found == GGUF_ARRAY ? "an array of arrays"
                       : "a value of an unknown type", found);
    *type = (uint8_t)found;
    return 0;
}

static int
read_key(struct gguf_key *k, struct head *h, struct err *e)
{
    int rc = read_name(&k->name, h, "key", e);

    if (rc == 0)
        rc = read_type(&k->type, k, h, e);
    if (rc < 0)
        return rc;
    k->n = 1;
    k->is_array = k->type == GGUF_ARRAY;
    if (k->is_array) {
        rc = read_type(&k->type, k, h, e);
        k->n = cursor_u64(&h->c);
        if (rc == 0 && !h->c.ok)
            rc = cut_short(h, e, "an array");
    }
    return rc < 0 ? rc : read_elements(k, h, e);
}

static int
read_keys(struct gguf *g, struct head *h, uint64_t n, struct err *e)
{
    bool added;
    int rc = 0;

    g->key = mem_array(n, sizeof(*g->key));
    while (g->n_keys < n && rc == 0) {
        struct gguf_key *k = &g->key[g->n_keys];

        rc = read_key(k, h, e);
        if (rc < 0)
            break;
        map_put(&g->by_name, k->name.p, k->name.n, g->n_keys++, &added);
        if (!added)
            rc = err_set(e, ERR_DATA, "%s: key %.*s is there twice",
                         h->where, (int)k->name.n, k->name.p);
    }
    return rc;
}

static int
read_alignment(struct gguf *g, const struct head *h, struct err *e)
{
    const struct gguf_key *k = gguf_find(g, "general.alignment");
    int64_t v = 32;

    if (k != NULL && (k->is_array || !gguf_whole(k, 0, &v)))
        return err_set(e, ERR_DATA, "%s: general.alignment is no whole "
                       "number (found type %s)", h->where,
                       gguf_type_name(k->type));
    if (v < 8 || v > MAX_ALIGN || (v & (v - 1)) != 0)
        return err_set(e, ERR_DATA, "%s: general.alignment (found %lld, "
                       "expected a power of two from 8 to %d)", h->where,
                       (long long)v, MAX_ALIGN);
    g->align = (uint64_t)v;
    return 0;
}

/* Tensors */

static int
tensor_error(const char *where, const struct gguf_tensor *t, struct err *e,
             const char *what, unsigned long long found)
{
    return err_set(e, ERR_DATA, "%s: tensor %.*s: %s (found %llu)", where,
                   (int)t->name.n, t->name.p, what, found);
}

int
gguf_measure(struct gguf_tensor *t, const char *where, struct err *e)
{
    const struct gguf_format *f = gguf_format(t->type);
    uint64_t n;

    if (f == NULL)
        return tensor_error(where, t, e, "an unknown type", t->type);
    if (t->n_dims > GGUF_DIMS)
        return tensor_error(where, t, e, "more than 4 dimensions",
                            t->n_dims);
    if (t->ne[0] % f->block != 0)
        return err_set(e, ERR_DATA, "%s: tensor %.*s: rows of %llu elements "
                       "are no whole blocks of %s (%u each)", where,
                       (int)t->name.n, t->name.p,
                       (unsigned long long)t->ne[0], f->name, f->block);
    n = t->ne[0] / f->block;
    for (uint32_t i = 1; i < GGUF_DIMS; i++)
        if (!size_mul(n, t->ne[i], &n))
            return tensor_error(where, t, e, "a size over 2^64", t->ne[i]);
    if (!size_mul(n, f->bytes, &t->bytes))
        return tensor_error(where, t, e, "a size over 2^64", n);
    return 0;
}

static int
read_tensor(struct gguf_tensor *t, struct head *h, struct err *e)
{
    int rc = read_name(&t->name, h, "tensor", e);

    if (rc < 0)
        return rc;
    t->n_dims = head_u32(h);
    if (h->c.ok && t->n_dims > GGUF_DIMS)
        return tensor_error(h->where, t, e, "more than 4 dimensions",
                            t->n_dims);
    for (uint32_t i = 0; i < GGUF_DIMS; i++)
        t->ne[i] = h->c.ok && i < t->n_dims ? cursor_u64(&h->c) : 1;
    t->type = head_u32(h);
    t->begin = cursor_u64(&h->c);
    if (!h->c.ok)
        return cut_short(h, e, "the list of tensors");
    return gguf_measure(t, h->where, e);
}

static int
read_tensors(struct gguf *g, struct head *h, uint64_t n, struct err *e)
{
    struct map names;
    bool added;
    int rc = 0;

    map_init(&names);
    g->tensor = mem_array(n, sizeof(*g->tensor));
    while (g->n_tensors < n && rc == 0) {
        struct gguf_tensor *t = &g->tensor[g->n_tensors];

        rc = read_tensor(t, h, e);
        if (rc < 0)
            break;
        map_put(&names, t->name.p, t->name.n, g->n_tensors++, &added);
        if (!added)
            rc = err_set(e, ERR_DATA, "%s: tensor %.*s is there twice",
                         h->where, (int)t->name.n, t->name.p);
    }
    map_release(&names);
    return rc;
}

/* Places */

static int
by_place(const void *a, const void *b)
{
    const struct gguf_tensor *x = *(const struct gguf_tensor *const *)a;
    const struct gguf_tensor *y = *(const struct gguf_tensor *const *)b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? -1 : 1;
    return x->name.p < y->name.p ? -1 : 1;
}

/* t has to begin at `at`, the padded end of the tensor before it, and to lie
 * in the data, n bytes. */
static int
check_place(const struct gguf *g, const struct gguf_tensor *t, uint64_t at,
            uint64_t n, const char *where, struct err *e)
{
    unsigned long long begin = t->begin;

    if (t->begin % g->align != 0)
        return err_set(e, ERR_DATA, "%s: tensor %.*s: data offset %llu is no "
                       "multiple of %llu", where, (int)t->name.n, t->name.p,
                       begin, (unsigned long long)g->align);
    if (t->begin > n || t->bytes > n - t->begin)
        return err_set(e, ERR_DATA, "%s: tensor %.*s runs past the end of "
                       "the file (%llu bytes from data offset %llu, of "
                       "%llu)", where, (int)t->name.n, t->name.p,
                       (unsigned long long)t->bytes, begin,
                       (unsigned long long)n);
    if (t->begin != at)
        return err_set(e, ERR_DATA, "%s: tensor %.*s and the one before it "
                       "%s (data offset %llu, expected %llu)", where,
                       (int)t->name.n, t->name.p,
                       t->begin < at ? "overlap" : "leave a hole", begin,
                       (unsigned long long)at);
    return 0;
}

static int
check_places(const struct gguf *g, uint64_t n, const char *where,
             struct err *e)
{
    const struct gguf_tensor **t = mem_array(g->n_tensors, sizeof(*t));
    uint64_t at = 0;
    int rc = 0;

    for (size_t i = 0; i < g->n_tensors; i++)
        t[i] = &g->tensor[i];
    if (g->n_tensors > 0)
        qsort(t, g->n_tensors, sizeof(*t), by_place);
    for (size_t i = 0; i < g->n_tensors && rc == 0; i++) {
        rc = check_place(g, t[i], at, n, where, e);
        /* at is at most n, which is at most the file: no overflow */
        if (rc == 0)
            at = size_round(t[i]->begin + t[i]->bytes, g->align);
    }
    free(t);
    if (rc == 0 && n > at)
        rc = err_set(e, ERR_DATA, "%s: %llu bytes after the last tensor",
                     where, (unsigned long long)(n - at));
    return rc;
}

/* The whole */

static int
read_version(struct gguf *g, struct head *h, struct err *e)
{
    const char *magic = cursor_bytes(&h->c, strlen(MAGIC));

    g->version = head_u32(h);
    if (!h->c.ok || memcmp(magic, MAGIC, strlen(MAGIC)) != 0)
        return err_set(e, ERR_DATA, "%s:0: no GGUF file", h->where);
    if (g->version != 0 && (g->version & 0xffff) == 0)
        return err_set(e, ERR_DATA, "%s:4: a big-endian GGUF file (expected "
                       "little-endian)", h->where);
    if (g->version != 2 && g->version != 3)
        return err_set(e, ERR_DATA, "%s:4: GGUF version %u (expected 2 or "
                       "3)", h->where, g->version);
    return 0;
}

static int
check_count(const struct head *h, const char *what, uint64_t n, uint64_t most,
            uint64_t least_bytes, struct err *e)
{
    if (n > most)
        return err_set(e, ERR_DATA, "%s:8: %llu %s (limit %llu)", h->where,
                       (unsigned long long)n, what, (unsigned long long)most);
    if (n > h->c.left / least_bytes)
        return err_set(e, ERR_DATA, "%s:8: %llu %s in a file of %zu bytes",
                       h->where, (unsigned long long)n, what, h->size);
    return 0;
}

static int
parse(struct gguf *g, struct head *h, struct err *e)
{
    uint64_t n_tensors, n_keys;
    int rc = read_version(g, h, e);

    if (rc < 0)
        return rc;
    n_tensors = cursor_u64(&h->c);
    n_keys = cursor_u64(&h->c);
    if (!h->c.ok)
        return cut_short(h, e, "its first 24 bytes");
    rc = check_count(h, "tensors", n_tensors, GGUF_MAX_TENSORS, MIN_TENSOR,
                     e);
    if (rc == 0)
        rc = check_count(h, "keys", n_keys, GGUF_MAX_KEYS, MIN_KEY, e);
    if (rc == 0)
        rc = read_keys(g, h, n_keys, e);
    if (rc == 0)
        rc = read_alignment(g, h, e);
    if (rc == 0)
        rc = read_tensors(g, h, n_tensors, e);
    if (rc < 0)
        return rc;
    g->data_at = size_round(h->size - h->c.left, g->align);
    if (g->data_at > h->size)
        g->data_at = h->size; /* without data, the padding may be left out */
    return check_places(g, h->size - g->data_at, h->where, e);
}

int
gguf_parse(struct gguf *g, const void *p, size_t n, const char *where,
           struct err *e)
{
    struct head h = { cursor_on(p, n), n, where };
    int rc;

    memset(g, 0, sizeof(*g));
    map_init(&g->by_name);
    rc = parse(g, &h, e);
    if (rc < 0)
        gguf_release(g);
    return rc;
}
