/* rev.c - revisions by name, and from them to a walk. */
#include "repo/rev.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "repo/commit.h"
#include "repo/refs.h"

#define MAX_TAG_BYTES (1u << 20)
#define MAX_PEELS 16

void
tips_release(struct tips *t)
{
    free(t->tip);
    memset(t, 0, sizeof(*t));
}

static void
tips_add(struct tips *t, const struct oid *id, uint32_t flags)
{
    if (t->n == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 8;
        t->tip = mem_grow(t->tip, t->cap * sizeof(*t->tip));
    }
    t->tip[t->n].id = *id;
    t->tip[t->n++].flags = flags;
}

/* ---- objects to commits ---- */

/* Follows tags. *type is that of the object arrived at. */
static int
peel(struct objects *o, struct oid *id, int *type, struct err *e)
{
    char hex[OID_HEX + 1];
    struct object *tag;
    uint64_t size;
    int rc, i;

    for (i = 0; i < MAX_PEELS; i++) {
        rc = objects_header(o, id, type, &size, e);
        if (rc < 0 || *type != OBJECT_TAG)
            return rc;
        rc = objects_read(o, id, OBJECT_TAG, MAX_TAG_BYTES, &tag, e);
        if (rc < 0)
            return rc;
        if (tag->size < 7 + OID_HEX || memcmp(tag->data, "object ", 7)
            || !oid_parse(id, tag->data + 7, OID_HEX))
            rc = err_set(e, ERR_DATA, "tag %s: malformed",
                         oid_hex(id, hex));
        object_drop(tag);
        if (rc < 0)
            return rc;
    }
    return err_set(e, ERR_LIMIT, "too many tags of tags");
}

static int
need_commit(struct objects *o, struct oid *id, const char *what, size_t n,
            struct err *e)
{
    int type, rc;

    rc = peel(o, id, &type, e);
    if (rc == 0 && type != OBJECT_COMMIT)
        rc = err_set(e, ERR_DATA, "%.*s: not a commit (found a %s)", (int)n,
                     what, object_type_name(type));
    return rc;
}

/* Replaces *id by its parent number k, from 1. */
static int
to_parent(struct objects *o, struct oid *id, unsigned long k,
          const char *text, size_t n, struct err *e)
{
    struct object *object;
    struct commit c;
    int rc;

    rc = objects_read(o, id, OBJECT_COMMIT, COMMIT_MAX_BYTES, &object, e);
    if (rc < 0)
        return rc;
    rc = commit_parse(&c, object->data, object->size, e);
    if (rc == 0 && k > c.n_parents)
        rc = err_set(e, ERR_DATA, "%.*s: no such commit", (int)n, text);
    if (rc == 0)
        *id = commit_parent(&c, k - 1);
    object_drop(object);
    return rc;
}

/* ---- names ---- */

static int
by_reference(const struct place *p, const char *name, struct oid *id,
             bool *found, struct err *e)
{
    static const char *const form[] = {
        "", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"
    };
    struct buf full;
    size_t i;
    int rc = 0;

    *found = false;
    buf_init(&full);
    for (i = 0; rc == 0 && !*found && i < 6; i++) {
        buf_reset(&full);
        buf_addstr(&full, i < 5 ? form[i] : "refs/remotes/");
        buf_addstr(&full, name);
        if (i == 5)
            buf_addstr(&full, "/HEAD");
        if (strcmp(full.data, "HEAD") == 0
            || (strncmp(full.data, "refs/", 5) == 0
             && !strstr(full.data, "..") && !strstr(full.data, "/.")))
            rc = refs_resolve(p, full.data, id, found, NULL, e);
    }
    buf_release(&full);
    return rc;
}

