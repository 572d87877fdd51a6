/* walk.c - depth-first post-order over commits, without recursion. */
#include "repo/walk.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/commit.h"

struct frame {
    uint32_t commit, next; /* next parent to visit */
};

struct stack {
    struct frame *frame;
    size_t n, cap;
};

void
walk_init(struct walk *w, struct objects *o)
{
    memset(w, 0, sizeof(*w));
    w->objects = o;
    map_init(&w->index);
    map_init(&w->authors);
}

void
walk_release(struct walk *w)
{
    map_release(&w->index);
    map_release(&w->authors);
    free(w->commit);
    free(w->parent);
    free(w->order);
    memset(w, 0, sizeof(*w));
}

struct oid
walk_id(const struct walk *w, size_t i)
{
    struct oid id;

    memcpy(id.b, map_key(&w->index, i), OID_BYTES);
    return id;
}

/* Room for one more element, doubling. */
static void *
room(void *p, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return p;
    *cap = *cap ? 2 * *cap : 256;
    return mem_grow(p, *cap * size);
}

static int
find(struct walk *w, const struct oid *id, uint32_t *out, struct err *e)
{
    struct map_entry *entry;
    bool added;

    if (w->index.n >= UINT32_MAX - 1)
        return err_set(e, ERR_LIMIT, "too many commits");
    entry = map_put(&w->index, id->b, OID_BYTES, w->index.n, &added);
    *out = (uint32_t)entry->value;
    if (added) {
        w->commit = room(w->commit, *out, &w->cap, sizeof(*w->commit));
        memset(&w->commit[*out], 0, sizeof(*w->commit));
    }
    return 0;
}

static int
add_parents(struct walk *w, uint32_t at, const struct commit *c,
            struct err *e)
{
    struct oid id;
    uint32_t parent;
    size_t i;
    int rc;

    if (w->n_parents + c->n_parents > UINT32_MAX)
        return err_set(e, ERR_LIMIT, "too many parents");
    w->commit[at].parents = (uint32_t)w->n_parents;
    w->commit[at].n_parents = (uint32_t)c->n_parents;
    for (i = 0; i < c->n_parents; i++) {
        id = commit_parent(c, i);
        rc = find(w, &id, &parent, e);
        if (rc < 0)
            return rc;
        w->parent = room(w->parent, w->n_parents, &w->parents_cap,
                         sizeof(*w->parent));
        w->parent[w->n_parents++] = parent;
    }
    return 0;
}

/* Marks a commit as unreadable, if w->bad agrees. */
static int
give_up(struct walk *w, uint32_t at, const struct err *why, struct err *e)
{
    struct oid id = walk_id(w, at);

    w->commit[at].flags |= WALK_BAD;
    return w->bad(w->ctx, &id, !(w->commit[at].flags & WALK_TREE), why, e);
}

static int
take_commit(struct walk *w, uint32_t at, const struct commit *c,
            struct err *e)
{
    const struct map_entry *author;

    w->commit[at].flags |= WALK_TREE;
    w->commit[at].tree = c->tree;
    w->commit[at].time = c->time;
    author = map_put(&w->authors, c->author.p, c->author.n, w->authors.n,
                     NULL);
    w->commit[at].author = (uint32_t)author->value;
    return add_parents(w, at, c, e);
}

/* Reads the commit at index at. One whose time is no time keeps its parents
 * and its tree. */
static int
load(struct walk *w, uint32_t at, struct err *e)
{
    struct oid id = walk_id(w, at);
    char hex[OID_HEX + 1];
    struct object *object;
    struct commit c;
    struct err why;
    int rc;

    w->commit[at].flags |= WALK_LOADED;
    oid_hex(&id, hex);
    rc = objects_read(w->objects, &id, OBJECT_COMMIT, COMMIT_MAX_BYTES,
                      &object, &why);
    if (rc < 0) {
        err_prefix(&why, "commit %s", hex);
        return give_up(w, at, &why, e);
    }
    rc = commit_parse(&c, object->data, object->size, &why);
    if (rc < 0) {
        err_prefix(&why, "commit %s", hex);
        rc = give_up(w, at, &why, e);
    } else {
        rc = take_commit(w, at, &c, e);
        if (rc == 0 && c.bad_time.n > 0) {
            err_set(&why, ERR_DATA, "commit %s: bad time \"%.*s\"", hex,
                    (int)(c.bad_time.n < 64 ? c.bad_time.n - 1 : 63),
                    c.bad_time.p + 1);
            rc = give_up(w, at, &why, e);
        }
    }
    object_drop(object);
    return rc;
}

/* Loads a commit if need be, sets flag and pushes it. */
static int
push(struct walk *w, struct stack *s, uint32_t at, uint32_t flag,
     struct err *e)
{
    int rc = 0;

    if (!(w->commit[at].flags & WALK_LOADED))
        rc = load(w, at, e);
    if (rc < 0)
        return rc;
    w->commit[at].flags |= flag;
    s->frame = room(s->frame, s->n, &s->cap, sizeof(*s->frame));
    s->frame[s->n].commit = at;
    s->frame[s->n++].next = 0;
    return 0;
}

static void
place(struct walk *w, uint32_t at)
{
    w->order = room(w->order, w->n_order, &w->order_cap,
                    sizeof(*w->order));
    w->order[w->n_order++] = at;
}

int
walk_add(struct walk *w, const struct oid *tip, struct err *e)
{
    struct stack s = {0};
    struct frame *top;
    const struct walk_commit *c;
    uint32_t at, n;
    int rc;

    rc = find(w, tip, &at, e);
    if (rc == 0 && !(w->commit[at].flags & WALK_PLACED))
        rc = push(w, &s, at, WALK_PLACED, e);
    while (rc == 0 && s.n > 0) {
        top = &s.frame[s.n - 1];
        c = &w->commit[top->commit];
        n = w->first_parent && c->n_parents > 1 ? 1 : c->n_parents;
        if (w->only_tips)
            n = 0;
        if (top->next < n) {
            at = w->parent[c->parents + top->next++];
            if (!(w->commit[at].flags & WALK_PLACED))
                rc = push(w, &s, at, WALK_PLACED, e);
        } else {
            place(w, top->commit);
            s.n--;
        }
    }
    free(s.frame);
    return rc;
}

int
walk_mark(struct walk *w, const struct oid *tip, uint32_t flag,
          struct err *e)
{
    struct stack s = {0};
    const struct walk_commit *c;
    uint32_t at, i, first, n;
    int rc;

    rc = find(w, tip, &at, e);
    if (rc == 0 && !(w->commit[at].flags & flag))
        rc = push(w, &s, at, flag, e);
    while (rc == 0 && s.n > 0) {
        c = &w->commit[s.frame[--s.n].commit];
        first = c->parents;
        n = c->n_parents;
        for (i = 0; rc == 0 && i < n; i++) {
            at = w->parent[first + i];
            if (!(w->commit[at].flags & flag))
                rc = push(w, &s, at, flag, e);
        }
    }
    free(s.frame);
    return rc;
}
