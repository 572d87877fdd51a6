/* tree.c - n parents and one result, merged by name, level by level.
 *
 * A frame is one directory: side 0 is the result, sides 1..n the parents,
 * those behind them the further trees. A side without that directory has an
 * empty cursor. Frames share one array of sides, used as a stack.
 */
#include "repo/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NO_DIR SIZE_MAX
#define MAX_AT 8000000 /* entries of tree_diff.at */

struct side {
    struct object *tree; /* NULL if absent */
    const char *next, *end;
    struct tree_entry entry;
    bool have; /* entry is the one to be looked at */
};

struct comparison {
    struct tree_diff *diff;
    struct objects *objects;
    size_t n_sides, n_parents;
    struct side *side;     /* depth * n_sides */
    size_t depth, cap;     /* frames in use, and room for */
    struct buf path;       /* of the current frame, ends in '/' or empty */
    size_t path_end[TREE_MAX_DEPTH];
    size_t kept[TREE_MAX_DEPTH]; /* path_end of the last one in the result */
    size_t dir[TREE_MAX_DEPTH]; /* where diff->paths has it; or NO_DIR */
    uint64_t visited, max_entries;
};

void
tree_diff_init(struct tree_diff *d)
{
    memset(d, 0, sizeof(*d));
    buf_init(&d->paths);
}

void
tree_diff_release(struct tree_diff *d)
{
    free(d->change);
    free(d->at);
    buf_release(&d->paths);
    tree_diff_init(d);
}

void
tree_path(const struct tree_diff *d, const struct tree_change *c,
          struct buf *out)
{
    buf_reset(out);
    buf_add(out, d->paths.data + c->dir, c->dir_len);
    buf_add(out, d->paths.data + c->name, c->name_len);
}

bool
tree_next(const char **p, const char *end, struct tree_entry *out)
{
    const char *at = *p, *nul;
    uint32_t mode = 0;
    int digits;

    for (digits = 0; at < end && *at >= '0' && *at <= '7'; digits++)
        mode = mode << 3 | (uint32_t)(*at++ - '0');
    if (digits == 0 || digits > 8 || at == end || *at != ' ')
        return false;
    at++;
    nul = memchr(at, '\0', (size_t)(end - at));
    if (!nul || nul == at || end - nul <= OID_BYTES)
        return false;
    out->mode = mode;
    out->name = at;
    out->name_len = (size_t)(nul - at);
    memcpy(out->id.b, nul + 1, OID_BYTES);
    *p = nul + 1 + OID_BYTES;
    return true;
}

static bool
is_tree(const struct tree_entry *x)
{
    return (x->mode & MODE_TYPE) == MODE_TREE;
}

/* git's order: a directory's name counts as ending in '/'. */
static int
compare_names(const struct tree_entry *a, const struct tree_entry *b)
{
    size_t n = a->name_len < b->name_len ? a->name_len : b->name_len;
    int order = memcmp(a->name, b->name, n);
    unsigned char x, y;

    if (order)
        return order;
    x = a->name_len > n ? (unsigned char)a->name[n] : is_tree(a) ? '/' : 0;
    y = b->name_len > n ? (unsigned char)b->name[n] : is_tree(b) ? '/' : 0;
    if (x != y)
        return x < y ? -1 : 1;
    return a->name_len < b->name_len ? -1 : a->name_len > b->name_len;
}

/* Equal but for permission bits that git ignores. */
static bool
same_entry(const struct tree_entry *a, const struct tree_entry *b)
{
    uint32_t mask = mode_is_file(a->mode) ? MODE_TYPE | 0100 : MODE_TYPE;

    return ((a->mode ^ b->mode) & mask) == 0 && oid_equal(&a->id, &b->id);
}

/* Fetches the next entry of a side unless it has one. */
static int
advance(struct comparison *c, struct side *s, struct err *e)
{
    char hex[OID_HEX + 1];

    if (s->have || s->next == s->end)
        return 0;
    if (++c->visited > c->max_entries)
        return err_set(e, ERR_LIMIT, "too many tree entries in one commit "
                       "(limit %llu)", (unsigned long long)c->max_entries);
    if (!tree_next(&s->next, s->end, &s->entry))
        return err_set(e, ERR_DATA, "tree %s: malformed",
                       oid_hex(&s->tree->id, hex));
    s->have = true;
    return 0;
}