static int
by_name(const struct place *p, struct objects *o, const char *text,
        size_t n, struct oid *id, struct err *e)
{
    char *name;
    bool found;
    int rc;

    if (oid_parse(id, text, n))
        return 0;
    name = n == 1 && *text == '@' ? mem_strdup("HEAD") : mem_dup(text, n);
    rc = by_reference(p, name, id, &found, e);
    if (rc == 0 && !found) {
        if (n >= 4 && n < OID_HEX
            && strspn(name, "0123456789abcdefABCDEF") == n)
            rc = objects_prefix(o, name, n, id, e);
        else
            rc = err_set(e, ERR_DATA, "%s: no such revision", name);
    }
    free(name);
    return rc;
}

/* A number at *p, 1 if there is none. */
static unsigned long
number(const char **p, const char *end)
{
    unsigned long v = 0;
    const char *at = *p;

    while (at < end && *at >= '0' && *at <= '9' && v < 100000000)
        v = v * 10 + (unsigned long)(*at++ - '0');
    if (at == *p)
        v = 1;
    *p = at;
    return v;
}

static int
unsupported(const char *text, size_t n, struct err *e)
{
    return err_set(e, ERR_DATA, "%.*s: unsupported form of a revision",
                   (int)n, text);
}

/* Applies the suffixes [p, end) to the commit *id. */
static int
follow(struct objects *o, const char *text, size_t n, const char *p,
       struct oid *id, struct err *e)
{
    const char *end = text + n;
    unsigned long k;
    char kind;
    int rc = 0;

    while (rc == 0 && p < end) {
        kind = *p++;
        if (kind == '^' && p < end && *p == '{') {
            if (end - p >= 2 && memcmp(p, "{}", 2) == 0)
                p += 2;
            else if (end - p >= 8 && memcmp(p, "{commit}", 8) == 0)
                p += 8;
            else
                return unsupported(text, n, e);
        } else if (kind == '^') {
            k = number(&p, end);
            if (k > 0)
                rc = to_parent(o, id, k, text, n, e);
        } else if (kind == '~') {
            for (k = number(&p, end); rc == 0 && k > 0; k--)
                rc = to_parent(o, id, 1, text, n, e);
        } else {
            return unsupported(text, n, e);
        }
    }
    return rc;
}

static int
resolve(const struct place *p, struct objects *o, const char *text,
        size_t n, struct oid *id, struct err *e)
{
    size_t base = 0;
    struct oid at;
    int rc;

    while (base < n && text[base] != '^' && text[base] != '~')
        base++;
    if (base == 0 || memchr(text, ':', n) || memmem(text, n, "@{", 2))
        return unsupported(text, n, e);
    rc = by_name(p, o, text, base, &at, e);
    if (rc == 0)
        rc = need_commit(o, &at, text, n, e);
    if (rc == 0)
        rc = follow(o, text, n, text + base, &at, e);
    if (rc == 0)
        *id = at;
    return rc;
}

/* ---- ranges ---- */

/* One word: "A", "^A", "A..B" or "A...B"; an empty side is HEAD. */
static int
parse_word(struct tips *t, const struct place *p, struct objects *o,
           const char *word, size_t n, struct err *e)
{
    const char *dots = memmem(word, n, "..", 2);
    size_t n_left, n_dots, n_right;
    struct oid left, right;
    int rc;

    if (!dots) {
        bool not = *word == '^';

        rc = resolve(p, o, word + not, n - not, &left, e);
        if (rc == 0)
            tips_add(t, &left, not ? WALK_HIDDEN : 0);
        return rc;
    }
    n_left = (size_t)(dots - word);
    n_dots = n - n_left > 2 && dots[2] == '.' ? 3 : 2;
    n_right = n - n_left - n_dots;
    rc = resolve(p, o, n_left ? word : "@", n_left ? n_left : 1, &left, e);
    if (rc == 0)
        rc = resolve(p, o, n_right ? dots + n_dots : "@",
                     n_right ? n_right : 1, &right, e);
    if (rc < 0)
        return rc;
    tips_add(t, &left, n_dots == 3 ? WALK_LEFT : WALK_HIDDEN);
    tips_add(t, &right, n_dots == 3 ? WALK_RIGHT : 0);
    return 0;
}