static int
open_side(struct comparison *c, struct side *s, const struct oid *id,
          struct err *e)
{
    int rc;

    memset(s, 0, sizeof(*s));
    if (!id)
        return 0;
    rc = objects_read(c->objects, id, OBJECT_TREE, TREE_MAX_BYTES, &s->tree,
                      e);
    if (rc < 0)
        return rc;
    s->next = s->tree->data;
    s->end = s->next + s->tree->size;
    return 0;
}

/* Adds a frame of n_sides trees; a NULL id is an absent one. */
static int
push_frame(struct comparison *c, const struct oid *const *id,
           struct err *e)
{
    struct side *s;
    size_t i;
    int rc;

    if (c->depth == TREE_MAX_DEPTH)
        return err_set(e, ERR_LIMIT, "directories too deep (limit %d)",
                       TREE_MAX_DEPTH);
    if (c->depth == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 8;
        c->side = mem_grow(c->side,
                           c->cap * c->n_sides * sizeof(*c->side));
    }
    s = c->side + c->depth * c->n_sides;
    c->dir[c->depth] = NO_DIR;
    c->kept[c->depth] = id[0] || c->depth == 0 ? c->path.len
                                               : c->kept[c->depth - 1];
    c->path_end[c->depth++] = c->path.len;
    memset(s, 0, c->n_sides * sizeof(*s));
    for (i = 0; i < c->n_sides; i++) {
        rc = open_side(c, &s[i], id[i], e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void
pop_frame(struct comparison *c)
{
    struct side *s = c->side + --c->depth * c->n_sides;
    size_t i;

    for (i = 0; i < c->n_sides; i++)
        object_drop(s[i].tree);
    c->path.len = c->depth > 0 ? c->path_end[c->depth - 1] : 0;
}

/* What is below a directory, or the rest of it, is lost if that is to be
 * borne. */
static int
lose_frame(struct comparison *c, size_t depth, int rc, const struct err *e)
{
    if (depth <= 1 || !c->diff->losses || c->visited > c->max_entries
        || !losses_bear(c->diff->losses, rc, e))
        return rc;
    while (c->depth >= depth)
        pop_frame(c);
    c->path.len = c->path_end[c->depth - 1];
    return 0;
}

static int
check_path(const struct comparison *c, const struct tree_entry *x,
           struct err *e)
{
    if (c->path.len + x->name_len + 1 > TREE_MAX_PATH)
        return err_set(e, ERR_LIMIT, "path too long (limit %d bytes)",
                       TREE_MAX_PATH);
    return 0;
}

/* What every tree but the result has at the path of the change added last. */
static int
add_at(struct tree_diff *d, struct tree_entry *const *match, struct err *e)
{
    struct tree_at *at;
    size_t i;

    if (d->n_at == 0)
        return 0;
    if (d->n * d->n_at > MAX_AT)
        return err_set(e, ERR_LIMIT, "a merge of too many paths (limit %d in "
                       "all its trees)", MAX_AT);
    if (d->n * d->n_at > d->at_cap) {
        d->at_cap = 2 * d->n * d->n_at;
        d->at = mem_grow(d->at, d->at_cap * sizeof(*d->at));
    }
    at = d->at + (d->n - 1) * d->n_at;
    memset(at, 0, d->n_at * sizeof(*at));
    for (i = 0; i < d->n_at; i++) {
        if (match[i + 1])
            at[i] = (struct tree_at){ true, match[i + 1]->mode,
                                      match[i + 1]->id };
    }
    return 0;
}

static int
add_change(struct comparison *c, struct tree_entry *const *match,
           struct err *e)
{
    const struct tree_entry *before = c->n_parents > 0 ? match[1] : NULL;
    const struct tree_entry *after = match[0], *x = after ? after : before;
    struct tree_diff *d = c->diff;
    struct tree_change *change;
    size_t *dir = &c->dir[c->depth - 1];

    if (d->paths.len + c->path.len + x->name_len > TREE_MAX_PATHS)
        return err_set(e, ERR_LIMIT, "the changed paths of one commit are "
                       "too long (limit %u bytes)", TREE_MAX_PATHS);
    if (*dir == NO_DIR) {
        *dir = d->paths.len;
        buf_add(&d->paths, c->path.data, c->path.len);
    }
    if (d->n == d->cap) {
        d->cap = d->cap ? 2 * d->cap : 64;
        d->change = mem_grow(d->change, d->cap * sizeof(*d->change));
    }
    change = &d->change[d->n++];
    memset(change, 0, sizeof(*change));
    change->dir = *dir;
    change->dir_len = (uint32_t)c->path.len;
    change->kept_len = (uint32_t)c->kept[c->depth - 1];
    change->name = d->paths.len;
    change->name_len = (uint32_t)x->name_len;
    buf_add(&d->paths, x->name, x->name_len);
    if (before) {
        change->there[0] = true;
        change->mode[0] = before->mode;
        change->id[0] = before->id;
    }
    if (after) {
        change->there[1] = true;
        change->mode[1] = after->mode;
        change->id[1] = after->id;
    }
    return add_at(d, match, e);
}

/* Looks at one name: match[i] is side i's entry of it, or NULL. */
static int
judge(struct comparison *c, struct tree_entry *const *match,
      const struct oid **id, struct err *e)
{
    const struct tree_entry *first = match[0];
    size_t i, depth;
    int rc;

    for (i = 1; i <= c->n_parents; i++) {
        if (match[0] ? match[i] && same_entry(match[0], match[i])
                     : !match[i])
            return 0; /* as in parent i */
    }
    for (i = 1; !first; i++)
        first = match[i];
    rc = check_path(c, first, e);
    if (rc < 0)
        return rc;
    if (!is_tree(first))
        return add_change(c, match, e);
    buf_add(&c->path, first->name, first->name_len);
    buf_addc(&c->path, '/');
    for (i = 0; i < c->n_sides; i++)
        id[i] = match[i] ? &match[i]->id : NULL;
    depth = c->depth;
    rc = push_frame(c, id, e);
    return rc < 0 ? lose_frame(c, depth + 1, rc, e) : 0;
}

/* Takes the least name of the top frame, or drops the frame at its end. */
static int
step(struct comparison *c, struct tree_entry **match,
     struct tree_entry *copy, const struct oid **id, struct err *e)
{
    struct side *s = c->side + (c->depth - 1) * c->n_sides;
    const struct tree_entry *least = NULL;
    size_t i;
    int rc;

    for (i = 0; i < c->n_sides; i++) {
        rc = advance(c, &s[i], e);
        if (rc < 0)
            return lose_frame(c, c->depth, rc, e);
        if (s[i].have && (!least || compare_names(&s[i].entry, least) < 0))
            least = &s[i].entry;
    }
    if (!least) {
        pop_frame(c);
        return 0;
    }
    for (i = 0; i < c->n_sides; i++) {
        match[i] = NULL;
        if (s[i].have && (&s[i].entry == least
                          || compare_names(&s[i].entry, least) == 0)) {
            copy[i] = s[i].entry; /* the frames may move */
            match[i] = &copy[i];
        }
    }
    for (i = 0; i < c->n_sides; i++) {
        if (match[i])
            s[i].have = false;
    }
    return judge(c, match, id, e);
}

int
tree_compare(struct tree_diff *d, struct objects *o,
             const struct oid *tree, size_t n, size_t n_at,
             const struct oid *after, uint64_t max_entries, struct err *e)
{
    const size_t n_sides = 1 + (n_at > n ? n_at : n);
    struct comparison c = {.diff = d, .objects = o, .n_sides = n_sides,
                           .n_parents = n, .max_entries = max_entries};
    struct tree_entry **match = mem_array(n_sides, sizeof(*match));
    struct tree_entry *copy = mem_array(n_sides, sizeof(*copy));
    const struct oid **id = mem_array(n_sides, sizeof(*id));
    size_t i;
    int rc;

    d->n = 0;
    d->n_at = n_at;
    buf_reset(&d->paths);
    buf_init(&c.path);
    id[0] = after;
    for (i = 1; i < n_sides; i++)
        id[i] = &tree[i - 1];
    rc = push_frame(&c, id, e);
    while (rc == 0 && c.depth > 0)
        rc = step(&c, match, copy, id, e);
    while (c.depth > 0)
        pop_frame(&c);
    free(c.side);
    free(match);
    free(copy);
    free(id);
    buf_release(&c.path);
    return rc;
}