int
tips_parse(struct tips *t, const struct place *p, struct objects *o,
           const char *text, struct err *e)
{
    bool any = false, range = false;
    size_t n, i;
    int rc = 0;

    while (rc == 0 && *(text += strspn(text, " \t\n"))) {
        n = strcspn(text, " \t\n");
        if (memmem(text, n, "...", 3)) {
            if (range)
                return err_set(e, ERR_DATA, "%.*s: only one range with "
                               "three dots", (int)n, text);
            range = true;
        }
        rc = parse_word(t, p, o, text, n, e);
        text += n;
    }
    for (i = 0; i < t->n; i++)
        any = any || !(t->tip[i].flags & WALK_HIDDEN);
    if (rc == 0 && !any)
        rc = err_set(e, ERR_DATA, "no revision to start from");
    return rc;
}

/* Adds one of all references; *lost is set if it can't be followed. */
static int
add_reference(struct tips *t, const struct walk *w, const struct ref *ref,
              size_t *others, bool *lost, struct err *e)
{
    struct oid id = ref->id, stored = ref->id;
    struct id name;
    struct err why;
    int type, rc;

    if (ref->why) {
        name = id_of(ref->name, strlen(ref->name));
        memcpy(stored.b, name.b, OID_BYTES);
        why = *ref->why;
        rc = why.code;
    } else {
        rc = peel(w->objects, &id, &type, &why);
    }
    if (rc < 0) {
        if (!ref->why)
            err_prefix(&why, "%s", ref->name);
        *lost = true;
        return w->bad(w->ctx, &stored, true, &why, e);
    }
    if (type == OBJECT_COMMIT)
        tips_add(t, &id, 0);
    else
        ++*others;
    return 0;
}

int
tips_head(struct tips *t, const struct place *p, const struct walk *w,
          bool all, size_t *others, struct err *e)
{
    struct ref *ref = NULL, head = {.name = NULL};
    char *target = NULL;
    size_t n = 0, i;
    bool found = true, lost = false;
    struct err why;
    int rc;

    *others = 0;
    rc = refs_resolve(p, "HEAD", &head.id, &found, &target, &why);
    if (rc < 0 && !(all && (rc == ERR_DATA || rc == ERR_LIMIT))) {
        *e = why;
        return rc;
    }
    head.name = mem_strdup("HEAD");
    if (rc < 0)
        head.why = &why;
    if (all && (found || rc < 0)) {
        rc = add_reference(t, w, &head, others, &lost, e);
    } else if (found) {
        rc = need_commit(w->objects, &head.id, "HEAD", 4, e);
        if (rc == 0)
            tips_add(t, &head.id, 0);
    }
    free(head.name);
    if (rc == 0 && (all || !found))
        rc = refs_list(p, &ref, &n, e);
    if (rc == 0 && !all && !found && n > 0)
        rc = err_set(e, ERR_DATA, "%s: HEAD is unborn (it names %s, which "
                     "does not exist); use --rev or --all", p->common,
                     target);
    for (i = 0; rc == 0 && all && i < n; i++)
        rc = add_reference(t, w, &ref[i], others, &lost, e);
    if (rc == 0 && lost && t->n == 0)
        rc = err_set(e, ERR_DATA, "%s: none of the references can be "
                     "followed", p->common);
    refs_free(ref, n);
    free(target);
    return rc;
}

int
tips_walk(const struct tips *t, struct walk *w, struct err *e)
{
    const uint32_t both = WALK_LEFT | WALK_RIGHT;
    size_t i;
    int rc = 0;

    for (i = 0; rc == 0 && i < t->n; i++) {
        if (!(t->tip[i].flags & WALK_HIDDEN))
            rc = walk_add(w, &t->tip[i].id, e);
    }
    for (i = 0; rc == 0 && i < t->n; i++) {
        if (t->tip[i].flags)
            rc = walk_mark(w, &t->tip[i].id, t->tip[i].flags, e);
    }
    for (i = 0; rc == 0 && i < w->index.n; i++) {
        if ((w->commit[i].flags & both) == both)
            w->commit[i].flags |= WALK_HIDDEN;
    }
    return rc;
}
